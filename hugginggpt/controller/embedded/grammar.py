"""The grammar of pipeline notation for one request, in llama.cpp's GBNF.

It allows only plans of known kinds with typed edges, whose names are those of the given sources and
whose texts are words of the request; only languages are free. So the model cannot invent a kind, a
file or a text. (GBNF: llama.cpp, `grammars/README.md`.)
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from hugginggpt.capabilities import CAPABILITIES, Capability, Input, ValueType
from hugginggpt.plan.notation import INPUT_WORDS, NOTHING, PIPED, TEMPLATED, named, word_of, written_number
from hugginggpt.plan.references import starts_of_references

MOST_LINES = 8
"""Pipelines in a plan."""

MOST_STEPS = 8
"""Steps in a pipeline."""

_MOST_INNER_STEPS = 4  # in a pipeline in parentheses
_MOST_NESTED = 2  # nested pairs of parentheses

_MOST_VALUES = 32
_BY_RULE = ("column",)  # inputs that `target_columns` adds to a plan
_FILES = (ValueType.TEXT, ValueType.IMAGE, ValueType.AUDIO, ValueType.VIDEO, ValueType.TABLE)
_INSIDE = (ValueType.TEXT, ValueType.IMAGE)  # what a pipeline in parentheses may return
_MOST_UNITS = 4_000  # words of a request, from its beginning and its end; the planner sees fewer
_UNIT = re.compile(r"\w+|[^\w\s]")

# A rule is a list of alternatives, an alternative a list of symbols: names of rules, or plain GBNF.
_Rules = dict[str, list[tuple[str, ...]]]


def plan_grammar(
    kinds: Collection[str], sources: Mapping[ValueType, Sequence[str]], text: str, repeated: Sequence[str] = ()
) -> str:
    """The grammar of the possible plans for a request.

    Args:
        kinds: the kinds that may be planned.
        sources: names of the files and other sources, by the type of value they hold.
        text: the request, which texts are taken from.
        repeated: texts and templates of earlier plans that may be written again, quoted as in the notation.

    Returns:
        A GBNF grammar whose every sentence `read_notation` can read.
    """
    rules = _texts(text, repeated)
    # A request names languages in its own language, a plan names them in English.
    rules["language"] = [('[A-Z] [a-z]{2,20} | "\\"" [A-Z] [a-z]{2,20} (" " [A-Z] [a-z]{2,20}){1,2} "\\""',)]
    for type in _FILES:
        rules[f"name-{type}"] = [(_literal(named(name)),) for name in dict.fromkeys(sources.get(type, ()))]
    capabilities = [CAPABILITIES[kind] for kind in kinds]
    for depth in range(_MOST_NESTED + 1):
        rules |= _pipelines(capabilities, depth)
    rules["line"] = [(f"from-{type}-0", _go(type, None, MOST_STEPS, 0)) for type in _FILES]
    rules["root"] = [(_literal(NOTHING),), ("line", f'("\\n" line){{0,{MOST_LINES - 1}}}')]
    return _rendered(_possible(rules))


def _pipelines(capabilities: Sequence[Capability], depth: int) -> _Rules:
    """The rules for pipelines inside this many parentheses."""
    rules: _Rules = {}
    deeper = depth + 1
    for goal in _INSIDE:
        starts = [(f"from-{type}-{deeper}", _go(type, goal, _MOST_INNER_STEPS, deeper)) for type in _FILES]
        rules[f"inner-{goal}-{depth}"] = [('"("', *start, '")"') for start in starts] if depth < _MOST_NESTED else []
    spans: list[tuple[str, ...]] = [("span",)]
    for type in _FILES:
        inner: list[tuple[str, ...]] = [(f"inner-{type}-{depth}",)] if type in _INSIDE else []
        texts = spans if type is ValueType.TEXT else []
        rules[f"one-{type}-{depth}"] = [(f"name-{type}",), *inner]
        rules[f"several-{type}-{depth}"] = [
            (f"one-{type}-{depth}", f'(", " one-{type}-{depth}){{1,{_MOST_VALUES - 1}}}')
        ]
        rules[f"from-{type}-{depth}"] = [(f"name-{type}",), (f"several-{type}-{depth}",), *texts]
        rules[f"value-{type}-{depth}"] = [*texts, (f"name-{type}",), *inner]
        rules |= _onward(type, [c for c in capabilities if c.inputs[0].accepts(type)], depth)
    for capability in capabilities:
        rules[_step(capability, depth)] = list(_steps(capability, depth))
    return rules


def _onward(type: ValueType, takers: Sequence[Capability], depth: int) -> _Rules:
    """How a pipeline may continue from a value of a type, for every number of steps left."""
    rules: _Rules = {}
    by_result: dict[tuple[ValueType, ...], list[Capability]] = {}
    for capability in takers:
        by_result.setdefault(_results(capability), []).append(capability)
    for results, capabilities in by_result.items():
        rules[_steps_to(type, results, depth)] = [(_step(c, depth),) for c in capabilities]
    goals: list[tuple[ValueType | None, int]] = [(goal, _MOST_INNER_STEPS) for goal in _INSIDE if depth]
    for goal, most in goals or [(None, MOST_STEPS)]:
        for left in range(1, most + 1):
            rules[_go(type, goal, left, depth)] = [
                ('" > "', _steps_to(type, results, depth), _after(results, goal, left - 1, depth))
                for results in by_result
            ]
            rules |= {
                _after(results, goal, left - 1, depth): _rests(results, goal, left - 1, depth) for results in by_result
            }
    return rules


def _rests(results: tuple[ValueType, ...], goal: ValueType | None, left: int, depth: int) -> list[tuple[str, ...]]:
    """What may follow a step: the end, if the result is of the wanted type, or further steps."""
    end: list[tuple[str, ...]] = [('""',)] if goal is None or goal in results else []
    return end + [(_go(type, goal, left, depth),) for type in results if left]


def _go(type: ValueType, goal: ValueType | None, left: int, depth: int) -> str:
    """The rule for one to `left` steps from a value of a type to a value of the goal's type, or of any type."""
    return f"go-{type}-to-{goal or 'any'}-{left}-{depth}"


def _after(results: tuple[ValueType, ...], goal: ValueType | None, left: int, depth: int) -> str:
    return f"after-{'-'.join(results)}-to-{goal or 'any'}-{left}-{depth}"


def _steps_to(type: ValueType, results: tuple[ValueType, ...], depth: int) -> str:
    return f"steps-{type}-to-{'-'.join(results)}-{depth}"


def _results(capability: Capability) -> tuple[ValueType, ...]:
    """The types of input that accept its outputs."""
    given = set(capability.outputs)
    return tuple(t for t in _FILES if t in given or (t is ValueType.TEXT and ValueType.STRUCTURED in given))


def _step(capability: Capability, depth: int) -> str:
    return f"step-{capability.kind}-{depth}"


def _steps(capability: Capability, depth: int) -> Iterator[tuple[str, ...]]:
    """The ways to write one step: its kind, then the named inputs."""
    kind, (_, *others) = capability.kind, capability.inputs
    word = word_of(capability)
    if kind in TEMPLATED:
        yield (_literal(word),)
        yield (_literal(f"{word} text="), "template")
    elif capability.input("context"):
        yield (_literal(word),)
        yield (_literal(f"{word} text="), f"value-text-{depth}")
    else:
        required = [symbol for wanted in others if wanted.required for symbol in _given(wanted, depth)]
        optional = [wanted for wanted in others if not wanted.required and wanted.name not in _BY_RULE]
        for chosen in itertools.product(*([(), _given(wanted, depth)] for wanted in optional)):
            yield (_literal(word), *required, *itertools.chain(*chosen), *_parameters(capability))


def _given(wanted: Input, depth: int) -> tuple[str, str]:
    """A named input."""
    given = f"value-{wanted.type}-{depth}"
    value = "language" if wanted.name in INPUT_WORDS else "labels" if wanted.many else given
    return _literal(f" {INPUT_WORDS.get(wanted.name, wanted.name)}="), value


def _parameters(capability: Capability) -> Iterator[str]:
    """The parameters that have limits, each with one of a few numbers, or left out."""
    for name, limits in capability.ranges.items():
        numbers = " | ".join(_literal(written_number(number)) for number in limits.offered)
        yield f"({_literal(f' {name}=')} ({numbers}))?"


def _texts(text: str, repeated: Sequence[str]) -> _Rules:
    """Every run of the request's words: `span`, a text; `template`, a text with a place for the piped value.

    Repeated texts are taken as a whole.
    """
    units = list(_UNIT.finditer(text))
    cut = len(units)
    if cut > _MOST_UNITS:
        cut = _MOST_UNITS * 2 // 3
        units = [*units[:cut], *units[cut - _MOST_UNITS :]]
    rules: _Rules = {"words": []}
    starts = starts_of_references(text)  # no text continues past these, so none contains a whole reference
    for n, unit in enumerate(units):
        rules["words"].append((f"w{n}",))
        here = _escaped(unit.group())
        if n + 1 < len(units) and n + 1 != cut and unit.start() not in starts:
            gap = _escaped(text[unit.end() : units[n + 1].start()])
            rules[f"w{n}"] = [(f'"{here}" ("{gap}" w{n + 1})?',)]
        else:
            rules[f"w{n}"] = [(f'"{here}"',)]
    whole: dict[bool, list[tuple[str, ...]]] = {False: [], True: []}
    for quoted_text in dict.fromkeys(repeated):
        whole[quoted_text.endswith(f'{PIPED}"')].append((_literal(quoted_text),))
    rules["span"] = [('"\\""', "words", '"\\""'), *whole[False]]
    rules["template"] = [('"\\""', "words", f'":"? " {PIPED}\\""'), *whole[True]]
    rules["labels"] = [("span", f'(", " span){{0,{_MOST_VALUES - 1}}}')]
    return rules


def _escaped(text: str) -> str:
    """The text, quoted as in the notation, as the inside of a GBNF literal."""
    return _literal(json.dumps(text, ensure_ascii=False)[1:-1])[1:-1]


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _possible(rules: _Rules) -> _Rules:
    """The rules without alternatives that cannot be completed, for example because there is no file of a type."""
    possible: set[str] = set()
    while True:
        kept = {
            name: [way for way in ways if all(symbol in possible for symbol in way if symbol in rules)]
            for name, ways in rules.items()
        }
        found = {name for name, ways in kept.items() if ways}
        if found == possible:
            return {name: kept[name] for name in rules if name in possible}
        possible = found


def _rendered(rules: _Rules) -> str:
    return "".join(f"{name} ::= {' | '.join(' '.join(way) for way in ways)}\n" for name, ways in rules.items())

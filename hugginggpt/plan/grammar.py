"""The grammar of pipeline notation for one request, in llama.cpp's GBNF.

What it lets through is a plan of known kinds with typed edges: it names only the sources it is given
and takes every text from the request's own words. So neither a kind nor a file nor a text can be
invented. (GBNF: llama.cpp, `grammars/README.md`.)
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from hugginggpt.capabilities import CAPABILITIES, Capability, Input, ValueType
from hugginggpt.plan.notation import NOTHING, PIPED, TEMPLATED, quoted

MOST_RESULTS = 8
"""Lines of a plan."""

_MOST_VALUES = 32
_FILES = (ValueType.TEXT, ValueType.IMAGE, ValueType.AUDIO, ValueType.VIDEO, ValueType.TABLE)
_INSIDE = (ValueType.TEXT, ValueType.IMAGE)  # what a pipeline in parentheses may yield
_UNIT = re.compile(r"\w+|[^\w\s]")

# A rule is its alternatives, an alternative its symbols: names of rules, or GBNF as it stands.
_Rules = dict[str, list[tuple[str, ...]]]


def plan_grammar(kinds: Collection[str], sources: Mapping[ValueType, Sequence[str]], text: str) -> str:
    """The grammar of the plans that a request may get.

    Args:
        kinds: the kinds that may be planned.
        sources: names of the files and other sources, by the type of value they hold.
        text: the request, out of which texts are taken.

    Returns:
        A GBNF grammar whose every sentence `read_notation` can read.
    """
    rules = _texts(text, {name for names in sources.values() for name in names})
    rules["language"] = [('[A-Z] [a-z]{2,20} | "\\"" [A-Z] [a-z]{2,20} (" " [A-Z] [a-z]{2,20}){1,2} "\\""',)]
    capabilities = [CAPABILITIES[kind] for kind in kinds]
    for capability in capabilities:
        rules[_step(capability)] = list(_steps(capability))
    for type in _FILES:
        rules[f"name-{type}"] = [(_literal(quoted(name)),) for name in dict.fromkeys(sources.get(type, ()))]
        inner = [(f"inner-{type}",)] if type in _INSIDE else []
        rules[f"one-{type}"] = [(f"name-{type}",), *inner]
        rules[f"several-{type}"] = [(f"one-{type}", f'(", " one-{type}){{1,{_MOST_VALUES - 1}}}')]
        rules[f"from-{type}"] = [(f"name-{type}",), (f"several-{type}",)]
        for goal in (None, *_INSIDE):
            takers = [c for c in capabilities if _takes(c, type)]
            rules[_go(type, goal)] = [('" > "', _step(c), _rest(c, goal)) for c in takers]
            rules |= {_rest(c, goal): _rests(c, goal) for c in takers}
    rules["from-text"].append(("span",))
    for goal in _INSIDE:
        rules[f"inner-{goal}"] = [('"("', f"from-{type}", _go(type, goal), '")"') for type in _FILES]
    rules["line"] = [(f"from-{type}", _go(type, None)) for type in _FILES]
    rules["root"] = [(_literal(NOTHING),), ("line", f'("\\n" line){{0,{MOST_RESULTS - 1}}}')]
    return _rendered(_possible(rules))


def _step(capability: Capability) -> str:
    return f"step-{capability.kind}"


def _steps(capability: Capability) -> Iterator[tuple[str, ...]]:
    """The ways of writing one step: its kind, then the inputs that are named."""
    kind, (_, *others) = capability.kind, capability.inputs
    if kind in TEMPLATED:
        yield (_literal(kind),)
        yield (_literal(f"{kind} text="), "template")
    elif capability.input("context"):
        yield (_literal(kind),)
        yield (_literal(f"{kind} text="), "value-text")
    else:
        symbols: list[str] = [_literal(kind)]
        for wanted in others:
            named = f"{_literal(f' {wanted.name}=')} {_value(wanted)}"
            symbols += [f"({named})?"] if not wanted.required else [_literal(f" {wanted.name}="), _value(wanted)]
        yield tuple(symbols)


def _value(wanted: Input) -> str:
    if wanted.name in ("target_language", "source_language"):
        return "language"
    return "labels" if wanted.many else f"value-{wanted.type}"


def _takes(capability: Capability, type: ValueType) -> bool:
    return capability.inputs[0].accepts(type)


def _types(capability: Capability) -> list[ValueType]:
    """The types of input that its outputs can go into."""
    given = set(capability.outputs)
    return [t for t in _FILES if t in given or (t is ValueType.TEXT and ValueType.STRUCTURED in given)]


def _go(type: ValueType, goal: ValueType | None) -> str:
    """The rule for what may follow a value of a type, up to a value of the goal's type or to any end."""
    return f"go-{type}" if goal is None else f"go-{type}-to-{goal}"


def _rest(capability: Capability, goal: ValueType | None) -> str:
    types = "-".join(_types(capability))
    return f"rest-{types}" if goal is None else f"rest-{types}-to-{goal}"


def _rests(capability: Capability, goal: ValueType | None) -> list[tuple[str, ...]]:
    types = _types(capability)
    end: list[tuple[str, ...]] = [('""',)] if goal is None or goal in types else []
    return end + [(_go(type, goal),) for type in types]


def _texts(text: str, names: Collection[str]) -> _Rules:
    """Every run of the request's words: `span`, a text; `template`, one with a place for what is piped.

    A single word that is the name of a source is no text: a recording's name can not be spoken.
    """
    units = list(_UNIT.finditer(text))
    rules: _Rules = {"words": [], "word": []}
    for n, unit in enumerate(units):
        rules["words"].append((f"w{n}",))
        here = _escaped(unit.group())
        if n + 1 < len(units):
            gap = _escaped(text[unit.end() : units[n + 1].start()])
            rules[f"w{n}"] = [(f'"{here}" ("{gap}" w{n + 1})?',)]
        else:
            rules[f"w{n}"] = [(f'"{here}"',)]
    bare = {form for word in text.split() for form in (word, *(u.group() for u in _UNIT.finditer(word)))}
    rules["word"] = [(_literal(word),) for word in sorted(bare - {*names}) if quoted(word) == word]
    rules["span"] = [('"\\""', "words", '"\\""'), ("word",)]
    rules["template"] = [('"\\""', "words", f'":"? " {PIPED}\\""')]
    rules["labels"] = [("span", f'(", " span){{0,{_MOST_VALUES - 1}}}')]
    rules["value-text"] = [("span",), ("name-text",), ("inner-text",)]
    return rules


def _escaped(text: str) -> str:
    """The text as the notation's quotes hold it, written as the inside of a GBNF literal."""
    return _literal(json.dumps(text, ensure_ascii=False)[1:-1])[1:-1]


def _literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _possible(rules: _Rules) -> _Rules:
    """The rules without the alternatives that need what there is none of: files of some type, say."""
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

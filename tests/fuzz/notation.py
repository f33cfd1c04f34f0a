"""Pipeline notation, the grammar of it, and how plans refer to results."""

import json
import random
from collections.abc import Callable
from pathlib import Path

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller.embedded.grammar import plan_grammar
from hugginggpt.errors import HuggingGPTError, PlanError
from hugginggpt.plan import parse_plan
from hugginggpt.plan.notation import INPUT_WORDS, named, quoted, read_notation, word_of, write_notation
from hugginggpt.plan.references import (
    any_reference,
    canonical,
    references_in,
    replace_references,
    sole_reference,
    split_list,
    starts_of_references,
)
from hugginggpt.text import storable
from tests.fuzz.case import Case
from tests.fuzz.material import VALUES, changed, characters, picked, pumped, value
from tests.fuzz.plans import FILES, SPELLINGS, graph

SCRAPS = (
    " > ", ">", "(", ")", ", ", ",", "=", "\n", " ", "\t", '"', "\\", '"x"', "a.png", "scan.png > read", "{}", '"{}"',
    "a", "=a", 'text="', 'text="{}{}"', "none", "to=", "labels=", "context=", "<generated>", "<GENERATED>-0",
    "<node-1>", "\u00a0", "\x00", "\ud800", "'", "passage-1",
    *sorted(map(word_of, CAPABILITIES.values()))[:12], *INPUT_WORDS.values(),
)  # fmt: skip
REFERENCES = (
    "<", ">", "<generated", "<generated>", "<GENERATED>-", "<GENERATED>-0", "<GENERATED>-0,", " ", "\t", "\n", "-",
    "_", "0", "1", "9999", "<node", "<resource", "< ", "generated", ",", " , ", "x", "\u00a0", "١",
)  # fmt: skip


def open_area(folder: Path) -> "Notation":
    """Notation needs nothing."""
    return Notation()


def _pipeline(rng: random.Random, depth: int = 0) -> str:
    source = named(rng.choice([*FILES.values()]))
    if depth < 3 and rng.random() < 0.3:
        source = f"({_pipeline(rng, depth + 1)})"
    sources = ", ".join([source] * rng.choice((1, 1, 1, 2, 40)))
    steps = []
    for _ in range(rng.choice((1, 1, 2, 3, 30))):
        capability = CAPABILITIES[rng.choice(sorted(CAPABILITIES))]
        words = [rng.choice((word_of(capability), capability.kind))]
        for wanted in capability.inputs[1:]:
            word = INPUT_WORDS.get(wanted.name, wanted.name)
            inside = f"({_pipeline(rng, depth + 1)})" if depth < 2 else "x"
            words.append(f"{word}={rng.choice((quoted(value(rng)), quoted('{} and {}'), 'German', inside))}")
        if rng.random() < 0.2:
            words.append(f"text={quoted('Say: {}' * rng.choice((1, 3, 200)))}")
        steps.append(" ".join(words))
    return " > ".join([sources, *steps])


def _template_bomb(rng: random.Random) -> str:
    """Templates with many places, for long texts or long lists."""
    size, places = rng.choice(((40_000, 10_000), (100_000, 300), (2000, 2000), (10, 60_000), (90_000, 30_000)))
    piped = rng.choice((quoted("y" * size), ", ".join(f'"{n}"' for n in range(min(size, 3000))), "notes.txt"))
    steps = [f"write text={quoted('{}' * places)}" for _ in range(rng.choice((1, 1, 3)))]
    return " > ".join([piped, *steps])


def _pumped_value(rng: random.Random) -> str:
    piped = rng.choice(("a.png", quoted(pumped(rng, REFERENCES, 90_000))))
    return f"{piped} > write text={quoted(pumped(rng, REFERENCES, 90_000))}"


def _deep(rng: random.Random) -> str:
    times = rng.choice((5, 19, 20, 21, 2000, 60_000))
    return "(" * times + "a.png > read" + ") > summarize" * rng.choice((0, times))


class Notation:
    """Makes texts in the notation, requests for a grammar, and spellings of references."""

    def case(self, rng: random.Random) -> Case:
        """A case for one of the readers."""
        kind = rng.randrange(10)
        if kind < 6:
            return self._read(rng)
        return self._grammar(rng) if kind < 8 else self._references(rng)

    def _read(self, rng: random.Random) -> Case:
        makers: tuple[tuple[str, int, Callable[[], str]], ...] = (
            ("written plan", 2, lambda: write_notation(parse_plan(json.dumps(graph(rng))), [*FILES.values()])),
            ("pipelines", 4, lambda: "\n".join(_pipeline(rng) for _ in range(rng.choice((1, 2, 8, 70))))),
            ("changed pipelines", 6, lambda: changed(rng, _pipeline(rng), SCRAPS)),
            ("scraps", 4, lambda: "".join(rng.choice((*SCRAPS, *VALUES)) for _ in range(rng.randint(1, 40)))),
            ("pumped", 6, lambda: pumped(rng, SCRAPS)),
            ("pumped value", 3, lambda: _pumped_value(rng)),
            ("template bomb", 2, lambda: _template_bomb(rng)),
            ("deep", 1, lambda: _deep(rng)),
        )
        how, text = picked(rng, makers)

        def run() -> None:
            plan = read_notation(text)
            plan.to_json().encode()
            assert parse_plan(plan.to_json()).tasks == plan.tasks, "another plan when it is read back"

        return Case(f"read_notation of {how}", text, run, (PlanError,))

    def _grammar(self, rng: random.Random) -> Case:
        # As requests and names of files are: what cannot be stored was refused before.
        text = storable(rng.choice((pumped(rng, (*SCRAPS, *REFERENCES), 20_000), characters(rng, 300), value(rng))))
        some = (value(rng), characters(rng), "a.png", 'a "b".png', "a\\nb.wav", "none")
        names = [storable(rng.choice(some)) for _ in range(rng.choice((0, 1, 3, 200)))]
        sources = {type: names for type in rng.sample(list(ValueType), rng.randint(0, 4))}
        kinds = rng.choice((list(CAPABILITIES), rng.sample(sorted(CAPABILITIES), 5), []))

        def run() -> None:
            grammar = plan_grammar(kinds, sources, text)
            grammar.encode()
            assert grammar.count("root ::=") >= 1, "no root"
            assert all("::=" in line for line in grammar.split("\n") if line), "a line that is no rule"
            assert len(grammar) < 3_000_000 + 40 * len(text), "a grammar far longer than its request"

        return Case("plan_grammar", (kinds, sources, text), run, (HuggingGPTError,))

    def _references(self, rng: random.Random) -> Case:
        text = rng.choice(
            (
                pumped(rng, REFERENCES),
                "".join(
                    rng.choice(SPELLINGS).format(rng.choice((0, 7, "9" * 5000, "٣")))
                    for _ in range(rng.choice((1, 5, 300)))
                ),
                "".join(rng.choice(REFERENCES) for _ in range(60)),
            )
        )

        def run() -> None:
            clean = canonical(text, lambda k: k)
            assert canonical(clean, lambda k: k) == clean or len(clean) > 0
            found = references_in(text)
            assert all(0 <= k <= 9999 for k in found), "an id with too many digits"
            assert (any_reference(text) is None) == (not starts_of_references(text))
            assert sole_reference(text) is None or found == [sole_reference(text)]
            assert len(replace_references(text, str)) <= len(text)
            assert all(sole_reference(part) is not None for part in split_list(text) or ())

        return Case("references", text, run, ())

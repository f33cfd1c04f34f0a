"""The plan of a block as steps that can be worded."""

import random
import re

from training.graphs import LITERAL_SOURCES, NEAR, File, Literal, Step, takes
from training.phrases import Bank, Sense
from training.slots import SLOT, Slots

_ARGUMENT = re.compile(r' (\w+)=("[^"]*"|[^ "]+)')
_LANGUAGES = {"target_language": "language", "source_language": "source"}


class Steps:
    """Reads pipelines whose slots are filled.

    Args:
        held_out: take the wordings of the held-out families instead of those for training; None for all.
    """

    def __init__(self, bank: Bank, rng: random.Random, held_out: bool | None) -> None:
        self._bank, self._rng, self._held_out = bank, rng, held_out

    def of(self, pipelines: tuple[str, ...], slots: Slots) -> list[Step] | None:
        """The steps, in an order in which they can run; None if one of them has no wording."""
        steps: dict[str, Step] = {}
        sources: dict[str, File | Literal | list[File] | None] = {}
        for line in pipelines:
            done, *rest = line.split(" > ")
            piped: Step | File | Literal | list[File] | None = sources.setdefault(done, _source(done, slots))
            for words in rest:
                done = f"{done} > {words}"
                if done not in steps:
                    step = None if piped is None else self._step(words, piped, slots)
                    if step is None:
                        return None
                    steps[done] = step
                piped = steps[done]
        return list(steps.values())

    def _step(self, written_step: str, piped: Step | File | Literal | list[File], slots: Slots) -> Step | None:
        kind = written_step.partition(" ")[0]
        values: dict[str, list[str]] = {}
        fills: dict[str, str] = {}
        for name, written in _ARGUMENT.findall(written_step):
            slot = _LANGUAGES.get(name, name)
            words = written.strip('"').removesuffix("{}").rstrip(": ")
            match = SLOT.fullmatch(words)
            values[slot] = slots.values[match.group(1), match.group(2)] if match else [words]
            if slot != "source":
                fills[slot] = match.group(1) if match else ""
        fitting = [
            sense
            for sense in self._bank.senses
            if sense.kinds == (kind,)
            and sense.fills.keys() == fills.keys()
            and all(_fits(fill, sense.fills[slot]) for slot, fill in fills.items())
            and _can_take(sense, piped)
            and any(sense.wordings(form, self._held_out) for form in ("do", "ask", "noun"))
        ]
        return Step(self._rng.choice(fitting), piped, dict(values)) if fitting else None


def _source(written: str, slots: Slots) -> File | Literal | list[File] | None:
    found = SLOT.findall(written)
    if len(found) > 1:
        return [slots.files[slot] for slot in found]
    if not found:
        return Literal(written.strip('"'), "sentence") if written.startswith('"') else None
    return slots.files[found[0]] if found[0] in slots.files else Literal(slots.values[found[0]][0], found[0][0])


def _fits(fill: str, wanted: str) -> bool:
    """Whether a value of that list, or written out, can stand where a sense wants one of another list."""
    return fill == wanted or (not fill and wanted != "node" and not wanted.endswith("clause"))


def _can_take(sense: Sense, piped: Step | File | Literal | list[File]) -> bool:
    if isinstance(piped, Step):
        return takes(sense, piped.outputs) and not sense.takes.startswith("q")
    if isinstance(piped, Literal):
        return sense.takes in ("text", piped.fill) or LITERAL_SOURCES.get(sense.kinds[0]) == piped.fill
    sort = piped[0].sort if isinstance(piped, list) else piped.sort
    return sort in NEAR.get(sense.takes, ()) or (sort == "textfile" and sense.takes == "text")

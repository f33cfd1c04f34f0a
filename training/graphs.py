"""Random plans: which steps follow which, drawn over every kind of the capability table."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.plan.notation import NOTHING, PIPED, named, quoted
from training.fills import drawn
from training.phrases import Bank, Sense

# How often a kind is drawn; 1 for kinds that are not listed.
_WEIGHTS = {
    "image-to-text": 7,
    "automatic-speech-recognition": 7,
    "translation": 7,
    "text-to-speech": 7,
    "summarization": 6,
    "text-to-image": 6,
    "object-detection": 5,
    "visual-question-answering": 5,
    "image-classification": 4,
    "image-to-image": 5,
    "text-classification": 4,
    "token-classification": 5,
    "text-generation": 5,
    "question-answering": 5,
    "document-question-answering": 4.5,
    "text-to-video": 4,
    "image-segmentation": 4,
    "depth-estimation": 3.5,
    "audio-classification": 3.5,
    "audio-to-audio": 4,
    "sentence-similarity": 3,
    "conversational": 3,
    "tabular-classification": 3,
    "text2text-generation": 2.5,
    "table-question-answering": 2,
    "image-text-to-text": 1.5,
    "image-to-video": 2,
    "text-to-audio": 2,
    "video-classification": 2,
    "zero-shot-classification": 1.5,
    "fill-mask": 1.5,
}

FILE_SORTS = {
    "photo": ValueType.IMAGE,
    "doc": ValueType.IMAGE,
    "image": ValueType.IMAGE,
    "speech": ValueType.AUDIO,
    "sound": ValueType.AUDIO,
    "audio": ValueType.AUDIO,
    "video": ValueType.VIDEO,
    "table": ValueType.TABLE,
    "textfile": ValueType.TEXT,
}

NEAR = {
    "photo": ("photo", "photo", "image"),
    "doc": ("doc", "doc", "image"),
    "image": ("photo", "image", "doc"),
    "speech": ("speech", "speech", "audio"),
    "sound": ("sound", "audio"),
    "audio": ("audio", "speech", "sound"),
    "video": ("video",),
    "table": ("table",),
    "textfile": ("textfile",),
}
"""What a sense may begin with, by its own sort of file."""

LITERAL_SOURCES = {
    "text-generation": "write",
    "text-to-image": "prompt",
    "text-to-video": "vprompt",
    "text-to-audio": "soundprompt",
    "conversational": "message",
    "fill-mask": "masked",
}
"""Kinds whose text is the user's own description or message, and the fills that hold such texts."""


@dataclass(eq=False)
class File:
    """An attached or named file.

    Attributes:
        made: by an earlier turn of the conversation.
    """

    sort: str
    name: str = ""
    made: bool = False

    @property
    def type(self) -> ValueType:
        """The type of its value."""
        return FILE_SORTS[self.sort]


@dataclass(eq=False)
class Literal:
    """A text that the request contains."""

    text: str
    fill: str


@dataclass(eq=False)
class Step:
    """One wish: a sense and its inputs.

    Attributes:
        slots: slot name to literal values or to the step whose result goes there.
    """

    sense: Sense
    piped: Step | File | Literal | list[File]
    slots: dict[str, Step | list[str]] = field(default_factory=dict)

    @property
    def outputs(self) -> tuple[ValueType, ...]:
        """Types of its result."""
        return CAPABILITIES[self.sense.kinds[-1]].outputs

    def needs(self) -> Iterator[Step]:
        """The steps whose results it takes."""
        for value in (self.piped, *self.slots.values()):
            if isinstance(value, Step):
                yield value

    def files(self) -> Iterator[File]:
        """The files that it takes directly."""
        if isinstance(self.piped, File):
            yield self.piped
        elif isinstance(self.piped, list):
            yield from self.piped

    def notation(self) -> str:
        """Its pipeline."""
        first, *rest = self.sense.kinds
        steps = [*self._steps(first, rest)]
        return f"{_source(self.piped)} > {' > '.join(steps)}"

    def _steps(self, first: str, rest: list[str]) -> Iterator[str]:
        if rest:
            yield first
        kind = rest[-1] if rest else first
        words = [kind]
        for slot, value in self.slots.items():
            name = {"language": "target_language", "source": "source_language"}.get(slot, slot)
            if isinstance(value, Step):
                words.append(f"{name}=({value.notation()})")
            elif slot == "text" and kind == "text2text-generation":
                words.append(f"text={quoted(f'{value[0]}: {PIPED}')}")
            elif slot == "text" and kind == "text-generation":
                words.append(f"text={quoted(f'{value[0]} {PIPED}')}")
            else:
                words.append(f"{name}={', '.join(quoted(v) for v in value)}")
        yield " ".join(words)


def _source(piped: Step | File | Literal | list[File]) -> str:
    if isinstance(piped, Step):
        return piped.notation()
    if isinstance(piped, list):
        return ", ".join(named(file.name) for file in piped)
    return named(piped.name) if isinstance(piped, File) else quoted(piped.text)


def notation(steps: list[Step]) -> str:
    """The plan of these steps: a line for each step whose result no other step takes."""
    used = {id(need) for step in steps for need in step.needs()}
    return "\n".join(step.notation() for step in steps if id(step) not in used) or NOTHING


class Graphs:
    """Draws plans of one to eight steps whose senses have wordings on one side of the split."""

    def __init__(self, bank: Bank, rng: random.Random, held_out: bool | None) -> None:
        self._bank = bank
        self._rng = rng
        senses = [s for s in bank.senses if any(s.wordings(form, held_out) for form in ("do", "ask", "noun"))]
        self._plain = [sense for sense in senses if "node" not in sense.fills.values()]
        self._joining = [sense for sense in senses if "node" in sense.fills.values()]

    def draw(self, size: int) -> list[Step]:
        """Steps in an order in which they can run; sometimes fewer than `size`."""
        rng = self._rng
        steps = [self._first()]
        while len(steps) < size:
            roll = rng.random()
            if roll < 0.1 and len(steps) >= 2:
                grown = self._join(steps)
            elif roll < 0.2 and len(steps) < size - 1:
                grown = self._first(self._file_in(steps) if rng.random() < 0.5 else None)
            else:
                # Mostly the newest result goes on, so that chains are the rule and fan-outs frequent.
                last = steps[-1] if rng.random() < 0.72 else rng.choice(steps)
                # All that can be done with a video is to classify it, which few who made one wish for.
                grown = None if last.outputs == (ValueType.VIDEO,) and rng.random() < 0.7 else self._after(last)
            if grown is None:
                grown = self._first()
            steps.append(grown)
            if rng.random() < 0.02:
                break
        return steps

    def _choose(self, senses: list[Sense]) -> Sense:
        by_kind: dict[tuple[str, ...], list[Sense]] = {}
        for sense in senses:
            by_kind.setdefault(sense.kinds, []).append(sense)
        kinds = list(by_kind)
        weights = [_WEIGHTS.get(k[-1], 1.0) if len(k) == 1 else 0.5 for k in kinds]
        return self._rng.choice(by_kind[self._rng.choices(kinds, weights)[0]])

    def _first(self, file: File | None = None) -> Step:
        """A step on a file or on words of the request."""
        rng = self._rng
        if file is not None:
            fitting = [s for s in self._plain if file.sort in NEAR.get(s.takes, ())]
            if fitting:
                return self._filled(self._choose(fitting), file)
        sense = self._choose(self._plain)
        kind = sense.kinds[0]
        if sense.takes in self._bank.fills:
            return self._filled(sense, self._literal(sense.takes))
        if kind in LITERAL_SOURCES and "text" not in sense.fills:
            return self._filled(sense, self._literal(LITERAL_SOURCES[kind]))
        if sense.takes == "text":
            if rng.random() < 0.3:
                return self._filled(sense, File("textfile"))
            fill = "passage" if rng.random() < 0.35 or kind in ("summarization", "question-answering") else "sentence"
            return self._filled(sense, self._literal(fill))
        sort = rng.choice(NEAR[sense.takes]) if sense.takes in NEAR else "image"
        if rng.random() < 0.06 and len(sense.kinds) == 1:
            return self._filled(sense, [File(sort) for _ in range(rng.choice((2, 2, 3)))])
        return self._filled(sense, File(sort))

    def _literal(self, fill: str) -> Literal:
        return Literal(drawn(self._bank, fill, self._rng)[0], fill)

    def _file_in(self, steps: list[Step]) -> File | None:
        files = [file for step in steps for file in step.files() if not isinstance(step.piped, list)]
        return self._rng.choice(files) if files else None

    def _after(self, step: Step) -> Step | None:
        """A step that takes the result of another."""
        fitting = [
            s
            for s in self._plain
            if takes(s, step.outputs)
            and s.kinds != step.sense.kinds
            and not s.takes.startswith("q")
            and (self._rng.random() < 0.2 or not _unlikely(step.sense.kinds[-1], s))
        ]
        return self._filled(self._choose(fitting), step) if fitting else None

    def _join(self, steps: list[Step]) -> Step | None:
        """A step that takes two results, or a result and a file."""
        rng = self._rng
        texts = [s for s in steps if ValueType.TEXT in s.outputs or ValueType.STRUCTURED in s.outputs]
        if not texts:
            return None
        inner = rng.choice(texts)
        others = [s for s in steps if s is not inner]
        for _ in range(6):
            sense = self._choose(self._joining)
            fitting = [s for s in others if takes(sense, s.outputs)]
            slot = next(iter(sense.fills))
            if fitting and rng.random() < 0.6:
                return Step(sense, rng.choice(fitting), {slot: inner})
            if sense.takes in NEAR:
                return Step(sense, File(rng.choice(NEAR[sense.takes])), {slot: inner})
        return None

    def _filled(self, sense: Sense, piped: Step | File | Literal | list[File]) -> Step:
        step = Step(sense, piped)
        for slot, fill in sense.fills.items():
            step.slots[slot] = drawn(self._bank, fill, self._rng)
        if sense.kinds == ("translation",):
            step.slots["language"] = drawn(self._bank, "lang", self._rng)
            if self._rng.random() < 0.15:
                step.slots["source"] = drawn(self._bank, "lang", self._rng)
        return step


def takes(sense: Sense, outputs: tuple[ValueType, ...]) -> bool:
    """Whether a sense can work on a result of these types."""
    capability = CAPABILITIES[sense.kinds[0]]
    wanted = capability.input("context") or capability.inputs[0]
    return any(wanted.accepts(output) for output in outputs)


def _unlikely(kind: str, following: Sense) -> bool:
    """Whether hardly anybody wants one of them after the other."""
    if kind == "feature-extraction":
        return True
    undone = {"text-to-speech": "automatic-speech-recognition", "text-to-image": "image-to-text"}
    return following.kinds[0] in (undone.get(kind), "fill-mask") or following.takes == "doc"

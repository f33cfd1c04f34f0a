"""Conversations for the training data: what earlier turns asked, did and made, as the product would hold it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.controller.embedded.composition import compose
from hugginggpt.conversation import fitting, result_name
from hugginggpt.errors import PlanError
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.notation import named, read_notation
from hugginggpt.request import EarlierResult, Exchange
from hugginggpt.results import ItemResult, TaskOutcome, TaskResult, TaskStatus
from training.fills import drawn
from training.graphs import File, Step, notation
from training.noise import noisy
from training.phrases import Bank, Before, Block
from training.slots import Slots
from training.steps import Steps
from training.wording import Worded, Wording

_ENDINGS = {"image": ".png", "audio": ".wav", "video": ".mp4", "text": ".txt", "structured": ".json"}
_RESULT = re.compile(r"\{(?:(\d+):)?(\d+)\}")
_TEXT = Input("text", ValueType.TEXT)
_NEXT_STEP = re.compile(r" > ([\w-]+)")
_DONE = ("Done.", "Here it is.", "The result is ready.", "I have made it.", "Here is what came out.")
_FOLDERS = ("out", "out", "results", "/home/ada/.hugginggpt/artifacts/5e")


@dataclass
class Conversation:
    """The turns before a request.

    Attributes:
        files: name and type of the files that came with each turn.
    """

    turns: list[Exchange] = field(default_factory=list)
    files: list[list[tuple[str, ValueType]]] = field(default_factory=list)

    def add(self, text: str, plan: Plan, files: Iterable[File], answer: str) -> None:
        """Add a turn."""
        results = tuple(_results(plan, len(self.turns) + 1))
        self.turns.append(Exchange(text=text, response=answer, plan=plan, results=results))
        self.files.append([(file.name, file.type) for file in files])

    def since(self, first: int) -> Conversation:
        """The turns from one on, counted from 0."""
        return Conversation(self.turns[first:], self.files[first:])

    def resources(self) -> list[tuple[str, ValueType]]:
        """What a plan may name of the conversation, the latest turn first, as the product lists it."""
        return [
            resource
            for turn, files in zip(reversed(self.turns), reversed(self.files), strict=True)
            for resource in (*files, *((result.name, result.type) for result in turn.results))
        ]

    def referred(self, pipeline: str) -> str:
        """A pipeline with the names of results in the place of `{2}` and `{1:2}`."""

        def names(match: re.Match[str]) -> str:
            turn = self.turns[int(match.group(1) or 0) - 1]
            following = _NEXT_STEP.match(pipeline, match.end())
            wanted = CAPABILITIES[following.group(1)].inputs[0] if following else _TEXT
            found = fitting(turn.results_of(int(match.group(2)) - 1), wanted)
            if not found:
                raise ValueError(f"There is no {wanted.type} {match.group()} for '{pipeline}'.")
            return ", ".join(named(result.name) for result in found)

        return _RESULT.sub(names, pipeline)


def _items(plan: Plan) -> dict[int, int]:
    """How many elements the result of each task has."""
    counts: dict[int, int] = {}
    for task in plan.tasks:
        lists = [len(value) for name, value in task.args.items() if isinstance(value, list) and name != "labels"]
        counts[task.id] = max([1, *lists, *(counts[k] for k in task.needs)])
    return counts


def _results(plan: Plan, turn: int) -> Iterable[EarlierResult]:
    items = _items(plan)
    for task in plan.tasks:
        outputs = [(item, type) for item in range(items[task.id]) for type in task.capability.outputs]
        for number, (item, type) in enumerate(outputs, start=1):
            name = result_name(turn, task.id, number, _ENDINGS[type])
            yield EarlierResult(task_id=task.id, item=item, name=name, type=type)


class Conversations:
    """Draws the turns before a request."""

    def __init__(
        self, bank: Bank, rng: random.Random, held_out: bool | None, wording: Wording, blocks: Sequence[Block]
    ) -> None:
        self._bank, self._rng, self._held_out = bank, rng, held_out
        self._wording, self._blocks = wording, blocks
        self._steps = Steps(bank, rng, held_out)

    @cached_property
    def _by_plan(self) -> dict[tuple[str, ...], list[Block]]:
        found: dict[tuple[str, ...], list[Block]] = {}
        for block in self._blocks:
            found.setdefault(block.pipelines, []).append(block)
        return found

    def before(self, block: Block, slots: Slots, earlier: Sequence[Step]) -> Conversation | None:
        """The turns before a request of a block; None if one of them cannot be worded.

        Args:
            block: the block.
            slots: what the conversation fills its slots with.
            earlier: steps of one more turn at the beginning, if any.
        """
        held = Conversation()
        if earlier:
            self.add_steps(held, earlier)
        first = len(held.turns)
        for before in block.before:
            pipelines = tuple(held.since(first).referred(line) for line in before.pipelines)
            if not self._add(held, Before(pipelines, before.requests), slots):
                return None
        return held

    def _add(self, held: Conversation, before: Before, slots: Slots) -> bool:
        """Add a turn with this plan, worded by hand, by a block with this plan, or step by step."""
        alike = self._by_plan.get(before.pipelines, [])
        requests = before.requests
        if alike and not requests and self._rng.random() < 0.6:
            requests = self._rng.choice(alike).requests
        if requests:
            worded, plan = self._wording.block(Block(before.pipelines, requests), slots)
        else:
            slots.fill("\n".join(before.pipelines))
            steps = self._steps.of(before.pipelines, slots)
            if steps is None:
                return False
            worded, plan = self._wording.steps(steps), notation(steps)
        try:
            self._turn(held, worded, plan)
        except PlanError:
            return False
        return True

    def add_steps(self, held: Conversation, steps: Sequence[Step]) -> None:
        """Add a turn that consists of these steps."""
        worded, plan = self._wording.steps(list(steps)), notation(list(steps))
        self._turn(held, worded, plan)

    def _turn(self, held: Conversation, worded: Worded, plan: str) -> None:
        """Add a turn. From now on, its files go by the last part of their names.

        Raises:
            PlanError: the plan cannot be read.
        """
        for file in worded.files:
            last = file.name.rsplit("/", 1)[-1]
            plan, file.name = plan.replace(named(file.name), named(last)), last
        text, done = noisy(worded.text, self._rng), read_notation(plan)
        own_words = not done.tasks or self._rng.random() < 0.3
        answer = self._words() if own_words else self._put_together(text, done, [file.name for file in worded.files])
        held.add(text, done, worded.files, answer)

    def _words(self) -> str:
        """An answer as a larger model might word it."""
        return self._rng.choice(_DONE) if self._rng.random() < 0.4 else self._text()

    def _put_together(self, text: str, plan: Plan, files: Sequence[str]) -> str:
        """An answer as it is put together without a key."""
        items, folder = _items(plan), self._rng.choice(_FOLDERS)
        return compose(text, [self._outcome(task, items[task.id], folder) for task in plan.tasks], files)

    def _outcome(self, task: PlannedTask, items: int, folder: str) -> TaskOutcome:
        capability = task.capability
        outputs = [tuple(map(self._artifact, capability.outputs)) for _ in range(items)]
        result = TaskResult(
            task_id=task.id,
            kind=task.task,
            items=tuple(ItemResult(outputs=made) for made in outputs),
            is_list=items > 1,
            model="any",
            revision=None,
            endpoint=Endpoint.EMBEDDED,
        )
        names = {
            artifact.sha256: f"{folder}/{capability.result_of(artifact.type).replace(' ', '-')}-{number}"
            f"{_ENDINGS[artifact.type]}"
            for number, artifact in enumerate(result.outputs, start=1)
        }
        return TaskOutcome(planned=task, status=TaskStatus.COMPLETED, result=result, files=names)

    def _artifact(self, type: ValueType) -> Artifact:
        is_media = type in (ValueType.IMAGE, ValueType.AUDIO, ValueType.VIDEO)
        name = f"{self._rng.getrandbits(256):064x}"
        return Artifact(sha256=name, type=type, mime="", bytes=1, preview=None if is_media else self._text())

    def _text(self) -> str:
        (text,) = drawn(self._bank, self._rng.choice(("sentence", "sentence", "passage")), self._rng)
        return text

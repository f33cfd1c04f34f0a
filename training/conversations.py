"""Conversations for the training data: what earlier turns asked, did and made, as the product would hold it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.conversation import fitting, result_name
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan
from hugginggpt.plan.notation import named, read_notation
from hugginggpt.request import EarlierResult, Exchange
from training.fills import drawn
from training.graphs import File, Step, notation
from training.noise import noisy
from training.phrases import Bank, Before, Block
from training.slots import Slots
from training.steps import Steps
from training.wording import Wording

_ENDINGS = {"image": ".png", "audio": ".wav", "video": ".mp4", "text": ".txt", "structured": ".json"}
_RESULT = re.compile(r"\{(?:(\d+):)?(\d+)\}")
_TEXT = Input("text", ValueType.TEXT)
_NEXT_STEP = re.compile(r" > ([\w-]+)")
_DONE = (
    "Done.",
    "Here it is.",
    "The result is ready.",
    "I have made it.",
    "Here is what came out.",
    "{kind} made /home/ada/made{ending}",
    "made/{kind}{ending}",
    "{kind}: answer{ending}",
)


@dataclass
class Conversation:
    """The turns before a request.

    Attributes:
        files: name and type of the files that came with each turn.
    """

    turns: list[Exchange] = field(default_factory=list)
    files: list[list[tuple[str, ValueType]]] = field(default_factory=list)

    def add(self, text: str, plan: str, files: Iterable[File], answer: str) -> None:
        """Add a turn. From now on, its files go by the last part of their names.

        Raises:
            PlanError: the plan cannot be read.
        """
        files = list(files)
        for file in files:
            last = file.name.rsplit("/", 1)[-1]
            plan, file.name = plan.replace(named(file.name), named(last)), last
        done = read_notation(plan)
        results = tuple(_results(done, len(self.turns) + 1))
        self.turns.append(Exchange(text=text, response=answer, plan=done, results=results))
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


def _results(plan: Plan, turn: int) -> Iterable[EarlierResult]:
    counts: dict[int, int] = {}
    for task in plan.tasks:
        lists = [len(value) for name, value in task.args.items() if isinstance(value, list) and name != "labels"]
        counts[task.id] = max([1, *lists, *(counts[k] for k in task.needs)])
        outputs = [(item, type) for item in range(counts[task.id]) for type in task.capability.outputs]
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
            held.add(noisy(worded.text, self._rng), plan, worded.files, self._answer(plan))
        except PlanError:
            return False
        return True

    def add_steps(self, held: Conversation, steps: Sequence[Step]) -> None:
        """Add a turn that consists of these steps."""
        worded, plan = self._wording.steps(list(steps)), notation(list(steps))
        held.add(noisy(worded.text, self._rng), plan, worded.files, self._answer(plan))

    def _answer(self, plan: str) -> str:
        """An answer, as far as it matters to the planner."""
        rng, tasks = self._rng, read_notation(plan).tasks
        used = {k for task in tasks for k in task.needs}
        said = []
        for task in tasks:
            if task.id in used:
                continue
            if ValueType.TEXT in task.capability.outputs and rng.random() < 0.8:
                said += drawn(self._bank, rng.choice(("sentence", "sentence", "passage")), rng)
            else:
                said.append(rng.choice(_DONE).format(kind=task.task, ending=_ENDINGS[task.capability.outputs[-1]]))
        return "\n".join(said) or rng.choice(_DONE[:4])

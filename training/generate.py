"""The planner's training data: requests with their files and plans, drawn without end from one seed.

`python -m training.generate --samples 20` prints some samples.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hugginggpt.capabilities import Input, ValueType
from hugginggpt.controller.embedded.planner import planner_prompt, with_passages
from hugginggpt.controller.embedded.sources import take_passages
from hugginggpt.controller.embedded.turns import shown_request
from hugginggpt.conversation import fitting
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan
from hugginggpt.plan.notation import (
    INPUT_WORDS,
    NOTHING,
    PIPED,
    TEMPLATED,
    named,
    quoted,
    read_notation,
    write_notation,
)
from hugginggpt.plan.references import reference, references_in
from hugginggpt.request import Exchange
from training.conversations import Conversation, Conversations
from training.graphs import File, Graphs, Literal, Step, notation
from training.lines import write_lines
from training.noise import noisy
from training.phrases import Bank, Block, is_held_out
from training.slots import SLOT, Slots
from training.wording import Worded, Wording

_SIZES = {1: 26, 2: 27, 3: 22, 4: 12, 5: 6, 6: 4, 7: 2, 8: 1}


@dataclass(frozen=True)
class Sample:
    """One example.

    Attributes:
        messages: the planner's prompt, in the form of a chat.
        completion: the right plan in pipeline notation, with passages by name.
        attached: names of the attached files.
        resources: name and type of these, and of the files and results of earlier turns.
        history: the earlier turns of its conversation.
        origin: "request" or "follow-up" from a block, or "composed".
    """

    messages: list[dict[str, str]]
    completion: str
    request: str
    attached: list[str]
    resources: list[tuple[str, ValueType]]
    history: tuple[Exchange, ...]
    origin: str


class Generator:
    """Draws samples.

    Args:
        held_out: draw from the held-out families instead of those for training; None for all.
    """

    def __init__(self, seed: int, held_out: bool | None = False, bank: Bank | None = None) -> None:
        self._bank = bank or Bank()
        self._rng = random.Random(seed)
        self._held_out = held_out
        self._graphs = Graphs(self._bank, self._rng, held_out)
        self._wording = Wording(self._bank, self._rng, held_out)
        self._blocks = [b for b in self._bank.blocks if held_out is None or is_held_out(b.requests[0]) is held_out]
        self._something = [b for b in self._blocks if b.pipelines != (NOTHING,)]
        self._follow_ups = [*_on_one_side(self._bank.follow_ups, held_out)]
        self._conversations = Conversations(self._bank, self._rng, held_out, self._wording, self._something)
        # Each request for nothing is a family of its own.
        self._nothing = [
            Block((NOTHING,), (request,))
            for block in self._bank.blocks
            if block.pipelines == (NOTHING,)
            for request in block.requests
            if held_out is None or is_held_out(request) is held_out
        ]

    def samples(self) -> Iterator[Sample]:
        """Samples without end."""
        while True:
            sample = self._sample()
            if sample is not None:
                yield sample

    def _sample(self) -> Sample | None:
        rng = self._rng
        roll = rng.random()
        if roll < 0.045 and self._nothing:
            return self.of_block(rng.choice(self._nothing))
        if roll < 0.145 and self._follow_ups:
            return self.of_follow_up(rng.choice(self._follow_ups))
        if roll < 0.7 and self._something:
            return self.of_block(rng.choice(self._something))
        return self._composed()

    def follow_ups(self) -> Iterator[Sample]:
        """Follow-ups of the hand-written blocks, without end."""
        while True:
            sample = self.of_follow_up(self._rng.choice(self._follow_ups))
            if sample is not None:
                yield sample

    def of_block(self, block: Block) -> Sample | None:
        """A sample of a block; None if its plan cannot be derived from its request."""
        worded, plan = self._wording.block(block)
        return self._finished(worded, plan, Conversation(), "request")

    def of_follow_up(self, block: Block) -> Sample | None:
        """A sample of a block that continues a conversation; None if the conversation cannot be worded."""
        rng, slots = self._rng, Slots(self._bank, self._rng)
        earlier = self._graphs.draw(rng.choice((1, 1, 2))) if rng.random() < 0.2 else []
        held = self._conversations.before(block, slots, earlier)
        if held is None:
            return None
        known = held.since(len(held.turns) - len(block.before))
        worded, plan = self._wording.block(Block(tuple(map(known.referred, block.pipelines)), block.requests), slots)
        return self._finished(worded, plan, held, "follow-up")

    def _composed(self) -> Sample | None:
        rng = self._rng
        size = rng.choices(list(_SIZES), list(_SIZES.values()))[0]
        steps = self._graphs.draw(size)
        if rng.random() < 0.05:
            _lower(steps)
        if rng.random() < 0.14 and (before := self._before(steps)) is not None:
            return self._continued(before, steps)
        worded = self._wording.steps(steps)
        return self._finished(worded, notation(steps), Conversation(), "composed")

    def _before(self, steps: list[Step]) -> list[Step] | None:
        """Steps of an earlier turn that make the only file of these; None if there is no such file."""
        files = {id(file): file for step in steps for file in step.files()}
        if len(files) != 1:
            return None
        (file,) = files.values()
        wanted = Input("file", file.type)
        tries = (self._graphs.draw(self._rng.choice((1, 1, 2))) for _ in range(10))
        return next((made for made in tries if any(map(wanted.accepts, made[-1].outputs))), None)

    def _continued(self, made: list[Step], steps: list[Step]) -> Sample | None:
        """Steps as a later turn of a conversation, on the result of the turn before."""
        rng = self._rng
        held = Conversation()
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            self._conversations.add_steps(held, self._graphs.draw(1))
        self._conversations.add_steps(held, made)
        file = next(file for step in steps for file in step.files())
        file.made, file.name = True, fitting(held.turns[-1].results, Input("file", file.type))[-1].name
        worded = self._wording.steps(steps)
        worded.files.remove(file)
        worded.attached = [f for f in worded.attached if f is not file]
        return self._finished(worded, notation(steps), held, "composed")

    def _finished(self, worded: Worded, plan: str, held: Conversation, origin: str) -> Sample | None:
        """The sample as the planner sees it; None if the request does not hold what the plan needs."""
        rng = self._rng
        text = noisy(_with_articles(worded.text, self._bank.fills["lang"]), rng)
        if not text:
            return None
        attached = [(f.name, f.type) for f in worded.attached]
        if rng.random() < 0.08:
            attached += self._strays({f.type for f in worded.files})
        if not worded.in_order:
            rng.shuffle(attached)
        # A file with a path is attached under the last part of it.
        attached = [(name.rsplit("/", 1)[-1] if "://" not in name else name, type) for name, type in attached]
        earlier = held.resources()
        known = {source.name for source in shown_request(text, attached + earlier, held.turns).sources}
        attached += [(f.name, f.type) for f in worded.files if not {f.name, f.name.rsplit("/", 1)[-1]} & known]
        request = shown_request(text, attached + earlier, held.turns)
        for name, passage in request.read.passages.items():
            plan = plan.replace(quoted(passage), name)
        names = {source.name for source in request.sources}
        plan = _by_source(plan, worded, names)
        try:
            read_plan = read_notation(plan)
        except PlanError:
            return None
        repeated = {json.loads(text) for turn in request.turns for text in turn.texts}
        if len(read_plan.tasks) > 9 or not _grounded(read_plan, request.read.text, names, repeated):
            return None
        return Sample(
            messages=list(planner_prompt(request).messages),
            completion=write_notation(read_plan, [source.name for source in request.sources]),
            request=text,
            attached=[name for name, _ in attached],
            resources=attached + earlier,
            history=tuple(held.turns),
            origin=origin,
        )

    def _strays(self, types: set[ValueType]) -> list[tuple[str, ValueType]]:
        """Attached files that the request is not about, of types that it does not use."""
        sort = self._rng.choice(("photo", "speech", "table", "textfile", "video"))
        file = File(sort)
        return [] if file.type in types else [(self._rng.choice(self._bank.mentions[sort].names), file.type)]


def _on_one_side(blocks: Iterable[Block], held_out: bool | None) -> Iterator[Block]:
    """The blocks with their requests on one side of the split. Follow-ups are short: the same words are one family."""
    for block in blocks:
        requests = (r for r in block.requests if held_out is None or is_held_out(SLOT.sub(r"\1", r)) is held_out)
        if kept := tuple(requests):
            yield replace(block, requests=kept)


def _with_articles(text: str, languages: Iterable[str]) -> str:
    """The text with "an" before a language that needs it."""
    vowels = "|".join(name for name in languages if name[0] in "AEIO" or name in ("Urdu", "Uzbek"))
    return re.sub(rf"\b([Aa]) (?={vowels})", r"\1n ", text)


def _lower(steps: list[Step]) -> None:
    """Write all words of the user in lower case."""
    for step in steps:
        if isinstance(step.piped, Literal):
            step.piped.text = step.piped.text.lower()
        for slot, value in step.slots.items():
            if isinstance(value, list) and slot not in ("language", "source"):
                step.slots[slot] = [v.lower() for v in value]


def _by_source(plan: str, worded: Worded, names: set[str]) -> str:
    """The plan with every file under its name in the list of sources."""
    for file in worded.files:
        last = file.name.rsplit("/", 1)[-1]
        if file.name not in names and last in names:
            plan = plan.replace(named(file.name), named(last))
    return plan


def _grounded(plan: Plan, text: str, names: set[str], repeated: set[str]) -> bool:
    """Whether every value of the plan is a source, is in the request, or repeats a text of an earlier plan."""
    for task in plan.tasks:
        for name, value in task.args.items():
            if name in INPUT_WORDS or name in task.capability.parameters:
                continue
            for element in value if isinstance(value, list) else [value]:
                parts = [str(element)]
                if task.task == "text2text-generation" and ": " in parts[0]:
                    parts = parts[0].split(": ", 1)
                elif task.task in TEMPLATED:
                    parts = [_without_end(parts[0], names)]
                known = names | repeated | {words.removesuffix(PIPED).rstrip(": ") for words in repeated}
                if not all(references_in(part) or part in known or part in text for part in parts):
                    return False
    return True


def _without_end(text: str, names: set[str]) -> str:
    """The words of a template without the piped value."""
    ends = [reference(k) for k in references_in(text)] + [name for name in names if text.endswith(f" {name}")]
    return text.removesuffix(max(ends, key=len)).rstrip(": ") if ends else text


def write(folder: Path, seed: int, samples: int, tests: int) -> None:
    """Write the training data, and two test sets that show how far the planner generalises.

    `train.jsonl` holds chats; `seen.jsonl` and `held-out.jsonl` are datasets for `hugginggpt evaluate`,
    one in the phrase families of the training data, one in the others. `train.jsonl` is written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, held_out in (("seen", False), ("held-out", True)):
        drawn = (s for s in Generator(seed + 1, held_out=held_out).samples() if not s.history)
        write_lines(
            folder / f"{name}.jsonl", (_test(f"{name}-{n}", s) for n, s in enumerate(itertools.islice(drawn, tests)))
        )
    chosen = itertools.islice(Generator(seed).samples(), samples)
    write_lines(folder / "train.jsonl", ({"prompt": s.messages, "completion": s.completion} for s in chosen))


def _test(id: str, sample: Sample) -> dict[str, Any]:
    plan = with_passages(read_notation(sample.completion), take_passages(sample.request))
    return {"id": id, "request": sample.request, "files": sample.attached, "plan": plan.to_list()}


def main() -> None:
    """Write the training data, or print some of it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, help="folder to write to; without it samples are printed")
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--tests", type=int, default=300, help="samples of each test set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="print samples of the families kept from training")
    given = parser.parse_args()
    if given.out is not None:
        write(given.out, given.seed, given.samples, given.tests)
        return
    for sample in itertools.islice(Generator(given.seed, held_out=given.held_out).samples(), given.samples):
        print(sample.messages[-1]["content"], "\n->", sample.completion, f"[{sample.origin}]", "\n")


if __name__ == "__main__":
    main()

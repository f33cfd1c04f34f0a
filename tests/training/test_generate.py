"""The training data: always the same, always right, and of every kind and shape."""

import itertools
import json
import re
from pathlib import Path

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.embedded.sources import take_passages
from hugginggpt.plan.notation import NOTHING, read_notation
from hugginggpt.plan.references import references_in
from training.generate import Generator, Sample, write
from training.graphs import FILE_SORTS
from training.phrases import Bank


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank()


@pytest.fixture(scope="module")
def samples(bank: Bank) -> list[Sample]:
    return list(itertools.islice(Generator(7, bank=bank).samples(), 3000))


def test_a_seed_decides_the_samples(bank: Bank) -> None:
    def drawn(seed: int) -> list[Sample]:
        return list(itertools.islice(Generator(seed, bank=bank).samples(), 20))

    assert drawn(1) == drawn(1) != drawn(2)


def test_every_plan_is_valid_and_holds_only_what_the_request_says(samples: list[Sample]) -> None:
    for sample in samples:
        plan = read_notation(sample.completion)
        asked = sample.messages[-1]["content"]
        listed, _, request = asked.rpartition("\nRequest: ")
        # Texts of earlier plans stand there as the notation quotes them.
        listed += "\n".join(map(_read, re.findall(r'"(?:[^"\\]|\\.)*"', listed)))
        assert request.strip() and not plan.repairs, sample
        for task in plan.tasks:
            for name, value in task.args.items():
                if name.endswith("_language") or name in task.capability.parameters:
                    continue
                for element in value if isinstance(value, list) else [value]:
                    # "make it shorter: " and what is piped stand apart in the request.
                    words = re.sub(r":? (<GENERATED>-\d+)$", "", str(element))
                    there = words in request or words in listed or bool(references_in(words))
                    assert there or _joined(words, request, listed), sample


def _read(text: str) -> str:
    """A quoted text as the notation reads it; other quotes stay as they are."""
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _joined(words: str, request: str, listed: str) -> bool:
    """An instruction and the text it is for, which stand apart in the request."""
    known = request + listed
    return any(words[:n] in known and words[n:].lstrip(": ") in known for n in range(1, len(words)))


def test_every_kind_and_shape_is_there(samples: list[Sample]) -> None:
    plans = [read_notation(sample.completion) for sample in samples]
    assert {task.task for plan in plans for task in plan.tasks} == set(CAPABILITIES)
    assert set(range(9)) <= {len(plan.tasks) for plan in plans}
    shared = [p for p in plans if any(sum(t.id in u.needs for u in p.tasks) > 1 for t in p.tasks)]
    joined = [p for p in plans if any(len(t.needs) > 1 for t in p.tasks)]
    listed = [
        p for p in plans if any(isinstance(v, list) and n != "labels" for t in p.tasks for n, v in t.args.items())
    ]
    assert min(len(shared), len(joined), len(listed)) > 20
    assert any(sample.history for sample in samples)
    assert any("passage-1" in sample.completion for sample in samples)
    assert any(sample.completion == NOTHING and sample.attached for sample in samples)
    # Files that are only pointed to, and files that are only named.
    assert any(s.attached and not any(name in s.request for name in s.attached) for s in samples)
    assert any(not s.attached and "> read" in s.completion for s in samples)


def test_no_wording_that_is_held_out_is_trained_on(bank: Bank) -> None:
    for sense in bank.senses:
        for form in ("do", "ask", "noun"):
            assert not {*sense.wordings(form, True)} & {*sense.wordings(form, False)}
    trained, kept = (
        list(itertools.islice(Generator(3, held_out=side, bank=bank).samples(), 300)) for side in (False, True)
    )
    assert not {s.request for s in trained} & {s.request for s in kept}


def test_every_slot_of_the_bank_can_be_filled(bank: Bank) -> None:
    known = {*FILE_SORTS, *bank.fills}
    for block in [*bank.blocks, *bank.follow_ups]:
        earlier = [text for turn in block.before for text in (*turn.pipelines, *turn.requests)]
        slots = re.findall(r"\{([A-Za-z]+)\d?\}", " ".join([*earlier, *block.pipelines, *block.requests]))
        assert {slot.lower() for slot in slots} <= known, block.pipelines
    for sense in bank.senses:
        slots = re.findall(r"\{(\w+)\}", " ".join(p for phrases in sense.phrases.values() for p in phrases))
        assert {slot.lower() for slot in slots} <= {"in", "language", *sense.fills}, sense.kinds
        assert {*sense.fills.values()} <= {"node", *bank.fills}, sense.kinds


def test_every_block_gives_samples(bank: Bank) -> None:
    drawing = Generator(1, held_out=None, bank=bank)
    for block in bank.blocks:
        assert any(drawing.of_block(block) for _ in range(12)), block.pipelines


def test_the_test_sets_hold_whole_plans(tmp_path: Path) -> None:
    write(tmp_path, seed=1, samples=5, tests=60)
    assert len((tmp_path / "train.jsonl").read_text(encoding="utf-8").splitlines()) == 5
    rows = [json.loads(line) for line in (tmp_path / "held-out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 60
    assert any(take_passages(row["request"]).passages for row in rows)
    assert "passage-1" not in json.dumps(rows)

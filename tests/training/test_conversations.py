"""Follow-ups in the training data: how they are written, and what the planner is shown of them."""

import itertools
from pathlib import Path

import pytest
from pydantic import SecretStr

from hugginggpt.controller.client import Controller
from hugginggpt.plan.notation import read_notation
from hugginggpt.settings import Settings
from tests.stand_ins.openai_server import OpenAIServer
from training.follow_ups import wrong_plans
from training.generate import Generator, Sample
from training.phrases import Bank, Before, Block

WRITTEN = """# A comment
& {doc} > image-to-text > text-to-speech
& {doc} > image-to-text > summarization
+ {1} > text-to-speech volume=1.6
< Louder, please.
< Turn it up.
@ {1:1} > text-to-speech volume=2.5
Louder still.
Even louder.

@ {photo} > object-detection
What is on {photo}?
"""


def bank(folder: Path, written: str) -> Bank:
    (folder / "requests").mkdir()
    (folder / "requests" / "some.txt").write_text(written, encoding="utf-8")
    return Bank(folder)


def test_a_block_may_have_turns_before_it(tmp_path: Path) -> None:
    read = bank(tmp_path, WRITTEN)
    assert read.blocks == [Block(("{photo} > object-detection",), ("What is on {photo}?",))]
    assert read.follow_ups == [
        Block(
            ("{1:1} > text-to-speech volume=2.5",),
            ("Louder still.", "Even louder."),
            (
                Before(("{doc} > image-to-text > text-to-speech", "{doc} > image-to-text > summarization")),
                Before(("{1} > text-to-speech volume=1.6",), ("Louder, please.", "Turn it up.")),
            ),
        )
    ]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("+ {1} > text-to-speech\n@ none\nHi\n", r"some\.txt, line 1: the first turn begins with &"),
        ("< Louder.\n@ none\nHi\n", r"some\.txt, line 1: the first turn begins with &"),
        ("& {doc} > image-to-text\n< Read it.\n& {doc} > image-to-text\n", r"line 3: a further turn begins with \+"),
        ("@ none\n& {doc} > image-to-text\nHi\n", "line 2: .* all turns stand before the plan"),
        ("Hello\n", "line 1: a request without a plan"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line(tmp_path: Path, written: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _ = bank(tmp_path, written).blocks


@pytest.fixture(scope="module")
def drawing() -> Generator:
    return Generator(5, held_out=None)


def drawn(drawing: Generator, pipelines: tuple[str, ...], *before: str) -> list[Sample]:
    found = [
        block
        for block in Bank().follow_ups
        if block.pipelines == pipelines and tuple(turn.pipelines[0] for turn in block.before) == before
    ]
    assert found
    samples = [drawing.of_follow_up(block) for block in found for _ in range(20)]
    return [sample for sample in samples if sample is not None]


def test_a_follow_up_names_the_results_of_the_turn_before(drawing: Generator) -> None:
    samples = drawn(
        drawing,
        ("{2} > translation target_language={lang} > text-to-speech",),
        "{doc} > image-to-text > summarization > text-to-speech",
    )
    assert len(samples) > 10 and {sample.origin for sample in samples} == {"follow-up"}
    for sample in samples:
        shown = sample.messages[-1]["content"]
        (last,) = shown.split("Did: ")[-1].splitlines()[:1]
        turn = shown.count("Before: ")
        assert f"read [turn{turn}-0.txt] > summarize [turn{turn}-1.txt] > speak [turn{turn}-2.wav]" in last
        assert sample.completion.startswith(f"turn{turn}-1.txt > translate to=") and sample.history
    assert {sample.messages[-1]["content"].count("Before: ") for sample in samples} == {1, 2}


def test_louder_and_louder(drawing: Generator) -> None:
    samples = drawn(
        drawing,
        ("{1:2} > text-to-speech volume=2.5",),
        "{doc} > image-to-text > summarization > text-to-speech",
        "{2} > text-to-speech volume=1.6",
    )
    for sample in samples:
        shown = sample.messages[-1]["content"]
        last = shown.count("Before: ")
        assert f"Did: turn{last - 1}-1.txt > speak volume=1.6 [turn{last}-0.wav]\n" in shown
        assert sample.completion == f"turn{last - 1}-1.txt > speak volume=2.5"


def test_another_file_is_the_new_one_and_the_question_stays(drawing: Generator) -> None:
    question = "document-question-answering text={qdoc}"
    for sample in drawn(drawing, (f"{{doc2}} > {question}",), f"{{doc}} > {question}"):
        asked = read_notation(sample.completion).tasks[0].args
        before = sample.messages[-1]["content"].split("\nFiles: ")[0]
        assert str(asked["text"])[:20] in before and str(asked["image"]) not in before


def test_every_follow_up_gives_samples_and_keeps_to_its_side_of_the_split() -> None:
    every = Generator(1, held_out=None)
    for block in Bank().follow_ups:
        assert any(every.of_follow_up(block) for _ in range(12)), block.pipelines
    kept, trained = (
        {s.request for s in itertools.islice(Generator(2, held_out=side).samples(), 400) if s.origin == "follow-up"}
        for side in (True, False)
    )
    assert kept and trained and not kept & trained


def test_follow_ups_are_a_tenth_of_the_data() -> None:
    samples = list(itertools.islice(Generator(3).samples(), 2000))
    assert 0.06 < sum(sample.origin == "follow-up" for sample in samples) / len(samples) < 0.14
    composed = [s for s in samples if s.origin == "composed" and s.history]
    assert composed and all("\nDid: " in s.messages[-1]["content"] for s in composed)


def test_wrong_plans_of_follow_ups_are_told() -> None:
    right, other = itertools.islice(Generator(4).follow_ups(), 2)
    with OpenAIServer(key="sk-stand-in") as server:
        server.script = {"*": [right.completion, "none > nothing", "none > nothing"]}
        settings = Settings(openai_base_url=server.url, openai_api_key=SecretStr("sk-stand-in"))
        controller = Controller.from_settings(settings)
        told = list(wrong_plans(controller, [right, other]))
        controller.close()
    assert [sample for sample, _ in told] == [other] and "was not understood" in told[0][1]

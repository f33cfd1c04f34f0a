"""Packed examples: questions on one text learn as if each were alone with it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hugginggpt.controller.embedded.reader import question_prompt, summary_prompt
from hugginggpt.controller.embedded.spans import VERDICT_TOKENS, written_answer
from training import base, model, ops
from training.base import Base, Shape
from training.examples import Batch, Example, Part, Tokenizer, collate, read
from training.model import Llama

WIDTH, HEADS, KV_HEADS, FORWARD, WORDS, LONGEST = 32, 4, 2, 48, 50, 64
TEXT = [1, 2, 3, 4, 5, 6, 7]
ASKED = [Part([10, 11, 12, 13], 2), Part([10, 20, 21], 1), Part([30, 31], 0)]


@pytest.fixture
def llama(monkeypatch: pytest.MonkeyPatch) -> Llama:
    """Two blocks of random weights, with a LoRA that is not zero, in a precision that shows every mistake."""
    for module in (model, ops):
        monkeypatch.setattr(module, "COMPUTE", torch.float32)
    torch.manual_seed(0)
    keys = WIDTH // HEADS * KV_HEADS
    sizes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (keys, WIDTH),
        "attn_v": (keys, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (FORWARD, WIDTH),
        "ffn_up": (FORWARD, WIDTH),
        "ffn_down": (WIDTH, FORWARD),
    }
    weights = {"token_embd": torch.randn(WORDS, WIDTH), "output_norm": torch.ones(WIDTH)}
    for block in range(2):
        weights |= {f"blk.{block}.{name}": torch.randn(size) / size[1] ** 0.5 for name, size in sizes.items()}
        weights |= {f"blk.{block}.{name}": torch.ones(WIDTH) for name in ("attn_norm", "ffn_norm")}
    made = Llama(Base(Shape(2, WIDTH, HEADS, KV_HEADS, 10_000.0, 1e-5), weights), 4, 2.0, LONGEST)
    with torch.no_grad():
        for adapted in made.adapted():
            adapted.up.normal_(0, 0.1)
    made.merge()
    return made


def learnt(llama: Llama, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    loss = llama.loss(batch)
    return loss.detach(), list(torch.autograd.grad(loss, list(llama.parameters())))


def alone(examples: list[Example]) -> Iterator[Batch]:
    return (collate([Example(example.prompt, [part])]) for example in examples for part in example.parts)


@pytest.mark.parametrize(
    "examples",
    [
        [Example(TEXT, ASKED)],
        [Example(TEXT, ASKED), Example(TEXT[:3], ASKED[:1]), Example(TEXT[2:], ASKED[1:])],
    ],
    ids=["one text", "texts of different lengths"],
)
def test_packed_questions_teach_what_they_teach_alone(llama: Llama, examples: list[Example]) -> None:
    loss, gradients = learnt(llama, collate(examples))
    losses, singly = zip(*(learnt(llama, batch) for batch in alone(examples)), strict=True)
    assert torch.allclose(loss, torch.stack(losses).sum(), rtol=1e-5)
    for packed, *single in zip(gradients, *singly, strict=True):
        assert (packed - torch.stack(single).sum(0)).norm() < 1e-5 * packed.norm()


def test_no_question_sees_another(llama: Llama) -> None:
    """The others' words may be any."""
    others = [Part([40, 41, 42, 43], 2), ASKED[1], Part([44, 45], 0)]
    streams = [llama(collate([Example(TEXT, parts)])) for parts in (ASKED, others)]
    second = slice(2, 4)  # after the two learnt tokens of the first question
    assert torch.equal(streams[0][second], streams[1][second])
    assert not torch.equal(streams[0][:2], streams[1][:2])


def test_only_answers_are_learnt() -> None:
    assert collate([Example(TEXT, ASKED)]).targets.tolist() == [12, 13, 20, 21, 30, 31]


def test_one_part_is_not_packed() -> None:
    assert collate([Example(TEXT, ASKED[:1]), Example(TEXT, ASKED[1:2])]).packing is None


BILL = "NORTHWIND  <b>\n\nTotal:\t€ 363.40 \n"
QUESTIONS = {"Who has to pay?": "Jane Roe", "the total": "€ 363.40", "When?": "not said", "Is it due?": "yes: Total"}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(base.packaged(), base.template(base.packaged()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One text with three questions and a summary."""
    asked = [{"question": question, "answer": answer} for question, answer in QUESTIONS.items()]
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"text": BILL, "asked": [*asked, {"summary": "Jane owes € 363.40."}]}) + "\n")
    return file


def test_the_reader_learns_the_prompts_that_it_is_asked_with(tokenizer: Tokenizer, data: Path) -> None:
    (example,) = read(data, tokenizer, 1024)
    prompts = [*(question_prompt(BILL, question) for question in QUESTIONS), summary_prompt(BILL)]
    for part, prompt in zip(example.parts, prompts, strict=True):
        whole = tokenizer.tokens(tokenizer.text(prompt.messages, asks=True), special=True)
        assert [*example.prompt, *part.tokens[: part.answer]] == whole
    answers = ["Jane Roe", "€ 363.40", "not said", "Total = yes", "Jane owes € 363.40."]
    assert [part.tokens[part.answer :] for part in example.parts] == [tokenizer.answer(answer) for answer in answers]
    for verdict in (True, False):
        span, both = (tokenizer.answer(written_answer("Total", means)) for means in (None, verdict))
        assert len(both) - len(span) + 1 == VERDICT_TOKENS


def test_questions_that_do_not_fit_beside_the_others_get_the_text_once_more(tokenizer: Tokenizer, data: Path) -> None:
    (whole,) = read(data, tokenizer, 1024)
    several = read(data, tokenizer, len(whole) - 1)
    assert len(several) > 1 and all(len(example) < len(whole) for example in several)
    assert all(example.prompt == whole.prompt for example in several)
    assert [part for example in several for part in example.parts] == whole.parts
    assert read(data, tokenizer, len(whole.prompt)) == []

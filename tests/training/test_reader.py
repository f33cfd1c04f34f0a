"""The reader's training: the packaged encoder, really trained on a few texts, exported and used."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hugginggpt.controller.embedded.encoder import Encoder, load_weights, packaged_encoder
from hugginggpt.controller.embedded.reader import Reader
from hugginggpt.controller.embedded.reader_tokens import WINDOW, Vocabulary
from training.reading.model import NO_VERDICT, SpanReader, collate
from training.reading.train import read

pytestmark = pytest.mark.slow

TEXTS = {
    "Bakery Vega\nOpen: 7 to 12\nNo dogs": {
        "When is it open?": "7 to 12",
        "Whose shop is it?": "Vega",
        "May dogs come in?": "no: No dogs",
        "What is the phone number?": "not said",
    },
    "Room 204\nQuiet please, exam\nMrs Lind": {
        "Which room is it?": "204",
        "Who is in charge?": "Mrs Lind",
        "Is there an exam?": "yes: exam",
        "When does it end?": "not said",
    },
}
TIMES = 80


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "train.jsonl"
    rows = [
        {"text": text, "asked": [{"question": q, "answer": a} for q, a in asked.items()]}
        for text, asked in TEXTS.items()
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows * TIMES), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(packaged_encoder() / "tokenizer.json")


def test_it_learns_and_reads_what_it_learnt(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.reading.train", str(data), "--out", str(tmp_path)]
    recipe = {"tokens": 400, "rate": 5e-4, "checkpoint-minutes": 0.05, "device": "cpu"}
    options = [str(word) for name, value in recipe.items() for word in (f"--{name}", value)]
    run = subprocess.run([*command, *options], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", run.stdout)]
    assert losses[-1] < losses[0] / 4
    assert (tmp_path / "reader.safetensors").stat().st_size < 12e6
    reader = Reader.load(tmp_path / "reader.safetensors")
    for text, asked in TEXTS.items():
        for question, answer in asked.items():
            found = reader.read(question, text)
            verdict = {None: "", True: "yes: ", False: "no: "}[found.verdict]
            assert (f"{verdict}{found.span}" if found.said > 0.5 else "not said") == answer, question


def test_each_place_of_the_answer_is_right(vocabulary: Vocabulary, tmp_path: Path) -> None:
    file = tmp_path / "data.jsonl"
    row = {
        "text": "Total 8.50\nDue 8.50",
        "asked": [{"question": "How much?", "answer": "8.50"}, {"question": "Who?", "answer": "not said"}],
    }
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    much, who = sorted(read(file, vocabulary, WINDOW, 0), key=lambda example: -len(example.firsts))
    assert [vocabulary.text(much.tokens[a : b + 1]) for a, b in zip(much.firsts, much.lasts, strict=True)] == [
        "8. 50"
    ] * 2
    assert (who.firsts, who.lasts, who.verdict) == ([0], [0], NO_VERDICT)


def test_padding_changes_nothing(data: Path, vocabulary: Vocabulary) -> None:
    torch.manual_seed(0)
    model = SpanReader(packaged_encoder())
    examples = sorted(read(data, vocabulary, WINDOW, 0)[:8], key=len)
    with torch.no_grad():
        together = float(model.loss(collate(examples)))
        alone = sum(float(model.loss(collate([example]))) for example in examples)
    assert together == pytest.approx(alone, rel=0.02)  # in bfloat16


def test_numpy_reads_as_torch_does(vocabulary: Vocabulary) -> None:
    (window,) = vocabulary.windows("Who has to pay?", "Bill to: Jane Roe\nTotal: 8.50")
    model = SpanReader(packaged_encoder())
    with torch.no_grad():
        wanted = model.encoder(
            input_ids=torch.tensor([window.tokens]), token_type_ids=torch.tensor([window.types])
        ).last_hidden_state[0]
    found = Encoder(load_weights()).vectors(window.tokens, window.types)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)

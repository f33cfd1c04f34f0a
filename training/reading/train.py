"""Train the reader: `python -m training.reading.train DATA --out FOLDER`.

An interrupted run continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from hugginggpt.controller.embedded.encoder import packaged_encoder
from hugginggpt.controller.embedded.reader_tokens import WINDOW, Vocabulary, Window, units_of
from training.reading.export import write
from training.reading.model import NO_VERDICT, Batch, Example, SpanReader, collate
from training.reading.samples import said_in
from training.trainer import Recipe, Trainer, arguments, fingerprint, in_batches, run

log = logging.getLogger("training")

RECIPE = Recipe(tokens=4096, batches=2, rate=4e-4, warmup=0.05, floor=0.02, clip=1.0, epochs=1, longest=WINDOW, seed=0)
_QUESTIONS = 8
"""How many questions on one text are learnt, at most."""


def read(file: Path, vocabulary: Vocabulary, longest: int, seed: int) -> list[Example]:
    """The examples of a file, without those whose text is too long or does not hold the answer."""
    chance = random.Random(seed)
    examples: list[Example] = []
    with file.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            for one in chance.sample(row["asked"], min(_QUESTIONS, len(row["asked"]))):
                windows = list(vocabulary.windows(one["question"], row["text"]))
                if len(windows) == 1 and len(windows[0].tokens) <= longest:
                    examples += _examples(windows[0], row["text"], one["answer"])
    return examples


def _examples(window: Window, text: str, answer: str) -> Iterator[Example]:
    span, verdict = said_in(answer)
    places = [(0, 0)]
    if span is not None:
        found = _places([unit.group() for unit in units_of(text)], [unit.group() for unit in units_of(span)])
        places = [(window.firsts[first], window.lasts[last]) for first, last in found]
    if places:
        firsts, lasts = (list(some) for some in zip(*places, strict=True))
        yield Example(window.tokens, window.types, firsts, lasts, NO_VERDICT if verdict is None else int(verdict))


def _places(units: Sequence[str], span: Sequence[str]) -> list[tuple[int, int]]:
    """Where the units of a text are those of a span: the numbers of the first and last one."""
    length = len(span)
    starts = range(len(units) - length + 1) if length else range(0)
    return [(start, start + length - 1) for start in starts if units[start : start + length] == span]


def main() -> None:
    """Read the arguments and train."""
    given, recipe = arguments(argparse.ArgumentParser(description="Train the reader."), RECIPE)
    device = torch.device(given.device)
    encoder = packaged_encoder()
    examples = read(given.data, Vocabulary(encoder / "tokenizer.json"), recipe.longest, recipe.seed)
    log.info("%d questions", len(examples))
    torch.manual_seed(recipe.seed)
    model = SpanReader(encoder).to(device)

    def batches(tokens: int, seed: str) -> Iterator[Batch]:
        return map(collate, in_batches(examples, tokens, seed))

    learns = fingerprint(encoder / "model.safetensors", examples)
    trainer = Trainer(recipe, model, batches, learns, device)
    run(trainer, given.out, given.checkpoint_minutes)
    write(model, given.out / "reader.safetensors")


if __name__ == "__main__":
    main()

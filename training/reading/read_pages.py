"""Reads pages with the embedded OCR: real texts for the reader's training, and its mistakes, counted.

`python -m training.reading.read_pages --pages 300` writes `pages.jsonl` and `mistakes.json` beside this module. A row
is a page: its document's family, the text as read, questions with their answers in that text, and its
pieces, each as drawn and, if that differs, as read. It takes about two seconds a page, and goes on where it was
interrupted.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hugginggpt.experts.embedded.reading_order import Box as Corners
from training.reading import mistakes
from training.reading.documents import filled
from training.reading.layout import compose
from training.reading.ocr import Ocr
from training.reading.page import Box, corners
from training.reading.pictures import draw
from training.reading.questions import further
from training.reading.renderings import in_order
from training.reading.samples import PAGES
from training.reading.templates import Says, Template, templates
from training.reading.traced import Traced

_STRIDE = 101  # prime: neighbouring pages are of different files


@dataclass(frozen=True)
class _Match:
    """Pieces that were drawn, and what was read in their place."""

    drawn: list[int]
    read: list[int]


def read_page(template: Template, others: Sequence[Template], ocr: Ocr, rng: random.Random) -> dict[str, Any]:
    """A row: a page of the template, as OCR reads it.

    Args:
        others: templates to take questions from that the page does not answer.
    """
    document = filled(template, rng)
    page = compose(document, rng)
    picture = draw(page, rng)
    texts, boxes = [piece.text for piece in page.pieces], picture.boxes
    found = [(place, text) for text, place in ocr.lines(picture.image)]
    around = [_around(place) for place, _ in found]
    lines, paddings = list[list[str]](), list[float]()
    traced = {n: Traced.foreign(text) for n, (_, text) in enumerate(found)}
    for match in _matches(boxes, around):
        whole = in_order([(corners(boxes[n]), texts[n]) for n in match.drawn])
        read = in_order([(found[n][0], Traced.of_cell(found[n][1], n)) for n in match.read])
        lines.append([whole.text] if read.text == whole.text else [whole.text, read.text])
        traced.update(_divided(read, mistakes.aligned(whole, read.text)))
        if len(match.drawn) == len(match.read) == 1:
            (drawn,), (seen,) = match.drawn, match.read
            paddings.append(_height(around[seen]) / _height(boxes[drawn]) - 1)
    text = in_order([(place, traced[n]) for n, (place, _) in enumerate(found)])
    asked = []
    for question in (*document.asked, *further(document, others, rng)):
        span = "" if question.says is Says.NOTHING else text.span(question.places)
        if span is not None:
            asked.append({"wordings": question.wordings, "says": question.says, "span": span})
    return {
        "family": template.family,
        "text": text.text,
        "asked": asked,
        "lines": lines,
        "padding": round(median(paddings) / 2, 3) if paddings else None,
    }


def _matches(drawn: Sequence[Box], found: Sequence[Box]) -> Iterator[_Match]:
    """Which pieces lie upon which; a piece that nothing lies upon was not read."""
    groups = [_Match([n], []) for n in range(len(drawn))]
    for n, box in enumerate(found):
        touched = [group for group in groups if any(_covers(box, drawn[other]) for other in group.drawn)]
        if touched:
            first, *others = touched
            first.read.append(n)
            for other in others:
                first.drawn.extend(other.drawn)
                first.read.extend(other.read)
                groups.remove(other)
    yield from groups


def _covers(one: Box, other: Box) -> bool:
    """Whether two boxes share half of the smaller one."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return across > 0 and down > 0 and across * down > 0.5 * smaller


def _divided(joined: Traced, aligned: Traced) -> dict[int, Traced]:
    """The aligned text, divided into the pieces that were joined."""
    parts: dict[int, list[Traced]] = {}
    for n, origin in enumerate(joined.origins):
        if origin is not None:
            parts.setdefault(origin[0], []).append(aligned[n : n + 1])
    return {piece: Traced.joined(signs) for piece, signs in parts.items()}


def _around(place: Corners) -> Box:
    xs, ys = zip(*place, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _height(box: Box) -> float:
    return box[3] - box[1]


def write(pages: int, seed: int, threads: int, file: Path = PAGES) -> None:
    """Read pages of the documents for training until the file has that many, and count the mistakes of all."""
    known = [t for t in templates() if not t.held_out]
    done = len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0
    ocr = Ocr(threads)
    with file.open("a", encoding="utf-8") as rows:
        for n in range(done, pages):
            row = read_page(known[n * _STRIDE % len(known)], known, ocr, random.Random(f"{seed} {n}"))
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows.flush()
    mistakes.save(counted(file))


def counted(file: Path = PAGES) -> mistakes.Mistakes:
    """The mistakes on the pages of a file."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    pages = [[(line[0], line[-1]) for line in row["lines"]] for row in rows]
    return mistakes.count(pages, median(row["padding"] for row in rows if row["padding"] is not None))


def main() -> None:
    """Read pages with OCR and count its mistakes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="threads of the OCR")
    given = parser.parse_args()
    write(given.pages, given.seed, given.threads)


if __name__ == "__main__":
    main()

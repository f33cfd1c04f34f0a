"""OCR's mistakes, as counted on pages that it has read: `mistakes.json`.

A page is read well or badly as a whole, so the rates of a page are those of all pages, times how much worse than the
average it is read; but what is misread nearly everywhere, such as a bullet, is misread on good pages too.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from training.reading.page import Page, corners
from training.reading.renderings import in_order
from training.reading.traced import Traced

FILE = Path(__file__).with_name("mistakes.json")

_QUANTILES = 20
_EVERYWHERE = 0.25  # a rate above which good pages have it as well
_LONG = 3  # characters: OCR misses shorter pieces more often
_LEGIBLE = 0.5  # of a piece's characters are right if it counts as read
_MOST_COST = 3.0
_DOTS = re.compile(r"\.{4,}")  # a leader, of which OCR reads some dots

Lines = Sequence[tuple[str, str]]
"""The pieces of a page, each as drawn and as read: "" if it was not found."""


@dataclass(frozen=True)
class Mistakes:
    """How often OCR makes which mistake.

    Attributes:
        missing: the share of pieces that it does not find or garbles, by their length up to `_LONG`.
        signs: for each character how often it was drawn, and how often it was read as something else.
        lost: for two kinds of character how often a space stood between them, and how often it was lost.
        added: for two kinds of character how often they stood side by side, and how often with a space put in.
        severity: of signs: pages' rates by the mean rate, in order.
        space_severity: the same of spaces.
        padding: by how much its boxes are larger than the letters, by their height.
    """

    missing: Mapping[str, float]
    signs: Mapping[str, tuple[int, Mapping[str, int]]]
    lost: Mapping[str, tuple[int, int]]
    added: Mapping[str, tuple[int, int]]
    severity: Sequence[float]
    space_severity: Sequence[float]
    padding: float

    def read(self, page: Page, rng: random.Random) -> Traced:
        """The text of a page as OCR reads it."""
        severity, spaces = rng.choice(self.severity), rng.choice(self.space_severity)
        found = []
        for piece in page.pieces:
            if rng.random() < self.missing.get(str(min(len(piece.text.text), _LONG)), 0):
                continue
            left, top, right, bottom = piece.box
            more = (bottom - top) * self.padding * rng.uniform(0.7, 1.3)
            text = self._misread(piece.text, severity, spaces, rng)
            box = left - more / 2, top - more, right + more / 2, bottom + more
            found.append((corners(box), text))
        return in_order(found)

    def _misread(self, text: Traced, severity: float, spaces: float, rng: random.Random) -> Traced:
        parts = []
        for leader in reversed([*_DOTS.finditer(text.text)]):
            kept = text[: leader.start() + rng.randint(0, 4)]
            text = Traced.joined((kept, text[leader.end() :]))
        for n, sign in enumerate(text.text):
            origin = text.origins[n]
            before, after = text.text[max(0, n - 1) : n], text.text[n + 1 : n + 2]
            if sign == " ":
                lost = _happens(self.lost.get(_kinds(before, after)), spaces, rng)
                parts.append(Traced("" if lost else " ", () if lost else (origin,)))
                continue
            times, ways = self.signs.get(sign, (1, {}))
            if _happens((times, sum(ways.values())), severity, rng):
                sign = rng.choices(list(ways), list(ways.values()))[0]
            parts.append(Traced(sign, (origin,) * len(sign)))
            if after not in ("", " ") and _happens(self.added.get(_kinds(text.text[n], after)), spaces, rng):
                parts.append(Traced.foreign(" "))
        return Traced.joined(parts)


@cache
def measured() -> Mistakes:
    """The mistakes of the file."""
    return Mistakes(**json.loads(FILE.read_text(encoding="utf-8")))


def save(mistakes: Mistakes, file: Path = FILE) -> None:
    """Write the file."""
    file.write_text(json.dumps(asdict(mistakes), ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def count(pages: Iterable[Lines], padding: float) -> Mistakes:
    """The mistakes of some pages.

    Args:
        padding: the median padding of OCR's boxes.
    """
    lengths, missing = Counter[str](), Counter[str]()
    times, ways = Counter[str](), dict[str, Counter[str]]()
    spaces, lost, beside, added = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    rates, space_rates = list[float](), list[float]()
    for lines in pages:
        wrong = signs = gone = gaps = 0
        for drawn, read in ((_DOTS.sub("...", part) for part in line) for line in lines if "\n" not in line[0]):
            length = str(min(len(drawn), _LONG))
            lengths[length] += 1
            became = _as_read(drawn, read)
            if sum(sign == got for sign, got in zip(drawn, became, strict=True)) < _LEGIBLE * len(drawn):
                missing[length] += 1
                continue
            for n, got in enumerate(became):
                sign, before, after = drawn[n], drawn[max(0, n - 1) : n], drawn[n + 1 : n + 2]
                if sign == " ":
                    kinds, is_lost = _kinds(before, after), " " not in got
                    spaces[kinds] += 1
                    lost[kinds] += is_lost
                    gaps, gone = gaps + 1, gone + is_lost
                    continue
                if after not in ("", " "):
                    kinds = _kinds(sign, after)
                    beside[kinds] += 1
                    added[kinds] += " " in got
                signs, times[sign] = signs + 1, times[sign] + 1
                if (without := got.replace(" ", "")) != sign:
                    wrong += 1
                    ways.setdefault(sign, Counter())[without] += 1
        rates.append(wrong / max(1, signs))
        space_rates.append(gone / max(1, gaps))
    return Mistakes(
        missing={length: round(missing[length] / lengths[length], 4) for length in sorted(lengths)},
        signs={sign: (times[sign], dict(ways.get(sign, {}))) for sign in sorted(times) if ways.get(sign)},
        lost={kinds: (spaces[kinds], lost[kinds]) for kinds in sorted(lost) if lost[kinds]},
        added={kinds: (beside[kinds], added[kinds]) for kinds in sorted(added) if added[kinds]},
        severity=_severity(rates),
        space_severity=_severity(space_rates),
        padding=round(padding, 3),
    )


def aligned(drawn: Traced, read: str) -> Traced:
    """What was read, with the origins of what was drawn."""
    if read == drawn.text:
        return drawn
    origins = [None if n is None else drawn.origins[n] for n in _partners(drawn.text, read)]
    return Traced(read, tuple(origins))


def _happens(counted: tuple[int, int] | None, severity: float, rng: random.Random) -> bool:
    if not counted or not counted[1]:
        return False
    rate = counted[1] / counted[0]
    return rng.random() < (rate if rate > _EVERYWHERE else rate * severity)


def _severity(rates: Sequence[float]) -> list[float]:
    """Quantiles of the pages' rates by their mean."""
    mean = sum(rates) / len(rates) or 1.0
    ordered = sorted(rates)
    return [round(ordered[(2 * n + 1) * len(ordered) // (2 * _QUANTILES)] / mean, 2) for n in range(_QUANTILES)]


def _kinds(left: str, right: str) -> str:
    """The kinds of two neighbours: letter, digit, or the mark itself."""
    return "".join("a" if s.isalpha() else "0" if s.isdigit() else s for s in (left, right))


def _as_read(drawn: str, read: str) -> list[str]:
    """What each drawn character became, with what was put in behind it."""
    became = [""] * len(drawn)
    last = 0
    for sign, partner in zip(read, _partners(drawn, read), strict=True):
        last = last if partner is None else partner
        became[last] += sign
    return became


def _partners(drawn: str, read: str) -> list[int | None]:
    """For each read character the drawn one that it stands for, by the cheapest alignment."""
    if read == drawn:
        return list(range(len(drawn)))
    costs = [[0.0] * (len(read) + 1) for _ in range(len(drawn) + 1)]
    for n in range(len(drawn) + 1):
        for m in range(len(read) + 1):
            if n or m:
                costs[n][m] = min(
                    costs[n - 1][m] + 1 if n else _INFINITE,
                    costs[n][m - 1] + 1 if m else _INFINITE,
                    costs[n - 1][m - 1] + _cost(drawn[n - 1], read[m - 1]) if n and m else _INFINITE,
                )
    partners: list[int | None] = [None] * len(read)
    n, m = len(drawn), len(read)
    while n and m:
        if costs[n][m] == costs[n - 1][m - 1] + _cost(drawn[n - 1], read[m - 1]):
            n, m = n - 1, m - 1
            partners[m] = n
        elif costs[n][m] == costs[n - 1][m] + 1:
            n -= 1
        else:
            m -= 1
    return partners


_INFINITE = float("inf")


def _cost(drawn: str, read: str) -> float:
    """What it costs to read one character as another; a space is never read as a letter."""
    if drawn == read:
        return 0.0
    if drawn == " " or read == " ":
        return _MOST_COST
    return 0.5 if drawn.casefold() == read.casefold() else 1.0

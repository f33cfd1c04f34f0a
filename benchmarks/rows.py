"""What a benchmark returns: ratios to something bare that was measured in the same run, each with its target."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measured ratio.

    Attributes:
        what: what was measured, and what it is compared with.
        value: the ratio, or a number of something.
        target: what it should be.
        at_least: whether the target is the least it should be; otherwise it is the most.
        details: the measured times themselves, in a few words.
    """

    what: str
    value: float
    target: float
    at_least: bool = False
    details: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | today | target | met | measured |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.what} | {row.value:.3g} | {'>=' if row.at_least else '<='} {row.target:g} "
        f"| {'yes' if row.is_met else 'no'} | {row.details} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(measure: Callable[[], list[Row]]) -> None:
    """Run a benchmark as a program: print its rows, or write them as JSON to the file named as its argument."""
    rows = measure()
    print(table(rows))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")

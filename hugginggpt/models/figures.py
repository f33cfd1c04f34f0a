"""How reliable and how fast the models have been on this installation.

Selection uses a measurement, not the current trace. A new one is taken when the latest is older than
`HUGGINGGPT_FIGURES_TTL`, kept in the trace database, and shared by all processes. A choice depends only on each model's
`gist`, in which figures are rounded, so a cached choice stays valid until something changes that it could depend on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import floor, log10
from statistics import median

from pydantic import BaseModel, ConfigDict

LATEST = 8
"""How many of a model's latest runs count. Few, so that a model that breaks drops in rank even if it worked for
long."""

MEMORY = timedelta(days=7)
"""Older runs do not count, so that a model that dropped in rank, and so no longer runs, gets another chance."""

PRIOR = 2
"""Successes that every model starts with, so that one failure does not condemn it."""


@dataclass(frozen=True)
class Run:
    """One run of a model on a task.

    Attributes:
        error: why it failed; None if it completed the task.
        passing: the failure may be temporary, because a server was busy or out of reach.
        done_by_another: another model completed the task.
        elements: how many elements it produced a result for.
    """

    seconds: float
    error: str | None = None
    passing: bool = False
    done_by_another: bool = False
    elements: int = 1

    @property
    def blame(self) -> float:
        """How much the run counts against the model: less if the failure may be temporary or due to the input."""
        if self.error is None:
            return 0.0
        if self.passing:
            return 0.25
        return 1.0 if self.done_by_another else 0.5


class Figures(BaseModel):
    """The measurements of a model at an endpoint, for one kind.

    Attributes:
        runs: how many runs were measured.
        completed: how many of them completed their task.
        blame: the sum of `Run.blame` over the others.
        seconds: median time per element of the input, including loading; None without a success.
        last_error: the error of its latest failure.
    """

    model_config = ConfigDict(frozen=True)

    runs: int
    completed: int
    blame: float
    seconds: float | None = None
    last_error: str | None = None

    @property
    def reliability(self) -> float:
        """The expected share of successes, from 0 to 1. Three failures with no success make it less than half."""
        return (self.completed + PRIOR) / (self.completed + PRIOR + self.blame)

    @property
    def failing(self) -> bool:
        """Whether it fails more often than it succeeds, and so ranks below all models that work."""
        return self.reliability < 0.5

    @property
    def gist(self) -> str:
        """The figures as the controller reads them: the part that a choice, and so its cache key, may depend on."""
        if self.failing:
            return "mostly fails"
        speed = "" if self.seconds is None else f", about {_rounded(self.seconds):g} s an input"
        return f"succeeds {round(self.reliability, 1):.0%}{speed}"


@dataclass(frozen=True)
class Measurement:
    """The figures of all models at one time, by kind, model id and endpoint."""

    at: datetime
    figures: Mapping[tuple[str, str, str], Figures]


def figures_of(runs: Sequence[Run]) -> Figures:
    """The figures of a model.

    Args:
        runs: all runs that count, the latest first; at least one.
    """
    done = [run for run in runs if run.error is None]
    return Figures(
        runs=len(runs),
        completed=len(done),
        blame=sum(run.blame for run in runs),
        seconds=median(run.seconds / max(1, run.elements) for run in done) if done else None,
        last_error=next((run.error for run in runs if run.error is not None), None),
    )


def _rounded(seconds: float) -> float:
    """The nearest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ..., so that models of similar speed get the same figure."""
    if seconds < 0.01:
        return 0.01
    unit = 10.0 ** floor(log10(seconds))
    # The bounds are the geometric means of neighbours.
    step = next(
        step for step, bound in ((1, 2**0.5), (2, 10**0.5), (5, 50**0.5), (10, 10.0)) if seconds / unit <= bound
    )
    return float(f"{step * unit:.2g}")

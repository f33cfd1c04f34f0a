"""What the areas make, and what is found."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hugginggpt.errors import HuggingGPTError

PATIENCE = 20.0
"""Seconds of wall clock after which a call is taken for one that never ends; a busy machine is no reason."""


@dataclass(frozen=True)
class Case:
    """One call with hostile input.

    Attributes:
        label: the call, and how its input was made; cases of one label that fail alike are one finding.
        given: the input, for the report.
        run: makes the call, and asserts what its value promises.
        refusals: the errors that the call may raise.
        patience: seconds of wall clock that it may take.
    """

    label: str
    given: Any
    run: Callable[[], object]
    refusals: tuple[type[HuggingGPTError], ...] = (HuggingGPTError,)
    patience: float = PATIENCE


class Area(Protocol):
    """One kind of input."""

    def case(self, rng: random.Random) -> Case:
        """A case, the same for the same state of the generator."""


@dataclass(frozen=True)
class Finding:
    """What was wrong with a case.

    Attributes:
        what: in one line, the same for what is likely the same fault.
        detail: the traceback, or what there is of one.
    """

    what: str
    label: str
    given: str
    detail: str


@dataclass(frozen=True)
class Measured:
    """How a case went.

    Attributes:
        outcome: "accepted", or the class of the error.
        seconds: of processor time.
        megabytes: the most that the process held meanwhile.
    """

    area: str
    number: int
    outcome: str
    seconds: float
    megabytes: float
    findings: tuple[Finding, ...] = ()

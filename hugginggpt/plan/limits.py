"""How large a plan may be, and how far its references may grow: every limit, in one place.

A reference stands for another task's input or output, which may itself contain references, so a plan of a few lines can
stand for gigabytes. Each limit is checked before anything grows: when a plan is read, and again when results replace
its references.
"""

from collections.abc import Iterable

from hugginggpt.errors import PlanError

MAX_CHARS = 200_000
"""Characters of the text that a plan is read from, and of all arguments of the plan together."""

MAX_TASKS = 64
"""Tasks of a plan, and tasks that one of them names in `dep`."""

MAX_ARGUMENTS = 32
"""Arguments of one task as it is written; no kind of task takes as many."""

MAX_ELEMENTS = 1_000
"""Elements of one argument: in the plan, and when a reference to a list stands for all elements of that list."""

MAX_PLAN_ELEMENTS = 4_000
"""Elements of all arguments of a plan together."""

MAX_RESULTS = 10_000
"""Results that the references of one task stand for, in lists and in texts."""

MAX_SENTENCES = 50
"""Problems, and repairs, that are listed for one plan."""


def listed(sentences: Iterable[str]) -> list[str]:
    """The sentences, each once. Beyond `MAX_SENTENCES`, a last sentence says how many more there are."""
    distinct = list(dict.fromkeys(sentences))
    more = len(distinct) - MAX_SENTENCES
    return distinct if more <= 0 else [*distinct[:MAX_SENTENCES], f"There are {more:,} more like these."]


def refusal(problems: Iterable[str]) -> PlanError:
    """The error that lists these problems."""
    return PlanError("\n".join(listed(problems)))


def check_length(text: str) -> None:
    """Refuse the text of a plan that is too long to read.

    Raises:
        PlanError: it is longer than `MAX_CHARS`.
    """
    if len(text) > MAX_CHARS:
        raise PlanError(
            f"The plan is longer than {MAX_CHARS:,} characters: give long texts as files, or split the request."
        )

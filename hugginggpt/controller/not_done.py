"""What of a plan was not done, and why."""

from collections.abc import Collection, Sequence

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan.origins import Names, origins
from hugginggpt.plan.references import references_in
from hugginggpt.results import TaskOutcome, TaskStatus
from hugginggpt.text import visible

_MOST_CAUSES = 3
"""Causes in one line."""


def not_done(outcomes: Sequence[TaskOutcome], files: Collection[str] = ()) -> list[str]:
    """Everything that was not done: failed tasks with what hangs on them, failed elements of lists, and why.

    Args:
        outcomes: one per planned task, in the plan's order.
        files: the names of the request's files.
    """
    failed = [o for o in outcomes if o.result is None and o.status is not TaskStatus.SKIPPED]
    skipped = [o for o in outcomes if o.status is TaskStatus.SKIPPED]
    lost: dict[str | None, list[TaskOutcome]] = {}
    for outcome in failed:
        with_it = [outcome]
        for other in skipped:
            if any(one.planned.id in other.planned.needs for one in with_it):
                with_it.append(other)
        skipped = [other for other in skipped if other not in with_it]
        lost.setdefault(outcome.error, []).extend(with_it)
    told = [
        _told(", ".join(dict.fromkeys(map(_lost, those))), why, *(one.obstacle for one in those))
        for why, those in lost.items()
    ]
    told += [_told(_lost(outcome), outcome.error, outcome.obstacle) for outcome in skipped]
    behind = origins((outcome.planned for outcome in outcomes), files)
    for outcome in outcomes:
        items = outcome.result.items if outcome.result is not None else ()
        told += [
            _told(_lost_element(outcome, n, behind[outcome.planned.id]), item.error)
            for n, item in enumerate(items)
            if item.error is not None
        ]
    return told


def _told(what: str, *causes: str | None) -> str:
    given = list(dict.fromkeys(_sentence(cause) for cause in causes if cause))
    return " ".join([f"Not done: {what}.", *given[:_MOST_CAUSES]])


def _sentence(why: str) -> str:
    why = visible(why)
    # A sentence about a kind of task begins with its name.
    return why[0].upper() + why[1:] if why.partition(" ")[0] in CAPABILITIES else why


def _lost_element(outcome: TaskOutcome, number: int, behind: Sequence[Names]) -> str:
    """What an element of a list would have made, and from which sheet, file or page; else its number in the list."""
    assert outcome.result is not None
    names = behind[number] if number < len(behind) else ()
    answers, first = outcome.planned.capability.answers, outcome.result.first_page
    origin = outcome.result.items[number].part
    if not origin and len(names) == 1 and behind.count(names) == 1:
        origin = names[0]
    if not origin and first and not answers:
        origin = f"page {first + number}"
    return (
        f"{_lost(outcome)} {'for' if answers else 'of'} {visible(origin)}"
        if origin
        else f"{_lost(outcome)} {number + 1}"
    )


def _lost(outcome: TaskOutcome) -> str:
    capability, question = outcome.planned.capability, outcome.planned.args.get("text")
    if capability.answers and isinstance(question, str) and not references_in(question):
        return f'the answer to "{visible(question).strip()}"'
    return f"the {capability.result}"

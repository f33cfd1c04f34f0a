"""What of a plan was not done, and why."""

from collections.abc import Sequence

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan.references import references_in
from hugginggpt.results import TaskOutcome, TaskStatus
from hugginggpt.text import visible


def not_done(outcomes: Sequence[TaskOutcome]) -> list[str]:
    """Everything that was not done: each failed task with what hangs on it, each failed element of a list, and why.

    Args:
        outcomes: one per planned task, in the plan's order.
    """
    failed = [o for o in outcomes if o.result is None and o.status is not TaskStatus.SKIPPED]
    skipped = [o for o in outcomes if o.status is TaskStatus.SKIPPED]
    told = []
    for outcome in failed:
        lost = [outcome]
        for other in skipped:
            if any(one.planned.id in other.planned.needs for one in lost):
                lost.append(other)
        skipped = [other for other in skipped if other not in lost]
        told.append(_told(", ".join(dict.fromkeys(map(_lost, lost))), outcome.error))
    told += [_told(_lost(outcome), outcome.error) for outcome in skipped]
    for outcome in outcomes:
        items = outcome.result.items if outcome.result is not None else ()
        told += [
            _told(f"{_lost(outcome)} {n}", item.error) for n, item in enumerate(items, 1) if item.error is not None
        ]
    return told


def _told(what: str, why: str | None) -> str:
    why = visible(why or "")
    if why.partition(" ")[0] in CAPABILITIES:  # a sentence about a kind of task
        why = why[0].upper() + why[1:]
    return f"Not done: {what}. {why}".rstrip()


def _lost(outcome: TaskOutcome) -> str:
    capability, question = outcome.planned.capability, outcome.planned.args.get("text")
    if capability.answers and isinstance(question, str) and not references_in(question):
        return f'the answer to "{visible(question).strip()}"'
    return f"the {capability.result}"

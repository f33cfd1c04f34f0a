"""Questions that compare rows are asked of a document's tables, where the planner asks its text.

To the planner, a document with both is a text.
"""

import re
from collections.abc import Callable, Sequence

from hugginggpt.controller.embedded.target_columns import mentions
from hugginggpt.naming import named_file
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Resource

_ASKS = {"question-answering": "context", "document-question-answering": "image"}
"""The kinds that ask a document, and the argument that names it."""
_QUERY = "table-question-answering"
_COMPARES = re.compile(r"\b(?:most|least|best|worst|top|maximum|minimum|\w{3,}est)\b", re.IGNORECASE)
_MEASURES = re.compile(
    r"\b(?:high|low|larg|small|bigg|great|few|cheap|long|short|fast|slow|heavi|light)est\b|"
    r"\b(?:most|least)(?: expensive)?\s*\W*$",
    re.IGNORECASE,
)
"""What compares numbers and hardly anything else."""


def asked_of_tables(plan: Plan, resources: Sequence[Resource], check: Callable[[Plan], list[str]]) -> Plan:
    """The plan with such questions asked of the tables: "Which month sold most?" of a report.

    Args:
        plan: what the planner planned.
        resources: the request's files and the results of earlier turns.
        check: returns objections to a plan, one sentence each.
    """
    found = {task.id: asked for task in plan.tasks if (asked := _of_tables(task, resources)) is not None}
    repairs = tuple(f"Task {task_id} compares rows and asks the tables of its document." for task_id in found)
    tasks = tuple(found.get(task.id, task) for task in plan.tasks)
    made = plan.model_copy(update={"tasks": tasks, "repairs": (*plan.repairs, *repairs)})
    return made if found and not check(made) else plan


def _of_tables(task: PlannedTask, resources: Sequence[Resource]) -> PlannedTask | None:
    question, name = task.args.get("text"), task.args.get(_ASKS.get(task.task, ""))
    file = named_file(name, resources)
    if file is None or file.parts is None or not isinstance(question, str) or not _compares(question, file):
        return None
    return task.model_copy(update={"task": _QUERY, "args": {"text": question, "table": name}})


def _compares(question: str, file: Resource) -> bool:
    """Whether a question asks for the most or the least in columns of the file's tables."""
    bare = question.replace(file.name, " ")
    named = sum(bool(mentions(column, bare)) for column in file.parts.columns) if file.parts is not None else 0
    return (named > 1 and _COMPARES.search(bare) is not None) or (named > 0 and _MEASURES.search(bare) is not None)

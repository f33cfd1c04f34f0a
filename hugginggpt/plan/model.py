"""A plan and its tasks, in the format of the HuggingGPT paper (arXiv 2303.17580, section 3.1)."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.plan.references import references_in

Scalar = str | int | float
Argument = Scalar | list[Scalar]


class PlannedTask(BaseModel):
    """One AI subtask of a plan.

    Attributes:
        task: its kind, a key of `CAPABILITIES`.
        dep: ids of the tasks that have to be final before it starts.
        args: argument name to a literal, a file name, a `<GENERATED>-k` reference, a text with
            references in it, or a list of these.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    id: int
    dep: tuple[int, ...] = ()
    args: dict[str, Argument] = {}

    @property
    def capability(self) -> Capability:
        """The row of its kind."""
        return CAPABILITIES[self.task]

    @property
    def name(self) -> str:
        """The name of its task run."""
        return f"{self.id} · {self.task}"

    @property
    def needs(self) -> tuple[int, ...]:
        """Ids of the tasks whose results it takes; the rest of `dep` only adds order."""
        return tuple(sorted({k for value in self.args.values() for k in references_in(value)}))


def elements(value: Argument) -> Sequence[Scalar]:
    """The elements of an argument: of a list those in it, of any other the argument itself."""
    return value if isinstance(value, list) else [value]


def free_id(tasks: Iterable[PlannedTask]) -> int:
    """An id above those of all the tasks."""
    return max((task.id for task in tasks), default=-1) + 1


class Plan(BaseModel):
    """A valid plan: known kinds, required arguments present, typed edges, no cycle.

    Attributes:
        tasks: in an order in which they can run.
        repairs: the changes that made it valid, one sentence each.
        version: from 1; further versions go another way for what failed.
    """

    model_config = ConfigDict(frozen=True)

    tasks: tuple[PlannedTask, ...] = ()
    repairs: tuple[str, ...] = ()
    version: int = 1

    def task(self, task_id: int) -> PlannedTask:
        """The task of that id."""
        return next(t for t in self.tasks if t.id == task_id)

    def to_list(self) -> list[dict[str, Any]]:
        """The paper's format, which `parse_plan` reads back; no dependency is written `[-1]`."""
        return [{"task": t.task, "id": t.id, "dep": list(t.dep) or [-1], "args": dict(t.args)} for t in self.tasks]

    def to_json(self) -> str:
        """`to_list` as text, one task per line."""
        lines = (json.dumps(task, ensure_ascii=False) for task in self.to_list())
        return "[" + ",\n ".join(lines) + "]"

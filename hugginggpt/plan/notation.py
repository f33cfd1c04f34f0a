"""Pipeline notation: a plan as a shell user would write it, `scan.png > image-to-text > summarization`.

The small planner writes its plans so: no ids to count, no braces to close, and no way to refer to
what is not there. `docs/planning.md` shows all of it.
"""

import json
import re
from collections.abc import Mapping

from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.errors import PlanError
from hugginggpt.plan.model import Argument, Plan, PlannedTask, Scalar
from hugginggpt.plan.parse import parse_plan
from hugginggpt.plan.references import reference, references_in, sole_reference

NOTHING = "none"

PIPED = "{}"
"""In the text of a `TEMPLATED` kind: where what is piped goes."""

TEMPLATED = frozenset({"text-generation", "text2text-generation", "conversational"})

_BARE = re.compile(r"[\w./~:%?&+#@!*;$'-]+")
_TOKEN = re.compile(
    r'[^\S\n]*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<name>[a-z]\w*)=|(?P<mark>[>,()\n])|(?P<bare>[^\s>,()"=]+))'
)


def quoted(value: str) -> str:
    """A value as the notation writes it: bare where it can be, else in double quotes."""
    return value if _BARE.fullmatch(value) and value != NOTHING else json.dumps(value, ensure_ascii=False)


def piped_input(capability: Capability, args: Mapping[str, Argument]) -> str:
    """The input that is piped: the context of a question, else the first."""
    return "context" if "context" in args and capability.input("context") else capability.inputs[0].name


def write_notation(plan: Plan) -> str:
    """The plan in pipeline notation; an order that only `dep` asks for is lost."""
    tasks = {task.id: task for task in plan.tasks}
    used = {k for task in plan.tasks for k in task.needs}
    return "\n".join(_pipeline(task, tasks) for task in plan.tasks if task.id not in used) or NOTHING


def _pipeline(task: PlannedTask, tasks: Mapping[int, PlannedTask]) -> str:
    piped = piped_input(task.capability, task.args)
    value, words = task.args[piped], [task.task]
    inside = references_in(value) if task.task in TEMPLATED and sole_reference(value) is None else []
    if isinstance(value, str) and len(inside) == 1:
        value, template = reference(inside[0]), value.replace(reference(inside[0]), PIPED)
        words.append(f"{piped}={quoted(template)}")
    given = [i.name for i in task.capability.inputs if i.name in task.args and i.name != piped]
    words += [f"{name}={_written(task.args[name], tasks)}" for name in given]
    k = sole_reference(value)
    source = _written(value, tasks) if k is None else _pipeline(tasks[k], tasks)
    return f"{source} > {' '.join(words)}"


def _written(value: Argument, tasks: Mapping[int, PlannedTask]) -> str:
    if isinstance(value, list):
        return ", ".join(_written(element, tasks) for element in value)
    k = sole_reference(value)
    return quoted(str(value)) if k is None else f"({_pipeline(tasks[k], tasks)})"


def read_notation(text: str) -> Plan:
    """Read a plan in pipeline notation.

    Raises:
        PlanError: it is not one, or the plan is not valid.
    """
    return parse_plan(json.dumps(_Reading(text).tasks()))


class _Reading:
    """One pass over the tokens, a list of tasks growing as steps are met."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._ids: dict[str, int] = {}
        self._tasks: list[dict[str, object]] = []

    def tasks(self) -> list[dict[str, object]]:
        """The tasks in the paper's format."""
        if self._tokens == [("bare", NOTHING)]:
            return []
        while self._at < len(self._tokens):
            if not self._next_is("\n"):
                self._pipeline()
        return self._tasks

    def _pipeline(self) -> Argument:
        value = self._values()
        while self._next_is(">"):
            value = self._step(value)
        return value

    def _step(self, piped: Argument) -> str:
        kind = self._take("bare")
        capability = CAPABILITIES.get(kind)
        if capability is None:
            raise PlanError(f"The plan names the kind '{kind}', which does not exist.")
        args: dict[str, Argument] = {}
        while self._kind_of_next() == "name":
            name = self._take("name")
            args[name] = self._values()
        template = args.get("text")
        if kind in TEMPLATED and isinstance(template, str) and PIPED in template and not isinstance(piped, list):
            args["text"] = template.replace(PIPED, str(piped))
        else:
            free = next((i.name for i in capability.inputs if i.name not in args), None)
            if free is None:
                raise PlanError(f"The plan pipes something into {kind}, whose inputs are all named.")
            args[free] = piped
        return reference(self._task(kind, args))

    def _task(self, kind: str, args: dict[str, Argument]) -> int:
        """The id of the task; the same step on the same inputs is the same task."""
        key = json.dumps([kind, args], sort_keys=True)
        if key not in self._ids:
            self._ids[key] = len(self._tasks)
            self._tasks.append({"task": kind, "id": len(self._tasks), "args": args})
        return self._ids[key]

    def _values(self) -> Argument:
        values: list[Scalar] = []
        while True:
            value = self._value()
            values += value if isinstance(value, list) else [value]
            if not self._next_is(","):
                return values[0] if len(values) == 1 else values

    def _value(self) -> Argument:
        if self._next_is("("):
            value = self._pipeline()
            if not self._next_is(")"):
                raise PlanError("A pipeline in parentheses is not closed.")
            return value
        if self._kind_of_next() == "text":
            return str(json.loads(self._take("text"), strict=False))
        return self._take("bare")

    def _kind_of_next(self) -> str | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None

    def _next_is(self, mark: str) -> bool:
        """Take the mark if it comes next."""
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark)
        self._at += found
        return found

    def _take(self, kind: str) -> str:
        if self._kind_of_next() != kind:
            found = repr(self._tokens[self._at][1]) if self._at < len(self._tokens) else "the end"
            raise PlanError(f"The plan has {found} where a {'kind or value' if kind == 'bare' else kind} is expected.")
        self._at += 1
        return self._tokens[self._at - 1][1]


def _tokens(text: str) -> list[tuple[str, str]]:
    text = text.strip()
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise PlanError(f"The plan cannot be read from '{text[at : at + 40]}' on.")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens

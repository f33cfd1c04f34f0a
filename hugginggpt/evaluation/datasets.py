"""Datasets of requests with their right plans: JSON lines in our own form or in TaskBench's."""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.errors import PlanError, UsageError
from hugginggpt.evaluation.metrics import Argument, Graph, Group, Node, group_of
from hugginggpt.evaluation.taskbench import graph_of_nodes, known_name, task_nodes
from hugginggpt.media.input_formats import by_ending
from hugginggpt.plan import Plan, parse_plan
from hugginggpt.plan.references import references_in
from hugginggpt.resource import Resource
from hugginggpt.settings import data_folder
from hugginggpt.text import is_storable

_GROUPS = {
    "none": Group.NONE,
    "single": Group.SINGLE,
    "chain": Group.SEQUENCE,
    "sequence": Group.SEQUENCE,
    "dag": Group.GRAPH,
    "graph": Group.GRAPH,
}
_NODES = ("task_nodes", "tool_nodes")
_ENDLESS = re.compile(r"<node-\d{10,}>")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*([^?#]*)", re.IGNORECASE)


class Form(StrEnum):
    """How a dataset writes plans."""

    OWN = "own"
    TASKBENCH = "taskbench"


@dataclass(frozen=True)
class Sample:
    """A request and its right plan.

    Attributes:
        position: its position in the dataset, from 0.
        resources: its files, known only by name.
    """

    position: int
    id: str
    request: str
    resources: tuple[Resource, ...]
    graph: Graph
    group: Group


@dataclass(frozen=True)
class Dataset:
    """A file of samples, with the hash of the file."""

    path: Path
    sha256: str
    form: Form
    samples: tuple[Sample, ...]

    def graph_of(self, plan: Plan) -> Graph:
        """A predicted plan in the terms of this dataset's right plans."""
        return own_graph(plan) if self.form is Form.OWN else graph_of_nodes(task_nodes(plan))

    @property
    def foreign_tools(self) -> Counter[str]:
        """How often the right plans use each tool that has no kind of task."""
        if self.form is Form.OWN:
            return Counter()
        return Counter(node.task for s in self.samples for node in s.graph if known_name(node.task) is None)


def sample_set() -> Path:
    """The 247 requests that come with this package, never used for training."""
    return data_folder("models_cache") / "planner" / "evaluation.jsonl"


def read_dataset(path: Path, limit: int | None = None) -> Dataset:
    """Read a dataset.

    Args:
        path: a file of JSON lines; its first line decides the form.
        limit: keep only the first samples, this many; the others are checked nevertheless.

    Raises:
        UsageError: the file cannot be read, a line is not a sample, or the limit is below 1.
    """
    if not is_storable(str(path)):
        raise UsageError(f"The name of the dataset {path} is not valid UTF-8: rename the file.")
    if limit is not None and limit < 1:
        raise UsageError(f"A limit of {limit} samples is too low: use 1 or more.")
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"The dataset {path} is not a regular file: give a file of JSON lines.")
        data = path.read_bytes()
        lines = data.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise UsageError(f"The dataset {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The dataset {path} is not UTF-8 text: give JSON lines.") from None
    form: Form | None = None
    samples: list[Sample] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _row(line)
            form = form or (Form.TASKBENCH if row.keys() & {*_NODES} else Form.OWN)
            samples.append((_own if form is Form.OWN else _taskbench)(row, len(samples)))
        except ValueError as error:
            raise UsageError(f"Line {number} of the dataset {path} {error}.") from None
    if form is None:
        raise UsageError(f"The dataset {path} has no samples: write one JSON object per line.")
    return Dataset(path, hashlib.sha256(data).hexdigest(), form, tuple(samples[:limit]))


# Each of these raises ValueError with the end of a sentence when something is wrong.


def _row(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object: write one object per line")
    found = row.get("result")  # where TaskBench's predictions have their plans
    return row | found if isinstance(found, dict) and found.keys() & {*_NODES} else row


def _own(row: dict[str, Any], position: int) -> Sample:
    if not isinstance(row.get("plan"), list):
        neither = ", nor in 'task_nodes' as TaskBench has it" if "plan" not in row else ""
        raise ValueError(f"has no list of tasks in 'plan'{neither}")
    try:
        plan = parse_plan(json.dumps(row["plan"]))
    except PlanError as error:
        raise ValueError(f"has a plan that is not valid: {error.problems[0].rstrip('.')}") from None
    if plan.repairs:
        raise ValueError(f"has a plan that had to be repaired: {plan.repairs[0].rstrip('.')}")
    graph = own_graph(plan)
    files = row.get("files", [])
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise ValueError("has 'files' that are not a list of names")
    resources = tuple(_named(_encodable(name, "'files'")) for name in files)
    return Sample(position, _id(row, position), _text(row, "request"), resources, graph, _group(row, graph))


def _taskbench(row: dict[str, Any], position: int) -> Sample:
    name = next((name for name in _NODES if row.get(name) is not None), _NODES[0])
    nodes = row.get(name)
    if isinstance(nodes, str):
        try:
            nodes = json.loads(nodes)
        except (ValueError, RecursionError):
            raise ValueError(f"has '{name}' that are not JSON") from None
    if not isinstance(nodes, list):
        raise ValueError(f"has no list of tasks in '{name}'")
    try:
        graph = graph_of_nodes(nodes)
    except RecursionError:
        raise ValueError(f"has '{name}' that are nested too deeply") from None
    if _ENDLESS.search(json.dumps(nodes)):
        raise ValueError("refers to a task by a number of more than nine digits")
    return Sample(
        position, _id(row, position), _text(row, "user_request", "instruction"), (), graph, _group(row, graph)
    )


def _id(row: dict[str, Any], position: int) -> str:
    """The id of the row; its number, from 1, if it has none."""
    found = row.get("id")
    return str(position + 1 if found is None else found)


def _text(row: dict[str, Any], *names: str) -> str:
    """The first text under one of these names."""
    found = next((row[name] for name in names if isinstance(row.get(name), str) and row[name].strip()), None)
    quoted = " or ".join(f"'{name}'" for name in names)
    if found is None:
        raise ValueError(f"has no text in {quoted}")
    return _encodable(found, quoted)


def _encodable(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"has a lone surrogate, half of a character, in {place}") from None
    return text


def _group(row: dict[str, Any], graph: Graph) -> Group:
    named = row.get("group") or row.get("type")
    return _GROUPS.get(str(named).lower(), group_of(graph)) if named else group_of(graph)


_NOTHING = hashlib.sha256(b"").hexdigest()


def _named(name: str) -> Resource:
    """A file known only by name. Its ending tells its type."""
    url = _URL.match(name)
    found = by_ending(PurePosixPath(url.group(1) if url else name).suffix)
    named = found and (found.type or found.mime.split("/")[0])
    if found is None or named not in list(ValueType):
        raise ValueError(
            f"names the file '{name}', which does not have the ending of a text, table, picture, sound or video file"
        )
    artifact = Artifact(sha256=_NOTHING, type=ValueType(named), mime=found.mime, bytes=0)
    return Resource(name=name, source=name, artifact=artifact)


def own_graph(plan: Plan) -> Graph:
    """Our plan as a graph of kinds, with arguments by name and the elements of a list one by one."""
    places = {task.id: place for place, task in enumerate(plan.tasks)}
    return tuple(
        Node(
            task.task,
            tuple(
                argument
                for name, value in task.args.items()
                for element in (value if isinstance(value, list) else [value])
                for argument in (
                    [Argument(name, source=places[k]) for k in references_in(element)] or [Argument(name, str(element))]
                )
            ),
        )
        for task in plan.tasks
    )

"""From a planned task's arguments to the values an expert takes.

An argument is a literal, the name of a resource, a reference to a task's result, or a text with
references in it or a text file's name at its end. A list fans the task out; several lists go side by side.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hugginggpt.artifacts import Artifact, ArtifactStore, Resource
from hugginggpt.capabilities import Input, ValueType
from hugginggpt.errors import ExpertError, UsageError
from hugginggpt.experts.base import Inputs
from hugginggpt.media import Text, Value, text_of
from hugginggpt.plan import PlannedTask, Scalar
from hugginggpt.plan.notation import TEMPLATED
from hugginggpt.plan.references import references_in, replace_references, sole_reference
from hugginggpt.results import ItemResult, TaskResult


@dataclass(frozen=True)
class MissingInput:
    """An element that cannot run, because what it needs was not made."""

    reason: str


@dataclass(frozen=True)
class BoundTask:
    """The inputs of each element; exactly one element unless `is_list`."""

    items: tuple[Inputs | MissingInput, ...]
    is_list: bool


def find_resource(value: Scalar, wanted: Input, resources: Sequence[Resource]) -> Resource | None:
    """The resource that a literal names, if it names one: by name, or by the path or URL it came from."""
    if not isinstance(value, str):
        return None
    for resource in resources:
        if value in (resource.name, resource.source) and (
            resource.artifact.type is wanted.type
            or (wanted.type is ValueType.TEXT and resource.artifact.type in (ValueType.TABLE, ValueType.STRUCTURED))
        ):
            return resource
    return None


def _at_the_end(kind: str, value: Scalar, wanted: Input, resources: Sequence[Resource]) -> Resource | None:
    """The text file of `make it shorter: letter.txt`, in the text of a kind that writes as it is told."""
    if kind not in TEMPLATED or wanted.name != "text":
        return None
    ending = [r for r in resources if str(value).endswith(f" {r.name}") and find_resource(r.name, wanted, [r])]
    return max(ending, key=lambda r: len(r.name), default=None)


def bind(
    task: PlannedTask, resources: Sequence[Resource], upstream: Mapping[int, TaskResult], store: ArtifactStore
) -> BoundTask:
    """Load what a task's arguments stand for.

    Args:
        task: the planned task.
        resources: what its literals may name.
        upstream: results of the tasks that it refers to, by id.
        store: where values are loaded from.

    Raises:
        UsageError: lists of unequal length go side by side.
        StorageError: a value is no longer in the store.
    """
    columns: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        if wanted is None:
            columns[name] = value
            continue
        source = _Source(task.task, wanted, resources, upstream, store)
        if wanted.many:
            columns[name] = source.flat(value)
        elif isinstance(value, list) or source.refers_to_list(value):
            lists[name] = source.flat(value)
        else:
            columns[name] = source.one(value)
    lengths = {name: len(elements) for name, elements in lists.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"'{name}' has {n}" for name, n in lengths.items())
        raise UsageError(f"Task {task.id} ({task.task}) got lists of unequal length: {each}.")
    count = next(iter(lengths.values()), 1)
    rows = [{**columns, **{name: elements[i] for name, elements in lists.items()}} for i in range(count)]
    return BoundTask(tuple(_row(row) for row in rows), is_list=bool(lists))


def _row(row: dict[str, Any]) -> Inputs | MissingInput:
    flat = [part for value in row.values() for part in (value if isinstance(value, list) else [value])]
    return next((part for part in flat if isinstance(part, MissingInput)), row)


@dataclass(frozen=True)
class _Source:
    """Where the values of one argument come from."""

    kind: str
    wanted: Input
    resources: Sequence[Resource]
    upstream: Mapping[int, TaskResult]
    store: ArtifactStore

    def refers_to_list(self, value: Scalar) -> bool:
        sole = sole_reference(value)
        return sole is not None and self.upstream[sole].is_list

    def flat(self, value: Any) -> list[Any]:
        """Every element; a reference to a list stands for all of its elements."""
        loaded: list[Any] = []
        for element in value if isinstance(value, list) else [value]:
            sole = sole_reference(element)
            if sole is None:
                loaded.append(self.one(element))
            else:
                loaded.extend(self._output(sole, item) for item in self.upstream[sole].items)
        return loaded

    def one(self, value: Scalar) -> Value | MissingInput:
        sole = sole_reference(value)
        if sole is not None:
            return self._output(sole, self.upstream[sole].items[0])
        resource = find_resource(value, self.wanted, self.resources)
        if resource is not None:
            return self._load(resource.artifact)
        if self.wanted.type is not ValueType.TEXT:
            return MissingInput(f"There is no file '{value}' in this request.")
        ending = _at_the_end(self.kind, value, self.wanted, self.resources)
        if ending is not None:
            words = str(value).removesuffix(ending.name)
            return Text(words + (text_of(self._load(ending.artifact)) or ""))
        try:
            return Text(replace_references(str(value), self._rendering))
        except ExpertError as error:
            return MissingInput(error.message)

    def _rendering(self, task_id: int) -> str:
        parts = [self._output(task_id, item) for item in self.upstream[task_id].items]
        missing = next((part for part in parts if isinstance(part, MissingInput)), None)
        if missing is not None:
            raise ExpertError(missing.reason)
        return "\n\n".join(part.text for part in parts if isinstance(part, Text))

    def _output(self, task_id: int, item: ItemResult) -> Value | MissingInput:
        artifact = item.output_for(self.wanted)
        if artifact is None:
            return MissingInput(f"Its input from task {task_id} was not made: {item.error or 'no such output'}")
        return self._load(artifact)

    def _load(self, artifact: Artifact) -> Value:
        value = self.store.get(artifact)
        if self.wanted.type is ValueType.TEXT and not isinstance(value, Text):
            return Text(text_of(value) or "")
        return value


@dataclass(frozen=True)
class Fingerprint:
    """A hash of everything that goes into a task: kind, contents of its inputs, parameters.

    The same for the same contents under other names and ids.

    Attributes:
        whole: every input is there.
    """

    sha256: str
    whole: bool


def fingerprint(task: PlannedTask, resources: Sequence[Resource], upstream: Mapping[int, TaskResult]) -> Fingerprint:
    """The fingerprint of a task's inputs, missing ones included."""
    whole = True
    inputs: dict[str, Any] = {}
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        if wanted is None:
            inputs[name] = value
            continue
        elements = value if isinstance(value, list) else [value]
        contents = [_content(task.task, element, wanted, resources, upstream) for element in elements]
        whole = whole and all(content.whole for content in contents)
        named = [content.data for content in contents]
        inputs[name] = named if isinstance(value, list) else named[0]
    digest = hashlib.sha256(json.dumps([task.task, inputs], sort_keys=True).encode()).hexdigest()
    return Fingerprint(digest, whole)


@dataclass(frozen=True)
class _Content:
    data: Any
    whole: bool = True


def _content(
    kind: str, value: Scalar, wanted: Input, resources: Sequence[Resource], upstream: Mapping[int, TaskResult]
) -> _Content:
    resource = find_resource(value, wanted, resources)
    if resource is not None:
        return _Content({"sha256": resource.artifact.sha256})
    ending = _at_the_end(kind, value, wanted, resources)
    if ending is not None:
        return _Content({"text": str(value).removesuffix(ending.name), "sha256": ending.artifact.sha256})
    referred = references_in(value)
    if wanted.type is not ValueType.TEXT and not referred:
        return _Content(None, whole=False)
    made: list[Any] = []
    for k in referred:
        result = upstream.get(k)
        outputs = [item.output_for(wanted) for item in result.items] if result else [None]
        made.append([bool(result and result.is_list), [output and output.sha256 for output in outputs]])
    text = replace_references(str(value), lambda k: f"<GENERATED>-{referred.index(k)}")
    return _Content({"text": text, "made": made}, whole=all(None not in hashes for _, hashes in made))


def seed_for(task: PlannedTask, inputs: Fingerprint) -> int | None:
    """The seed of a generative task: the one given, else one derived from its inputs."""
    if not task.capability.generative:
        return None
    given = task.args.get("seed")
    return int(given) if isinstance(given, int | float) else int(inputs.sha256[:8], 16) % 2**31

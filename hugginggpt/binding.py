"""From a planned task's arguments to the values an expert takes.

An argument is a literal, the name of a resource, a reference to a task's result, or a text with
references in it or a text file's name at its end. A list fans the task out; several lists go side by side.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hugginggpt.artifacts import Artifact, ArtifactStore, Resource
from hugginggpt.capabilities import Input, ValueType
from hugginggpt.errors import UsageError
from hugginggpt.experts.base import Inputs
from hugginggpt.media import Text, text_of
from hugginggpt.plan import PlannedTask, Scalar
from hugginggpt.plan.limits import MAX_ELEMENTS, MAX_RESULTS
from hugginggpt.plan.notation import TEMPLATED
from hugginggpt.plan.references import occurrences, reference, references_in, replace_references, sole_reference
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.stored_inputs import StoredInput

_BETWEEN = "\n\n"  # the results of a list, where they are put into a text


@dataclass(frozen=True)
class MissingInput:
    """An element that cannot run, because what it needs was not made."""

    reason: str


@dataclass(frozen=True)
class BoundTask:
    """The inputs of each element; exactly one element unless `is_list`.

    Among them is an `StoredInput` for each value that lies in the store: the values of a long list would not
    fit into memory together.
    """

    items: tuple[Inputs | MissingInput, ...]
    is_list: bool
    seed: int | None = None


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


def _too_much(task: PlannedTask, upstream: Mapping[int, TaskResult]) -> str | None:
    """What is too much about the results that a task's references stand for, in a sentence; None when nothing is."""
    results = 0
    for name, value in task.args.items():
        elements = value if isinstance(value, list) else [value]
        count = 0
        for element in elements:
            referred = references_in(element)
            here = sum(len(upstream[k].items) for k in referred if k in upstream)
            count += here if sole_reference(element) is not None else 1
            results += here
        if count > MAX_ELEMENTS:
            return (
                f"Task {task.id} ({task.task}) gets {count:,} elements in '{name}'; {MAX_ELEMENTS:,} is the most: "
                "split the list."
            )
    if results > MAX_RESULTS:
        return (
            f"Task {task.id} ({task.task}) refers to {results:,} results; {MAX_RESULTS:,} is the most: "
            "refer to fewer of them."
        )
    return None


def bind(
    task: PlannedTask,
    resources: Sequence[Resource],
    upstream: Mapping[int, TaskResult],
    store: ArtifactStore,
    *,
    max_chars: int,
) -> BoundTask:
    """Find what a task's arguments stand for, and put its texts together.

    Args:
        task: the planned task.
        resources: what its literals may name.
        upstream: results of the tasks that it refers to, by id.
        store: where the texts that go into others are read from.
        max_chars: characters of all texts together that are put together from others.

    Raises:
        UsageError: lists of unequal length go side by side, or the references stand for too much.
        StorageError: a text that goes into another is no longer in the store.
    """
    too_much = _too_much(task, upstream)
    if too_much is not None:
        raise UsageError(too_much)
    texts = _Texts(store, max_chars, f"Task {task.id} ({task.task})")
    columns: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        if wanted is None:
            columns[name] = value
            continue
        source = _Source(task.task, wanted, resources, upstream, texts)
        if wanted.many:
            columns[name] = source.all_read(value)
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
    seed = seed_for(task, fingerprint(task, resources, upstream))
    return BoundTask(tuple(_row(row) for row in rows), is_list=bool(lists), seed=seed)


def _row(row: dict[str, Any]) -> Inputs | MissingInput:
    flat = [part for value in row.values() for part in (value if isinstance(value, list) else [value])]
    return next((part for part in flat if isinstance(part, MissingInput)), row)


class _Texts:
    """The texts that are put into others, each read once, and the room that is left for what is made of them."""

    def __init__(self, store: ArtifactStore, max_chars: int, subject: str) -> None:
        self._store = store
        self._most = self._left = max_chars
        self._subject = subject
        self._texts: dict[tuple[str, ValueType], str] = {}

    def read(self, artifact: Artifact) -> str:
        key = artifact.sha256, artifact.type
        if key not in self._texts:
            self._texts[key] = text_of(self._store.get(artifact)) or ""
        return self._texts[key]

    def take(self, characters: int) -> None:
        """Count what a text is to hold, before it is put together.

        Raises:
            UsageError: there is no room for it.
        """
        self._left -= characters
        if self._left < 0:
            raise UsageError(
                f"{self._subject} would get more than {self._most:,} characters in its texts: refer to fewer or "
                "shorter results, or raise HUGGINGGPT_MAX_TEXT_CHARS."
            )


@dataclass(frozen=True)
class _Source:
    """Where the values of one argument come from."""

    kind: str
    wanted: Input
    resources: Sequence[Resource]
    upstream: Mapping[int, TaskResult]
    texts: _Texts

    def refers_to_list(self, value: Scalar) -> bool:
        sole = sole_reference(value)
        return sole is not None and self.upstream[sole].is_list

    def flat(self, value: Any) -> list[Any]:
        """Every element; a reference to a list stands for all of its elements."""
        elements: list[Any] = []
        for element in value if isinstance(value, list) else [value]:
            sole = sole_reference(element)
            if sole is None:
                elements.append(self.one(element))
            else:
                elements.extend(self._output(sole, item) for item in self.upstream[sole].items)
        return elements

    def all_read(self, value: Any) -> list[Any]:
        """Every element, read: an expert takes them together."""
        elements = self.flat(value)
        for at, element in enumerate(elements):
            if isinstance(element, StoredInput):
                text = self.texts.read(element.artifact)
                self.texts.take(len(text))
                elements[at] = Text(text)
        return elements

    def one(self, value: Scalar) -> Text | StoredInput | MissingInput:
        sole = sole_reference(value)
        if sole is not None:
            return self._output(sole, self.upstream[sole].items[0])
        resource = find_resource(value, self.wanted, self.resources)
        if resource is not None:
            return self._stored(resource.artifact)
        if self.wanted.type is not ValueType.TEXT:
            return MissingInput(f"There is no file '{value}' in this request.")
        ending = _at_the_end(self.kind, value, self.wanted, self.resources)
        if ending is not None:
            words, text = str(value).removesuffix(ending.name), self.texts.read(ending.artifact)
            self.texts.take(len(words) + len(text))
            return Text(words + text)
        return self._filled(str(value))

    def _filled(self, text: str) -> Text | MissingInput:
        """A text with each reference replaced by that task's results, one after the other."""
        times = Counter(occurrences(text))
        if not times:
            return Text(text)
        found: dict[int, list[str]] = {}
        for k, often in times.items():
            found[k] = []
            for item in self.upstream[k].items:
                part = self._output(k, item)
                if isinstance(part, MissingInput):
                    return part
                made = self.texts.read(part.artifact)
                self.texts.take(often * (len(made) + len(_BETWEEN)))
                found[k].append(made)
        self.texts.take(len(text))
        joined = {k: _BETWEEN.join(texts) for k, texts in found.items()}
        return Text(replace_references(text, joined.__getitem__))

    def _output(self, task_id: int, item: ItemResult) -> StoredInput | MissingInput:
        artifact = item.output_for(self.wanted)
        if artifact is None:
            return MissingInput(f"Its input from task {task_id} was not made: {item.error or 'no such output'}")
        return self._stored(artifact)

    def _stored(self, artifact: Artifact) -> StoredInput:
        return StoredInput(artifact, as_text=self.wanted.type is ValueType.TEXT)


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
    """The fingerprint of a task's inputs, missing ones included.

    Where they are more than `bind` takes, it is of the plan's words alone, and not whole.
    """
    if _too_much(task, upstream) is not None:
        return Fingerprint(_digest([task.task, task.args]), whole=False)
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
    return Fingerprint(_digest([task.task, inputs]), whole)


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


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
    places = {k: reference(place) for place, k in enumerate(referred)}
    text = replace_references(str(value), places.__getitem__)
    return _Content({"text": text, "made": made}, whole=all(None not in hashes for _, hashes in made))


def seed_for(task: PlannedTask, inputs: Fingerprint) -> int | None:
    """The seed of a generative task: the one given, else one derived from its inputs."""
    if not task.capability.generative:
        return None
    given = task.args.get("seed")
    return int(given) if isinstance(given, int | float) else int(inputs.sha256[:8], 16) % 2**31

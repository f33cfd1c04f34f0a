"""Turns the arguments of a planned task into the inputs of an expert.

An argument is a literal, the name of a resource, a reference to a task's result, or a text that contains references or
ends with the name of a text file. A list makes the task run on each element; several lists are zipped.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hugginggpt.artifacts import PREVIEW_CHARS, Artifact, ArtifactStore
from hugginggpt.capabilities import Input, ValueType
from hugginggpt.errors import UsageError
from hugginggpt.experts.base import Inputs
from hugginggpt.media import Text, text_of
from hugginggpt.naming import find_resource, first_page_named, named_at_the_end, views_of, words_before
from hugginggpt.plan import PlannedTask, Scalar
from hugginggpt.plan.limits import MAX_ELEMENTS, MAX_RESULTS
from hugginggpt.plan.references import occurrences, reference, references_in, replace_references, sole_reference
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.stored_inputs import StoredInput
from hugginggpt.text import is_blank

_BLANK = "Its text is empty, or has only spaces and invisible characters: give it some words."
_BETWEEN = "\n\n"  # between the results of a list that are inserted into a text


@dataclass(frozen=True)
class MissingInput:
    """Stands for an element that cannot run because one of its inputs is missing."""

    reason: str


@dataclass(frozen=True)
class BoundTask:
    """The inputs of each element of a task.

    Attributes:
        items: the inputs, with a `StoredInput` for each value that is in the store, because the values of a long list
            would not fit into memory together.
        is_list: the task runs on a list; otherwise there is exactly one element.
        first_page: the list is that of pages of one document, from this one on; 0 for any other.
        parts: what a user calls each of the pages or tables of one document, as `Resource.part_name` says; empty for
            any other list.
        seed: the seed of a generative task.
    """

    items: tuple[Inputs | MissingInput, ...]
    is_list: bool
    first_page: int = 0
    parts: tuple[str, ...] = ()
    seed: int | None = None


READING = frozenset({"image-to-text", "document-question-answering"})
"""The kinds that want every page of a picture with several, such as a scan."""


def page_marked(number: int, text: str) -> str:
    """The text of a page, with its number on a line before it."""
    return f"[page {number}]\n{text}"


def _too_much(task: PlannedTask, upstream: Mapping[int, TaskResult]) -> str | None:
    """One sentence that names the limit that the task's references exceed; None if they exceed none."""
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
                f"Task {task.id} ({task.task}) gets {count:,} elements in '{name}', and at most {MAX_ELEMENTS:,} are "
                "allowed: "
                "split the list."
            )
    if results > MAX_RESULTS:
        return (
            f"Task {task.id} ({task.task}) refers to {results:,} results, and at most {MAX_RESULTS:,} are allowed: "
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
    """Resolve the arguments of a task and fill in its texts.

    Args:
        task: the planned task.
        resources: the files that its literals may name.
        upstream: the results of the tasks that it refers to, by id.
        store: where texts to fill in are read from.
        max_chars: the limit for all filled-in texts together.

    Raises:
        UsageError: the lists have different lengths, or the references exceed a limit.
        StorageError: a text to fill in is no longer in the store.
    """
    too_much = _too_much(task, upstream)
    if too_much is not None:
        raise UsageError(too_much)
    texts = _Texts(store, max_chars, f"Task {task.id} ({task.task})")
    columns: dict[str, Any] = {}
    lists: dict[str, list[Any]] = {}
    parts: tuple[str, ...] = ()
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
            parts = parts or source.part_names(value)
        else:
            columns[name] = source.one(value)
    lengths = {name: len(elements) for name, elements in lists.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"'{name}' has {n}" for name, n in lengths.items())
        raise UsageError(f"Task {task.id} ({task.task}) got lists of unequal length ({each}): make them equally long.")
    count = next(iter(lengths.values()), 1)
    rows = [{**columns, **{name: elements[i] for name, elements in lists.items()}} for i in range(count)]
    seed = seed_for(task, fingerprint(task, resources, upstream))
    first_pages = {_first_page(task.args[name], upstream) for name in lists}
    return BoundTask(
        tuple(_row(row) for row in rows),
        is_list=bool(lists),
        first_page=min(first_pages, default=0),
        parts=parts,
        seed=seed,
    )


def _first_page(value: Any, upstream: Mapping[int, TaskResult]) -> int:
    """Of a list that an argument stands for, the page that its first element is; 0 if its elements are no pages."""
    if isinstance(value, list):
        return 0
    if (sole := sole_reference(value)) is not None:
        return upstream[sole].first_page
    return first_page_named(value)


def _row(row: dict[str, Any]) -> Inputs | MissingInput:
    flat = [part for value in row.values() for part in (value if isinstance(value, list) else [value])]
    return next((part for part in flat if isinstance(part, MissingInput)), row)


class _Texts:
    """Reads the texts that are inserted into others, each once, and counts the characters that result."""

    def __init__(self, store: ArtifactStore, max_chars: int, subject: str) -> None:
        self._store = store
        self._most = self._left = max_chars
        self._subject = subject
        self._texts: dict[tuple[str, ValueType, str], str] = {}

    def read(self, artifact: Artifact) -> str:
        key = artifact.sha256, artifact.type, artifact.mime
        if key not in self._texts:
            self._texts[key] = text_of(self._store.get(artifact)) or ""
        return self._texts[key]

    def take(self, characters: int) -> None:
        """Count characters of a text before it is put together.

        Raises:
            UsageError: the limit is exceeded.
        """
        self._left -= characters
        if self._left < 0:
            raise UsageError(
                f"{self._subject} would get more than {self._most:,} characters in its texts: refer to fewer or "
                "shorter results, or raise HUGGINGGPT_MAX_TEXT_CHARS."
            )


@dataclass(frozen=True)
class _Source:
    """Resolves the values of one argument."""

    kind: str
    wanted: Input
    resources: Sequence[Resource]
    upstream: Mapping[int, TaskResult]
    texts: _Texts

    def refers_to_list(self, value: Scalar) -> bool:
        sole = sole_reference(value)
        if sole is None:
            return len(self._named(value)) > 1
        return self.upstream[sole].is_list and not self._is_one_text(sole)

    def _is_one_text(self, task_id: int) -> bool:
        """Whether what a task made of each page of a document is read as one text here."""
        return self.wanted.type is ValueType.TEXT and self.upstream[task_id].first_page > 0

    def _named(self, value: Scalar) -> tuple[Artifact, ...]:
        """The file that a value names, or parts of it; of a picture with pages, the one that shows most."""
        resource = find_resource(value, self.wanted, self.resources)
        if resource is None:
            return ()
        views = views_of(resource, self.wanted, str(value), self.kind)
        is_picture = resource.artifact.type is ValueType.IMAGE and resource.parts is not None
        if not is_picture or self.kind in READING or len(views) <= 1:
            return views
        best = resource.parts.best if resource.parts is not None else 1
        return views[best - 1 : best] or views[:1]

    def part_names(self, value: Any) -> tuple[str, ...]:
        """What a user calls the parts of the document that a value names; empty if it names none."""
        resource = None if isinstance(value, list) else find_resource(value, self.wanted, self.resources)
        return () if resource is None else tuple(map(resource.part_name, self._named(value)))

    def flat(self, value: Any) -> list[Any]:
        """Every element; a reference to a list is replaced by all of its elements."""
        elements: list[Any] = []
        for element in value if isinstance(value, list) else [value]:
            sole = sole_reference(element)
            if sole is None:
                named = self._named(element)
                elements.extend(map(self._stored, named) if len(named) > 1 else [self.one(element)])
            elif self._is_one_text(sole):
                elements.append(self.one(element))
            else:
                elements.extend(self._output(sole, item) for item in self.upstream[sole].items)
        return elements

    def all_read(self, value: Any) -> list[Any]:
        """Every element, already read, because the expert takes them together."""
        elements = self.flat(value)
        for at, element in enumerate(elements):
            if isinstance(element, StoredInput):
                text = self.texts.read(element.artifact)
                self.texts.take(len(text))
                elements[at] = Text(text)
        return elements

    def one(self, value: Scalar) -> Text | StoredInput | MissingInput:
        sole = sole_reference(value)
        if sole is not None and self._is_one_text(sole):
            return self._filled(str(value))
        if sole is not None:
            return self._output(sole, self.upstream[sole].items[0])
        if named := self._named(value):
            return self._stored(named[0])
        if self.wanted.type is not ValueType.TEXT:
            return MissingInput(f"There is no file '{value}' in this request.")
        ending = named_at_the_end(self.kind, value, self.wanted, self.resources)
        if ending is not None:
            words, text = words_before(value, ending), self.texts.read(ending.artifact)
            self.texts.take(len(words) + len(text))
            return Text(words + text)
        return self._filled(str(value))

    def _filled(self, text: str) -> Text | MissingInput:
        """A text with each reference replaced by the results of that task."""
        times = Counter(occurrences(text))
        if not times:
            return MissingInput(_BLANK) if self._is_missing(text) else Text(text)
        found: dict[int, list[str]] = {}
        for k, often in times.items():
            found[k] = []
            first = self.upstream[k].first_page
            for number, item in enumerate(self.upstream[k].items, first):
                part = self._output(k, item)
                if isinstance(part, MissingInput):
                    if first:  # a page without a word
                        continue
                    return part
                made = self.texts.read(part.artifact)
                if first:
                    made = page_marked(number, made)
                self.texts.take(often * (len(made) + len(_BETWEEN)))
                found[k].append(made)
        self.texts.take(len(text))
        joined = {k: _BETWEEN.join(texts) for k, texts in found.items()}
        return Text(replace_references(text, joined.__getitem__))

    def _output(self, task_id: int, item: ItemResult) -> StoredInput | MissingInput:
        artifact = item.output_for(self.wanted)
        if artifact is None:
            return MissingInput(f"Its input from task {task_id} is missing: {item.error or 'no such output'}")
        return self._stored(artifact)

    def _stored(self, artifact: Artifact) -> StoredInput | MissingInput:
        preview = artifact.preview
        if preview is not None and len(preview) < PREVIEW_CHARS and self._is_missing(preview):
            return MissingInput(_BLANK)
        return StoredInput(artifact, as_text=self.wanted.type is ValueType.TEXT)

    def _is_missing(self, text: str) -> bool:
        return self.wanted.type is ValueType.TEXT and self.wanted.required and is_blank(text)


@dataclass(frozen=True)
class Fingerprint:
    """A hash of the kind, the contents of the inputs and the parameters of a task.

    Names and ids do not change it.

    Attributes:
        whole: every input is available.
        reads: an input is a table or a part of a document, which our code reads from the same bytes.
        seed: a seed for the task. It stays when only a parameter with a range changes, so that louder speech is the
            same speech.
    """

    sha256: str
    whole: bool
    reads: bool
    seed: int


def fingerprint(task: PlannedTask, resources: Sequence[Resource], upstream: Mapping[int, TaskResult]) -> Fingerprint:
    """The fingerprint of a task's inputs, including missing ones.

    If they exceed the limits of `bind`, only the arguments are hashed, and `whole` is false.
    """
    if _too_much(task, upstream) is not None:
        return _fingerprint(task, task.args, whole=False, reads=True)
    whole, reads = True, False
    inputs: dict[str, Any] = {}
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        if wanted is None:
            inputs[name] = value
            continue
        elements = value if isinstance(value, list) else [value]
        contents = [_content(task.task, element, wanted, resources, upstream) for element in elements]
        whole = whole and all(content.whole for content in contents)
        reads = reads or any(content.reads for content in contents)
        named = [content.data for content in contents]
        inputs[name] = named if isinstance(value, list) else named[0]
    return _fingerprint(task, inputs, whole=whole, reads=reads)


def _fingerprint(task: PlannedTask, inputs: Mapping[str, Any], *, whole: bool, reads: bool) -> Fingerprint:
    seeding = {name: content for name, content in inputs.items() if name not in task.capability.ranges}
    seed = int(_digest([task.task, seeding])[:8], 16) % 2**31
    return Fingerprint(_digest([task.task, inputs]), whole, reads, seed)


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Content:
    data: Any
    whole: bool = True
    reads: bool = False


def _content(
    kind: str, value: Scalar, wanted: Input, resources: Sequence[Resource], upstream: Mapping[int, TaskResult]
) -> _Content:
    resource = find_resource(value, wanted, resources)
    is_table = wanted.type is ValueType.TABLE
    if resource is not None and resource.parts is None:
        return _Content({"sha256": resource.artifact.sha256}, reads=is_table)
    if resource is not None:
        views = [view.mime for view in views_of(resource, wanted, str(value), kind)]
        return _Content({"sha256": resource.artifact.sha256, "views": views}, reads=True)
    ending = named_at_the_end(kind, value, wanted, resources)
    if ending is not None:
        content = {"text": words_before(value, ending), "sha256": ending.artifact.sha256}
        return _Content(content, reads=ending.parts is not None or ending.main_type is ValueType.TABLE)
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
    whole = all(None not in hashes for _, hashes in made)
    return _Content({"text": text, "made": made}, whole=whole, reads=is_table)


def seed_for(task: PlannedTask, inputs: Fingerprint) -> int | None:
    """The seed of a generative task: the given one, else one derived from the inputs. None for other kinds."""
    if not task.capability.generative:
        return None
    given = task.args.get("seed")
    return int(given) if isinstance(given, int | float) else inputs.seed

"""The things that a plan may name: the request's files, results of earlier turns, and files in the configured roots."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import Input, ValueType
from hugginggpt.deadline import NO_DEADLINE, Deadline
from hugginggpt.errors import MediaError, PlanError
from hugginggpt.media import LoadedFile, check_file, decode, load_file, text_of
from hugginggpt.media.input_formats import by_ending
from hugginggpt.naming import find_resource, pages_beyond, pages_named
from hugginggpt.plan import Plan, PlannedTask, Scalar
from hugginggpt.plan.limits import listed, refusal
from hugginggpt.plan.references import references_in
from hugginggpt.request import Exchange
from hugginggpt.resource import Parts, Resource
from hugginggpt.roots import Readable, find_in_roots
from hugginggpt.settings import Settings
from hugginggpt.source_paths import absolute
from hugginggpt.text import composed, is_storable, one_line

if TYPE_CHECKING:
    from hugginggpt.documents import Contents

_MOST_SHOWN = 200
_IN_STORE = "artifact://"
_REFERENCE = re.compile(rf"{_IN_STORE}(?P<sha256>[0-9a-f]{{64}})(?P<ending>(?:\.[a-z0-9]{{1,8}})?)/(?P<name>[^/]+)")
_MOST_PATH_CHARS = 4096  # no file system takes a longer one
_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_FILE_NAME = re.compile(
    r"[^\s/\\<>]{1,100}\.(txt|md|csv|tsv|json|html?|xml|log|pdf|docx?|png|jpe?g|gif|webp|wav|mp3|flac|mp4)"
)

_FILE_PATH = re.compile(rf"(?:\.{{0,2}}|~)/[^\s<>]+|(?!\S*://)[^\s<>]+/{_FILE_NAME.pattern}")


def load_resources(
    files: Sequence[str],
    settings: Settings,
    store: ArtifactStore,
    *,
    readable: Readable | None = None,
    deadline: Deadline = NO_DEADLINE,
) -> list[Resource]:
    """Load the files of a request into the store.

    Args:
        files: paths, http(s) URLs, data URIs, or `artifact://` references.
        readable: what paths may lead to; None allows any path.
        deadline: when to stop.

    Raises:
        MediaError: a file cannot be accepted; the files after it are not read.
        StorageError: the store cannot take a file.
        DeadlineExceededError: the deadline has passed, or was cancelled.
    """
    resources: list[Resource] = []

    def take(source: str) -> Resource:
        if source.startswith(_IN_STORE):
            loaded = _from_store(source, settings, store, deadline)
            return _stored(loaded, source, resources, store)
        if readable is None:
            loaded = load_file(source, settings, deadline=deadline)
            return _stored(loaded, absolute(source), resources, store)
        called = Path(source).name if readable.is_upload(source) else source
        loaded = load_file(source, settings, roots=readable.folders, deadline=deadline, called=called)
        # The paths of a deployed run may be relative to any of the folders.
        return _stored(loaded, called, resources, store)

    for source in files:
        # A disk, a decoder or a store may be slow.
        resources.append(deadline.wait_for(partial(take, source)))
    return resources


def artifact_reference(resource: Resource) -> str:
    """A reference to a stored file: `artifact://<sha256><ending>/<name>`.

    Every process with the same store accepts it in place of the file, even if it cannot read this disk.
    """
    return f"{_IN_STORE}{resource.artifact.sha256}{resource.artifact.ending}/{quote(resource.name)}"


def referenced(source: str) -> str | None:
    """The SHA-256 of the stored file that a reference names; None if the source is not a reference."""
    match = _REFERENCE.fullmatch(source)
    return None if match is None else match["sha256"]


def _from_store(source: str, settings: Settings, store: ArtifactStore, deadline: Deadline) -> LoadedFile:
    match = _REFERENCE.fullmatch(source)
    if match is None or not is_storable(source):
        raise MediaError(f"{_shown(source)} is not a valid reference: write {_IN_STORE}<sha256>/<name>.")
    data = store.find(match["sha256"], match["ending"])
    if data is None:
        raise MediaError(
            f"The file {_shown(unquote(match['name']))} is not in the artifact store at {store.location}: "
            "submit the file again, and check that HUGGINGGPT_ARTIFACTS_URL is the same on every machine."
        )
    stored_as = by_ending(match["ending"])
    # It is stored as UTF-8, whatever a page itself declares.
    declared = f"{stored_as.mime if stored_as else ''}; charset=utf-8"
    return check_file(unquote(match["name"]), data, settings, mime=declared, deadline=deadline)


def _stored(loaded: LoadedFile, source: str, others: Sequence[Resource], store: ArtifactStore) -> Resource:
    preview = text_of(decode(loaded.type, loaded.data, loaded.mime)) if loaded.type in _WITH_TEXT else None
    contents = loaded.contents
    if contents is not None and loaded.type is ValueType.DOCUMENT:
        preview = contents.text
    artifact = store.put_bytes(loaded.data, loaded.type, loaded.mime, preview)
    origin = source if not source.startswith("data:") else loaded.name
    return Resource(
        name=_free_name(loaded.name, others),
        artifact=artifact,
        source=origin,
        notes=loaded.notes,
        parts=_parts_of(contents),
    )


def _parts_of(contents: "Contents | None") -> Parts | None:
    if contents is None:
        return None
    from hugginggpt.documents.sheets import alike  # with what reads documents, which few processes need

    names = (name for table in contents.tables for name in table.columns if len(name) <= _MOST_COLUMN_CHARS)
    return Parts(
        pages=len(contents.pages),
        pictured=contents.has_pictures,
        unread=contents.has_pictures and any(page.is_picture for page in contents.pages),
        best=contents.best,
        tables=len(contents.tables),
        sheets=tuple(table.name for table in contents.tables) if any(t.name for t in contents.tables) else (),
        alike=groups if len(groups := alike(contents.tables)) < len(contents.tables) else (),
        columns=tuple(islice(dict.fromkeys(names), _MOST_COLUMNS)),
    )


_MOST_COLUMNS, _MOST_COLUMN_CHARS = 200, 100


_WITH_TEXT = (ValueType.TEXT, ValueType.TABLE, ValueType.STRUCTURED)


def _free_name(name: str, others: Sequence[Resource]) -> str:
    taken = {resource.name for resource in others}
    path = PurePosixPath(name)
    numbered = (f"{path.stem}-{n}{path.suffix}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(n for n in numbered if n not in taken)


@dataclass(frozen=True)
class Namespace:
    """Everything that a request's plan may name.

    Attributes:
        resources: the request's files and the results of earlier turns.
        wording: what the user wrote, now and in earlier turns; URLs have to appear in it.
        given: the user wrote the plan, so its URLs and data URIs are the user's own.
    """

    resources: tuple[Resource, ...]
    wording: str
    given: bool
    settings: Settings

    @classmethod
    def of(
        cls, text: str, history: Sequence[Exchange], resources: tuple[Resource, ...], *, given: bool, settings: Settings
    ) -> Self:
        """The namespace of a request and the conversation that it belongs to.

        Answers are not part of the wording: a picture or a page may have put a URL into them.
        """
        wording = "\n".join([text, *(turn.text for turn in history)])
        return cls(resources=resources, wording=wording, given=given, settings=settings)

    def problems(self, plan: Plan) -> list[str]:
        """Everything that the plan names but may not, one sentence each."""
        return listed(
            f"Task {task.id} ({task.task}) names '{_shown(value)}', which is {reason}."
            for task, _, wanted, value in _literals(plan)
            if (reason := self._obstacle(value, wanted)) is not None
        )

    def resolve(
        self, plan: Plan, store: ArtifactStore, deadline: Deadline = NO_DEADLINE
    ) -> tuple[Plan, tuple[Resource, ...]]:
        """The plan with every file renamed to its resource's name, and all resources that it may use.

        Raises:
            PlanError: the plan names something that it may not name.
            MediaError: a file or URL that it names cannot be accepted.
            DeadlineExceededError: the deadline has passed, or was cancelled.
        """
        problems = self.problems(plan)
        if problems:
            raise refusal(problems)
        resources = list(self.resources)
        renamed: dict[tuple[int, str, Scalar], str] = {}
        for task, name, wanted, value in _literals(plan):
            resource = self._known(value, wanted, resources)
            if resource is None:
                source = self._outside(value, wanted)
                if source is None:
                    continue
                if len(resources) - len(self.resources) >= self.settings.max_request_files:
                    raise PlanError(
                        f"The plan names more than the {self.settings.max_request_files} files and URLs that "
                        "HUGGINGGPT_MAX_REQUEST_FILES allows besides those of the request: name fewer, or raise it."
                    )
                readable = Readable(self.settings.file_roots)
                (resource,) = load_resources([source], self.settings, store, readable=readable, deadline=deadline)
                resource = resource.model_copy(update={"name": _free_name(resource.name, resources)})
                resources.append(resource)
                if find_resource(resource.name, wanted, [resource]) is None:
                    raise PlanError(
                        f"Task {task.id} ({task.task}) takes {wanted.type} in '{name}', "
                        f"but '{_shown(value)}' is {resource.artifact.type}."
                    )
            renamed[(task.id, name, value)] = resource.name + pages_named(value, resource)
        return _renamed(plan, renamed), tuple(resources)

    def _obstacle(self, value: Scalar, wanted: Input) -> str | None:
        if self._known(value, wanted, self.resources) is not None or self._outside(value, wanted) is not None:
            return None
        text = composed(str(value))
        other = next((r for r in self.resources if text in (composed(r.name), composed(r.source))), None)
        if other is not None:
            return f"{other.artifact.type}, not {wanted.type}"
        if (pages := pages_beyond(text, wanted, self.resources)) is not None:
            return pages
        if wanted.type is not ValueType.TEXT:
            if _URL.fullmatch(text):
                return "a URL that is not in the request"
            return "not a file of the request: attach it with --file, or add its folder to HUGGINGGPT_FILE_ROOTS"
        return (
            "not a file of the request: attach it with --file"
            if _FILE_NAME.fullmatch(text) or _FILE_PATH.fullmatch(text)
            else None
        )

    def _known(self, value: Scalar, wanted: Input, resources: Sequence[Resource]) -> Resource | None:
        found = find_resource(value, wanted, resources)
        text = composed(str(value))
        is_words = wanted.type is ValueType.TEXT and _FILE_PATH.fullmatch(text) is None
        if found is not None or is_words or "://" in text:
            return found
        # A relative path, also one from the home folder, means the file whose path ends with it.
        end = PurePosixPath(text.removeprefix("~/")).parts
        ending = [r for r in resources if end and _parts(r.source)[-len(end) :] == end]
        return find_resource(ending[0].source, wanted, ending) if len(ending) == 1 else None

    def _outside(self, value: Scalar, wanted: Input) -> str | None:
        """The path or URL of a file that is not a resource yet, but may become one."""
        text = str(value)
        if _URL.fullmatch(text):
            return text if (self.given or self._stands_in_wording(text)) and wanted.type is not ValueType.TEXT else None
        if text.startswith("data:") and wanted.type is not ValueType.TEXT:
            return text if self.given else None
        return self._in_roots(text) if wanted.type is not ValueType.TEXT or _FILE_NAME.fullmatch(text) else None

    def _stands_in_wording(self, url: str) -> bool:
        """Whether the URL is in the wording, and not only as the beginning of a longer one."""
        wanted, wording = re.escape(composed(url)), composed(self.wording)
        return re.search(rf"{wanted}(?![\w/%&=#@~+-]|[.?:!]\w)", wording) is not None

    def _in_roots(self, text: str) -> str | None:
        if len(text) > _MOST_PATH_CHARS:
            return None
        found = find_in_roots(text, self.settings.file_roots)
        return None if found is None else str(found)


@lru_cache(maxsize=1024)
def _parts(path: str) -> tuple[str, ...]:
    return PurePath(composed(path)).parts


def _literals(plan: Plan) -> Iterator[tuple[PlannedTask, str, Input, Scalar]]:
    for task in plan.tasks:
        for name, value in task.args.items():
            wanted = task.capability.input(name)
            if wanted is None or wanted.many:
                continue
            for element in value if isinstance(value, list) else [value]:
                if not references_in(element):
                    yield task, name, wanted, element


def _renamed(plan: Plan, names: dict[tuple[int, str, Scalar], str]) -> Plan:
    def renaming(task: PlannedTask, name: str) -> Callable[[Scalar], Scalar]:
        return lambda value: names.get((task.id, name, value), value)

    tasks = []
    for task in plan.tasks:
        args = {
            name: [renaming(task, name)(v) for v in value] if isinstance(value, list) else renaming(task, name)(value)
            for name, value in task.args.items()
        }
        tasks.append(task.model_copy(update={"args": args}))
    return plan.model_copy(update={"tasks": tuple(tasks)})


def _shown(value: Scalar) -> str:
    return one_line(str(value), _MOST_SHOWN)

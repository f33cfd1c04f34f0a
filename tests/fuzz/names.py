"""Names of files: of what is given, of what is made, of what a plan calls, and of what lies in the store."""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from apps.cli.answer import make_folder
from apps.cli.request import absolute
from apps.cli.text import printable
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import MediaError, PlanError, StorageError, UsageError
from hugginggpt.media import Text, check_file, load_file
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resources import Namespace, artifact_reference, load_resources
from hugginggpt.settings import Settings
from tests.fuzz.case import Case
from tests.fuzz.material import characters, pumped, raw, value
from tests.fuzz.media import picture

ENDINGS = ("", ".txt", ".png", ".TXT", ".", ".tar.gz", ".txt ", ".txt\n", ".csv", ".\u202egnp", ".𝒳", "." + "x" * 300)
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def open_area(folder: Path) -> "Names":
    """A store, and folders to write to."""
    return Names(folder)


def name(rng: random.Random) -> str:
    """A name that a file should rather not have."""
    match rng.randrange(8):
        case 0:
            return value(rng) + rng.choice(ENDINGS)
        case 1:
            return rng.choice(("a", "é", "𝒳", "\u202e", "\x80")) * rng.choice(
                (1, 60, 100, 127, 250, 255, 256, 5000)
            ) + rng.choice(ENDINGS)
        case 2:
            return rng.choice(
                (
                    "",
                    ".",
                    "..",
                    "...",
                    " ",
                    "/",
                    "//",
                    "~",
                    "~x",
                    "-",
                    "-rf",
                    "a/",
                    "/a",
                    "a/../b",
                    "../a",
                    "a\\b",
                    "C:\\a",
                    "con",
                    "a:b",
                )
            )
        case 3:
            return os.fsdecode(rng.randbytes(rng.choice((1, 8, 40, 255)))) + rng.choice(ENDINGS)
        case 4:
            return pumped(rng, (".", "/", "..", " ", "a", "\\", "%", "-", "é"), 6000)
        case _:
            return characters(rng, 40) + rng.choice(ENDINGS)


class Names:
    """Makes names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = ArtifactStore(str(folder / "artifacts"))
        self._text = self._store.put(Text("words"))
        self._roots = folder / "roots"
        self._roots.mkdir()
        (self._roots / "a.txt").write_text("words")
        (self._roots / "out").symlink_to("/etc")
        self._settings = Settings(file_roots=(self._roots,))

    def case(self, rng: random.Random) -> Case:
        """A name for one of those who take names."""
        makers: tuple[Callable[[random.Random], Case], ...] = (
            self._export, self._export, self._check, self._gather, self._gather, self._path, self._reference,
            self._reference, self._plan, self._out, self._shown,
        )  # fmt: skip
        return rng.choice(makers)(rng)

    def _export(self, rng: random.Random) -> Case:
        called = name(rng)

        def run() -> None:
            with tempfile.TemporaryDirectory(dir=self._folder) as place:
                paths = [self._store.export(self._text, Path(place), called) for _ in range(2)]
                assert len(set(paths)) == 1, "the same file twice"
                for path in paths:
                    assert path.parent == Path(place) and path.is_file(), "a file outside of its folder"
                    _check_name(path.name)

        return Case("ArtifactStore.export", called, run, (StorageError,))

    def _check(self, rng: random.Random) -> Case:
        called, data = name(rng), rng.choice((b"words", picture("PNG")))

        def run() -> None:
            _check_name(check_file(called, data, self._settings).name)

        return Case("check_file", called, run, (MediaError,))

    def _gather(self, rng: random.Random) -> Case:
        """Real files of such names, as far as the disk takes them."""
        called = [name(rng) for _ in range(rng.choice((1, 2, 3)))]

        def run() -> None:
            with tempfile.TemporaryDirectory(dir=self._folder) as place:
                found = []
                for each in called:
                    raw = (
                        each.encode("utf-8", "surrogateescape" if rng.random() < 0.8 else "ignore")
                        if _escapes(each)
                        else each.encode("utf-8", "ignore")
                    )
                    path = os.path.join(os.fsencode(place), raw.replace(b"/", b"-").replace(b"\0", b"")[:255])
                    if os.path.basename(path) not in (b"", b".", b".."):
                        Path(os.fsdecode(path)).write_bytes(b"words")
                        found.append(os.fsdecode(path))
                resources = load_resources([absolute(path) for path in found], self._settings, self._store)
                assert len({resource.name for resource in resources}) == len(resources), "a name twice"
                for resource in resources:
                    _check_name(resource.name)
                    resource.model_dump_json().encode()
                    again = load_resources([artifact_reference(resource)], self._settings, self._store)[0]
                    assert again.artifact.sha256 == resource.artifact.sha256

        return Case("load_resources of real files", called, run, (UsageError, StorageError))

    def _path(self, rng: random.Random) -> Case:
        called = rng.choice(("", "file://", "file://localhost", "~/", "/proc/self/", "/dev/", "./")) + name(rng)

        def run() -> None:
            load_file(called, self._settings)
            load_file(absolute(called), self._settings)

        return Case("load_file of a path", called, run, (MediaError,))

    def _reference(self, rng: random.Random) -> Case:
        sha256 = rng.choice(
            (
                self._text.sha256,
                self._text.sha256,
                "0" * 64,
                "../" * 21 + "a",
                self._text.sha256.upper(),
                "f" * rng.choice((0, 63, 5000)),
            )
        )
        called = rng.choice(
            (
                name(rng),
                quote(raw(name(rng))),
                "%ff%fe.txt",
                "%00",
                "a%2f..%2fb.txt",
                "%e2%80%ae",
            )
        )
        source = f"artifact://{sha256}{rng.choice(('/', '/', '/', '', '//'))}{called}"

        def run() -> None:
            for resource in load_resources([source, source], self._settings, self._store):
                _check_name(resource.name)
                resource.model_dump_json().encode()
                load_resources([artifact_reference(resource)], self._settings, self._store)

        return Case("load_resources of artifact://", source, run, (MediaError, StorageError))

    def _plan(self, rng: random.Random) -> Case:
        kind, argument = rng.choice(
            (("image-to-text", "image"), ("summarization", "text"), ("table-question-answering", "table"))
        )
        called = rng.choice(
            (
                name(rng),
                "a.txt",
                "out/passwd",
                "../roots/a.txt",
                str(self._roots / "a.txt"),
                "out/hostname",
                str(self._folder / ".." / "x"),
            )
        )
        plan = Plan(tasks=(PlannedTask(task=kind, id=0, args={argument: rng.choice((called, [called, "a.txt"]))}),))
        given = rng.random() < 0.5

        def run() -> None:
            namespace = Namespace(resources=(), wording=called[:5000], given=given, settings=self._settings)
            _, resources = namespace.resolve(plan, self._store)
            for resource in resources:
                _check_name(resource.name)
                assert resource.artifact.sha256 == self._text.sha256 or resource.source.startswith("data:"), (
                    "a file from elsewhere"
                )

        return Case("Namespace.resolve", called, run, (PlanError, MediaError, StorageError))

    def _out(self, rng: random.Random) -> Case:
        called = "".join(c for c in name(rng) if c != "\0" and _escapes(c))  # as an argument of a command can be

        def run() -> None:
            with tempfile.TemporaryDirectory(dir=self._folder) as place:
                inside = PurePosixPath(called.lstrip("/"))
                folder = Path(place) / (str(inside).replace("..", "__") if called.strip("/") else "x")
                make_folder(folder)
                assert folder.is_dir()

        return Case("make_folder", called, run, (UsageError,))

    def _shown(self, rng: random.Random) -> Case:
        called = name(rng) + characters(rng, 60)

        def run() -> None:
            text = printable(called)
            assert not any(c in text for c in "\x00\x07\x1b\x9b\x7f"), "a command to the terminal"
            assert not any(c in text for c in BIDI), "a bidirectional control character"
            text.encode()

        return Case("printable", called, run, ())


def _escapes(text: str) -> bool:
    return all(not 0xD800 <= ord(c) <= 0xDFFF or 0xDC80 <= ord(c) <= 0xDCFF for c in text)


def _check_name(called: str) -> None:
    """What every name of ours keeps to: one part of a path, short enough for a disk, text that can be shown."""
    assert called and called not in (".", "..") and "/" not in called, "a name that is a path"
    assert len(called.encode("utf-8", "surrogateescape")) <= 255, "a name of more than 255 bytes"
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in called), "a control character in a name"
    assert not any(c in called for c in BIDI), "a bidirectional control character in a name"
    called.encode()

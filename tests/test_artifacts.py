"""The artifact store: what goes in comes out, or a sentence says why not."""

import errno
import hashlib
import multiprocessing
import os
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image as PILImage

from hugginggpt import artifacts
from hugginggpt.artifacts import PREVIEW_CHARS, Artifact, ArtifactStore
from hugginggpt.capabilities import ValueType
from hugginggpt.errors import ConfigurationError, DiskFullError, StorageError
from hugginggpt.media import Audio, Image, Structured, Table, Text, Video
from hugginggpt.settings import Settings

TEXT = ValueType.TEXT


class FullFileSystem(MemoryFileSystem):
    """A place without space: it takes nothing beyond its first 100 bytes a file."""

    protocol = "full"
    cachable = False

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        if len(value) > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().pipe_file(path, value, mode=mode, **kwargs)


class OddFileSystem(MemoryFileSystem):
    """A place whose errors are its own, and say more than they should."""

    protocol = "odd"
    cachable = False

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        raise LookupError("no answer from https://ada:hunter2@store.example/x?X-Signature=hunter2 today")


class FoldersFileSystem(MemoryFileSystem):
    """A place, as SFTP is one, whose folders do not appear by writing to them."""

    protocol = "folders"
    cachable = False

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        if not self.isdir(self._parent(path)):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        super().pipe_file(path, value, mode=mode, **kwargs)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("folders://", "memory://"))


fsspec.register_implementation("folders", FoldersFileSystem, clobber=True)
fsspec.register_implementation("full", FullFileSystem, clobber=True)
fsspec.register_implementation("odd", OddFileSystem, clobber=True)


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore.from_settings(settings)


def picture() -> Image:
    return Image(PILImage.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)))


def test_values_of_every_type_come_back(store: ArtifactStore) -> None:
    for value in (
        Text("Grüße\nund mehr"),
        Table(columns=("a", "b"), rows=(("1", "x,y"), ("2", ""))),
        Structured([{"label": "cat", "score": 0.5}], "cat (0.50)"),
        Video(b"\x00\x00\x00\x18ftypmp42", "video/mp4"),
    ):
        artifact = store.put(value)
        assert artifact.type is value.type
        assert store.get(artifact) == value


def test_pictures_and_sound_come_back(store: ArtifactStore) -> None:
    seen = store.get(store.put(picture()))
    assert isinstance(seen, Image)
    assert np.array_equal(np.asarray(seen.image), np.asarray(picture().image))
    tone = np.sin(np.linspace(0, 100, 8000, dtype=np.float32)).reshape(-1, 1)
    heard = store.get(store.put(Audio(tone, 16000)))
    assert isinstance(heard, Audio)
    assert heard.rate == 16000 and np.allclose(heard.samples, tone, atol=1e-4)


def test_the_name_is_the_hash_and_the_same_bytes_are_kept_once(store: ArtifactStore, settings: Settings) -> None:
    artifact = store.put_bytes(b"hello", TEXT, "text/plain", "hello")
    again = store.put_bytes(b"hello", TEXT, "text/plain", "hello")

    assert artifact == again
    assert artifact.sha256 == hashlib.sha256(b"hello").hexdigest() and artifact.bytes == 5
    files = [p for p in (settings.home_dir / "artifacts").rglob("*") if p.is_file()]
    assert [str(p) for p in files] == [store.address(artifact)]
    assert store.exists(artifact)


@pytest.mark.parametrize(
    ("value", "ending"),
    [
        (Text("hello"), ".txt"),
        (Table(columns=("a",), rows=(("1",),)), ".csv"),
        (Structured({"a": 1}, "a is 1"), ".json"),
        (Image(PILImage.new("RGB", (2, 2))), ".png"),
        (Audio(np.zeros((100, 1), dtype=np.float32), 16000), ".wav"),
        (Video(b"\x00\x00\x00\x18ftypmp42", "video/mp4"), ".mp4"),
    ],
)
def test_a_file_has_the_ending_of_what_is_in_it(store: ArtifactStore, value: Any, ending: str) -> None:
    artifact = store.put(value)
    assert Path(store.address(artifact)).name == f"{artifact.sha256}{ending}" and Path(store.address(artifact)).exists()


def test_a_type_without_an_ending_is_stored_under_its_hash(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", TEXT, "text/x-odd")
    assert Path(store.address(artifact)).name == artifact.sha256
    assert store.read_bytes(artifact) == b"hello" and store.exists(artifact)


@pytest.fixture(params=["local", "elsewhere"])
def earlier(request: pytest.FixtureRequest, settings: Settings) -> tuple[ArtifactStore, Artifact]:
    """A store in which an earlier version left an artifact, without an ending."""
    url = settings.artifacts if request.param == "local" else f"memory://{uuid.uuid4().hex}/artifacts"
    store = ArtifactStore(url)
    artifact = store.put_bytes(b"hello", TEXT, "text/plain", "hello")
    fs, path = fsspec.core.url_to_fs(store.address(artifact))
    fs.mv(path, path.removesuffix(".txt"))
    return ArtifactStore(url), artifact


def test_what_an_earlier_version_stored_is_read_kept_and_removed(
    earlier: tuple[ArtifactStore, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, artifact = earlier
    assert store.address(artifact).endswith(artifact.sha256)
    assert store.get(artifact) == Text("hello") and store.exists(artifact) and store.keep(artifact)
    assert store.find(artifact.sha256) == store.find(artifact.sha256, ".txt") == b"hello"
    (listed,) = store.stored()
    assert (listed.sha256, listed.ending, listed.bytes) == (artifact.sha256, "", 5)
    assert not store.remove(listed)
    monkeypatch.setattr(artifacts, "KEPT", timedelta(0))
    assert store.remove(listed) and not store.exists(artifact) and not list(store.stored())


def test_what_an_earlier_version_stored_is_stored_again_under_its_name(
    earlier: tuple[ArtifactStore, Artifact],
) -> None:
    store, artifact = earlier
    assert store.put_bytes(b"hello", TEXT, "text/plain", "hello") == artifact
    assert store.address(artifact).endswith(f"{artifact.sha256}.txt")
    assert sorted(one.ending for one in store.stored()) == ["", ".txt"]


@pytest.mark.parametrize("where", ["local", "memory"])
def test_a_hash_alone_finds_a_file_whatever_its_ending(where: str, tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path) if where == "local" else f"memory://{uuid.uuid4().hex}")
    assert store.find("0" * 64) is None
    artifact = store.put(Text("hello"))
    assert store.find(artifact.sha256) == b"hello"


def test_previews_are_cut_and_media_have_none(store: ArtifactStore) -> None:
    long = store.put(Text("x" * (PREVIEW_CHARS + 1)))
    assert long.preview == "x" * PREVIEW_CHARS
    assert store.get(long) == Text("x" * (PREVIEW_CHARS + 1))
    assert store.put(Structured({"a": 1}, "a is 1")).preview == "a is 1"
    assert store.put(picture()).preview is None


def test_what_is_gone_is_said_to_be_gone(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", TEXT, "text/plain")
    Path(store.address(artifact)).unlink()

    assert not store.exists(artifact)
    with pytest.raises(StorageError, match="no longer has the result"):
        store.get(artifact)


def test_damage_is_found_and_mended_by_storing_again(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", TEXT, "text/plain")
    for damage in (b"hullo", b"hel", b""):
        Path(store.address(artifact)).write_bytes(damage)
        with pytest.raises(StorageError, match="is damaged"):
            store.read_bytes(artifact)
        store.put_bytes(b"hello", TEXT, "text/plain")
        assert store.read_bytes(artifact) == b"hello"


def test_no_space_left_is_said_and_leaves_nothing_behind() -> None:
    store = ArtifactStore(f"full://{uuid.uuid4().hex}")
    with pytest.raises(StorageError, match="there is no space left; free some"):
        store.put_bytes(b"x" * 101, TEXT, "text/plain")
    assert store.get(store.put_bytes(b"x" * 100, TEXT, "text/plain")) == Text("x" * 100)


def test_a_full_disk_keeps_what_was_there_and_no_half_files(small_disk: Path, tmp_path: Path) -> None:
    store = ArtifactStore(str(small_disk / "artifacts"))
    kept = store.put_bytes(b"kept", TEXT, "text/plain")
    with pytest.raises(DiskFullError, match="there is no space left"):
        store.put_bytes(os.urandom(2_000_000), ValueType.VIDEO, "video/mp4")
    assert store.read_bytes(kept) == b"kept"
    assert [p.name for p in small_disk.rglob("*") if p.is_file()] == [f"{kept.sha256}.txt"]

    big = ArtifactStore(str(tmp_path / "big"))
    video = big.put_bytes(os.urandom(2_000_000), ValueType.VIDEO, "video/mp4")
    with pytest.raises(DiskFullError, match=r"The folder .* cannot be written: there is no space left"):
        big.export(video, small_disk / "out", "film")
    assert not list((small_disk / "out").iterdir())


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = ArtifactStore(str(tmp_path / "file" / "artifacts"))
    with pytest.raises(StorageError, match="part of its path is a file"):
        store.put_bytes(b"hello", TEXT, "text/plain")
    with pytest.raises(StorageError, match="part of its path is a file"):
        store.check()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "artifacts").mkdir(mode=0o500)
    with pytest.raises(StorageError, match="you have no permission"):
        ArtifactStore(str(tmp_path / "artifacts")).check()


def test_a_preview_is_text_that_can_be_kept(tmp_path: Path) -> None:
    stored = ArtifactStore(str(tmp_path)).put(Text("half \ud83d of it, and \x00"))
    assert stored.preview == "half \ufffd of it, and \ufffd"
    assert stored.model_dump_json()


@pytest.mark.parametrize("name", ["字" * 300 + ".png", "é" * 300, "a\x1b[31m\u202e/../b.png", "..", "\x00", "a" * 300])
def test_every_name_makes_a_file(tmp_path: Path, name: str) -> None:
    store = ArtifactStore(str(tmp_path / "store"))
    stored = store.put(Text("hello"))
    paths = [store.export(stored, tmp_path / "out", name)]
    paths.append(store.export(store.put(Text("other")), tmp_path / "out", name))
    assert [path.read_text() for path in paths] == ["hello", "other"]
    for path in paths:
        assert path.parent == tmp_path / "out"
        assert path.suffix == ".txt"
        assert path.name.isprintable()
        assert len(os.fsencode(path.name)) <= 255


def test_errors_of_other_stores_become_one_sentence_without_secrets() -> None:
    store = ArtifactStore("odd://ada:hunter2@place/folder")
    with pytest.raises(StorageError) as caught:
        store.put_bytes(b"hello", TEXT, "text/plain")
    assert "hunter2" not in caught.value.message
    assert "LookupError: no answer from https://***@store.example/x today" in caught.value.message


@pytest.mark.parametrize(
    ("url", "reason"), [("nosuch://x", "neither a folder nor a URL"), ("gs://bucket", "needs a package")]
)
def test_addresses_that_cannot_work_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        ArtifactStore(url)


def test_stores_that_are_not_local_have_urls() -> None:
    name = uuid.uuid4().hex
    store = ArtifactStore(f"memory://{name}/artifacts")
    artifact = store.put(Text("hello"))
    store.check()

    assert store.address(artifact) == f"memory:///{name}/artifacts/{artifact.sha256[:2]}/{artifact.sha256}.txt"
    assert store.get(artifact) == Text("hello")
    assert not store.exists(artifact.model_copy(update={"sha256": "0" * 64}))


def test_an_address_costs_no_request_for_what_was_just_written_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"memory://{uuid.uuid4().hex}/artifacts"
    store = ArtifactStore(url)
    artifact = store.put(Text("hello"))
    address = store.address(artifact)

    def away(self: object, path: str, **options: object) -> bool:
        raise LookupError("the store is away")

    monkeypatch.setattr(MemoryFileSystem, "exists", away)
    assert store.address(artifact) == address
    other = ArtifactStore(url)
    assert other.address(artifact) == address
    monkeypatch.undo()
    assert other.address(artifact) == address


def test_folders_are_made_where_a_store_needs_them() -> None:
    store = ArtifactStore(f"folders://{uuid.uuid4().hex}/artifacts")
    assert store.get(store.put(Text("hello"))) == Text("hello")
    store.check()


def test_the_check_leaves_nothing(store: ArtifactStore, settings: Settings) -> None:
    store.check()
    assert not [p for p in (settings.home_dir / "artifacts").rglob("*") if p.is_file()]


def test_copies_get_the_right_extension(store: ArtifactStore, tmp_path: Path) -> None:
    out = tmp_path / "out" / "deep"
    image = store.put(picture())
    note = store.put(Text("hello"))
    names = {
        "boxes": "boxes.png",
        "photo.jpg": "photo.png",
        "photo.PNG": "photo-2.png",
        "version 1.2": "version 1.2.png",
        "../../etc/passwd": "-..-etc-passwd.png",
        "a:b*c?": "a-b-c-.png",
        "": "file.png",
    }
    for name in ("boxes", "photo.jpg", "version 1.2", "../../etc/passwd", "a:b*c?", ""):
        path = store.export(image, out, name)
        assert path == out / names[name]
        assert path.read_bytes() == store.read_bytes(image)
    assert store.export(note, out, "task-1").read_text() == "hello"
    assert {p.parent for p in out.iterdir()} == {out}


def test_a_copy_never_replaces_another_file(store: ArtifactStore, tmp_path: Path) -> None:
    one, two = store.put(Text("one")), store.put(Text("two"))
    (tmp_path / "answer.txt").write_text("mine")

    assert store.export(one, tmp_path, "answer").name == "answer-2.txt"
    assert store.export(two, tmp_path, "answer").name == "answer-3.txt"
    assert store.export(one, tmp_path, "answer").name == "answer-2.txt"
    assert (tmp_path / "answer.txt").read_text() == "mine"


def _put_many(url: str, results: Any) -> None:
    store = ArtifactStore(url)
    with ThreadPoolExecutor(4) as pool:
        artifacts = list(pool.map(lambda n: store.put(Text(f"text {n % 10}" * 1000)), range(40)))
    results.put({a.sha256 for a in artifacts})


def test_threads_and_processes_may_share_it(store: ArtifactStore, settings: Settings) -> None:
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    processes = [spawn.Process(target=_put_many, args=(settings.artifacts, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()

    assert found[0] == found[1] == found[2] and len(found[0]) == 10
    files = [p for p in (settings.home_dir / "artifacts").rglob("*") if p.is_file()]
    assert {p.name for p in files} == {f"{sha256}.txt" for sha256 in found[0]}
    assert all(hashlib.sha256(p.read_bytes()).hexdigest() == p.stem for p in files)
    assert all(re.fullmatch("[0-9a-f]{2}", p.parent.name) for p in files)


def test_an_artifact_is_its_own_name(store: ArtifactStore) -> None:
    artifact = store.put(Text("hello"))
    assert Artifact.model_validate_json(artifact.model_dump_json()) == artifact


def _grow_old(store: ArtifactStore, artifact: Artifact, hours: float = 2.0) -> None:
    at = time.time() - hours * 3600
    os.utime(store.address(artifact), (at, at))


def test_all_that_is_stored_is_listed_with_size_and_time(store: ArtifactStore) -> None:
    assert list(store.stored()) == []
    old, new = (store.put_bytes(data, TEXT, "text/plain") for data in (b"old", b"newer"))
    _grow_old(store, old, hours=5)
    store.check()
    (Path(store.address(old)).parent / "notes.txt").write_text("not ours")
    found = {one.sha256: one for one in store.stored()}
    assert {name: one.bytes for name, one in found.items()} == {old.sha256: 3, new.sha256: 5}
    hours = {name: (datetime.now(UTC) - one.at).total_seconds() / 3600 for name, one in found.items()}
    assert hours[old.sha256] == pytest.approx(5, abs=0.1) and hours[new.sha256] < 0.1


def test_only_what_nobody_asked_for_lately_is_removed(store: ArtifactStore) -> None:
    artifact = store.put_bytes(b"hello", TEXT, "text/plain")
    assert not store.remove(artifact)
    _grow_old(store, artifact)
    assert store.keep(artifact) and not store.remove(artifact)
    _grow_old(store, artifact)
    store.put_bytes(b"hello", TEXT, "text/plain")
    assert not store.remove(artifact) and store.exists(artifact)
    _grow_old(store, artifact)
    assert store.exists(artifact) and store.remove(artifact)
    assert not store.exists(artifact) and not store.keep(artifact) and not store.remove(artifact)
    assert list(Path(store.address(artifact)).parent.iterdir()) == []


def test_what_is_put_while_it_is_removed_is_there(store: ArtifactStore) -> None:
    stop = time.monotonic() + 2.0

    def remove() -> int:
        gone = 0
        while time.monotonic() < stop:
            with suppress(FileNotFoundError):
                _grow_old(store, artifact)
            gone += store.remove(artifact)
        return gone

    artifact = store.put_bytes(b"hello", TEXT, "text/plain")
    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove)
        while time.monotonic() < stop:
            store.put_bytes(b"hello", TEXT, "text/plain")
        assert removing.result() > 0
    store.put_bytes(b"hello", TEXT, "text/plain")
    assert store.read_bytes(artifact) == b"hello"


def test_a_store_elsewhere_lists_keeps_and_removes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(f"memory://{uuid.uuid4().hex}/artifacts")
    assert list(store.stored()) == []
    artifact = store.put(Text("hello"))
    (first,) = store.stored()
    assert (first.sha256, first.bytes) == (artifact.sha256, 5)
    assert store.keep(artifact) and next(store.stored()).at == first.at  # young enough as it is
    monkeypatch.setattr(artifacts, "_FRESH", timedelta(0))
    assert store.keep(artifact) and next(store.stored()).at > first.at
    assert not store.remove(artifact)
    monkeypatch.setattr(artifacts, "KEPT", timedelta(0))
    assert store.remove(artifact) and list(store.stored()) == []
    assert not store.keep(artifact)

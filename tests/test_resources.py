"""What a plan may name."""

import base64
import json
import socket
from pathlib import Path

import pytest
from PIL import Image as PILImage

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, MediaError, PlanError
from hugginggpt.plan import Plan, parse_plan
from hugginggpt.request import Exchange
from hugginggpt.resources import Namespace, artifact_reference, load_resources
from hugginggpt.roots import Readable
from hugginggpt.settings import Settings


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore.from_settings(settings)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    PILImage.new("RGB", (8, 8), "green").save(path)
    return path


def detect(name: str) -> Plan:
    return parse_plan(json.dumps([{"task": "object-detection", "id": 0, "args": {"image": name}}]))


def summarise(text: str) -> Plan:
    return parse_plan(json.dumps([{"task": "summarization", "id": 0, "args": {"text": text}}]))


def space(settings: Settings, *resources: object, wording: str = "", given: bool = False) -> Namespace:
    return Namespace(resources=tuple(resources), wording=wording, given=given, settings=settings)  # type: ignore[arg-type]


def test_files_get_names_that_are_unique(settings: Settings, store: ArtifactStore, photo: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "photo.png"
    other.parent.mkdir()
    PILImage.new("RGB", (8, 8), "red").save(other)
    first, second = load_resources([str(photo), str(other)], settings, store)
    assert (first.name, second.name) == ("photo.png", "photo-2.png")
    assert first.artifact.sha256 != second.artifact.sha256
    assert first.source == str(photo)


def test_paths_lead_into_the_configured_folders_only(
    settings: Settings, store: ArtifactStore, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, shared = tmp_path / "secret.txt", tmp_path / "shared"
    secret.write_text("the key is 1234", "utf-8")
    shared.mkdir()
    (shared / "link.txt").symlink_to(secret)
    (shared / "folder").symlink_to(tmp_path)
    (shared / "~").mkdir()
    (shared / "empty.txt").touch()
    photo.rename(shared / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    roots = (Path("/no-such-folder"), shared)
    for path in (
        str(secret),
        "secret.txt",
        "../secret.txt",
        "~/secret.txt",
        "~nobody-here/secret.txt",
        "link.txt",
        "folder/secret.txt",
        f"{shared}/../secret.txt",
        secret.as_uri(),
        (shared / "link.txt").as_uri(),
        f"file://localhost{shared}/../secret.txt",
        f"file://{shared}/%2e%2e/secret.txt",
        "/proc/self/cwd/secret.txt",
        "/proc/self/environ",
        "/dev/stdin",
        "x" * 5000,
        ".",
        str(shared),
    ):
        with pytest.raises(MediaError, match="HUGGINGGPT_FILE_ROOTS"):
            load_resources([path], settings, store, readable=Readable(roots))
    assert not list(store.stored())
    for path in (str(shared / "photo.png"), "photo.png", "folder/shared/photo.png", (shared / "photo.png").as_uri()):
        assert load_resources([path], settings, store, readable=Readable(roots))[0].name == "photo.png"
    with pytest.raises(MediaError, match="is empty"):
        load_resources(["empty.txt"], settings, store, readable=Readable(roots))


def test_a_file_that_was_sent_is_called_by_its_name(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    (photo.parent / "other").mkdir()
    other = photo.rename(photo.parent / "other" / photo.name)
    other.write_bytes(other.read_bytes()[:40])
    PILImage.new("RGB", (4, 4)).save(photo)
    readable = Readable(uploads=(photo.parent, other.parent))
    assert load_resources([str(photo)], settings, store, readable=readable)[0].source == photo.name
    with pytest.raises(MediaError, match=f"^The file {photo.name} is cut off"):
        load_resources([str(other)], settings, store, readable=readable)
    with pytest.raises(MediaError, match="HUGGINGGPT_FILE_ROOTS"):
        load_resources(["/etc/hostname"], settings, store, readable=readable)


def test_files_come_within_the_deadline_or_not_at_all(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/photo.png"
        trusting = settings.model_copy(update={"trusted_hosts": ("127.0.0.1",)})
        with pytest.raises(DeadlineExceededError):
            load_resources([str(photo), url], trusting, store, deadline=Deadline(0.3))
        given = space(trusting, given=True)
        with pytest.raises(DeadlineExceededError):
            given.resolve(detect(url), store, Deadline(0.3))


def test_a_plan_names_no_more_files_than_a_request_may_have(
    settings: Settings, store: ArtifactStore, photo: Path
) -> None:
    limited = settings.model_copy(update={"file_roots": (photo.parent,), "max_request_files": 0})
    with pytest.raises(PlanError, match="HUGGINGGPT_MAX_REQUEST_FILES"):
        space(limited).resolve(detect("photo.png"), store)


def test_a_file_keeps_its_bytes(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    (resource,) = load_resources([str(photo)], settings, store)
    assert store.read_bytes(resource.artifact) == photo.read_bytes()


def test_a_data_uri_is_a_file_too(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    uri = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    (resource,) = load_resources([uri], settings, store)
    assert resource.artifact.mime == "image/png"
    assert len(resource.source) < 200


def test_a_reference_that_is_not_text_is_refused(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    whole = artifact_reference(load_resources([str(photo)], settings, store)[0])
    assert load_resources([whole], settings, store)[0].name == photo.name
    for odd in ("\ud83d", "\x00"):
        with pytest.raises(MediaError) as refused:
            load_resources([whole.replace(".png", f"{odd}.png")], settings, store)
        refused.value.message.encode()
        assert odd not in refused.value.message


def test_a_reference_may_lack_the_ending(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    resource = load_resources([str(photo)], settings, store)[0]
    whole, sha256 = artifact_reference(resource), resource.artifact.sha256
    assert whole == f"artifact://{sha256}.png/{photo.name}"
    for reference in (whole, f"artifact://{sha256}/{photo.name}"):
        assert load_resources([reference], settings, store)[0].artifact == resource.artifact


def test_a_missing_file_is_named(settings: Settings, store: ArtifactStore) -> None:
    with pytest.raises(MediaError, match=r"nowhere\.png"):
        load_resources(["nowhere.png"], settings, store)


def test_the_requests_files_can_be_named_by_name_path_or_folder(
    settings: Settings, store: ArtifactStore, photo: Path
) -> None:
    resources = load_resources([str(photo)], settings, store)
    for name in ("photo.png", str(photo), "./photo.png", f"{photo.parent.name}/photo.png"):
        plan, after = space(settings, *resources).resolve(detect(name), store)
        assert plan.tasks[0].args["image"] == "photo.png"
        assert after == tuple(resources)


def test_a_file_outside_the_request_is_refused(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    assert (
        space(settings, *load_resources([str(photo)], settings, store)).problems(detect("/elsewhere/photo.png")) != []
    )
    for name in (str(photo), "/etc/hostname", "../photo.png", "other.png"):
        with pytest.raises(PlanError, match="not a file of the request: attach it with --file"):
            space(settings).resolve(detect(name), store)


def test_a_file_in_a_configured_root_is_loaded(settings: Settings, store: ArtifactStore, photo: Path) -> None:
    rooted = settings.model_copy(update={"file_roots": (photo.parent,)})
    for name in ("photo.png", str(photo)):
        plan, resources = space(rooted).resolve(detect(name), store)
        assert [r.name for r in resources] == ["photo.png"]
        assert plan.tasks[0].args["image"] == "photo.png"


def test_no_way_leads_out_of_a_root(settings: Settings, store: ArtifactStore, photo: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link.png").symlink_to(photo)
    rooted = settings.model_copy(update={"file_roots": (root,)})
    for name in ("../photo.png", "link.png", str(photo)):
        with pytest.raises(PlanError):
            space(rooted).resolve(detect(name), store)


def test_a_url_has_to_stand_in_the_request_unless_the_plan_was_given(settings: Settings) -> None:
    url = "https://example.com/cat.png"
    assert "is not in the request" in space(settings).problems(detect(url))[0]
    assert space(settings, wording=f"What is on {url}?").problems(detect(url)) == []
    for longer in (f"{url}x", f"{url}/large", f"{url}?size=9", f"{url}.html"):
        assert space(settings, wording=f"What is on {longer}?").problems(detect(url)) != []
    assert space(settings, given=True).problems(detect(url)) == []
    assert space(settings).problems(detect("data:image/png;base64,AAAA")) != []


def test_a_url_that_only_an_answer_holds_is_not_the_users(settings: Settings) -> None:
    url = "https://example.com/cat.png"
    read = Exchange(text="What does the sign say?", response=f"It says {url}.")
    written = Exchange(text=f"What is on {url}?", response="A cat.")

    def problems(*history: Exchange) -> list[str]:
        return Namespace.of("And there?", history, (), given=False, settings=settings).problems(detect(url))

    assert "is not in the request" in problems(read)[0]
    assert problems(read, written) == []


def test_a_path_that_one_root_cannot_have_may_lie_in_another(
    settings: Settings, store: ArtifactStore, photo: Path, tmp_path: Path
) -> None:
    looped = tmp_path / "looped"
    looped.mkdir()
    (looped / photo.name).symlink_to(looped / photo.name)
    nobodys = Path("~nobody-of-that-name-here")
    rooted = settings.model_copy(update={"file_roots": (nobodys, looped, photo.parent)})
    _, resources = space(rooted).resolve(detect(photo.name), store)
    assert [r.source for r in resources] == [str(photo)]


def test_a_resource_of_another_type_is_refused(settings: Settings, store: ArtifactStore, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("words")
    resources = load_resources([str(notes)], settings, store)
    assert space(settings, *resources).problems(detect("notes.txt")) == [
        "Task 0 (object-detection) names 'notes.txt', which is text, not image."
    ]
    assert space(settings, *resources).problems(summarise("notes.txt")) == []


def test_a_text_that_is_a_file_name_has_to_be_there_and_other_text_is_text(settings: Settings) -> None:
    for name in ("report.pdf", "notes/missing.txt", "/etc/passwd", "./a", "~/x", "../up/notes.md"):
        assert space(settings).problems(summarise(name)) != []
    for words in ("and/or", "24/7", "km/h", "/ is a slash", "a/b/c"):
        assert space(settings).problems(summarise(words)) == []
    assert space(settings).problems(summarise("Version 1.2 of the report")) == []
    assert space(settings).problems(summarise("https://example.com is a site")) == []


def test_every_problem_is_named(settings: Settings, store: ArtifactStore) -> None:
    plan = parse_plan(json.dumps([{"task": "object-detection", "args": {"image": ["a.png", "b.png"]}}]))
    with pytest.raises(PlanError) as caught:
        space(settings).resolve(plan, store)
    assert len(caught.value.problems) == 2


def test_any_text_is_text_also_with_roots(settings: Settings, photo: Path) -> None:
    rooted = settings.model_copy(update={"file_roots": (photo.parent,)})
    for text in ("long " * 500, "~5 minutes later", "~nobody/x", "a/" * 3000, "photo.png is a picture", "x\x00y"):
        assert space(rooted).problems(summarise(text)) == []
    assert space(rooted).problems(detect("p" * 5000)) != []


def test_of_two_files_with_one_name_the_path_tells_which(
    settings: Settings, store: ArtifactStore, photo: Path, tmp_path: Path
) -> None:
    other = tmp_path / "b" / "photo.png"
    other.parent.mkdir()
    PILImage.new("RGB", (8, 8), "red").save(other)
    resources = load_resources([str(photo), str(other)], settings, store)
    plan, _ = space(settings, *resources).resolve(detect("b/photo.png"), store)
    assert plan.tasks[0].args["image"] == "photo-2.png"

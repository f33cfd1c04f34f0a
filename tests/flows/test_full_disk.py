"""A disk that is full is a cause that passes: with room again, resuming completes, and nothing is done twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows.answer import answer_request
from hugginggpt.errors import DatabaseUnavailableError, DiskFullError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace, reset
from tasks import recording
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer, RecordedCall

PLAN: list[dict[str, Any]] = [
    {"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}},
    {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "A long story about edges."}},
    {"task": "text-to-speech", "id": 2, "dep": [1], "args": {"text": "<GENERATED>-1"}},
]


def fill(disk: Path) -> Path:
    """Leave no room on a disk; return the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return ballast


@pytest.fixture
def filling(controller: OpenAIServer, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have the disk be full from the summary on, and the database not be waited for."""
    monkeypatch.setattr(recording, "DATABASE_WAITS", (0.1,))

    asked: list[RecordedCall] = []

    def summary(call: RecordedCall) -> str:
        asked.append(call)
        if len(asked) == 1:
            fill(small_disk)
        return "They are edges."

    def begin() -> None:
        controller.script = {"summarization": summary, "respond": "They are edges."}

    return begin


def ask(photo: Path, request_id: str) -> Any:
    options = RequestOptions(plan=PLAN)
    return answer_request("What are they?", [str(photo)], options=options, request_id=request_id, return_state=True)


def make_room_and_resume(disk: Path, request_id: str) -> None:
    """Everything is there then, and what was recorded as finished is not done again."""
    (disk / "ballast").unlink()
    wait_until(
        lambda: get_trace().requests.get(request_id).status is RequestStatus.DIED
    )  # its lease may have to run out
    # When a disk runs full depends on what else is written there, so what was recorded until then does, too.
    finished = {
        task.id: task.attempts for task in get_trace().requests.get(request_id).tasks if task.result is not None
    }
    get_trace().lifecycle.reopen(request_id)
    state = answer_request("", request_id=request_id, return_state=True)
    assert state.name == "Completed", state.message
    story = get_trace().requests.get(request_id)
    assert story.status is RequestStatus.COMPLETED
    assert all(task.result is not None for task in story.tasks)
    assert finished == {task.id: task.attempts for task in story.tasks if task.id in finished}
    assert all([a.status for a in task.attempts].count("completed") <= 1 for task in story.tasks)


def test_a_result_that_has_no_room(
    small_disk: Path, photo: Path, filling: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_ARTIFACTS_URL", str(small_disk / "artifacts"))
    reset()
    filling()
    state = ask(photo, "result")
    assert state.is_failed()
    with pytest.raises(DiskFullError, match="no space left"):
        state.result()
    story = get_trace().requests.get("result")
    assert (story.status, story.error) == (RequestStatus.DIED, None)
    assert [life.ending for life in story.lives] == ["disk full"]
    assert not [path for path in small_disk.rglob("*.tmp")]
    make_room_and_resume(small_disk, "result")


def test_a_record_of_a_result_that_has_no_room(small_disk: Path, photo: Path, filling: Callable[[], None]) -> None:
    filling()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: small_disk / "results"}):
        ask(photo, "record")
        story = get_trace().requests.get("record")
        assert story.status in (RequestStatus.COMPLETED, RequestStatus.DIED)
        if story.status is RequestStatus.DIED:
            make_room_and_resume(small_disk, "record")
        else:
            (small_disk / "ballast").unlink()
        # What was cut off stands in nobody's way.
        again = answer_request("Again", [str(photo)], options=RequestOptions(plan=PLAN), return_state=True)
        assert again.name == "Completed"


def test_a_trace_that_has_no_room(
    small_disk: Path, photo: Path, filling: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", f"sqlite:///{small_disk}/trace.db")
    monkeypatch.setenv("HUGGINGGPT_LEASE_SECONDS", "2")
    reset()
    filling()
    state = ask(photo, "trace")
    assert state.is_failed()
    with pytest.raises(DatabaseUnavailableError, match="the disk is full"):
        state.result()
    make_room_and_resume(small_disk, "trace")
    reset()  # the disk goes now, and the database lies on it


def test_a_file_of_the_request_that_has_no_room(
    small_disk: Path, photo: Path, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_ARTIFACTS_URL", str(small_disk / "artifacts"))
    reset()
    controller.script = {"summarization": "Edges.", "respond": "They are edges."}
    ballast = fill(small_disk)
    state = ask(photo, "file")
    assert state.is_failed()
    with pytest.raises(DiskFullError):
        state.result()
    assert not get_trace().requests.latest()
    ballast.unlink()
    assert ask(photo, "file").name == "Completed"

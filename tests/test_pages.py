"""A scan of thirty pages, worked on page by page: what is told of it, and how much of it is in memory."""

import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.binding import BoundTask, bind
from hugginggpt.deadline import Deadline
from hugginggpt.documents import parts, reading
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.pool import ModelPool
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.plan import PlannedTask
from hugginggpt.progress import ListProgress, Progress, listening, on_element, report
from hugginggpt.resource import Resource
from hugginggpt.resources import load_resources
from hugginggpt.results import TaskResult
from hugginggpt.settings import Settings
from tests.documents import builders
from tests.experts.running import no_controller

KIND = "canny-control"
CANDIDATE = Candidate(
    card=ModelCard(id="opencv/canny", kind=KIND, runs_on=(Endpoint.EMBEDDED,)), endpoint=Endpoint.EMBEDDED
)


class _Forgetful:
    """Records nothing of the attempts."""

    def started(self, candidate: Candidate) -> None: ...

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None: ...


class _Rendering:
    """Counts the pages that are rendered, and how many are in memory together at their most."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.together = 0
        self._alive: weakref.WeakValueDictionary[int, PILImage.Image] = weakref.WeakValueDictionary()

    def __call__(self, data: bytes, mime: str, page: int, *rest: Any) -> Any:
        shown = reading.picture(data, mime, page, *rest)
        self._alive[len(self.pages)] = shown.image
        self.pages.append(page)
        self.together = max(self.together, len(self._alive))
        return shown


@pytest.fixture
def rendering(monkeypatch: pytest.MonkeyPatch) -> _Rendering:
    counting = _Rendering()
    monkeypatch.setattr(parts, "picture", counting)
    return counting


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore.from_settings(settings)


@pytest.fixture
def scan(settings: Settings, store: ArtifactStore, tmp_path: Path) -> Resource:
    (tmp_path / "scan.pdf").write_bytes(builders.scan(30, (200, 280)))
    return load_resources([str(tmp_path / "scan.pdf")], settings, store)[0]


def run(settings: Settings, store: ArtifactStore, scan: Resource, pages: str = "") -> tuple[TaskResult, list[Progress]]:
    """The result for the pages, and what was told meanwhile."""
    planned = PlannedTask(task=KIND, id=0, args={"image": f"scan.pdf{pages}"})
    bound: BoundTask = bind(planned, [scan], {}, store, max_chars=100)
    told: list[Progress] = []
    with listening(told.append):
        result = execute(
            planned,
            bound,
            [CANDIDATE],
            ExecutionContext(
                pool=ModelPool(settings),
                expert_context=ExpertContext(settings, no_controller),
                store=store,
                deadline=Deadline(300),
                attempts=_Forgetful(),
                slot=lambda candidate, deadline: nullcontext(),
                last_try=True,
            ),
        )
    return result, told


def test_each_page_of_a_scan_is_told_rendered_once_and_let_go(
    settings: Settings, store: ArtifactStore, scan: Resource, rendering: _Rendering
) -> None:
    result, told = run(settings, store, scan)
    assert [bool(item.outputs) for item in result.items] == [True] * 30
    assert [str(progress) for progress in told] == [f"page {n} of 30" for n in range(1, 31)] + ["page 30 of 30"]
    assert [progress.share for progress in told] == [n / 30 for n in range(31)]
    assert rendering.pages == list(range(1, 31))
    assert rendering.together <= 2


def test_named_pages_are_told_by_their_numbers_and_one_page_not_at_all(
    settings: Settings, store: ArtifactStore, scan: Resource, rendering: _Rendering
) -> None:
    _, told = run(settings, store, scan, "#page=7-9")
    assert list(map(str, told[:3])) == ["page 7 (1 of 3)", "page 8 (2 of 3)", "page 9 (3 of 3)"]
    assert run(settings, store, scan, "#page=7")[1] == []
    assert rendering.pages == [7, 8, 9, 7]


def test_what_an_element_tells_is_a_part_of_the_list() -> None:
    told: list[Progress] = []
    with listening(told.append):
        with on_element(ListProgress(1, 4)):
            report(Progress(12, 24))
        report(Progress(1, 2))
    assert list(map(str, told)) == ["2 of 4", "2 of 4: 12 of 24 steps", "1 of 2 steps"]
    assert [progress.share for progress in told] == [0.25, 0.375, 0.5]


def test_a_document_that_came_in_is_not_read_again_by_the_step_that_uses_it(
    settings: Settings, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "order.pdf").write_bytes(builders.pdf(builders.words("Payment within 30 days", 72, 700)))
    (order,) = load_resources([str(tmp_path / "order.pdf")], settings, store)
    read: list[str] = []
    monkeypatch.setattr(parts, "read", lambda data, mime, *rest: read.append(mime) or reading.read(data, mime, *rest))
    (text,) = order.views(order.main_type)
    assert store.get(text).text.strip() == "Payment within 30 days"  # type: ignore[union-attr]
    assert read == []

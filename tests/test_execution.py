"""One planned task over a list: one call where the expert batches, and each element's own fate."""

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage

from hugginggpt.artifacts import Artifact, ArtifactStore
from hugginggpt.binding import BoundTask, MissingInput
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DiskFullError, ExpertError, ModelDiskFullError, StorageError, TaskCancelledError
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import Expert, ExpertContext
from hugginggpt.experts.pool import ModelPool
from hugginggpt.experts.registry import expert_for
from hugginggpt.media import Image, Structured, Value
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.plan import PlannedTask
from hugginggpt.results import TaskResult
from hugginggpt.settings import Settings
from hugginggpt.stored_inputs import StoredInput
from tests.experts.running import no_controller
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.tiny_models import MODELS, draw_square

KIND = "object-detection"
CANDIDATE = Candidate(card=ModelCard(id=MODELS[KIND], kind=KIND, runs_on=(Endpoint.LOCAL,)), endpoint=Endpoint.LOCAL)


class _Forgetful:
    """Records nothing of the attempts."""

    def started(self, candidate: Candidate) -> None: ...

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None: ...


class _Counting(ArtifactStore):
    """Counts what is read, and how many pictures that were read are in memory together at their most."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads = 0
        self.together = 0
        self._alive: weakref.WeakValueDictionary[int, PILImage.Image] = weakref.WeakValueDictionary()

    def get(self, artifact: Artifact) -> Value:
        value = super().get(artifact)
        assert isinstance(value, Image)
        self.reads += 1
        self._alive[self.reads] = value.image
        self.together = max(self.together, len(self._alive))
        return value


class _Bench:
    """A pool with the tiny detector loaded, which counts its forward passes and takes no picture of one colour."""

    def __init__(self, settings: Settings, store: ArtifactStore) -> None:
        self.store = store
        self.passes = 0
        self.pool = ModelPool(settings)
        self._context = ExpertContext(settings, no_controller)
        expert = expert_for(CANDIDATE.card, Endpoint.LOCAL)
        assert expert is not None
        with self.pool.use(expert, CANDIDATE.card, self._context, Deadline(60)) as model:
            model.tool.model.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.passes += 1
        if any(picture.min() == picture.max() for picture in kwargs["pixel_values"][:, 0]):
            raise ValueError("a picture of one colour")

    def hold(self, seconds: float, queued: threading.Event) -> None:
        """Keep the processor busy from another thread."""

        def compute() -> None:
            with computing(Deadline(60)):
                queued.set()
                time.sleep(seconds)

        threading.Thread(target=compute).start()

    def run(
        self,
        *elements: Image | StoredInput | MissingInput,
        kind: str = KIND,
        candidates: Sequence[Candidate] = (CANDIDATE,),
        deadline: Deadline | None = None,
    ) -> TaskResult:
        items = tuple(e if isinstance(e, MissingInput) else {"image": e} for e in elements)
        return execute(
            PlannedTask(task=kind, id=0),
            BoundTask(items, is_list=True),
            candidates,
            ExecutionContext(
                pool=self.pool,
                expert_context=self._context,
                store=self.store,
                deadline=deadline or Deadline(60),
                attempts=_Forgetful(),
                slot=lambda candidate, deadline: nullcontext(),
                last_try=True,
            ),
        )

    def labels(self, result: TaskResult) -> list[list[str] | None]:
        found = [self.store.get(item.outputs[0]) if item.outputs else None for item in result.items]
        return [[e["label"] for e in f.data] if isinstance(f, Structured) else None for f in found]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_all(tmp_path_factory.mktemp("models"), (KIND,))


@pytest.fixture
def bench(models: Path, tmp_path: Path) -> _Bench:
    with HubServer(models) as hub:
        settings = Settings(hf_endpoint=hub.url, models_cache=tmp_path / "models", hf_token=None, cpu_threads=1)
        return _Bench(settings, ArtifactStore(str(tmp_path / "artifacts")))


def square(number: int) -> Image:
    return Image(draw_square(("red square", "blue square")[number % 2], (10 + number, 12, 40 + number, 42)))


def test_a_list_is_computed_in_batches_with_the_results_of_each(bench: _Bench) -> None:
    alone = bench.run(square(0)).items + bench.run(square(1)).items
    before = bench.passes
    together = bench.run(*map(square, range(16)))
    assert bench.passes - before == 2
    assert bench.labels(together) == [["red square"], ["blue square"]] * 8
    assert together.items[:2] == alone


def test_the_time_in_line_for_a_model_is_not_the_models(bench: _Bench) -> None:
    bench.run(square(0))
    queued = threading.Event()
    bench.hold(0.8, queued)
    queued.wait()
    began = time.monotonic()
    result = bench.run(square(1))
    assert time.monotonic() - began - result.seconds > 0.7


def test_what_several_models_say_alike_is_said_once(bench: _Bench) -> None:
    with pytest.raises(ExpertError) as raised:
        bench.run(MissingInput("Its input was not made."), candidates=[CANDIDATE, CANDIDATE])
    assert raised.value.message == f"{MODELS[KIND]} (local), {MODELS[KIND]} (local): Its input was not made."


class _Cramped(ModelPool):
    """A pool on a disk that has no room for one of the models."""

    def use(self, expert: Expert, card: ModelCard, *rest: Any) -> Any:
        if card.id == "large/model":
            raise ModelDiskFullError("There is no space for the model large/model.")
        return super().use(expert, card, *rest)


def test_a_model_that_has_no_room_gives_way_to_another_or_waits_for_it(bench: _Bench) -> None:
    bench.pool.__class__ = _Cramped
    large = CANDIDATE.model_copy(update={"card": CANDIDATE.card.model_copy(update={"id": "large/model"})})
    assert bench.run(square(0), candidates=[large, CANDIDATE]).model == MODELS[KIND]
    with pytest.raises(DiskFullError, match="large/model"):
        bench.run(square(0), candidates=[large])


@pytest.fixture
def counting(models: Path, tmp_path: Path) -> Iterator[tuple[_Bench, _Counting]]:
    """A bench of which the pictures of 64 x 64 pixels are decoded two at a time."""
    with HubServer(models) as hub:
        settings = Settings(
            hf_endpoint=hub.url,
            models_cache=tmp_path / "models",
            hf_token=None,
            cpu_threads=1,
            max_decoded_bytes=4 * 2 * 64 * 64 * 4,
        )
        store = _Counting(str(tmp_path / "artifacts"))
        yield _Bench(settings, store), store


def unread_in(store: ArtifactStore, *images: Image) -> list[StoredInput]:
    return [StoredInput(store.put(image), as_text=False) for image in images]


def test_of_a_list_only_so_many_are_decoded_together_as_memory_allows(counting: tuple[_Bench, _Counting]) -> None:
    bench, store = counting
    pictures = unread_in(store, *map(square, range(7)))
    result = bench.run(*pictures)
    assert (bench.passes, store.reads, store.together) == (4, 7, 2)
    assert len(result.items) == 7
    assert all(len(item.outputs) == 2 for item in result.items)


def test_where_nothing_is_run_together_one_element_is_decoded_at_a_time(counting: tuple[_Bench, _Counting]) -> None:
    bench, store = counting
    pictures = unread_in(store, *map(square, range(5)))
    kind = "canny-control"
    card = ModelCard(id="opencv/canny", kind=kind, runs_on=(Endpoint.EMBEDDED,))
    embedded = Candidate(card=card, endpoint=Endpoint.EMBEDDED)
    repeated = [pictures[0], pictures[0], *pictures]
    result = bench.run(*repeated, MissingInput("Its input was not made."), kind=kind, candidates=[embedded])
    assert (store.reads, store.together) == (5, 1)
    assert [bool(item.outputs) for item in result.items] == [True] * 7 + [False]


def test_what_fails_holds_no_more_than_its_own_picture(
    counting: tuple[_Bench, _Counting], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="hugginggpt.execution")  # pytest keeps records, and their tracebacks
    bench, store = counting
    empty = [Image(PILImage.new("RGB", (64, 64), (n, n, n))) for n in range(9)]
    result = bench.run(*unread_in(store, *empty, square(0)))
    assert [bool(item.outputs) for item in result.items] == [False] * 9 + [True]
    assert store.together <= 3


def test_a_value_that_is_gone_ends_the_task(counting: tuple[_Bench, _Counting]) -> None:
    bench, store = counting
    pictures = unread_in(store, *map(square, range(3)))
    Path(store.address(pictures[2].artifact)).unlink()
    with pytest.raises(StorageError, match="no longer has the result"):
        bench.run(*pictures)


def test_an_element_that_is_missing_or_spoils_the_batch_fails_alone(bench: _Bench) -> None:
    empty = Image(PILImage.new("RGB", (64, 64)))
    result = bench.run(square(0), MissingInput("Its input was not made."), empty, square(1))
    assert bench.labels(result) == [["red square"], None, None, ["blue square"]]
    assert result.items[1].error == "Its input was not made."
    assert result.items[2].error == "The expert failed with ValueError: a picture of one colour"


def test_what_is_cancelled_is_not_stored_to_its_end(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(60)

    def put(value: Value, check_deadline: Callable[[], object]) -> Artifact:
        check_deadline()
        deadline.cancel()
        check_deadline()
        raise AssertionError("it went on")

    monkeypatch.setattr(bench.store, "put", put)
    with pytest.raises(TaskCancelledError):
        bench.run(square(0), deadline=deadline)

"""The pool of loaded models: each of the rules that its module states."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hugginggpt.deadline import Deadline
from hugginggpt.errors import (
    ConfigurationError,
    DeadlineExceededError,
    ExpertError,
    ExpertUnavailableError,
    ModelLoadError,
)
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.device import (
    Accelerator,
    MemoryUse,
    Placement,
    accelerators,
    choose_placement,
    dtype_on,
    feasible,
    has_fast_bfloat16,
    placements,
)
from hugginggpt.experts.local.text_to_image import TextToImage
from hugginggpt.experts.pool import ModelPool, get_pool
from hugginggpt.experts.weights import Part, Weights
from hugginggpt.media import Text
from hugginggpt.memory import memory_budget
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, listening, report
from hugginggpt.settings import Settings
from tests.experts import evicting
from tests.experts.running import hub_of
from tests.stand_ins import tiny_diffusion
from tests.stand_ins.hub_server import HubServer

SOON = 30.0


class Loaded:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Loader(Expert):
    """Loads nothing much, and remembers what it loaded."""

    kind = "text-classification"
    endpoint = Endpoint.LOCAL
    pool_key = "test"

    def __init__(self, before: Callable[[ModelCard], None] = lambda card: None) -> None:
        self.before = before
        self.loaded: list[Loaded] = []

    def load(self, card: ModelCard, context: ExpertContext) -> Loaded:
        self.before(card)
        self.loaded.append(Loaded(card.id))
        return self.loaded[-1]

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        return prepared

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return []

    @property
    def names(self) -> list[str]:
        return [model.name for model in self.loaded]


def no_controller() -> Any:
    raise AssertionError("nobody asked for the controller")


SURROUNDINGS = ExpertContext(Settings(), no_controller)


def pool_of(budget: int) -> ModelPool:
    return ModelPool(Settings(model_memory=budget), on=())


def card(name: str, size: int | None = 1, revision: str | None = None) -> ModelCard:
    return ModelCard(id=name, kind="text-classification", bytes=size, revision=revision)


def touch(pool: ModelPool, expert: Expert, *names: str) -> None:
    for name in names:
        with pool.use(expert, card(name), SURROUNDINGS, Deadline(SOON)):
            pass


def test_ten_threads_cause_one_load() -> None:
    everyone = threading.Barrier(10)
    go = threading.Event()
    expert = Loader(lambda _: (go.wait(SOON), None)[1])
    pool = pool_of(10)

    def use(_: int) -> int:
        everyone.wait(SOON)
        if everyone.broken:
            raise AssertionError
        go.set()
        with pool.use(expert, card("a"), SURROUNDINGS, Deadline(SOON)) as model:
            return id(model)

    with ThreadPoolExecutor(10) as threads:
        assert len(set(threads.map(use, range(10)))) == 1
    assert expert.names == ["a"]


def test_another_revision_is_another_model() -> None:
    expert, pool = Loader(), pool_of(10)
    for revision in ("one", "two", "one"):
        with pool.use(expert, card("a", revision=revision), SURROUNDINGS, Deadline(SOON)):
            pass
    assert expert.names == ["a", "a"]


def test_a_model_that_works_with_several_controllers_is_loaded_once() -> None:
    pool, expert = pool_of(10), Loader()
    reader = card("a", revision="3.10.0")
    for one in (reader, reader.answered_by("small"), reader.answered_by("org/big+1")):
        with pool.use(expert, one, SURROUNDINGS, Deadline(SOON)):
            pass
    assert expert.names == ["a"]
    pool.close()


def test_the_least_recently_used_goes_first_and_is_closed() -> None:
    expert, pool = Loader(), pool_of(3)
    touch(pool, expert, "a", "b", "c", "a", "d")
    assert pool.loaded() == ("c", "a", "d")
    assert [model.name for model in expert.loaded if model.closed] == ["b"]
    touch(pool, expert, "b")
    assert pool.loaded() == ("a", "d", "b")


def test_nobody_goes_for_a_model_that_fits() -> None:
    expert, pool = Loader(), pool_of(100)
    touch(pool, expert, *"abcdefgh")
    assert not any(model.closed for model in expert.loaded)


def test_a_model_in_use_is_never_evicted() -> None:
    expert, pool = Loader(), pool_of(2)
    with pool.use(expert, card("a"), SURROUNDINGS, Deadline(SOON)) as model:
        touch(pool, expert, "b", "c", "d")
        assert not model.closed
        assert pool.loaded()[0] == "a"
    assert [m.name for m in expert.loaded if m.closed] == ["b", "c"]


def test_if_everything_is_in_use_the_next_waits_until_there_is_room() -> None:
    expert, pool = Loader(), pool_of(2)
    with ThreadPoolExecutor(1) as threads, ExitStack() as users:
        users.enter_context(pool.use(expert, card("a"), SURROUNDINGS, Deadline(SOON)))
        users.enter_context(pool.use(expert, card("b"), SURROUNDINGS, Deadline(SOON)))
        waiting = threads.submit(touch, pool, expert, "c")
        with pytest.raises(DeadlineExceededError), pool.use(expert, card("d"), SURROUNDINGS, Deadline(0.3)):
            pass
        assert not waiting.done()
        assert expert.names == ["a", "b"]
        users.close()
        waiting.result(SOON)
    assert expert.names == ["a", "b", "c"]


def test_who_waits_for_a_load_obeys_its_deadline_and_the_load_is_kept() -> None:
    go = threading.Event()
    expert = Loader(lambda _: (go.wait(SOON), None)[1])
    pool = pool_of(2)
    with pytest.raises(DeadlineExceededError), pool.use(expert, card("a"), SURROUNDINGS, Deadline(0.2)):
        pass
    go.set()
    touch(pool, expert, "a")
    assert expert.names == ["a"]


def test_cancelling_stops_the_waiting() -> None:
    go = threading.Event()
    pool = pool_of(2)
    deadline = Deadline(600)
    threading.Timer(0.2, deadline.cancel).start()
    expert = Loader(lambda _: (go.wait(SOON), None)[1])
    with (
        pytest.raises(DeadlineExceededError, match="cancelled"),
        pool.use(expert, card("a"), SURROUNDINGS, deadline),
    ):
        pass
    go.set()


def test_a_failed_load_reaches_all_who_wait_and_is_not_remembered() -> None:
    everyone = threading.Barrier(4)
    go = threading.Event()
    fails = [True]

    def fail(_: ModelCard) -> None:
        go.wait(SOON)
        if fails.pop() if fails else False:
            raise ExpertUnavailableError("The Hub is busy.")

    expert, pool = Loader(fail), pool_of(2)

    def use(_: int) -> BaseException | None:
        everyone.wait(SOON)
        try:
            touch(pool, expert, "a")
        except ExpertUnavailableError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as threads:
        attempts = [threads.submit(use, i) for i in range(4)]
        threading.Timer(0.3, go.set).start()
        errors = [attempt.result(SOON) for attempt in attempts]
    assert [str(error) for error in errors] == ["The Hub is busy."] * 4
    assert len(set(map(id, errors))) == 4
    touch(pool, expert, "a")
    assert expert.names == ["a"]


def test_whatever_a_loader_raises_is_a_sentence() -> None:
    def fail(_: ModelCard) -> None:
        raise RuntimeError("\nthe file is torn\nat byte 7")

    with pytest.raises(ModelLoadError, match=r"^The model a could not be loaded: the file is torn\.$"):
        touch(pool_of(2), Loader(fail), "a")


def test_a_failed_load_gives_its_room_back() -> None:
    def fail(wanted: ModelCard) -> None:
        if wanted.id == "bad":
            raise ModelLoadError("no")

    expert, pool = Loader(fail), pool_of(1)
    for _ in range(3):
        with pytest.raises(ModelLoadError):
            touch(pool, expert, "bad")
    touch(pool, expert, "good")


def test_a_model_bigger_than_the_budget_is_refused() -> None:
    expert, pool = Loader(), pool_of(100 * 2**20)
    with (
        pytest.raises(ModelLoadError, match="HUGGINGGPT_MODEL_MEMORY"),
        pool.use(expert, card("huge", 200 * 2**20), SURROUNDINGS, Deadline(SOON)),
    ):
        pass
    assert expert.names == []


class Measured(Loader):
    def load(self, card: ModelCard, context: ExpertContext) -> Loaded:
        model = super().load(card, context)
        model.bytes = {"small": 1, "large": 3, "huge": 5}[card.id]  # type: ignore[attr-defined]
        return model


def test_the_size_that_a_loaded_model_tells_counts() -> None:
    expert, pool = Measured(), pool_of(3)
    for name in ("small", "large"):
        with pool.use(expert, card(name, None), SURROUNDINGS, Deadline(SOON)):
            pass
    assert pool.loaded() == ("large",)
    with (
        pytest.raises(ModelLoadError, match="huge"),
        pool.use(expert, card("huge", None), SURROUNDINGS, Deadline(SOON)),
    ):
        pass
    assert expert.loaded[-1].closed


class Remote(Loader):
    endpoint = Endpoint.REMOTE


def test_what_runs_elsewhere_takes_no_memory() -> None:
    with pool_of(1).use(Remote(), card("a", 10**12), SURROUNDINGS, Deadline(SOON)) as model:
        assert model.name == "a"


class Bound(Loader):
    def for_request(self, model: Any, context: ExpertContext) -> Any:
        return model, context.settings.top_k


def test_what_belongs_to_one_request_is_joined_at_each_use() -> None:
    expert, pool = Bound(), pool_of(1)
    seen = []
    for top_k in (1, 2):
        with pool.use(expert, card("a"), ExpertContext(Settings(top_k=top_k), no_controller), Deadline(SOON)) as bound:
            seen.append(bound)
    assert [top_k for _, top_k in seen] == [1, 2]
    assert seen[0][0] is seen[1][0]


def test_closing_lets_idle_models_go_now_and_the_others_later() -> None:
    expert, pool = Loader(), pool_of(2)
    touch(pool, expert, "idle")
    with pool.use(expert, card("busy"), SURROUNDINGS, Deadline(SOON)) as busy:
        pool.close()
        assert expert.loaded[0].closed
        assert not busy.closed
        with pytest.raises(ExpertError, match="closed"):
            touch(pool, expert, "late")
    assert busy.closed


def test_the_process_has_one_pool_until_it_is_closed() -> None:
    pool = get_pool(Settings(model_memory=7))
    assert get_pool(Settings()) is pool
    pool.close()
    assert get_pool(Settings(model_memory=8)).budget == 8
    get_pool(Settings()).close()


def test_the_budget_is_the_setting_or_half_of_the_memory() -> None:
    assert memory_budget(Settings(model_memory=5)) == 5
    assert 0 < memory_budget(Settings()) < 2**50


# Fetching, then making room


class Fetched(Loader):
    """Brings weights of the size that the card names, in numbers of float32."""

    def __init__(self, offloads: bool = False, fetching: Callable[[ModelCard], None] = lambda card: None) -> None:
        super().__init__()
        self.supports_offloading = offloads  # type: ignore[misc]
        self.fetching = fetching
        self.loaded_to: list[tuple[str, str | None, bool]] = []

    def fetch(self, card: ModelCard, context: ExpertContext) -> Weights:
        self.fetching(card)
        half, rest = (card.bytes or 0) // 2, (card.bytes or 0) - (card.bytes or 0) // 2
        return Weights([Part({"float32": half // 4}), Part({"float32": rest // 4})])

    def load(self, card: ModelCard, context: ExpertContext) -> Loaded:
        self.loaded_to.append((card.id, context.device, context.offloaded))
        return super().load(card, context)


GPUS = (Accelerator("cuda:0", 100, "bfloat16"), Accelerator("cuda:1", 200, "bfloat16"))


def hold(pool: ModelPool, expert: Expert, name: str, size: int) -> AbstractContextManager[Any]:
    return pool.use(expert, card(name, size), SURROUNDINGS, Deadline(SOON))


def test_a_model_goes_where_its_files_fit() -> None:
    expert, pool = Fetched(), ModelPool(Settings(model_memory=1000), on=GPUS)
    for name, size in (("a", 200), ("b", 120), ("c", 300), ("huge", 800)):
        with hold(pool, expert, name, size):
            pass
    # In half precision, a and b fit beside each other; c evicts, from the larger one; huge fits the processor alone.
    assert expert.loaded_to == [
        ("a", "cuda:1", False),
        ("b", "cuda:0", False),
        ("c", "cuda:1", False),
        ("huge", "cpu", False),
    ]
    assert (pool.loaded("cuda:0"), pool.loaded("cuda:1"), pool.loaded("cpu")) == (("b",), ("c",), ("huge",))
    assert [model.name for model in expert.loaded if model.closed] == ["a"]


def test_what_fits_an_accelerator_waits_for_it() -> None:
    expert, pool = Fetched(), ModelPool(Settings(model_memory=1000), on=GPUS[:1])
    with ThreadPoolExecutor(1) as threads, ExitStack() as users:
        users.enter_context(hold(pool, expert, "a", 200))
        waiting = threads.submit(lambda: users.enter_context(hold(pool, expert, "b", 200)))
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        users.close()
        waiting.result(SOON)
    assert expert.loaded_to == [("a", "cuda:0", False), ("b", "cuda:0", False)]


def test_what_is_too_big_for_every_accelerator_is_offloaded_where_its_expert_can() -> None:
    expert, pool = Fetched(offloads=True), ModelPool(Settings(model_memory=1000), on=GPUS[:1])
    with hold(pool, expert, "small", 200), hold(pool, Fetched(), "plain", 400), hold(pool, expert, "tiny", 0):
        assert pool.loaded("cpu") == ("plain",)
    # Its larger half has to fit the accelerator, from where the others go for it.
    with hold(pool, expert, "pipeline", 400):
        assert expert.loaded_to[-1] == ("pipeline", "cuda:0", True)
        assert pool.loaded("cpu") == ("plain", "pipeline")
        assert "small" not in pool.loaded()
    with pytest.raises(ModelLoadError, match="HUGGINGGPT_ACCELERATOR_MEMORY"), hold(pool, expert, "huge", 1200):
        pass


def test_a_model_whose_files_are_too_big_is_never_loaded() -> None:
    expert, pool = Fetched(), pool_of(100)
    with pytest.raises(ModelLoadError, match="too big"), hold(pool, expert, "huge", 104):
        pass
    assert expert.loaded_to == []


def test_a_download_takes_no_room() -> None:
    go = threading.Event()
    slow = Fetched(fetching=lambda _: (go.wait(SOON), None)[1])
    quick, pool = Fetched(), pool_of(100)
    with ThreadPoolExecutor(1) as threads:
        with hold(pool, quick, "idle", 100):
            pass

        def bring() -> None:
            with hold(pool, slow, "slow", 100):
                pass

        waiting = threads.submit(bring)
        touch(pool, quick, "idle")
        assert pool.loaded() == ("idle",)
        assert not quick.loaded[0].closed
        go.set()
        waiting.result(SOON)
    assert pool.loaded() == ("slow",)
    assert quick.loaded[0].closed


def test_all_who_wait_for_a_download_are_told_how_far_it_is() -> None:
    both_heard = threading.Barrier(3, timeout=SOON)
    half = Progress(1, 2, downloaded=True)

    def fetching(card: ModelCard) -> None:
        report(half)
        both_heard.wait()

    expert, pool = Fetched(fetching=fetching), pool_of(100)

    def told() -> set[Progress]:
        heard: set[Progress] = set()

        def hear(progress: Progress) -> None:
            if progress not in heard:
                heard.add(progress)
                both_heard.wait()

        with listening(hear), hold(pool, expert, "slow", 100):
            return heard

    with ThreadPoolExecutor(2) as threads:
        assert [waits.result(SOON) for waits in [threads.submit(told), threads.submit(told)]] == [{half}, {half}]


def test_what_nobody_waits_for_any_more_is_not_loaded() -> None:
    expert, pool = Fetched(), pool_of(100)
    with hold(pool, expert, "busy", 100):
        with (
            pytest.raises(DeadlineExceededError),
            pool.use(expert, card("late", 100), SURROUNDINGS, Deadline(0.2)),
        ):
            pass
        while any(thread.name == "load late" for thread in threading.enumerate()):
            time.sleep(0.01)
    assert pool.loaded() == ("busy",)
    with hold(pool, expert, "late", 100):
        assert pool.loaded() == ("late",)


# Choosing, on plain numbers


def rooms(**used: tuple[int, int, int]) -> dict[str, MemoryUse]:
    return {memory: MemoryUse(*numbers) for memory, numbers in used.items()}


def test_the_spots_of_a_model() -> None:
    weights = Weights([Part({"float32": 10}, others=3), Part({"bfloat16": 20})])
    on = (Accelerator("cuda:0", 100, "float16"),)
    assert weights.stored_dtype == "bfloat16"
    assert placements(weights, on, "float32", offloading=False) == [
        Placement("cpu", {"cpu": 123}),
        Placement("cuda:0", {"cuda:0": 63}),
    ]
    assert placements(weights, on, "float32", offloading=True)[-1] == Placement(
        "cuda:0", {"cpu": 63, "cuda:0": 40}, offloaded=True
    )
    assert placements(Weights([Part({}, others=5)]), on, "float32", offloading=True) == [Placement("cpu", {"cpu": 5})]


def test_an_accelerator_that_shares_the_processors_memory_shares_its_budget() -> None:
    weights = Weights([Part({"float32": 10})])
    shared = (Accelerator("mps", 100, "float16"),)
    found = placements(weights, shared, "float32", offloading=True)
    assert found == [Placement("cpu", {"cpu": 40}), Placement("mps", {"cpu": 20})]
    assert feasible(found, {"cpu": 100}) == [found[1]]


def test_the_quickest_spot_that_can_hold_it_at_all_is_taken() -> None:
    resident, offloaded = Placement("gpu", {"gpu": 60}), Placement("gpu", {"cpu": 60, "gpu": 30}, offloaded=True)
    processor = Placement("cpu", {"cpu": 120})
    every = [processor, resident, offloaded]
    assert feasible(every, {"cpu": 200, "gpu": 60}) == [resident]
    assert feasible(every, {"cpu": 200, "gpu": 59}) == [offloaded]
    assert feasible(every, {"cpu": 200, "gpu": 29}) == [processor]
    assert feasible(every, {"cpu": 119, "gpu": 29}) == []


def test_where_most_is_free_is_chosen_and_idle_models_count_only_if_need_be() -> None:
    one, two = Placement("one", {"one": 50}), Placement("two", {"two": 50})
    assert choose_placement([one, two], rooms(one=(100, 30, 0), two=(100, 10, 0))) == two
    assert choose_placement([one, two], rooms(one=(100, 50, 0), two=(200, 190, 190))) == one
    assert choose_placement([one, two], rooms(one=(100, 90, 10), two=(200, 190, 90))) == two
    assert choose_placement([one, two], rooms(one=(100, 90, 10), two=(200, 190, 30))) is None
    both = Placement("one", {"two": 50, "one": 20}, offloaded=True)
    assert choose_placement([both], rooms(one=(100, 81, 0), two=(100, 0, 0))) is None
    assert choose_placement([both], rooms(one=(100, 80, 0), two=(100, 60, 10))) == both


def test_processors_that_compute_bfloat16() -> None:
    assert has_fast_bfloat16("flags : fpu avx512_bf16 avx2")
    assert has_fast_bfloat16("flags : amx_bf16")
    assert not has_fast_bfloat16("flags : fpu avx512f avx512_bf16x")
    assert not has_fast_bfloat16("")
    assert dtype_on("cpu", "float16", Settings()) == dtype_on("cpu", "float32", Settings()) == "float32"
    assert dtype_on("cpu", "float32", Settings(dtype="bfloat16")) == "bfloat16"


def test_the_processor_alone_when_the_setting_says_so() -> None:
    assert accelerators(Settings(device="cpu")) == ()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_here() -> None:
    with pytest.raises(ConfigurationError, match="HUGGINGGPT_DEVICE is cuda, and torch finds only cpu here"):
        accelerators(Settings(device="cuda"))


# Real models, real memory


@pytest.fixture(scope="module")
def three_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """Three text classifiers."""
    folder = tmp_path_factory.mktemp("large")
    for name in evicting.NAMES:
        evicting.build(folder / name)
    with HubServer(folder) as hub:
        yield hub


def evicted(hub: HubServer, folder: Path, device: str) -> dict[str, Any]:
    arguments = [sys.executable, "-m", "tests.experts.evicting", hub.url, str(folder), device]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_evicted_models_give_their_memory_back(three_models: HubServer, tmp_path: Path) -> None:
    """A budget of two models and three in turn, through a real expert in a process of its own."""
    told = evicted(three_models, tmp_path, "cpu")
    first, second, third = evicting.NAMES
    assert told["loaded"] == [[first], [first, second], [second, third], [third, first], []]
    size, held = told["size"], told["resident"]
    assert size > 200 * 2**20
    # The C library keeps some tens of megabytes that were needed on the way, but no weights.
    assert held["two"] - held["none"] > 1.8 * size
    assert held["three in turn"] - held["two"] < 0.4 * size
    assert held["closed"] - held["none"] < 0.5 * size


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_evicted_models_give_an_accelerators_memory_back(three_models: HubServer, tmp_path: Path) -> None:
    told = evicted(three_models, tmp_path, "cuda:0")
    first, second, third = evicting.NAMES
    assert told["loaded"] == [[first], [first, second], [second, third], [third, first], []]
    size, held = told["size"], told["accelerator"]
    assert held["two"] - held["none"] > 1.9 * size
    assert held["three in turn"] == pytest.approx(held["two"], abs=0.1 * size)
    assert held["closed"] - held["none"] < 0.1 * size


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_an_offloaded_pipeline_makes_the_same_picture(tmp_path: Path) -> None:
    expert, painter = TextToImage(), ModelCard(id=tiny_diffusion.PAINTER, kind="text-to-image")
    inputs = {"text": Text("a red house"), "steps": 2, "seed": 7}
    with hub_of(tiny_diffusion.build_all, tmp_path) as settings:
        settings = settings.model_copy(update={"dtype": "float32"})
        context = ExpertContext(settings, no_controller)
        size = expert.fetch(painter, context).bytes_as("float32")
        pictures = []
        for budget, memory in ((size, "cuda:0"), (size - 1, "cpu")):
            pool = ModelPool(settings, on=[Accelerator("cuda:0", budget, "float32")])
            with pool.use(expert, painter, context, Deadline(60)) as model:
                (picture,) = expert.render(expert.run(model, expert.prepare(inputs), Deadline(60)), inputs)
            assert pool.loaded(memory) == (painter.id,)
            pictures.append(np.asarray(picture.image, np.int16))  # type: ignore[union-attr]
            pool.close()
    assert np.abs(pictures[0] - pictures[1]).max() <= 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_accelerators_of_this_machine() -> None:
    first, *_ = accelerators(Settings())
    total = torch.cuda.mem_get_info(0)[1]
    assert first.name == "cuda:0" and 0 < first.budget < total
    assert first.dtype == ("bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16")
    assert accelerators(Settings(accelerator_memory=5, dtype="float32"))[0] == Accelerator("cuda:0", 5, "float32")

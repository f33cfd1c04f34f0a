"""The pool of loaded models: each of the rules that its module states."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ExpertUnavailableError, ModelLoadError
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.experts.memory import memory_budget
from hugginggpt.experts.pool import ModelPool, get_pool
from hugginggpt.settings import Settings

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
    loads = "test"

    def __init__(self, before: Callable[[ModelCard], None] = lambda card: None) -> None:
        self.before = before
        self.loaded: list[Loaded] = []

    def load(self, card: ModelCard, surroundings: Surroundings) -> Loaded:
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


SURROUNDINGS = Surroundings(Settings(), no_controller)


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

    with pytest.raises(ModelLoadError, match=r"^The model a could not be loaded: the file is torn$"):
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
    def load(self, card: ModelCard, surroundings: Surroundings) -> Loaded:
        model = super().load(card, surroundings)
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
    def bind(self, model: Any, surroundings: Surroundings) -> Any:
        return model, surroundings.settings.top_k


def test_what_belongs_to_one_request_is_joined_at_each_use() -> None:
    expert, pool = Bound(), pool_of(1)
    seen = []
    for top_k in (1, 2):
        with pool.use(expert, card("a"), Surroundings(Settings(top_k=top_k), no_controller), Deadline(SOON)) as bound:
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

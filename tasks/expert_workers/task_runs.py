"""How a task run gets to an expert worker, and what it finds there.

With Prefect's own runner, each task run carries all of Prefect's settings. The worker validates them and makes two
clients of the server, each of which loads the certificates of all authorities. That takes more time than the rest of
the task run. With this runner, a process serializes its settings once, and each thread of a worker keeps the settings
and the client of its last task run for the next one, unless the settings differ.
"""

import contextvars
import pickle
import threading
from collections.abc import Iterable
from typing import Any, TypeVar
from uuid import uuid4

from prefect import Task
from prefect.client.schemas.objects import RunInput, State
from prefect.context import SettingsContext, SyncClientContext, serialize_context
from prefect.task_engine import run_task_sync
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

R = TypeVar("R")


class ExpertWorkerRunner(DaskTaskRunner):
    """Prefect's task runner on a Dask cluster, for tasks that take values and states but no futures."""

    def submit(  # type: ignore[override]  # overloaded for coroutines
        self,
        task: Task[..., R],
        parameters: dict[str, Any],
        wait_for: Iterable[Any] | None = None,
        dependencies: dict[str, set[RunInput]] | None = None,
    ) -> PrefectDaskFuture[R]:
        """Submit a task run; Dask's annotations say which workers may take it."""
        task_run_id = uuid4()
        settings = SettingsContext.get()
        assert settings is not None
        with _SentApart(profile=settings.profile, settings=settings.settings):
            context = serialize_context()
        future = self.client.submit(  # type: ignore[no-untyped-call]
            run_task,
            task,
            key=f"{task.name}-{task_run_id}",
            task_run_id=task_run_id,
            parameters=parameters,
            wait_for=wait_for,
            dependencies=dependencies,
            context=context,
            settings=written(settings),
        )
        return PrefectDaskFuture[R](wrapped_future=future, task_run_id=task_run_id)


_written: tuple[SettingsContext, bytes] | None = None


def written(settings: SettingsContext) -> bytes:
    """The settings as they are sent to workers. This takes 20 ms, so the last ones are remembered."""
    global _written
    known = _written
    if known is None or (known[0].settings, known[0].profile) != (settings.settings, settings.profile):
        _written = known = settings, pickle.dumps(settings.serialize())
    return known[1]


class _SentApart(SettingsContext):
    """Settings that are no part of the context of a task run, because they are sent beside it."""

    def serialize(self, include_secrets: bool = True) -> dict[str, Any]:
        return {}


def run_task(task: Task[..., Any], *, settings: bytes, **run: Any) -> State[Any]:
    """Run a task with the settings of its flow run. This is what a worker does."""

    def run_here() -> Any:
        return run_task_sync(task, return_type="state", **run)

    state: State[Any] = _surroundings(settings).copy().run(run_here)
    return state


_kept = threading.local()


def _surroundings(settings: bytes) -> contextvars.Context:
    """A context with these settings and a client of the server; the client of another thread may be at work."""
    if getattr(_kept, "settings", None) != settings:
        context = contextvars.Context()
        context.run(_enter, settings)
        _kept.settings, _kept.context = settings, context
    kept: contextvars.Context = _kept.context
    return kept


def _enter(settings: bytes) -> None:
    SettingsContext(**pickle.loads(settings)).__enter__()
    SyncClientContext().__enter__()

"""The progress of a task, in the trace and as a progress artifact."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.runtime import flow_run, task_run

from hugginggpt.plan import PlannedTask
from hugginggpt.progress import ListProgress, Progress, listening
from hugginggpt.request_run import RequestRun
from tasks.recording import recording
from tasks.ui.markdown import as_cell
from tasks.ui.posting import beside, persistently

EVERY_SECONDS = 1.0
"""Seconds between two updates of the progress of a task."""
LAST_UPDATE_SECONDS = 5.0
"""Seconds that an ended task waits for its last update."""


@contextmanager
def showing_progress(run: RequestRun, planned: PlannedTask, attempt: Callable[[], int | None]) -> Iterator[None]:
    """Show the progress that the block reports, in the trace and as a progress artifact.

    Args:
        run: the request.
        planned: the task.
        attempt: returns the current attempt's number in the trace; None if it could not be recorded.
    """
    shown = _ProgressShown(run, planned, attempt)
    try:
        with listening(shown):
            yield
    finally:
        shown.finish()


class _ProgressShown:
    """A listener of `hugginggpt.progress` that never makes the work wait: it skips outdated reports."""

    def __init__(self, run: RequestRun, planned: PlannedTask, attempt: Callable[[], int | None]) -> None:
        self._key, self._name = f"progress-{planned.id}", planned.name
        self._run, self._attempt = run, attempt
        self._run_ids = {
            name: UUID(run_id)
            for name, run_id in (("flow_run_id", flow_run.get_id()), ("task_run_id", task_run.get_id()))
            if run_id is not None
        }
        self._artifact: UUID | None = None
        self._began = time.monotonic()
        self._next = 0.0
        self._latest: Progress | None = None
        self._lock = threading.Lock()
        self._waiting: tuple[Progress, int | None] | None = None
        self._at_work: Future[None] | None = None

    def __call__(self, progress: Progress) -> None:
        """Show the progress: the end always, everything before it at most once a second."""
        now = time.monotonic()
        if progress == self._latest or (progress.share < 1 and now < self._next):
            return
        self._next, self._latest = now + EVERY_SECONDS, progress
        with self._lock:
            self._waiting = (progress, self._attempt())
            if self._at_work is None:
                self._at_work = beside(self._show_waiting)

    def finish(self) -> None:
        """Wait briefly until the last progress is shown."""
        with self._lock:
            at_work = self._at_work
        if at_work is not None:
            wait([at_work], LAST_UPDATE_SECONDS)

    def _show_waiting(self) -> None:
        while True:
            with self._lock:
                if self._waiting is None:
                    self._at_work = None
                    return
                (progress, attempt), self._waiting = self._waiting, None
            self._show(progress, attempt)

    def _show(self, progress: Progress, attempt: int | None) -> None:
        if attempt is not None:
            with recording(f"The progress of '{self._name}'"):
                self._run.trace.record_progress(attempt, str(progress))
        if isinstance(progress, ListProgress) and time.monotonic() < self._began + EVERY_SECONDS:
            return  # Most lists are done sooner than an artifact is created.
        share, description = 100 * progress.share, as_cell(f"{self._name}: {progress}")
        try:
            if self._artifact is None:
                new = ArtifactCreate(
                    key=self._key, type="progress", description=description, data=share, **self._run_ids
                )
                self._artifact = persistently(lambda client: client.create_artifact(new)).id
            else:
                known, update = self._artifact, ArtifactUpdate(data=share, description=description)
                persistently(lambda client: client.update_artifact(known, update))
        except httpx.HTTPError as error:
            get_run_logger().error("Prefect does not show the progress of '%s': %s", self._name, error)

"""Posts to Prefect's server what its UI is to show: beside the work, and all of it before the flow run ends.

The client that Prefect gives a flow or task run is closed with that run, so posts have a client of their own, one per
process and server. What can pass is tried again; what could not be posted is an error in the run's log, and
`finish_posting` names it.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from hugginggpt.errors import HuggingGPTError
from hugginggpt.redaction import said

TRIES_FOR = 120.0
"""Seconds for which a post is tried again, besides what Prefect's client tries by itself for about a minute."""

PAUSE = 1.0
"""Seconds between two such tries."""

AT_ONCE = 8
"""Posts that a process has under way at the same time."""

_GONE_SECONDS = 10.0
"""How long a flow run that fails or is interrupted waits for its posts."""

T = TypeVar("T")

_under_way: defaultdict[str | None, list[Future[str | None]]] = defaultdict(list)
"""The posts of each flow run of this process; each returns its name if it could not be made."""

_lock = threading.Lock()
_client_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_ONCE)


def post_artifact(
    key: str, kind: str, description: str, data: Callable[[], str], task_run_id: UUID | None = None
) -> None:
    """Post an artifact of the flow run in whose context this is called.

    Args:
        key: what it is called; lower-case letters, digits and dashes.
        kind: how the UI shows it: `markdown` or `table`.
        data: makes its content, beside the work.
        task_run_id: the task run that it belongs to; the flow run alone when left out.
    """
    flow_run_id = flow_run.get_id()

    def create() -> None:
        artifact = ArtifactCreate(
            key=key,
            type=kind,
            description=description,
            data=data(),
            flow_run_id=None if flow_run_id is None else UUID(flow_run_id),
            task_run_id=task_run_id,
        )
        persistently(lambda client: client.create_artifact(artifact))

    post(f"the artifact '{key}'", create)


def post(what: str, send: Callable[[], object]) -> None:
    """Have something sent to Prefect's server beside the work, for the flow run in whose context this is called.

    Args:
        what: what is sent, as the log and the note on the run call it.
        send: does so, with `persistently`.
    """
    sent = beside(lambda: _sent(what, send))
    with _lock:
        _under_way[flow_run.get_id()].append(sent)


def finish_posting(seconds: float | None = None) -> list[str]:
    """Wait until everything that this flow run posted is on Prefect's server; return what is not.

    Args:
        seconds: wait so long at most, when there is nothing to tell the result to.
    """
    with _lock:
        posts = _under_way.pop(flow_run.get_id(), [])
    done, late = wait(posts, seconds)
    return [what for post in done if (what := post.result()) is not None] + ["what was still on its way"] * bool(late)


@contextmanager
def all_posted() -> Iterator[None]:
    """Have what was posted in the block on Prefect's server when it ends; not for long when that is by an error."""
    try:
        yield
    except BaseException:
        finish_posting(_GONE_SECONDS)
        raise
    finish_posting()


def persistently(send: Callable[[SyncPrefectClient], T]) -> T:
    """Ask or tell Prefect's server something, again and again while a cause lasts that can pass.

    Raises:
        httpx.HTTPError: it refused, or was away for too long.
    """
    end = time.monotonic() + TRIES_FOR
    while True:
        try:
            return send(_client())
        except httpx.HTTPError as error:
            if not _can_pass(error) or time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def beside(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, in this context. It does not keep the process from ending."""
    future: Future[T] = Future()

    def do() -> None:
        try:
            with _turns:
                future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=[do], name="posting", daemon=True).start()
    return future


def _sent(what: str, send: Callable[[], object]) -> str | None:
    try:
        send()
    except (httpx.HTTPError, HuggingGPTError) as error:
        get_run_logger().error("In Prefect, %s is missing: %s", what, said(error))
        return what
    except Exception:  # A request does not fail because it cannot be shown.
        get_run_logger().exception("In Prefect, %s is missing.", what)
        return what
    return None


def _can_pass(error: httpx.HTTPError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


def _client() -> SyncPrefectClient:
    with _client_lock:
        return _client_of(PREFECT_API_URL.value())


@lru_cache(maxsize=4)
def _client_of(api_url: str | None) -> SyncPrefectClient:
    """The client for a server; None stands for the temporary one."""
    # With settings of its own, so that it is not the one of the run in whose context this is called.
    return get_client(httpx_settings={}, sync_client=True).__enter__()

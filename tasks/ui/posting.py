"""Posts to Prefect's server what its UI is to show: beside the work, and all of it before the flow run ends.

A cause that can pass is tried again; what could not be posted is an error in the run's log, and `finish_posting` names
it.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run

from hugginggpt.errors import HuggingGPTError
from hugginggpt.redaction import said
from tasks.ui.client import is_about_token, own_client

TRIES_FOR = 120.0
"""Seconds for which a post is tried again, and for which a flow run whose work is done waits for all of its posts.

The last try may take a minute more, for Prefect's client tries by itself, too: the flow run does not wait for that.
"""

PAUSE = 1.0
"""Seconds between two such tries."""

AT_ONCE = 8
"""Posts that a process has under way at the same time."""

_GONE_SECONDS = 3.0
"""How long a flow run that fails or is interrupted waits for its posts."""

T = TypeVar("T")


@dataclass
class _Posts:
    """What a flow run posts.

    Attributes:
        sent: what each is called, and whether it is on the server.
        given_up: set when the flow run no longer waits for them.
    """

    sent: list[tuple[str, Future[bool]]] = field(default_factory=list)
    given_up: threading.Event = field(default_factory=threading.Event)


_under_way: defaultdict[str | None, _Posts] = defaultdict(_Posts)
"""The posts of each flow run of this process."""

_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_ONCE)
_mine: ContextVar[_Posts | None] = ContextVar("posts", default=None)
"""Those that the post at work belongs to."""


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
    with _lock:
        posts = _under_way[flow_run.get_id()]
        posts.sent.append((what, beside(lambda: _sent(what, send, posts))))


def finish_posting(seconds: float | None = None) -> list[str]:
    """Wait until everything that this flow run posted is on Prefect's server; return what is not.

    Args:
        seconds: wait so long at most, for all of it together; `TRIES_FOR` when left out.
    """
    seconds = TRIES_FOR if seconds is None else seconds
    with _lock:
        posts = _under_way.pop(flow_run.get_id(), _Posts())
    late = wait([sent for _, sent in posts.sent], seconds).not_done
    posts.given_up.set()
    if late:
        names = ", ".join(what for what, sent in posts.sent if sent in late)
        get_run_logger().error("In Prefect, this is missing: %s. It was not there after %g seconds.", names, seconds)
    return [what for what, sent in posts.sent if sent in late or not sent.result()]


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
    given_up = posts.given_up if (posts := _mine.get()) is not None else threading.Event()
    while True:
        try:
            with own_client() as client:
                return send(client)
        except httpx.HTTPError as error:
            if not _can_pass(error) or time.monotonic() > end or given_up.wait(PAUSE):
                raise


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


def _sent(what: str, send: Callable[[], object], posts: _Posts) -> bool:
    """Whether it could be sent; if not, the log of the run says why."""
    if posts.given_up.is_set():
        return False
    _mine.set(posts)
    try:
        send()
    except (httpx.HTTPError, HuggingGPTError) as error:
        get_run_logger().error("In Prefect, %s is missing: %s", what, said(error))
        return False
    except Exception:  # A request does not fail because it cannot be shown.
        get_run_logger().exception("In Prefect, %s is missing.", what)
        return False
    return True


def _can_pass(error: httpx.HTTPError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in (408, 429) or status >= 500 or is_about_token(error)
    return isinstance(error, httpx.TransportError)

"""Sends Prefect's server what its UI shows: while the work goes on, and completely before the flow run ends.

A post is retried as long as its failure may be temporary. If it fails for good, the run's log says so, and
`finish_posting` returns its name. Posts that come while others are on their way travel together, where Prefect's
server is ours and can take them so.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid5

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL

from hugginggpt.environment import ARTIFACTS_PATH
from hugginggpt.errors import HuggingGPTError
from hugginggpt.redaction import said
from tasks.related import related_to_artifacts
from tasks.ui.client import is_about_token, own_client

TRIES_FOR = 120.0
"""Seconds for which a post is retried, and for which a finished flow run waits for its posts.

The last try may take a minute longer, because Prefect's client also retries by itself, but the run does not wait for
it.
"""

RETRY_SECONDS = 1.0
"""Seconds between two tries."""

AT_ONCE = 8
"""How many posts a process sends at the same time."""

TOGETHER = 128
"""How many posts travel together at most."""

GATHERING_SECONDS = 0.5
"""Seconds for which posts wait for others to travel with, unless they are enough, or their flow run waits for them."""

ENOUGH = 32
"""How many posts do not wait for others, so that a large plan does not leave all of its work to the end."""

_FAILED_RUN_SECONDS = 3.0
"""How long a flow run that fails or is interrupted waits for its posts."""

T = TypeVar("T")


@dataclass
class _Artifact:
    """An artifact that waits to be sent.

    Attributes:
        what: its name in the log and in the note on the run.
        make: makes it.
        id: it replaces what was posted with this id before; None if the server is to choose one.
        sent: whether it has reached the server.
    """

    what: str
    make: Callable[[], ArtifactCreate]
    id: UUID | None = None
    sent: Future[bool] = field(default_factory=Future)

    def content(self) -> dict[str, Any]:
        """It as JSON data, for a server that takes many together."""
        named = {} if self.id is None else {"id": str(self.id)}
        return self.make().model_dump(mode="json", exclude_unset=True) | named

    def send(self) -> None:
        """Send it alone, to a server that chooses the id: what was posted before stays there as an older version."""
        new = self.make()
        persistently(lambda client: client.create_artifact(new))


@dataclass
class _Change:
    """A change of a flow run that waits to be sent.

    Attributes:
        what: its name in the log and in the note on the run.
        flow_run_id: the flow run.
        changes: the new values of its fields.
        sent: whether it has reached the server.
    """

    what: str
    flow_run_id: UUID
    changes: dict[str, Any]
    sent: Future[bool] = field(default_factory=Future)

    def send(self) -> None:
        """Send it alone."""
        persistently(lambda client: client.update_flow_run(self.flow_run_id, **self.changes))


@dataclass
class _Posts:
    """The posts of a flow run.

    Attributes:
        sent: the name of each, and whether it has reached the server.
        waiting: those that have not been sent yet.
        sending: whether a thread sends them.
        wanted: set when those that wait are to be sent at once.
        ending: whether the flow run waits for its posts.
        given_up: set when the flow run no longer waits for them.
    """

    sent: list[tuple[str, Future[bool]]] = field(default_factory=list)
    waiting: list[_Artifact | _Change] = field(default_factory=list)
    sending: bool = False
    wanted: threading.Event = field(default_factory=threading.Event)
    ending: bool = False
    given_up: threading.Event = field(default_factory=threading.Event)


_under_way: defaultdict[str | None, _Posts] = defaultdict(_Posts)
"""The posts of each flow run in this process."""

_others: set[str | None] = set()
"""The URLs of Prefect servers that are not ours, which take posts one by one."""

_lock = threading.Lock()
_turns = threading.BoundedSemaphore(AT_ONCE)
_mine: ContextVar[_Posts | None] = ContextVar("posts", default=None)
"""The posts of the flow run for which this thread is sending."""


def post_artifact(
    key: str,
    kind: str,
    description: str,
    data: Callable[[], str],
    task_run_id: UUID | None = None,
    version: int | None = None,
) -> None:
    """Post an artifact of the current flow run.

    Args:
        key: its name: lower-case letters, digits and dashes.
        kind: how the UI shows it: `markdown` or `table`.
        data: makes its content, in the thread that posts it.
        task_run_id: the task run that it belongs to; if omitted, only the flow run.
        version: it replaces the artifact that this flow run has posted with the same key and version, if there is one;
            if omitted, it replaces none.
    """
    flow_run_id = flow_run.get_id()
    id = None if flow_run_id is None or version is None else uuid5(UUID(flow_run_id), f"{key} {version}")

    def make() -> ArtifactCreate:
        return ArtifactCreate(
            key=key,
            type=kind,
            description=description,
            data=data(),
            flow_run_id=None if flow_run_id is None else UUID(flow_run_id),
            task_run_id=task_run_id,
        )

    _post(_Artifact(f"the artifact '{key}'", make, id))


def post_change(what: str, **changes: Any) -> None:
    """Change the current flow run in Prefect.

    Args:
        what: the name of the change in the log and in the note on the run.
        changes: the new values of fields: `name` or `tags`.
    """
    flow_run_id = flow_run.get_id()
    if flow_run_id is not None:
        _post(_Change(what, UUID(flow_run_id), changes))


def _post(one: _Artifact | _Change) -> None:
    with _lock:
        posts = _under_way[flow_run.get_id()]
        if isinstance(one, _Artifact) and one.id is not None:
            for other in posts.waiting:
                if isinstance(other, _Artifact) and other.id == one.id:
                    other.make = one.make
                    return
        posts.sent.append((one.what, one.sent))
        posts.waiting.append(one)
        if len(posts.waiting) >= ENOUGH:
            posts.wanted.set()
        if not posts.sending:
            posts.sending = True
            beside(lambda: _send_waiting(posts))


def post_now() -> None:
    """Send what this flow run has posted so far without waiting for more to send with it."""
    with _lock:
        if (posts := _under_way.get(flow_run.get_id())) is not None and posts.waiting:
            posts.wanted.set()


def finish_posting(seconds: float | None = None) -> list[str]:
    """Wait until Prefect's server has everything that this flow run posted; return the names of what is missing.

    Args:
        seconds: the longest wait in all; by default `TRIES_FOR`.
    """
    seconds = TRIES_FOR if seconds is None else seconds
    with _lock:
        posts = _under_way.pop(flow_run.get_id(), _Posts())
        posts.ending = True
        posts.wanted.set()
    late = wait([sent for _, sent in posts.sent], seconds).not_done
    posts.given_up.set()
    if late:
        names = ", ".join(what for what, sent in posts.sent if sent in late)
        get_run_logger().error("Still missing in Prefect after %g seconds: %s.", seconds, names)
    return [what for what, sent in posts.sent if sent in late or not sent.result()]


@contextmanager
def all_posted() -> Iterator[None]:
    """At the end of the block, wait for its posts, but only for a moment if the block raised an error."""
    try:
        yield
    except BaseException:
        finish_posting(_FAILED_RUN_SECONDS)
        raise
    finish_posting()


def persistently(send: Callable[[SyncPrefectClient], T]) -> T:
    """Call Prefect's server; retry as long as a failure may be temporary.

    Raises:
        httpx.HTTPError: the server refused, or was away for too long.
    """
    end = time.monotonic() + TRIES_FOR
    given_up = posts.given_up if (posts := _mine.get()) is not None else threading.Event()
    while True:
        try:
            with own_client() as client:
                return send(client)
        except httpx.HTTPError as error:
            if not _can_pass(error) or time.monotonic() > end or given_up.wait(RETRY_SECONDS):
                raise


def beside(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, in this context. The thread does not keep the process from ending."""
    future: Future[T] = Future()

    def do() -> None:
        try:
            with _turns:
                future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=[do], name="posting", daemon=True).start()
    return future


def _send_waiting(posts: _Posts) -> None:
    """Send the posts of a flow run until none waits."""
    while True:
        posts.wanted.wait(GATHERING_SECONDS)
        with _lock:
            batch, posts.waiting = posts.waiting[:TOGETHER], posts.waiting[TOGETHER:]
            if not posts.ending and len(posts.waiting) < ENOUGH:
                posts.wanted.clear()
            if not batch:
                posts.sending = False
                return
        alone = posts.given_up.is_set() or PREFECT_API_URL.value() in _others
        if alone or not _sent_together(batch, posts):
            for one in batch:
                _send_alone(one, posts)


def _sent_together(batch: Sequence[_Artifact | _Change], posts: _Posts) -> bool:
    """Send posts in one request; return False if each has to be sent alone."""
    _mine.set(posts)
    try:
        artifacts = [one for one in batch if isinstance(one, _Artifact)]
        body: dict[str, Any] = {
            "artifacts": [one.content() for one in artifacts],
            "related": [one.model_dump() for one in related_to_artifacts()],
        }
        for one in batch:
            if isinstance(one, _Change):
                body |= {"flow_run_id": str(one.flow_run_id), "changes": body.get("changes", {}) | one.changes}
        persistently(lambda client: client.request("POST", ARTIFACTS_PATH, json=body))  # type: ignore[arg-type]
    except httpx.HTTPStatusError as error:
        if error.response.status_code in (404, 405):
            _others.add(PREFECT_API_URL.value())
        return False
    except Exception:
        # Which of them failed, and why, shows when each is sent alone.
        return False
    for one in batch:
        one.sent.set_result(True)
    return True


def _send_alone(one: _Artifact | _Change, posts: _Posts) -> None:
    beside(lambda: one.sent.set_result(_sent(one.what, one.send, posts)))


def _sent(what: str, send: Callable[[], object], posts: _Posts) -> bool:
    """Send a post; return whether that worked. If not, the log of the run says why."""
    if posts.given_up.is_set():
        return False
    _mine.set(posts)
    try:
        send()
    except (httpx.HTTPError, HuggingGPTError) as error:
        get_run_logger().error("Prefect does not show %s: %s", what, said(error))
        return False
    except Exception:  # A request does not fail because Prefect cannot show it.
        get_run_logger().exception("Prefect does not show %s.", what)
        return False
    return True


def _can_pass(error: httpx.HTTPError) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in (408, 429) or status >= 500 or is_about_token(error)
    return isinstance(error, httpx.TransportError)

"""The work of the service. Each function runs in a fork of its own, tells the service through a pipe, and ends.

The service itself imports neither Prefect nor anything that reads media, so no request can take it down.
"""

import http.client
import json
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from apps.http.events import Failed
from hugginggpt.errors import HuggingGPTError, OrchestratorUnavailableError, UnexpectedError
from hugginggpt.holder import holder_name
from hugginggpt.origin import Door, Origin

if TYPE_CHECKING:
    from hugginggpt.roots import Readable
    from hugginggpt.settings import Settings
    from hugginggpt.submission import Submission

logger = logging.getLogger(__name__)

_MOST_KIND = 60
_HEALTH_SECONDS = 60.0
"""How long a busy server may take to say that it is there."""


@dataclass(frozen=True)
class Outbox:
    """The fork's end of the pipe."""

    connection: Connection

    def tell(self, name: str, content: object) -> None:
        """Tell the service something. If the service is gone, nobody needs to know."""
        try:
            self.connection.send_bytes(json.dumps([name, content]).encode())
        except OSError:
            logger.warning("The service is gone; this process goes on without it.")


@dataclass(frozen=True)
class Sender:
    """Where a request comes from.

    Attributes:
        uploads: the folders of the files that came with it.
    """

    origin: Origin
    uploads: tuple[str, ...] = ()

    def readable(self, settings: "Settings") -> "Readable | None":
        """What the paths among its files may lead to; None for anything."""
        from hugginggpt.roots import Readable

        if self.origin.door is Door.COMMAND_LINE:
            return None
        return Readable(settings.file_roots, [*map(Path, self.uploads)])


def answer(connection: Connection, asked: dict[str, Any], sent: Sender) -> None:
    """Answer a request here, or resume it. Tells `taken` when it has begun, and `done` when everything is shown.

    A request of the command line is resumed by its user if this process dies; any other is in line from the beginning.

    Args:
        connection: where to tell it.
        asked: the request, as JSON data of a `Submission` with an id.
        sent: where it comes from.
    """
    with _telling(connection, asked["id"]) as outbox:
        from apps import answering
        from hugginggpt.request import RequestOptions
        from hugginggpt.submission import Submission
        from hugginggpt.trace.sameness import SHOWN_CHARS

        submission = Submission.model_validate(asked)
        options = RequestOptions(**submission.options)
        text, files, conversation = submission.request, submission.files, submission.conversation
        if sent.origin.door is Door.COMMAND_LINE:
            answering.accept_new(asked["id"], text, files, options)
            answering.check_length(text, files, options)
            _check_server()
        else:
            _check_server()
            _put_in_line(submission, sent)
            text, files, conversation, options = text[:SHOWN_CHARS], (), None, RequestOptions()
        outbox.tell("taken", None)
        answering.answer(asked["id"], text, files, conversation, options)


def _put_in_line(submission: "Submission", sent: Sender) -> None:
    """Put a request in line unless it is known, for this process to answer it."""
    from hugginggpt.acceptance import accept
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.submission import asked_request
    from hugginggpt.trace.queue import OPENING_SECONDS

    settings, trace = get_settings(), get_trace()
    assert submission.id is not None
    if trace.requests.knows(submission.id):
        return
    readable = sent.readable(settings)
    files = submission.files
    accepted = accept(submission.request, files, submission, settings=settings, store=get_store(), readable=readable)
    asked = asked_request(submission, submission.id, accepted, sent.origin)
    trace.queue.put(asked, holder=holder_name(), seconds=OPENING_SECONDS)


def submit(connection: Connection, asked: dict[str, Any], sent: Sender, later: bool) -> None:
    """Put a request in line, and have the deployment answer it unless that is for later. Tells `taken`."""
    with _telling(connection, asked["id"]) as outbox:
        from flows.queue import start_run
        from hugginggpt.services import get_store, get_trace
        from hugginggpt.settings import get_settings
        from hugginggpt.submission import Submission, submit

        def start(request_id: str, text: str) -> str:
            return str(start_run(request_id, text).id)

        if not later:
            _check_server()
        submission = Submission.model_validate(asked)
        submitted = submit(
            submission,
            get_settings(),
            get_store(),
            get_trace(),
            start=None if later else start,
            origin=sent.origin,
            readable=sent.readable(get_settings()),
        )
        outbox.tell("taken", {**asdict(submitted), "lives": 0})


def plan(connection: Connection, text: str, files: list[str], sent: Sender) -> None:
    """Plan a request without running it. Tells `plan`."""
    with _telling(connection) as outbox:
        from apps.http.standing import planned
        from hugginggpt.preview import preview
        from hugginggpt.settings import get_settings

        outbox.tell("plan", planned(preview(text, files, sent.readable(get_settings()))))


def store(connection: Connection, paths: list[str], sent: Sender) -> None:
    """Check files that were sent, and put them into the store. Tells `stored`."""
    with _telling(connection) as outbox:
        from hugginggpt.resources import artifact_reference, load_resources
        from hugginggpt.services import get_store
        from hugginggpt.settings import get_settings

        settings = get_settings()
        resources = load_resources(paths, settings, get_store(), readable=sent.readable(settings))
        outbox.tell(
            "stored",
            [
                {
                    "name": resource.name,
                    "reference": artifact_reference(resource),
                    "notes": list(resource.notes),
                    **resource.artifact.model_dump(mode="json", include={"sha256", "type", "mime", "bytes"}),
                }
                for resource in resources
            ],
        )


def models(connection: Connection, kind: str) -> None:
    """Look up the candidate models for a kind of task. Tells `models`."""
    with _telling(connection) as outbox:
        from hugginggpt.capabilities import close_kind, find_kind
        from hugginggpt.catalog.listing import candidate_data
        from hugginggpt.errors import UsageError
        from hugginggpt.services import get_catalog
        from hugginggpt.text import one_line

        known = find_kind(kind)
        if known is None:
            close = close_kind(kind[:_MOST_KIND])
            hint = f"did you mean {close}?" if close else "`/api/v1/kinds` lists the kinds."
            raise UsageError(f"'{one_line(kind, _MOST_KIND)}' is not a kind of task: {hint}")
        outbox.tell(
            "models", [candidate_data(candidate) for candidate in get_catalog().candidates(known, ask_hub=True)]
        )


def kinds(connection: Connection) -> None:
    """Look which kinds of task there are, and what runs them here. Tells `kinds`."""
    with _telling(connection) as outbox:
        from hugginggpt.catalog.kinds import supported_kinds
        from hugginggpt.catalog.listing import kind_data

        outbox.tell("kinds", [kind_data(row) for row in supported_kinds()])


def status(connection: Connection) -> None:
    """Look what runs where. Tells `status`."""
    with _telling(connection) as outbox:
        from apps.up.status import as_data, status
        from hugginggpt.settings import get_settings

        found = status(get_settings())
        outbox.tell("status", {"status": as_data(found), "whole": found.is_whole})


@contextmanager
def _telling(connection: Connection, request_id: str | None = None) -> Iterator[Outbox]:
    """Tell `done`, or `failed` with the reason, at the end of the block."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _unwind)
    outbox = Outbox(connection)

    def fail(error: HuggingGPTError) -> None:
        from apps.answering import is_begun

        begun = request_id is not None and is_begun(request_id)
        outbox.tell("failed", Failed(type=type(error).__name__, message=error.message, begun=begun))

    try:
        yield outbox
    except (KeyboardInterrupt, SystemExit):
        fail(HuggingGPTError("The process that worked on it was stopped."))
    except HuggingGPTError as error:
        fail(error)
    except Exception as error:
        from hugginggpt.redaction import said

        logger.exception("A job of the service failed.")
        what = f"{type(error).__name__}: {said(error)}"
        fail(UnexpectedError(f"Something unexpected happened: {what}. See the traceback in the service's log."))
    else:
        outbox.tell("done", None)


def _unwind(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


def _check_server() -> None:
    """Raise if Prefect's server, which is on this machine, cannot be used; nothing is stored then.

    Prefect's own client takes several times as long to make.
    """
    url = os.environ["PREFECT_API_URL"]
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_HEALTH_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/health")
        answer = connection.getresponse()
        reason = "" if answer.status == 200 else f"HTTP {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        reason = type(error).__name__
    finally:
        connection.close()
    if reason:
        raise OrchestratorUnavailableError(
            f"The Prefect server at {url} cannot be used ({reason}): see its log, or start everything again with "
            "`hugginggpt down` and `hugginggpt up`."
        )

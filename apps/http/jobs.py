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
from types import FrameType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from apps.http.events import Failed
from hugginggpt.errors import HuggingGPTError, UnexpectedError

logger = logging.getLogger(__name__)

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


def answer(connection: Connection, asked: dict[str, Any]) -> None:
    """Answer a request here, or resume it. Tells `taken` when it has begun, and `done` when everything is shown.

    Args:
        connection: where to tell it.
        asked: the request, as JSON data of a `Submission` with an id.
    """
    with _telling(connection, asked["id"]) as outbox:
        from apps import answering
        from hugginggpt.request import RequestOptions
        from hugginggpt.submission import Submission

        submission = Submission.model_validate(asked)
        options = RequestOptions(**submission.options)
        answering.accept_new(asked["id"], submission.request, submission.files, options)
        answering.check_length(submission.request, submission.files, options)
        _check_server()
        outbox.tell("taken", None)
        answering.answer(asked["id"], submission.request, submission.files, submission.conversation, options)


def submit(connection: Connection, asked: dict[str, Any], later: bool) -> None:
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
        submitted = submit(submission, get_settings(), get_store(), get_trace(), start=None if later else start)
        outbox.tell("taken", {**asdict(submitted), "lives": 0})


def plan(connection: Connection, text: str, files: list[str]) -> None:
    """Plan a request without running it. Tells `plan`."""
    with _telling(connection) as outbox:
        from apps.http.standing import planned
        from hugginggpt.preview import preview

        outbox.tell("plan", planned(preview(text, files)))


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
        raise HuggingGPTError(
            f"The Prefect server at {url} cannot be used ({reason}): see its log, or start everything again with "
            "`hugginggpt down` and `hugginggpt up`."
        )

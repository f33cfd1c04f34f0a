"""The work of the service. Each function runs in a fork of its own, tells the service through a pipe, and ends.

The service itself imports neither Prefect nor anything that reads media, so no request can take it down.
"""

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

from apps.http.events import Failed
from hugginggpt.errors import DatabaseUnavailableError, HuggingGPTError, TraceError, UnexpectedError, UsageError

logger = logging.getLogger(__name__)

_ENVELOPE = 1024
"""Bytes of a flow run's parameters besides the user's."""


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
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

        from flows.answer import answer_request
        from hugginggpt.acceptance import accept, keep_accepted
        from hugginggpt.request import RequestOptions
        from hugginggpt.services import get_store, get_trace
        from hugginggpt.settings import get_settings
        from hugginggpt.submission import Submission

        submission = Submission.model_validate(asked)
        assert submission.id is not None
        options = RequestOptions(**submission.options)
        trace = get_trace()
        if not trace.requests.knows(submission.id):
            accepted = accept(submission.request, submission.files, options, settings=get_settings(), store=get_store())
            keep_accepted(submission.id, accepted)
        _check_server()
        _check_length(submission, get_current_settings().server.api.max_parameter_size)
        outbox.tell("taken", None)
        # Nobody looks for the heartbeats of a run that has a client, and stopping them takes a second.
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            state = answer_request(
                submission.request,
                files=list(submission.files),
                conversation_id=submission.conversation,
                options=options,
                request_id=submission.id,
                return_state=True,
            )
        story = trace.requests.get(submission.id) if _is_begun(submission.id) else None
        if story is None or story.finished_at is None:
            state.result()
            raise HuggingGPTError(f"The flow run ended as {state.name}, but in the trace the request has not ended.")


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
        begun = request_id is not None and _is_begun(request_id)
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
    """Raise if Prefect's server cannot be used, before anything is stored."""
    from prefect.client.orchestration import get_client

    from hugginggpt.redaction import said

    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is not None:
        raise HuggingGPTError(
            f"The Prefect server at {os.environ['PREFECT_API_URL']} cannot be used ({said(error)}): see its log, or "
            "start everything again with `hugginggpt down` and `hugginggpt up`."
        )


def _check_length(submission: Any, most: int) -> None:
    given = [submission.request, list(submission.files), submission.options]
    if len(json.dumps(given)) > most - _ENVELOPE:
        raise UsageError(
            f"The request and its plan exceed the {most} bytes that a flow run can carry: "
            "put long texts and data URIs into files, and pass those with --file."
        )


def _is_begun(request_id: str) -> bool:
    """Whether there is something to resume. If the database was lost meanwhile, we assume so."""
    from hugginggpt.services import get_trace

    try:
        return get_trace().requests.knows(request_id)
    except DatabaseUnavailableError:
        return True
    except TraceError:
        return False

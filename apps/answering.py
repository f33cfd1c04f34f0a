"""Answer a request in this process: the command's own, or a fork of the service."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hugginggpt.errors import DatabaseUnavailableError, HuggingGPTError, TraceError, UsageError
from hugginggpt.origin import Door, Origin
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import get_settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from hugginggpt.request import RequestOptions
    from hugginggpt.trace.story import RequestTrace

COMMAND_LINE = Origin(Door.COMMAND_LINE)

_ENVELOPE = 1024
"""Bytes of a flow run's parameters besides the user's."""


def accept_new(
    request_id: str, text: str, files: Sequence[str], options: "RequestOptions", origin: Origin = COMMAND_LINE
) -> None:
    """Check a request and store its files, unless it is in the trace already.

    Raises:
        UsageError: the request or one of its files cannot be accepted; there is neither a run nor a trace of it.
    """
    from hugginggpt.acceptance import accept, keep_accepted

    if not get_trace().requests.knows(request_id):
        accepted = accept(text, files, options, settings=get_settings(), store=get_store())
        keep_accepted(request_id, accepted, origin)


def check_length(text: str, files: Sequence[str], options: "RequestOptions") -> None:
    """Raise a UsageError if a flow run cannot carry the request."""
    from prefect.settings import get_current_settings

    most = get_current_settings().server.api.max_parameter_size
    if len(json.dumps([text, list(files), options.model_dump(mode="json")])) > most - _ENVELOPE:
        raise UsageError(
            f"The request and its plan exceed the {most} bytes that a flow run can carry: "
            "put long texts and data URIs into files, and pass those with --file."
        )


def answer(
    request_id: str, text: str, files: Sequence[str], conversation_id: str | None, options: "RequestOptions"
) -> "RequestTrace":
    """Run the flow that answers a request, or resumes it; return the request, which has ended.

    Raises:
        HuggingGPTError: the request could not be finished.
    """
    from flows.answer import answer_request

    state: State[Any] = answer_request(
        text,
        files=list(files),
        conversation_id=conversation_id,
        options=options,
        request_id=request_id,
        return_state=True,
    )
    story = get_trace().requests.get(request_id) if is_begun(request_id) else None
    if story is None or story.status in (RequestStatus.RUNNING, RequestStatus.DIED):
        state.result()
        raise HuggingGPTError(f"The flow run ended as {state.name}, but in the trace the request has not ended.")
    return story


def is_begun(request_id: str) -> bool:
    """Whether there is something to resume. If the database was lost meanwhile, we assume so."""
    try:
        return get_trace().requests.knows(request_id)
    except DatabaseUnavailableError:
        return True
    except TraceError:
        return False

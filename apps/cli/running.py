"""Run the flow in this process and show how it goes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from apps.cli import prefect_server
from apps.cli.exits import INTERRUPTED, TERMINATED, began, complain, unwind_on_sigterm, verbose
from apps.cli.text import short

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from hugginggpt.request import RequestOptions
    from hugginggpt.trace.story import RequestTrace

_ENVELOPE = 1024
"""Bytes of a flow run's parameters besides the user's own."""


@dataclass(frozen=True)
class Finished:
    """A request that ended, and where more is to be seen of it."""

    story: "RequestTrace"
    further: str


def run(
    text: str,
    *,
    request_id: str,
    files: Sequence[str] = (),
    conversation_id: str | None = None,
    options: "RequestOptions | None" = None,
) -> Finished:
    """Answer a request, or resume the one of that id.

    Raises:
        UsageError: the request, or a file of it, cannot be accepted: then there is neither a run nor a row of it.
        HuggingGPTError: it could not be begun, or not be brought to an end.
        click.exceptions.Exit: it was interrupted.
    """
    from hugginggpt.acceptance import accept, keep_accepted
    from hugginggpt.errors import HuggingGPTError
    from hugginggpt.request import RequestOptions
    from hugginggpt.results import RequestStatus
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings

    trace = get_trace()  # first of all: without a trace nothing is begun
    options = options or RequestOptions()
    if not trace.requests.knows(request_id):
        accepted = accept(text, files, options, settings=get_settings(), store=get_store())
        keep_accepted(request_id, accepted)
    server = prefect_server.usable()
    if server is None:
        if get_settings().task_runner == "dask":
            from tasks.runner import check_server

            check_server()
        from flows.server import begin_temporary

        begin_temporary()  # it takes its time, in which everything else is imported

    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

    from apps.cli.progress import watching
    from flows.answer import answer_request

    _check_length(text, files, options, get_current_settings().server.api.max_parameter_size)
    unwind_on_sigterm()
    try:
        # Nobody waits for the heartbeat of a run in the foreground, and stopping it takes a second.
        with (
            watching(trace, request_id, plain=verbose(), ephemeral=server is None, since=began()),
            temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        ):
            state: State[Any] = answer_request(
                text,
                files=list(files),
                conversation_id=conversation_id,
                options=options,
                request_id=request_id,
                return_state=True,
            )
        story = trace.requests.get(request_id) if _is_begun(request_id) else None
        if story is None or story.status in (RequestStatus.RUNNING, RequestStatus.DIED):
            state.result()
            raise HuggingGPTError(f"The flow run ended as {state.name} without an end of the request in the trace.")
    except (KeyboardInterrupt, SystemExit) as ending:
        kept = f"What had finished is kept; `hugginggpt resume {short(request_id)}` goes on."
        complain(f"Interrupted. {kept}" if _is_begun(request_id) else "Interrupted before the request was begun.")
        raise click.exceptions.Exit(TERMINATED if isinstance(ending, SystemExit) else INTERRUPTED) from None
    except Exception:
        if _is_begun(request_id):
            click.echo(f"What had finished is kept; `hugginggpt resume {short(request_id)}` goes on.", err=True)
        raise
    url = prefect_server.run_url(story.flow_run_id) if story.flow_run_id and server is not None else None
    return Finished(story, further=f"In Prefect: {url}" if url else prefect_server.LASTING_SERVER)


def _check_length(text: str, files: Sequence[str], options: "RequestOptions", most: int) -> None:
    from hugginggpt.errors import UsageError

    if len(json.dumps([text, list(files), options.model_dump(mode="json")])) > most - _ENVELOPE:
        raise UsageError(
            f"The request and its plan are longer than the {most} bytes that a flow run may take: "
            "put long texts and data URIs into files, and give those with --file."
        )


def _is_begun(request_id: str) -> bool:
    """Whether there is something to resume; so it seems when the database was lost on the way."""
    from hugginggpt.errors import DatabaseUnavailableError, TraceError
    from hugginggpt.services import get_trace

    try:
        get_trace().requests.get(request_id)
    except DatabaseUnavailableError:
        return True
    except TraceError:
        return False
    return True

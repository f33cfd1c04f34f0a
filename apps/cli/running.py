"""Run the flow in this process and show its progress."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from apps.cli import prefect_server
from apps.cli.exits import INTERRUPTED, TERMINATED, began, complain, unwind_on_sigterm, verbose
from apps.cli.text import short

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from hugginggpt.request import RequestOptions
    from hugginggpt.trace.story import RequestTrace

_OF_A_RUN = ("fastapi.encoders", "PIL.Image", "prefect.concurrency.sync", "prefect.flow_engine", "prefect.task_engine")
"""What is otherwise imported when a flow runs."""

_ENVELOPE = 1024
"""Bytes of a flow run's parameters besides the user's."""


@dataclass(frozen=True)
class Finished:
    """A request that has ended, and a line on how to find out more."""

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
    """Answer a request, or resume the request with that id.

    Raises:
        UsageError: the request or one of its files cannot be accepted; there is neither a run nor a trace of it.
        HuggingGPTError: the request could not be started or finished.
        click.exceptions.Exit: the command was interrupted.
    """
    from hugginggpt.acceptance import accept, keep_accepted
    from hugginggpt.errors import HuggingGPTError
    from hugginggpt.request import RequestOptions
    from hugginggpt.results import RequestStatus
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings

    prefect_server.begin()
    trace = get_trace()  # nothing runs without a trace
    options = options or RequestOptions()
    if not trace.requests.knows(request_id):
        accepted = accept(text, files, options, settings=get_settings(), store=get_store())
        keep_accepted(request_id, accepted)
    server = prefect_server.usable()
    if server is None:
        from flows.server import begin_temporary

        begin_temporary()  # starts while everything else is imported

    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

    from apps.cli.progress import watching
    from flows.answer import answer_request

    if server is None:
        _import_the_rest()
    _check_length(text, files, options, get_current_settings().server.api.max_parameter_size)
    unwind_on_sigterm()
    try:
        # A foreground run needs no heartbeat, and stopping it takes a second.
        with (
            watching(trace, request_id, plain=verbose(), since=began(), ephemeral=server is None),
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
            raise HuggingGPTError(f"The flow run ended as {state.name}, but in the trace the request has not ended.")
    except (KeyboardInterrupt, SystemExit) as ending:
        kept = _kept(request_id)
        complain(f"Interrupted. {kept}" if kept else "Interrupted before the request started.")
        raise click.exceptions.Exit(TERMINATED if isinstance(ending, SystemExit) else INTERRUPTED) from None
    except Exception:
        if kept := _kept(request_id):
            click.echo(kept, err=True)
        raise
    url = prefect_server.run_url(story.flow_run_id) if story.flow_run_id and server is not None else None
    return Finished(story, further=f"In Prefect: {url}" if url else prefect_server.LASTING_SERVER)


def _import_the_rest() -> None:
    """Import what the flow run would import, while its server comes up anyway."""
    from hugginggpt.experts.registry import experts
    from hugginggpt.services import get_catalog

    for module in _OF_A_RUN:
        import_module(module)
    experts()
    get_catalog()


def _check_length(text: str, files: Sequence[str], options: "RequestOptions", most: int) -> None:
    from hugginggpt.errors import UsageError

    if len(json.dumps([text, list(files), options.model_dump(mode="json")])) > most - _ENVELOPE:
        raise UsageError(
            f"The request and its plan exceed the {most} bytes that a flow run can carry: "
            "put long texts and data URIs into files, and pass those with --file."
        )


def _kept(request_id: str) -> str:
    """A line on how to resume the request; empty if it has not started."""
    kept = f"Finished results are kept: `hugginggpt resume {short(request_id)}` continues."
    return kept if _is_begun(request_id) else ""


def _is_begun(request_id: str) -> bool:
    """Whether there is something to resume. If the database was lost meanwhile, we assume so."""
    from hugginggpt.errors import DatabaseUnavailableError, TraceError
    from hugginggpt.services import get_trace

    try:
        get_trace().requests.get(request_id)
    except DatabaseUnavailableError:
        return True
    except TraceError:
        return False
    return True

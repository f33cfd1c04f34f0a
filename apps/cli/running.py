"""Run the flow in this process and show its progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import click

from apps.cli import prefect_server
from apps.cli.exits import INTERRUPTED, TERMINATED, began, complain, kept, unwind_on_sigterm, verbose

if TYPE_CHECKING:
    from hugginggpt.request import RequestOptions
    from hugginggpt.trace.story import RequestTrace

_OF_A_RUN = ("fastapi.encoders", "PIL.Image", "prefect.concurrency.sync", "prefect.flow_engine", "prefect.task_engine")
"""What is otherwise imported when a flow runs."""


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
    from apps.answering import accept_new, answer, check_length
    from hugginggpt.request import RequestOptions
    from hugginggpt.services import get_trace

    prefect_server.begin()
    trace = get_trace()  # nothing runs without a trace
    options = options or RequestOptions()
    accept_new(request_id, text, files, options)
    server = prefect_server.usable()
    if server is None:
        from flows.server import begin_temporary

        begin_temporary()  # starts while everything else is imported

    from apps.cli.progress import watching

    if server is None:
        _import_the_rest()
    check_length(text, files, options)
    unwind_on_sigterm()
    try:
        with watching(trace, request_id, plain=verbose(), since=began(), ephemeral=server is None):
            story = answer(request_id, text, files, conversation_id, options)
    except (KeyboardInterrupt, SystemExit) as ending:
        left = _kept(request_id)
        complain(f"Interrupted. {left}" if left else "Interrupted before the request started.")
        raise click.exceptions.Exit(TERMINATED if isinstance(ending, SystemExit) else INTERRUPTED) from None
    except Exception:
        if left := _kept(request_id):
            click.echo(left, err=True)
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


def _kept(request_id: str) -> str:
    """A line on how to resume the request; empty if it has not started."""
    from apps.answering import is_begun

    return kept(request_id) if is_begun(request_id) else ""

"""`ask`: answer a request."""

import uuid
from typing import TYPE_CHECKING, Any

import click

from apps.cli import prefect_server
from apps.cli.exits import verbose_option
from apps.cli.options import Output, output_options
from apps.cli.request import GivenRequest, read_request, request_options

if TYPE_CHECKING:
    from apps.http.client import Service

EXAMPLES = """\b
Examples:
  hugginggpt ask "What is the total? Say it aloud." --file invoice.png --out .
  hugginggpt ask "Who has to pay?" --continue
  hugginggpt ask "Read it" --file scan.png --plan plan.json --json
"""


@click.command(epilog=EXAMPLES, short_help="Answer a request in plain language.")
@click.argument("request")
@request_options
@click.option("--continue", "go_on", is_flag=True, help="Continue the latest conversation.")
@output_options("Copy the answer's files here.", "Print one JSON object, and nothing else, on stdout.")
@verbose_option
def ask(request: str, given: GivenRequest, go_on: bool, output: Output) -> int:
    """Answer REQUEST, written in plain language; - reads it from stdin.

    Progress goes to stderr; the answer and the paths of its files go to stdout. With --schema, nothing but JSON that
    keeps to the schema goes to stdout: where there is none, stdout stays empty and the exit code is not 0.
    """
    if go_on and given.conversation is not None:
        raise click.UsageError("Pass either --continue or --conversation.")
    given.check_stdin(request)
    from apps.cli.through_service import answer, service

    sources = given.sources
    found = service(sources)
    if found is None:
        prefect_server.begin()
    text, options = read_request(request), given.options()

    from apps.cli.answer import make_folder, present

    if output.out is not None:
        make_folder(output.out)
    asked: dict[str, Any] = {"id": uuid.uuid4().hex, "request": text, "files": sources, **options}
    conversation = _conversation(found, given.conversation, go_on)
    if found is not None:
        ended = answer(found, asked | {"conversation": conversation})
        if ended is not None:
            return present(ended, output)
    from apps.cli.answer import ended_request
    from apps.cli.running import run
    from hugginggpt.request import RequestOptions

    finished = run(
        text,
        files=asked["files"],
        conversation_id=conversation,
        options=RequestOptions(**options),
        request_id=asked["id"],
    )
    return present(ended_request(finished.story), output, further=finished.further)


def _conversation(service: "Service | None", name: str | None, go_on: bool) -> str | None:
    """The whole id of the conversation to continue; None to begin one."""
    if name is None and not go_on:
        return None
    from apps.cli.through_service import conversation

    found = conversation(service, name)
    if found is None:
        raise click.UsageError("There is no conversation to continue: ask without --continue first.")
    return found

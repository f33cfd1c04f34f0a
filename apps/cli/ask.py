"""`ask`: answer a request."""

import uuid

import click

from apps.cli import prefect_server
from apps.cli.exits import verbose_option
from apps.cli.options import Output, output_options
from apps.cli.request import GivenRequest, read_request, request_options

EXAMPLES = """\b
Examples:
  hugginggpt ask "What is the total? Say it aloud." --file invoice.png --out .
  hugginggpt ask "And in French?" --continue
  hugginggpt ask "Read it" --file scan.png --plan plan.json --json
"""


@click.command(epilog=EXAMPLES)
@click.argument("request")
@request_options
@click.option("--continue", "go_on", is_flag=True, help="Continue the latest conversation.")
@output_options("Copy the answer's files here.", "Print one JSON object, and nothing else, on stdout.")
@verbose_option
def ask(request: str, given: GivenRequest, go_on: bool, output: Output) -> int:
    """Answer REQUEST, written in plain language; - reads it from stdin.

    Progress goes to stderr; the answer and the paths of its files go to stdout.
    """
    if go_on and given.conversation is not None:
        raise click.UsageError("Pass either --continue or --conversation.")
    if request == "-" and given.plan_file is not None and given.plan_file.name == "<stdin>":
        raise click.UsageError("Only one of the request and the plan can come from stdin.")
    prefect_server.begin()
    text, options = read_request(request), given.options()

    from apps.cli.answer import make_folder, present
    from apps.cli.running import run
    from hugginggpt.services import get_trace

    if output.out is not None:
        make_folder(output.out)
    conversation = given.conversation_id()
    if go_on:
        conversation = get_trace().requests.latest_conversation()
        if conversation is None:
            raise click.UsageError("There is no conversation to continue: ask without --continue first.")
    finished = run(
        text, files=given.sources, conversation_id=conversation, options=options, request_id=uuid.uuid4().hex
    )
    return present(finished.story, output, further=finished.further)

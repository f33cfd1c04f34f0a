"""`trace`: show what happened."""

import json
import os
from pathlib import Path

import click

from apps.cli.exits import verbose_option
from apps.cli.options import WholeNumber
from apps.cli.text import printable
from hugginggpt.text import terminal_json


@click.group()
def trace() -> None:
    """Show who did what, when, for how long, with which model and why.

    Any unique beginning of a request's or conversation's ID will do.
    """


@trace.command("list")
@click.option(
    "--limit", metavar="N", type=WholeNumber(min=1), default=20, show_default=True, help="List at most N requests."
)
@click.option("--conversation", metavar="ID", help="List only requests of this conversation.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def list_requests(limit: int, conversation: str | None, as_json: bool) -> None:
    """List the latest requests, newest first."""
    from hugginggpt.services import get_trace

    if conversation is not None:
        conversation = get_trace().requests.conversation(conversation)
    requests = get_trace().requests.latest(limit, conversation)
    if as_json:
        listed = [request.model_dump(mode="json") for request in requests]
        click.echo(terminal_json(json.dumps(listed, indent=2, ensure_ascii=False)))
        return
    if not requests:
        click.echo("There are no requests.", err=True)
        return
    from rich.console import Console

    from apps.cli.tree import request_lines

    console = Console()
    # A pipe has no width.
    is_bounded = console.is_terminal or "COLUMNS" in os.environ
    for line in request_lines(requests, console.width if is_bounded else None):
        console.print(line, soft_wrap=True)


@trace.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON object that `ask --json` prints.")
@verbose_option
def show(id: str, as_json: bool) -> None:
    """Show everything that happened for request ID as a tree, and where its files are."""
    from rich.console import Console

    from apps.cli.answer import stored_paths
    from apps.cli.tree import request_tree
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.trace.report import report

    story = get_trace().requests.get(id)
    if as_json:
        click.echo(terminal_json(report(story, stored_paths(story)).model_dump_json(indent=2)))
        return
    Console().print(request_tree(story))
    for file in story.files:
        # Not in the tree, which would wrap addresses, so they could not be copied.
        click.echo(f"task {file.task_id} made {printable(get_store().address(file.artifact))}")


@trace.command()
@click.argument("id")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this file.",
)
@verbose_option
def export(id: str, out: Path | None) -> None:
    """Print everything that is known about request ID as one JSON object."""
    from hugginggpt.errors import UsageError
    from hugginggpt.redaction import said
    from hugginggpt.services import get_trace

    content = get_trace().requests.get(id).model_dump_json(indent=2)
    if out is None:
        click.echo(terminal_json(content))
        return
    try:
        out.write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The file {out} cannot be written ({said(error)}): choose another with --out.") from None

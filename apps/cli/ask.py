"""`ask`: answer a request."""

import os
import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from apps.cli.amounts import amount
from apps.cli.exits import verbose_option

_ADDRESS = re.compile(r"(data:|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_MOST_SHOWN = 300

F = TypeVar("F", bound=Callable[..., Any])


def request_options(command: F) -> F:
    """Give a command the options that say how a request is to be answered."""
    for option in (
        click.option(
            "--max-cost",
            metavar="DOLLARS",
            type=click.FloatRange(min=0),
            callback=amount,
            help="What the controller may cost, in US dollars; then the answer is the plain list of results.",
        ),
        click.option(
            "--deadline",
            metavar="SECONDS",
            type=click.FloatRange(min=0, min_open=True),
            callback=amount,
            help="How long it may take; then it is answered with what is there.",
        ),
        click.option("--fresh", is_flag=True, help="Run everything again instead of taking cached results."),
    ):
        command = option(command)
    return command


EXAMPLES = """\b
Examples:
  hugginggpt ask "What is the total? Say it aloud." --file invoice.png --out .
  hugginggpt ask "And in French?" --continue
  hugginggpt ask "Read it" --file scan.png --plan plan.json --json
"""


@click.command(epilog=EXAMPLES)
@click.argument("request")
@click.option("--file", "files", metavar="PATH", multiple=True, help="A file, URL or data URI that comes with it.")
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.File(encoding="utf-8"),
    help="Run this plan instead of asking the controller for one; - reads it from stdin.",
)
@click.option("--continue", "go_on", is_flag=True, help="Continue the latest conversation.")
@click.option("--conversation", metavar="ID", help="Continue this conversation; any unique beginning of its id.")
@click.option("--out", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="Copy the files here.")
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on stdout.")
@verbose_option
@click.pass_context
def ask(
    ctx: click.Context,
    request: str,
    files: tuple[str, ...],
    plan_file: IO[str] | None,
    go_on: bool,
    conversation: str | None,
    out: Path | None,
    fresh: bool,
    deadline: float | None,
    max_cost: float | None,
    as_json: bool,
) -> None:
    """Answer REQUEST, in plain language; - reads it from stdin.

    Progress is shown on stderr, the answer and its files on stdout.
    """
    if go_on and conversation is not None:
        raise click.UsageError("Give either --continue or --conversation.")
    if request == "-" and plan_file is not None and plan_file.name == "<stdin>":
        raise click.UsageError("Only one of the request and the plan can come from stdin.")
    text = request_text(request)
    plan = None if plan_file is None else read_plan(plan_file)

    from apps.cli.answer import make_folder, present
    from apps.cli.running import run
    from hugginggpt.request import RequestOptions
    from hugginggpt.services import get_trace

    if out is not None:
        make_folder(out)
    if conversation is not None:
        conversation = get_trace().requests.conversation(conversation)
    if go_on:
        conversation = get_trace().requests.latest_conversation()
        if conversation is None:
            raise click.UsageError("There is no conversation to continue: ask without --continue first.")
    finished = run(
        text,
        files=[absolute(source) for source in files],
        conversation_id=conversation,
        options=RequestOptions(plan=plan, fresh=fresh, deadline=deadline, max_cost=max_cost),
        request_id=uuid.uuid4().hex,
    )
    ctx.exit(present(finished.story, out=out, as_json=as_json, further=finished.further))


def absolute(source: str) -> str:
    """A path made absolute, since the flow may run elsewhere; URLs and data URIs as they are.

    Raises:
        UsageError: neither Prefect nor the trace could hold its name.
    """
    from hugginggpt.errors import UsageError
    from hugginggpt.text import is_storable, one_line

    if not is_storable(source):
        raise UsageError(
            f"The file {one_line(source, _MOST_SHOWN)} has a name that is not text in UTF-8; rename it or copy it."
        )
    if _ADDRESS.match(source) or not source.strip():
        return source
    return os.path.abspath(os.path.expanduser(source))


def request_text(argument: str) -> str:
    """The request as a text, read from stdin if the argument is `-`.

    Raises:
        UsageError: it is no text.
    """
    from hugginggpt.errors import UsageError

    # What is not UTF-8 comes as surrogates in an argument, and as it is from stdin.
    raw = sys.stdin.buffer.read() if argument == "-" else argument.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("The request is not a text in UTF-8: give it as one.") from None
    if "\x00" in text:
        raise UsageError("The request holds a NUL character: give it without.")
    return text.rstrip("\r\n") if argument == "-" else text


def read_plan(file: IO[str]) -> list[dict[str, Any]]:
    """The plan as the user wrote it: the flow repairs or refuses it, and records that.

    Raises:
        UsageError: there is no plan in the file.
    """
    from pydantic import ValidationError

    from hugginggpt.errors import PlanError, UsageError
    from hugginggpt.plan.extract import extract_tasks
    from hugginggpt.request import RequestOptions

    try:
        plan = RequestOptions(plan=extract_tasks(file.read())).plan
        assert plan is not None
        return plan
    except ValidationError as error:
        raise UsageError(f"{file.name}: {error.errors()[0]['msg'].removeprefix('Value error, ')}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The plan {file.name} is not a text in UTF-8: give a JSON list of tasks.") from None
    except PlanError as error:
        raise UsageError(f"{file.name}: {error.message}") from None

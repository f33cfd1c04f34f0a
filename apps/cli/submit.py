"""`submit`: have requests answered by the deployed flow, now or when their turn comes."""

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from apps.cli.ask import absolute, read_plan, request_options, request_text
from apps.cli.exits import COMPLETED, PARTIAL, WRONG_USAGE, began, complain, note, verbose_option

if TYPE_CHECKING:
    from hugginggpt.submission import Submission
    from hugginggpt.trace.story import RequestTrace

EXAMPLES = """\b
Examples:
  hugginggpt submit "What is the total?" --file invoice.png --wait
  hugginggpt submit "Summarise the minutes" --file minutes.txt --later --id minutes-2026-11
  hugginggpt submit --batch requests.jsonl --later

\b
A line of a batch:
  {"request": "What is the total?", "files": ["invoice.png"], "id": "invoice-17"}
"""


@click.command(epilog=EXAMPLES, short_help="Have requests answered by the deployed flow.")
@click.argument("request", required=False)
@click.option("--file", "files", metavar="PATH", multiple=True, help="A file, URL or data URI that comes with it.")
@click.option("--id", "request_id", metavar="ID", help="Its id: submitting the same id twice answers it once.")
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.File(encoding="utf-8"),
    help="Run this plan instead of asking the controller for one; - reads it from stdin.",
)
@click.option("--conversation", metavar="ID", help="Continue this conversation; any unique beginning of its id.")
@request_options
@click.option("--batch", metavar="FILE", type=click.File("rb"), help="Submit a request for each line; - reads stdin.")
@click.option("--later", is_flag=True, help="Only put it in line: the next scheduled run begins it.")
@click.option("--wait", is_flag=True, help="Wait for the answer, and print it as `ask` does.")
@click.option(
    "--out", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help="With --wait: copy the files here."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each request; with --wait its answer.")
@verbose_option
@click.pass_context
def submit(
    ctx: click.Context,
    request: str | None,
    files: tuple[str, ...],
    request_id: str | None,
    plan_file: IO[str] | None,
    conversation: str | None,
    fresh: bool,
    deadline: float | None,
    max_cost: float | None,
    batch: IO[bytes] | None,
    later: bool,
    wait: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Have REQUEST answered by the deployed flow, and print its id.

    Its files go into the artifact store first, so that it can be answered on any machine. What
    answers it are the workers that `hugginggpt up` starts, or others of Prefect's work pool. Where
    Prefect cannot start it now, that is said, and the request waits in line as with --later.

    Broken lines of a batch are named, and the others submitted: then the exit code is 3. An object
    of a batch has "request" and, as far as wanted, "files", "id", "conversation", "plan", "fresh",
    "deadline" and "max_cost".
    """
    if (request is None) == (batch is None):
        raise click.UsageError("Give either a request or --batch.")
    if batch is not None and (files or request_id or plan_file or conversation or fresh or deadline or max_cost):
        raise click.UsageError("What belongs to one request stands in its line of the batch.")
    if later and wait:
        raise click.UsageError("Give either --later or --wait.")
    if out is not None and (not wait or batch is not None):
        raise click.UsageError("--out goes with --wait, for one request.")

    from hugginggpt.submission import Submission

    if batch is not None:
        ctx.exit(_submit_all(batch, later=later, wait=wait, as_json=as_json))
    assert request is not None
    from apps.cli.answer import make_folder, present
    from hugginggpt.request import check_size
    from hugginggpt.services import get_trace
    from hugginggpt.settings import get_settings

    text = request_text(request)
    check_size(text, files, get_settings())
    if out is not None:
        make_folder(out)
    submission = Submission(
        request=text,
        files=tuple(absolute(source) for source in files),
        id=request_id,
        conversation=None if conversation is None else get_trace().requests.conversation(conversation),
        plan=None if plan_file is None else read_plan(plan_file),
        fresh=fresh,
        deadline=deadline,
        max_cost=max_cost,
    )
    _check_server(later)
    _tell_controller()
    known_as, _ = _put(submission, later=later, as_json=as_json and not wait, quiet=wait)
    if wait:
        from apps.cli.prefect_server import run_url

        story = _ended(known_as)
        url = run_url(story.flow_run_id) if story.flow_run_id else None
        ctx.exit(present(story, out=out, as_json=as_json, further=f"In Prefect: {url}" if url else ""))


def _submit_all(batch: IO[bytes], *, later: bool, wait: bool, as_json: bool) -> int:
    """Submit every line that is one; return the exit code."""
    from hugginggpt.errors import DatabaseUnavailableError, HuggingGPTError

    _check_server(later)
    _tell_controller()
    taken: list[str] = []
    broken = 0
    for number, line in enumerate(batch, 1):
        if not line.strip():
            continue
        try:
            request_id, waits = _put(_of_line(line), later=later, as_json=as_json and not wait, quiet=wait)
            taken.append(request_id)
            later = later or waits  # the next run could not be started either
        except DatabaseUnavailableError:
            raise  # the next line would fare no better
        except HuggingGPTError as error:
            complain(f"Line {number}: {error.message}")
            broken += 1
    if not taken and not broken:
        raise click.UsageError(f"There is no request in {batch.name}.")
    stories = [_ended(request_id) for request_id in taken] if wait else []
    _print_endings(stories, as_json)
    if broken or not all(story.status == "completed" for story in stories):
        return PARTIAL if taken else WRONG_USAGE
    return COMPLETED


def _of_line(line: bytes) -> "Submission":
    from hugginggpt.services import get_trace
    from hugginggpt.submission import parse_submission

    submission = parse_submission(line)
    changes: dict[str, object] = {"files": tuple(absolute(source) for source in submission.files)}
    if submission.conversation is not None:
        changes["conversation"] = get_trace().requests.conversation(submission.conversation)
    return submission.model_copy(update=changes)


def _check_server(later: bool) -> None:
    """Raise before anything is stored if nobody could be told of the request."""
    if later:
        return
    from apps.cli import prefect_server

    if prefect_server.usable() is None:
        raise click.ClickException(
            "There is no Prefect server to submit it to: start one with `hugginggpt up`, name one in PREFECT_API_URL, "
            "or put the request in line with --later."
        )


def _tell_controller() -> None:
    """Say so where what is submitted is answered by another controller than the one of this environment."""
    from hugginggpt.controller_name import fingerprint
    from hugginggpt.services import get_controller
    from hugginggpt.settings import get_settings
    from hugginggpt.up import read

    up = read(get_settings().home_dir)
    if up is None or not up.is_alive or up.controller_fingerprint in ("", fingerprint(get_settings())):
        return
    ours = str(get_controller().name)
    # Two keys for one server, or two prices, are not told apart by name.
    other = f", not {ours} as configured here" if ours != up.controller else " as `hugginggpt up` was started with it"
    note(
        f"The controller that answers is {up.controller}{other}: use `hugginggpt ask` for your own, or start "
        "`hugginggpt up` again in this environment."
    )


def _put(submission: "Submission", *, later: bool, as_json: bool, quiet: bool) -> tuple[str, bool]:
    """Put a request in line, start its run unless it is for later, and say so.

    Returns:
        its id, and whether it stays in line because its run could not be started.
    """
    from hugginggpt.errors import ConfigurationError, OrchestratorUnavailableError
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.submission import put_in_line

    request_id, new = put_in_line(submission, get_settings(), get_store(), get_trace())
    told: dict[str, object] = {"request_id": request_id, "new": new, "flow_run_id": None}
    obstacle = ""
    if not later and get_trace().requests.get(request_id).finished_at is None:
        from flows.queue import start_run

        try:
            told["flow_run_id"] = str(start_run(request_id, submission.request).id)
        except (ConfigurationError, OrchestratorUnavailableError) as error:
            obstacle = error.message
    if as_json:
        click.echo(json.dumps(told))
    elif not quiet:
        click.echo(request_id)
        if not new:
            click.echo(f"Request {request_id} was submitted before.", err=True)
    if obstacle:
        note(f"Request {request_id} is in line, and is begun as soon as Prefect can: {obstacle}")
    return request_id, bool(obstacle)


def _ended(request_id: str) -> "RequestTrace":
    """Wait until a request has ended, showing how it comes along."""
    import time

    from apps.cli.exits import verbose
    from apps.cli.progress import LOOKS_EVERY, watching
    from hugginggpt.services import get_trace

    trace = get_trace()
    with watching(trace, request_id, plain=verbose(), ephemeral=False, since=began(), waits="waiting for a worker"):
        while (story := trace.requests.get(request_id)).finished_at is None:
            time.sleep(LOOKS_EVERY)
    return story


def _print_endings(stories: "list[RequestTrace]", as_json: bool) -> None:
    from apps.cli.text import LINE_CHARS
    from hugginggpt.services import get_store
    from hugginggpt.text import one_line, terminal_json
    from hugginggpt.trace.report import report

    for story in stories:
        if as_json:
            paths = {file.artifact.sha256: get_store().address(file.artifact) for file in story.files}
            click.echo(terminal_json(report(story, paths, since=began()).model_dump_json()))
        else:
            said = story.response or story.error or ""
            click.echo(f"{story.request_id}  {story.status}  {one_line(said, LINE_CHARS)}")

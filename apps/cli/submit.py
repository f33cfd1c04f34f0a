"""`submit`: have requests answered by the deployed flow, now or later."""

import json
import time
import uuid
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

import click

from apps.cli.exits import COMPLETED, PARTIAL, WRONG_USAGE, began, complain, note, verbose, verbose_option
from apps.cli.options import Output, output_options
from apps.cli.request import GivenRequest, absolute, read_request, request_options

if TYPE_CHECKING:
    from apps.http.client import Service
    from apps.http.events import Ended
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
@request_options
@click.option("--id", "request_id", metavar="ID", help="The request's id. Submitting an id twice answers it once.")
@click.option("--batch", metavar="FILE", type=click.File("rb"), help="Submit the request in each line; - reads stdin.")
@click.option("--later", is_flag=True, help="Only put the request in line. The next scheduled run starts it.")
@click.option("--wait", is_flag=True, help="Wait for the answer and print it as `ask` does.")
@output_options(
    "With --wait: copy the answer's files here.",
    "Print a JSON object for each request; with --wait, the object that `ask --json` prints.",
)
@verbose_option
def submit(
    request: str | None,
    given: GivenRequest,
    request_id: str | None,
    batch: IO[bytes] | None,
    later: bool,
    wait: bool,
    output: Output,
) -> int:
    """Have REQUEST answered by the deployed flow, and print its id.

    The files go into the artifact store first, so that any machine can answer the request. The workers
    that `hugginggpt up` starts answer it, or other workers of Prefect's work pool. If Prefect cannot start
    the request now, a note says why, and the request waits in line as with --later.

    A batch may have broken lines: each is reported, the others are submitted, and the exit code is 3. Each
    line is an object with "request" and, optionally, "files", "id", "conversation", "plan", "fresh",
    "deadline", "max_cost", "models" and "answer_schema".
    """
    if (request is None) == (batch is None):
        raise click.UsageError("Pass either a request or --batch.")
    given.check_stdin(request)
    if batch is not None and not (given.is_empty and request_id is None):
        raise click.UsageError("In a batch, the options of a request belong on its line.")
    if later and wait:
        raise click.UsageError("Pass either --later or --wait.")
    if output.out is not None and (not wait or batch is not None):
        raise click.UsageError("--out needs --wait and a single request.")
    if batch is not None:
        return _submit_batch(batch, later=later, wait=wait, as_json=output.as_json)

    from apps.cli.answer import make_folder, present
    from apps.cli.through_service import conversation, service

    assert request is not None
    text, options = read_request(request), given.options()
    sources = given.sources
    found = service(sources)
    if found is None:
        from hugginggpt.request import check_size
        from hugginggpt.settings import get_settings

        check_size(text, sources, get_settings())
    if output.out is not None:
        make_folder(output.out)
    continued = conversation(found, given.conversation) if given.conversation is not None else None
    asked: dict[str, Any] = {"request": text, "files": sources, "conversation": continued, **options}
    asked["id"] = request_id or uuid.uuid4().hex
    submitted = None
    if found is not None:
        submitted = _submit_to(found, asked, later)
    if submitted is None:
        found = None
        _check_server(later)
        _note_other_controller()
        submitted = _submit(_submission(asked), later)
    if not wait:
        _print_submitted(submitted, output.as_json)
        return COMPLETED
    return present(_wait_for_end(found, submitted["request_id"]), output)


def _submit_to(service: "Service", asked: dict[str, Any], later: bool) -> dict[str, Any] | None:
    """Have the service submit a request; return None if it is lost."""
    from apps.http.client import ServiceLostError

    try:
        taken: dict[str, Any] = service.post(
            "/requests", {**asked, "start": "later" if later else "deployed", "door": "command line"}
        )
    except ServiceLostError:
        return None
    _note_obstacle(taken)
    return taken


def _wait_for_end(service: "Service | None", request_id: str) -> "Ended":
    """Wait until a request has ended, and show its progress."""
    from apps.cli.answer import ended_request
    from apps.cli.through_service import wait

    if service is not None and (ended := wait(service, request_id)) is not None:
        return ended
    from apps.cli.prefect_server import run_url

    story = _wait_for(request_id)
    return ended_request(story, run_url(story.flow_run_id) if story.flow_run_id else None)


def _submission(asked: dict[str, Any]) -> "Submission":
    from pydantic import ValidationError

    from hugginggpt.submission import Submission, unusable

    try:
        return Submission(**{**asked, "files": tuple(asked["files"])})
    except ValidationError as error:
        raise unusable(error) from None


def _submit_batch(batch: IO[bytes], *, later: bool, wait: bool, as_json: bool) -> int:
    """Submit each valid line; return the exit code."""
    from hugginggpt.errors import DatabaseUnavailableError, HuggingGPTError

    _check_server(later)
    _note_other_controller()
    taken: list[str] = []
    broken = 0
    for number, line in enumerate(batch, 1):
        if not line.strip():
            continue
        try:
            submitted = _submit(_read_line(line), later)
        except DatabaseUnavailableError:
            raise  # the next line would fail, too
        except HuggingGPTError as error:
            complain(f"Line {number}: {error.message}")
            broken += 1
            continue
        taken.append(submitted["request_id"])
        later = later or submitted["obstacle"] is not None  # the next run could not be started either
        if not wait:
            _print_submitted(submitted, as_json)
    if not taken and not broken:
        raise click.UsageError(f"There is no request in {batch.name}.")
    stories = [_wait_for(request_id) for request_id in taken] if wait else []
    for story in stories:
        _print_ending(story, as_json)
    if broken or not all(story.status == "completed" for story in stories):
        return PARTIAL if taken else WRONG_USAGE
    return COMPLETED


def _read_line(line: bytes) -> "Submission":
    from hugginggpt.services import get_trace
    from hugginggpt.submission import parse_submission

    submission = parse_submission(line)
    changes: dict[str, object] = {"files": tuple(absolute(source) for source in submission.files)}
    if submission.conversation is not None:
        changes["conversation"] = get_trace().requests.conversation(submission.conversation)
    return submission.model_copy(update=changes)


def _check_server(later: bool) -> None:
    """Fail, before anything is stored, if a request should start now but there is no server."""
    from apps.cli import prefect_server

    if not later and prefect_server.usable() is None:
        raise click.ClickException(
            "There is no Prefect server to submit the request to: start one with `hugginggpt up`, name one in "
            "PREFECT_API_URL, or put the request in line with --later."
        )


def _note_other_controller() -> None:
    """Tell the user if submitted requests are answered by another controller than this environment's."""
    from hugginggpt.controller_name import fingerprint
    from hugginggpt.services import get_controller
    from hugginggpt.settings import get_settings
    from hugginggpt.up_state import read

    up = read(get_settings().home_dir)
    if up is None or not up.is_alive or up.controller_fingerprint in ("", fingerprint(get_settings())):
        return
    ours = str(get_controller().name)
    # The names are the same if only the key or the prices differ.
    other = f", not {ours} as configured here" if ours != up.controller else " as `hugginggpt up` was started with it"
    note(
        f"The controller that answers is {up.controller}{other}: use `hugginggpt ask` for your own, or start "
        "`hugginggpt up` again in this environment."
    )


def _submit(submission: "Submission", later: bool) -> dict[str, Any]:
    from hugginggpt.origin import Door, Origin
    from hugginggpt.services import get_store, get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.submission import submit

    start = None if later else _start
    origin = Origin(Door.COMMAND_LINE)
    submitted = asdict(submit(submission, get_settings(), get_store(), get_trace(), origin=origin, start=start))
    _note_obstacle(submitted)
    return submitted


def _note_obstacle(submitted: dict[str, Any]) -> None:
    if submitted["obstacle"] is not None:
        waits = f"Request {submitted['request_id']} is in line and starts as soon as Prefect can"
        note(f"{waits}: {submitted['obstacle']}")


def _start(request_id: str, text: str) -> str:
    from flows.queue import start_run

    return str(start_run(request_id, text).id)


def _print_submitted(submitted: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: submitted[name] for name in ("request_id", "new", "flow_run_id")}))
        return
    click.echo(submitted["request_id"])
    if not submitted["new"]:
        click.echo(f"Request {submitted['request_id']} was submitted before.", err=True)


def _wait_for(request_id: str) -> "RequestTrace":
    """Wait until a request has ended, and show its progress."""
    from apps.cli.progress import POLL_SECONDS, watching
    from hugginggpt.services import get_trace

    trace = get_trace()
    with watching(trace, request_id, plain=verbose(), since=began(), waits="waiting for a worker"):
        while (story := trace.requests.get(request_id)).finished_at is None:
            time.sleep(POLL_SECONDS)
    return story


def _print_ending(story: "RequestTrace", as_json: bool) -> None:
    from apps.cli.answer import stored_paths
    from apps.cli.text import LINE_CHARS
    from apps.http.standing import unused_models
    from hugginggpt.text import one_line, terminal_json
    from hugginggpt.trace.report import report

    if as_json:
        click.echo(terminal_json(report(story, stored_paths(story), since=began()).model_dump_json()))
    else:
        said = story.response or story.error or ""
        click.echo(f"{story.request_id}  {story.status}  {one_line(said, LINE_CHARS)}")
    for sentence in unused_models(story):
        note(f"Request {story.request_id}: {sentence}")

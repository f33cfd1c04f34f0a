"""`evaluate`: measure how well a controller plans."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli import prefect_server
from apps.cli.exits import INTERRUPTED, TERMINATED, complain, note, unwind_on_sigterm, verbose, verbose_option
from apps.cli.options import WholeNumber
from hugginggpt.polling import polling
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from hugginggpt.evaluation.report import EvaluationReport
    from hugginggpt.evaluation.subject import ControllerChoice

POLL_SECONDS, REPORT_SECONDS = 0.5, 10.0
"""Pauses between two checks of the trace and, without a progress bar, between two lines."""

_KEPT = "The plans so far are kept: run the same command without --fresh to continue."

EXAMPLES = """\b
Examples:
  hugginggpt evaluate
  hugginggpt evaluate --dataset requests.jsonl
  hugginggpt evaluate --dataset requests.jsonl --controller openai --limit 50 --json
"""


@click.command(epilog=EXAMPLES, short_help="Measure how well the controller plans.")
@click.option(
    "--dataset",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Requests with their correct plans, as JSON lines, in our own format or TaskBench's. "
    "Default: the 247 requests of the package.",
)
@click.option(
    "--controller",
    type=click.Choice(["embedded", "openai"]),
    help="Which controller plans: the embedded model or the OpenAI-compatible server. Default: as configured.",
)
@click.option("--limit", metavar="N", type=WholeNumber(min=1), help="Use only the first N requests.")
@click.option("--fresh", is_flag=True, help="Plan every request again instead of continuing an earlier evaluation.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and nothing else, on stdout.")
@verbose_option
def evaluate(
    dataset: Path | None, controller: "ControllerChoice | None", limit: int | None, fresh: bool, as_json: bool
) -> None:
    """Measure how well the controller plans the requests of a dataset. No plan is run.

    Every plan is kept in the trace. So the same command continues where it was interrupted, and does not
    plan a request again that the same controller has planned before.
    """
    from hugginggpt.evaluation.datasets import read_dataset, sample_set
    from hugginggpt.evaluation.subject import settings_with, subject_of
    from hugginggpt.services import get_trace
    from hugginggpt.settings import get_settings

    path = (dataset or sample_set()).absolute()
    read = read_dataset(path, limit)  # before a server starts
    settings = settings_with(get_settings(), controller)
    evaluations, subject = get_trace().evaluations, subject_of(read, settings)
    earlier = evaluations.latest(subject) if fresh else None
    if read.foreign_tools:
        named = ", ".join(f"{tool} ({times})" for tool, times in read.foreign_tools.most_common(5))
        note(f"These tools of the dataset have no kind of task, so they count as missed: {named}.")
    samples = len(read.samples)

    def planned() -> int:
        found = evaluations.latest(subject)
        return 0 if found is None or found == earlier else evaluations.count(found, samples)

    with _resumable(planned), _watching(planned, samples):
        report = _run(path, controller, limit, fresh)
    if as_json:
        click.echo(terminal_json(report.model_dump_json(indent=2)))
        return
    from rich.console import Console
    from rich.text import Text

    from apps.cli.scores import score_tables

    console = Console()
    for part in score_tables(report):
        console.print(part, soft_wrap=isinstance(part, Text))


def _run(path: Path, controller: "ControllerChoice | None", limit: int | None, fresh: bool) -> "EvaluationReport":
    prefect_server.usable()

    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.evaluate import evaluate_planner
    from hugginggpt.evaluation.report import EvaluationReport

    # A foreground run needs no heartbeat, and stopping it takes a second.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return EvaluationReport.model_validate(evaluate_planner(str(path), controller, limit, fresh))


@contextmanager
def _resumable(planned: Callable[[], int]) -> Iterator[None]:
    """If the block is interrupted or fails, tell the user that the plans are kept."""
    from hugginggpt.errors import TraceError

    unwind_on_sigterm()
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as ending:
        complain(f"Interrupted. {_KEPT}")
        raise click.exceptions.Exit(TERMINATED if isinstance(ending, SystemExit) else INTERRUPTED) from None
    except Exception:
        with suppress(TraceError):
            if planned():
                click.echo(_KEPT, err=True)
        raise


@contextmanager
def _watching(count: Callable[[], int], samples: int) -> Iterator[None]:
    """While the block runs, show on stderr how many plans there are: a bar on a terminal, else lines.

    With --verbose there is no bar, because Prefect's log would break it.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from hugginggpt.errors import TraceError

    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), disable=verbose() or not sys.stderr.isatty())
    task = bar.add_task("Planning", total=samples)

    def look() -> int | None:
        try:
            plans = count()
        except TraceError:
            return None  # the flow, which writes to the trace, reports it
        bar.update(task, completed=plans)
        return plans

    reported, at = look(), time.monotonic()

    def report() -> None:
        nonlocal reported, at
        plans = look()
        if bar.disable and plans not in (None, reported) and time.monotonic() - at >= REPORT_SECONDS:
            reported, at = plans, time.monotonic()
            print(f"Planned {plans} of {samples}", file=sys.stderr, flush=True)

    with bar:
        try:
            with polling(report, POLL_SECONDS, "progress"):
                yield
        finally:
            look()

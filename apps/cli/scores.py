"""Draw the scores of an evaluation for a terminal."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from apps.cli.text import printable, short
from hugginggpt.evaluation.datasets import Form
from hugginggpt.evaluation.report import EvaluationReport
from hugginggpt.evaluation.taskbench import PUBLISHED
from hugginggpt.text import counted


def score_tables(report: EvaluationReport) -> Iterator[Table | Text]:
    """TaskBench's metrics, the paper's metrics, and the time and tokens spent."""
    yield _taskbench(report)
    yield Text()
    yield _groups(report)
    yield Text()
    yield Text(
        f"{counted(report.samples, 'request')}: {report.valid:.1f} % with a valid plan, "
        f"{report.exact:.1f} % with exactly the right tasks"
        + (f", {report.superfluous:.1f} % with a task too many" if report.superfluous is not None else "")
    )
    yield Text(
        f"{report.seconds_median:.2f} s per plan (median), {report.seconds_p95:.2f} s (95th percentile), "
        f"{report.seconds_mean:.2f} s (mean); {report.prompt_tokens:,} + {report.completion_tokens:,} tokens"
    )
    yield Text(f"evaluation {short(report.evaluation_id)} of {printable(report.dataset)}", "dim")


def _taskbench(report: EvaluationReport) -> Table:
    """TaskBench's metrics, with its published figures if the requests are TaskBench's own."""
    table = _table("node\nF1", "edge\nF1", "parameter\nname F1", "parameter\nvalue F1", first="system")
    ours = f"{printable(report.model)} ({report.controller})"
    scores = (report.node_f1, report.edge_f1, report.name_f1, report.value_f1)
    table.add_row(Text(ours, "bold"), *map(_percent, scores))
    for other in PUBLISHED if report.form is Form.TASKBENCH else ():
        figures = (other.node_f1, other.edge_f1, other.name_f1, other.value_f1)
        table.add_row(f"{other.system}, as published", *map(_percent, figures), style="dim")
    if report.form is Form.TASKBENCH:
        table.caption = "as published: TaskBench (arXiv 2311.18760), Hugging Face domain, all requests"
    return table


def _groups(report: EvaluationReport) -> Table:
    table = _table("requests", "accuracy", "precision", "recall", "F1", "edit\ndistance", first="group")
    for group, scores in report.by_group.items():
        distance = "" if scores.edit_distance is None else f"{scores.edit_distance:.3f}"
        figures = (scores.accuracy, scores.precision, scores.recall, scores.f1)
        table.add_row(group.value, str(scores.samples), *map(_percent, figures), distance)
    return table


def _table(*names: str, first: str) -> Table:
    """A table whose first column wraps on a narrow terminal, so that no figure is cut off."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold", caption_justify="left")
    table.add_column(first, overflow="fold", vertical="bottom")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True, vertical="bottom")
    return table


def _percent(score: float | None) -> str:
    return "" if score is None else f"{score:.1f}"

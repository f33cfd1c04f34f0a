"""Draw a request's trace for a terminal."""

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree

from apps.cli.text import LINE_CHARS, SHORT_ID, dollars, duration, moment, printable, short, size
from hugginggpt.models.card import Candidate
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.text import counted, one_line
from hugginggpt.trace.report import waited
from hugginggpt.trace.story import Attempt, CallTrace, Life, RequestSummary, RequestTrace, TaskTrace

_STYLES = {
    "completed": "green",
    "cached": "green",
    "finished": "green",
    "running": "cyan",
    "planned": "dim",
    "partial": "yellow",
    "skipped": "yellow",
    "interrupted": "yellow",
    "died": "red",
    "failed": "red",
}

COMMIT_CHARS = 40


_COLUMNS = {"id": SHORT_ID, "started": 16, "status": 9, "tasks": 5, "conversation": 12}
_OPTIONAL_COLUMNS = ("conversation", "started", "tasks", "status")
"""The columns to leave out on a narrow terminal, the least important first."""

_LEAST_REQUEST = 20
"""Fewest cells for the text of a request; other columns make room for it."""


def request_lines(requests: Sequence[RequestSummary], width: int | None) -> list[Text]:
    """Requests, one per line, below a line with the names of the columns.

    The id is always complete. The text of a request is cut to fit the line, and other columns give way to it.

    Args:
        requests: the requests.
        width: cells per line; None for no limit.
    """
    shown = dict(_COLUMNS)
    for name in _OPTIONAL_COLUMNS:
        if width is not None and width < sum(shown.values()) + len(shown) + _LEAST_REQUEST:
            del shown[name]
    left = None if width is None else width - sum(shown.values()) - len(shown)
    lines = [_line([Text(name, "bold") for name in shown], Text("request", "bold"), list(shown.values()), left)]
    for request in requests:
        cells = {
            "id": Text(short(request.request_id)),
            "started": Text(moment(request.created_at)[:16]),
            "status": _status(request.status),
            "tasks": Text(f"{request.tasks_done}/{request.tasks}"),
            "conversation": Text(short(request.conversation_id)),
        }
        words = Text(one_line(request.text, LINE_CHARS))
        lines.append(_line([cells[name] for name in shown], words, list(shown.values()), left))
    return lines


def _line(cells: Sequence[Text], last: Text, widths: Sequence[int], left: int | None) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        line.append_text(cell).append(" " * (1 + max(0, width - cell.cell_len)))
    if left is not None:
        # A character that takes two cells is left out if it does not fit.
        last.truncate(max(0, left), overflow="ellipsis" if left > 1 else "crop")
    line.append_text(last)
    line.rstrip()
    return line


def request_tree(story: RequestTrace) -> Tree:
    """Everything that happened for a request, as a tree."""
    tree = Tree(Text.assemble("Request ", (story.request_id, "bold"), " ", _status(story.status)))
    tree.add(_words("request", story.text))
    tree.add(_words("started", moment(story.created_at)))
    tree.add(_words("conversation", story.conversation_id))
    if story.options.get("fresh"):
        kept = "; results of an earlier life were kept" if len(story.lives) > 1 else ""
        tree.add(_words("fresh", f"no cached results were used{kept}"))
    if story.resources:
        branch = tree.add(Text("files", "bold"))
        for resource in story.resources:
            what = f"{resource.artifact.mime}, {size(resource.artifact.bytes)}, sha256 {resource.artifact.sha256[:12]}"
            file = branch.add(Text(printable(f"{resource.name} ({what}), from {one_line(resource.source, 100)}")))
            for sentence in resource.notes:
                file.add(_words("note", sentence, "yellow"))
    lives = tree.add(Text("lives", "bold"))
    for life in story.lives:
        _add_life(lives, life)
    _add_plan(tree, story)
    if story.tasks:
        tasks = tree.add(Text("tasks", "bold"))
        for task in story.tasks:
            _add_task(tasks, task, story)
    if story.controller_calls:
        calls = tree.add(Text("controller calls", "bold"))
        for call in story.controller_calls:
            _add_call(calls, call)
    if story.response is not None:
        tree.add(_words(f"answer ({story.response_source})", story.response))
    if story.error:
        failed = story.status is not RequestStatus.PARTIAL
        tree.add(_words("error", story.error, "red") if failed else _words("note", story.error, "yellow"))
    tree.add(_words("total", _totals(story)))
    return tree


def _add_life(tree: Tree, life: Life) -> None:
    line = Text(f"{life.life}  ")
    line.append_text(_status(life.ending or "running"))
    line.append(f", {moment(life.started_at)}, {duration(life.seconds)}, by {printable(life.holder)}")
    branch = tree.add(line)
    if life.controller:
        branch.add(_words("controller", str(life.controller)))
    if life.flow_run_id:
        branch.add(_words("flow run", life.flow_run_id))
    if life.error:
        branch.add(_words("error", life.error, "red"))


def _add_plan(tree: Tree, story: RequestTrace) -> None:
    if story.plan is None:
        tree.add(Text.assemble(("plan", "bold"), "  none"))
        return
    source = f"from {story.plan_source}" if story.plan_source != "given" else "given with the request"
    at = f", after {duration((story.planned_at - story.created_at).total_seconds())}" if story.planned_at else ""
    branch = tree.add(Text.assemble(("plan", "bold"), f"  {source}{at}"))
    for line in story.plan.to_json().splitlines():
        branch.add(Text(printable(line.strip("[] ,"))) if line.strip("[] ,") else "no tasks: answered directly")
    for repair in story.plan.repairs:
        branch.add(_words("repaired", repair))
    for earlier in reversed(story.earlier_plans):
        given_up = branch.add(Text("before, given up", "dim"))
        for line in earlier.to_json().splitlines():
            given_up.add(Text(printable(line.strip("[] ,")), "dim"))


def _add_task(tree: Tree, task: TaskTrace, story: RequestTrace) -> None:
    line = Text.assemble((f"{task.id} · {task.task}", "bold"), " ", _status(task.status))
    if task.seconds is not None:
        took = duration(task.seconds)
        line.append(f"; it took {took} when it was made" if task.status is TaskStatus.CACHED else f" in {took}")
    if task.started_at is not None:
        line.append(f", started after {duration(max(0.0, (task.started_at - story.created_at).total_seconds()))}")
    branch = tree.add(line)
    if task.error:
        branch.add(_words("error", task.error, "red"))
    if task.selection is not None:
        choice = task.selection.choice
        cached = ", from the cache" if task.selection.cached else ""
        chosen = branch.add(_words("model", f"{_model(choice.chosen)}, chosen by the {choice.chosen_by}{cached}"))
        chosen.add(_words("because", choice.reason))
        for place, alternative in enumerate(choice.alternatives, 2):
            chosen.add(_words(f"{place}.", _model(alternative)))
    for number, attempt in enumerate(task.attempts, 1):
        _add_attempt(branch, number, attempt)
    for item, element in enumerate(task.result.items if task.result else ()):
        of = f"{element.part}, " if element.part else ""
        prefix = f"[{item}] {of}" if task.result and task.result.is_list else ""
        if element.error:
            branch.add(_words(f"{prefix}missing", element.error, "red"))
        for output in element.outputs:
            what = f"{output.mime}, {size(output.bytes)}, sha256 {output.sha256[:12]}"
            made = branch.add(_words(f"{prefix}output", what))
            if output.preview:
                made.add(Text(one_line(output.preview, 300)))


def _add_attempt(tree: Tree, number: int, attempt: Attempt) -> None:
    line = Text.assemble((f"attempt {number}", "bold"), "  ", _status(attempt.status))
    if attempt.seconds is not None:
        line.append(f" in {duration(attempt.seconds)}")
    if attempt.load_seconds is not None:
        line.append(f", of which {duration(attempt.load_seconds)} to load the model")
    if attempt.progress and attempt.status != "completed":
        line.append(f", {attempt.progress}")
    line.append(printable(f", {_revised(attempt.model, attempt.revision)} ({attempt.endpoint})"))
    line.append(f", life {attempt.life}, try {attempt.run_count}")
    if attempt.cost_microdollars is not None:
        line.append(f", {dollars(attempt.cost_microdollars)}")
    branch = tree.add(line)
    if attempt.error:
        passing = ", possibly temporary" if attempt.passing else ""
        branch.add(_words(f"{attempt.error_type or 'error'}{passing}", attempt.error, "red"))


def _add_call(tree: Tree, call: CallTrace) -> None:
    where = f" for task {call.task_id}" if call.task_id is not None else ""
    again = f", try {call.attempt}" if call.attempt > 1 else ""
    cost = f", {dollars(call.cost_microdollars)}" if call.cost_microdollars is not None else ""
    line = Text.assemble((call.stage, "bold"), f"{where}  {printable(call.model)}, {duration(call.seconds)}, ")
    about = "about " if call.estimated else ""
    line.append(f"{about}{call.prompt_tokens} + {call.completion_tokens} tokens{cost}{again}")
    line.append(f", prompt {call.prompt_name} {call.prompt_sha256[:8]}", "dim")
    branch = tree.add(line)
    if call.error:
        branch.add(_words("error", call.error, "red"))


def _totals(story: RequestTrace) -> str:
    totals = story.totals
    took = waited(story)
    parts = [f"{duration(totals.seconds)} of work, {duration(took.waiting)} waiting"]
    if story.finished_at is not None:
        parts.append(f"ended {moment(story.finished_at)}")
    parts.append(counted(totals.controller_calls, "controller call"))
    parts.append(f"{'about ' if totals.estimated else ''}{totals.prompt_tokens} + {totals.completion_tokens} tokens")
    if totals.cost_microdollars is not None:
        parts.append(dollars(totals.cost_microdollars))
    if totals.unpriced:
        parts.append(printable(f"the cost of {', '.join(totals.unpriced)} is not known"))
    return ", ".join(parts)


def _model(candidate: Candidate) -> str:
    return f"{_revised(candidate.card.id, candidate.card.revision)} ({candidate.endpoint})"


def _revised(model: str, revision: str | None) -> str:
    shown = revision[:12] if revision and len(revision) == COMMIT_CHARS else revision
    return f"{model}@{shown}" if shown else model


def _words(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((name, "bold"), "  ", (printable(text), style))


def _status(status: str) -> Text:
    return Text(str(status), _STYLES.get(str(status), ""))

"""Print a finished request: its answer, its files, and how to find out more."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, FAILED, PARTIAL, WRONG_USAGE, began, complain, is_refusal, note
from apps.cli.options import Output
from apps.cli.text import printable, short, size
from hugginggpt.text import is_storable, terminal_json

if TYPE_CHECKING:
    from hugginggpt.trace.story import OutputFile, RequestTrace


def make_folder(folder: Path) -> None:
    """Create the folder for the files before any work is done."""
    from hugginggpt.errors import UsageError
    from hugginggpt.redaction import said

    if not is_storable(str(folder)):
        raise UsageError(f"The name of the folder {folder} is not valid UTF-8: choose another with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be created ({said(error)}): choose another with --out.") from None


def present(story: "RequestTrace", output: Output, further: str = "") -> int:
    """Print a finished request.

    Args:
        story: the request.
        output: how to print it.
        further: a last line on how to find out more.

    Returns:
        The command's exit code.
    """
    from hugginggpt.errors import StorageError
    from hugginggpt.services import get_store
    from hugginggpt.trace.report import report

    paths = stored_paths(story)
    unwritten: StorageError | None = None
    if output.out is not None:
        for name, file in named(story):
            try:
                paths[file.artifact.sha256] = str(get_store().export(file.artifact, output.out.resolve(), name))
            except StorageError as error:
                unwritten = error
    whole = report(story, paths, since=began(), until=datetime.now(UTC))
    if output.as_json:
        click.echo(terminal_json(whole.model_dump_json(indent=2)))
    else:
        if story.response:
            click.echo(printable(story.response))
        for made in {made.sha256: made for made in whole.files}.values():
            click.echo(f"\n{printable(made.path)}\n  {made.mime}, {size(made.bytes)}, from task {made.task_id}")
    if story.error:
        (note if exit_code(story) == PARTIAL else complain)(story.error)
    if unwritten is not None:
        complain(unwritten.message)
    if not output.as_json:
        click.echo(f"\nFor every detail: `hugginggpt trace show {short(story.request_id)}`", err=True)
        if further:
            click.echo(further, err=True)
    return FAILED if unwritten is not None else exit_code(story)


def stored_paths(story: "RequestTrace") -> dict[str, str]:
    """Where each file of a request is in the artifact store, by its SHA-256."""
    from hugginggpt.services import get_store

    return {file.artifact.sha256: get_store().address(file.artifact) for file in story.files}


def named(story: "RequestTrace") -> list[tuple[str, "OutputFile"]]:
    """Each distinct output with a readable name such as `2-text-to-speech`; elements of a list are numbered."""
    kinds = {task.id: task for task in story.tasks}
    names: dict[str, tuple[str, OutputFile]] = {}
    for file in story.files:
        task = kinds[file.task_id]
        number = f"-{file.item + 1}" if task.result and task.result.is_list else ""
        names.setdefault(file.artifact.sha256, (f"{task.id}-{task.task}{number}", file))
    return list(names.values())


def exit_code(story: "RequestTrace") -> int:
    """The exit code for how a request ended."""
    from hugginggpt.results import RequestStatus

    if story.status is RequestStatus.COMPLETED:
        return COMPLETED
    if story.status is RequestStatus.PARTIAL:
        return PARTIAL
    return WRONG_USAGE if is_refusal(story.error_type) else FAILED

"""Print a finished request: its answer, its files, and how to find out more."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, FAILED, PARTIAL, WRONG_USAGE, began, complain, note
from apps.cli.options import Output
from apps.cli.text import printable, short, size
from hugginggpt.text import is_storable, terminal_json

if TYPE_CHECKING:
    from apps.http.events import Ended
    from hugginggpt.trace.story import RequestTrace


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


def ended_request(story: "RequestTrace", further: str | None = None) -> "Ended":
    """What is shown of a request that has ended, seen from the running command.

    Args:
        story: the request.
        further: the page of its flow run on Prefect's server, if there is one.
    """
    from apps.http.standing import ended

    return ended(story, stored_paths(story), further, began())


def present(ended: "Ended", output: Output, further: str = "") -> int:
    """Print a finished request.

    Args:
        ended: the request.
        output: how to print it.
        further: a last line on how to find out more, where there is no page to see it on.

    Returns:
        The command's exit code.
    """
    report = ended["report"]
    copies, unwritten = ({}, "") if output.out is None else _copy(ended, output.out)
    if output.as_json:
        click.echo(terminal_json(json.dumps(report, indent=2, ensure_ascii=False)))
    else:
        # A program that reads a form from stdin wants nothing else there.
        form = ended["form"]
        if report["response"]:
            click.echo((terminal_json if form else printable)(report["response"]), err=form is False)
        for line in _unnamed(ended, output.out, copies):
            click.echo(f"\n{printable(line)}", err=form is not None)
    if report["error"]:
        (note if report["status"] == "partial" else complain)(report["error"])
    for sentence in report["notes"]:
        note(sentence)
    cost = report["cost"]
    if cost["most_dollars"] is not None and cost["unknown"]:
        note(f"What these have cost is not known, and not counted in --max-cost: {', '.join(cost['unknown'])}.")
    for sentence in ended["unused"]:
        note(sentence)
    if unwritten:
        complain(unwritten)
    if not output.as_json:
        click.echo(f"\nFor every detail: `hugginggpt trace show {short(report['request_id'])}`", err=True)
        if ended["page"]:
            click.echo(f"In Prefect: {ended['page']}", err=True)
        elif further:
            click.echo(further, err=True)
    return FAILED if unwritten else exit_code(ended)


def stored_paths(story: "RequestTrace") -> dict[str, str]:
    """Where each file of a request is in the artifact store, by its SHA-256."""
    from hugginggpt.services import get_store
    from hugginggpt.trace.file_names import stored_places

    return stored_places(story, get_store())


def _copy(ended: "Ended", folder: Path) -> tuple[dict[str, Path], str]:
    """Copy the files of a request, and put the copies in the place of the stored files in its report and its answer.

    Returns:
        the copies, by their SHA-256, and why a file could not be written; empty if all were.
    """
    from hugginggpt.artifacts import Artifact
    from hugginggpt.errors import StorageError
    from hugginggpt.services import get_store

    unwritten = ""
    copies: dict[str, Path] = {}
    for file in ended["files"]:
        artifact = Artifact.model_validate(file["artifact"])
        try:
            copies[artifact.sha256] = get_store().export(artifact, folder.resolve(), file["name"])
        except StorageError as error:
            unwritten = error.message
    report = ended["report"]
    for shown in (*report["files"], *(output for task in report["tasks"] for output in task["outputs"])):
        if (copy := copies.get(shown["sha256"])) is not None:
            if report["response"]:
                name = str(folder / copy.name)
                named = json.dumps(name, ensure_ascii=False)[1:-1] if ended["form"] else name
                report["response"] = report["response"].replace(shown["path"], named)
            shown["path"] = str(copy)
    return copies, unwritten


def _unnamed(ended: "Ended", folder: Path | None, copies: Mapping[str, Path]) -> list[str]:
    """Where the files are that the answer does not name. Texts are listed only if they have copies in the folder."""
    report = ended["report"]
    made = {file["sha256"]: file for file in report["files"]}.values()
    answer = report["response"] or ""
    lines: list[str] = []
    if folder is not None:
        names = [copies[file["sha256"]].name for file in made if file["sha256"] in copies]
        others = ", ".join(name for name in names if not _names(answer, str(folder / name)))
        lines += [f"Saved {'here' if folder == Path() else f'in {folder}'}: {others}"] if others else []
    media = {file["artifact"]["sha256"] for file in ended["files"] if file["artifact"]["preview"] is None}
    stored = [file for file in made if file["sha256"] in media and file["sha256"] not in copies]
    unnamed = [file for file in stored if not _names(answer, file["path"])]
    return lines + [f"{file['path']} ({file['mime']}, {size(file['bytes'])})" for file in unnamed]


def _names(answer: str, path: str) -> bool:
    """Whether an answer has a path, and not only as a part of a longer one."""
    return re.search(rf"(?<![\w./\\-]){re.escape(path)}(?![\w-]|\.\w)", answer) is not None


def exit_code(ended: "Ended") -> int:
    """The exit code for how a request ended."""
    match ended["report"]["status"]:
        case "completed":
            return COMPLETED
        case "partial":
            return PARTIAL
    return WRONG_USAGE if ended["refused"] else FAILED

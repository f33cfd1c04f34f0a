"""Every `hugginggpt …` command that a sentence or a page of the docs names is one that the command line takes."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from apps.cli.main import main as command_line
from hugginggpt.settings import CHECKOUT

SOURCES = [
    path for room in ("apps", "flows", "tasks", "hugginggpt") for path in sorted((CHECKOUT / room).rglob("*.py"))
]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
QUOTED = re.compile(r"(\brun )?`hugginggpt( [^`]+)?`", re.IGNORECASE)
SHELL = re.compile(r"^(?:\$ )?hugginggpt( .*)$", re.MULTILINE)
GAP = "VALUE"
"""Stands for what a sentence gets only when it is said."""


def sentences(source: Path) -> Iterator[str]:
    """Every text in a module, with its gaps filled."""
    tree = ast.parse(source.read_text("utf-8"))
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value


def named_in(text: str) -> Iterator[tuple[str, bool]]:
    """What a text says after `hugginggpt`, and whether it tells the reader to run just that."""
    for match in QUOTED.finditer(text):
        yield " ".join((match[2] or "").split()), match[1] is not None


def shell_lines(page: str) -> Iterator[str]:
    """The arguments of the `hugginggpt` commands in the code blocks of a page."""
    for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        for line in SHELL.findall(block.replace("\\\n", " ")):
            yield line.strip()


def problem(said: str, whole: bool) -> str | None:
    """Why the command line does not take these arguments; None if it does.

    Args:
        said: the arguments, as a shell reads them.
        whole: whether nothing may be missing, because it is to be run as it stands.
    """
    words = shlex.split(said.replace("COMMAND", "ask"), comments=True)
    for stop in ("|", ">", "&&", ";"):
        words = words[: words.index(stop)] if stop in words else words
    command: click.Command = command_line
    context = click.Context(command, info_name="hugginggpt")
    try:
        while True:
            _, left, _ = command.make_parser(context).parse_args(list(words))
            if not isinstance(command, click.Group) or not left:
                break
            _, inner, words = command.resolve_command(context, left)
            assert inner is not None
            command, context = inner, click.Context(inner, parent=context, info_name=inner.name)
    except click.UsageError as error:
        return error.format_message()
    arguments = [part for part in command.params if isinstance(part, click.Argument)]
    if left:
        return f"{left[0]} is one argument too many"
    return f"it lacks {arguments[0].human_readable_name}" if whole and arguments and not words else None


def complaints(texts: Iterator[tuple[str, bool]]) -> list[str]:
    return [f"hugginggpt {said}: {why}" for said, whole in texts if (why := problem(said, whole))]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_a_hint_names_a_command_that_there_is(source: Path) -> None:
    assert complaints(named for text in sentences(source) for named in named_in(text)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_names_commands_that_there_are(page: Path) -> None:
    text = page.read_text("utf-8")
    assert complaints(named_in(text)) == []
    assert complaints((line, False) for line in shell_lines(text)) == []


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("models list --kind image-to-text", False),
        ("models fetch", True),
        ("modles", False),
        ("ask --modle a=b", False),
        ("resume", True),
        ("down now", False),
    ],
)
def test_a_wrong_hint_is_found(said: str, whole: bool) -> None:
    assert problem(said, whole)


@pytest.mark.parametrize(
    ("said", "whole"),
    [("models --kind KIND", True), ("models fetch --kind KIND", True), ("models fetch ID", True), ("resume", False)],
)
def test_a_right_hint_is_none(said: str, whole: bool) -> None:
    assert problem(said, whole) is None

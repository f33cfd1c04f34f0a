"""Writes tests/data/files.md: every input of the tests, what it stands for, and what comes of it.

`python -m tests.files.page` updates it, and a test fails if it is out of date.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from tests.files.input import Input
from tests.files.inputs import INPUTS
from tests.files.outcomes import Refused

PAGE = Path(__file__).parents[1] / "data" / "files.md"

_HEAD = """\
# Files of the tests

<!-- Written by `python -m tests.files.page`. -->

The tests build each of these files and load it as a request would; nothing is downloaded. `tests/files/test_inputs.py`
checks what comes of it.

"""


def content() -> str:
    """The whole page."""
    return _HEAD + "\n".join("\n".join(_section(kind, inputs)) for kind, inputs in INPUTS.items())


def _section(kind: str, inputs: tuple[Input, ...]) -> Iterator[str]:
    yield f"## {kind}\n\n{len(inputs)} files.\n\n| file | what it stands for | what comes of it |\n| --- | --- | --- |"
    for one in inputs:
        yield f"| {' | '.join(map(_cell, (_name(one), one.stands_for, _outcome(one))))} |"
    yield ""


def _name(one: Input) -> str:
    way = f", served as {one.served}" if one.served else f", after {one.uri}," if one.uri else ""
    return unicodedata.normalize("NFC", one.name) + way


def _outcome(one: Input) -> str:
    told = one.wanted.told()
    notes = () if isinstance(one.wanted, Refused) else one.wanted.notes
    if notes:
        told = f"{told.removesuffix('.')}." + "".join(f' Note: "{one.renamed or one.name} {note}."' for note in notes)
    return told


def _cell(text: str) -> str:
    shown = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return shown.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(content(), "utf-8")

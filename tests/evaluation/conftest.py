"""Datasets to write and controllers to ask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]

READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "scan.png"}}
SPEAK = {"task": "text-to-speech", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}}
OWN = {"id": "a", "request": "Read scan.png aloud", "files": ["scan.png"], "plan": [READ, SPEAK]}
THEIRS = {
    "id": "7",
    "user_request": "Read scan.png aloud",
    "task_nodes": [
        {"task": "Image-to-Text", "arguments": ["scan.png"]},
        {"task": "Text-to-Speech", "arguments": ["<node-0>"]},
    ],
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a dataset; a text is a line as it is."""

    def write(*rows: dict[str, Any] | str) -> Path:
        path = tmp_path / "requests.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n", "utf-8")
        return path

    return write

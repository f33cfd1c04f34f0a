"""What an older version of our code made of the same bytes is not taken from the cache."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.experts import version
from hugginggpt.settings import PACKAGE
from hugginggpt.trace.story import RequestTrace
from tests.files.documents import two_sheets
from tests.flows.conftest import Answer
from tests.stand_ins.inference_server import InferenceServer
from tests.stand_ins.openai_server import OpenAIServer

REMOTE = "facebook/detr-resnet-50"


def step(id: int, kind: str, model: str = "", **args: str) -> dict[str, Any]:
    return {"task": kind, "id": id, "args": args} | ({"model": model} if model else {})


def stages(story: RequestTrace) -> dict[str, str]:
    return {task.task: task.status.value for task in story.tasks}


@pytest.fixture
def other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of another version of the package, still with the same code."""
    copied = tmp_path / "hugginggpt"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(version, "PACKAGE", copied)
    return copied


def test_another_version_of_a_reader_makes_what_depends_on_it_again(
    answer: Answer,
    controller: OpenAIServer,
    provider: InferenceServer,
    other_code: Path,
    photo: Path,
    tmp_path: Path,
) -> None:
    workbook = tmp_path / "sales.xlsx"
    workbook.write_bytes(two_sheets())
    controller.script = {"respond": "Done.", "summarization": "Sales."}
    plan = [
        step(0, "table-question-answering", text="How many rows are there?", table="sales.xlsx#page=1"),
        step(1, "summarization", text="sales.xlsx"),
        step(2, "canny-control", image="photo.png"),
        step(3, "object-detection", REMOTE, image="photo.png"),
        step(4, "text-to-speech", text="The total is 42 euros."),
    ]

    def asked() -> dict[str, str]:
        return stages(answer("What is it?", workbook, photo, plan=plan))

    assert set(asked().values()) == {"completed"}
    assert set(asked().values()) == {"cached"}, "another folder is no other code"

    with (other_code / "documents" / "xlsx.py").open("a") as reader:
        reader.write("# It reads otherwise.\n")
    version.code_sha256.cache_clear()
    assert asked() == {
        "table-question-answering": "completed",
        "summarization": "completed",
        "canny-control": "completed",
        "object-detection": "cached",
        "text-to-speech": "completed",
    }
    (other_code / "experts" / "embedded" / "new_rule.py").write_text("")
    version.code_sha256.cache_clear()
    assert asked() == {
        "table-question-answering": "completed",
        "summarization": "cached",
        "canny-control": "completed",
        "object-detection": "cached",
        "text-to-speech": "completed",
    }

"""The report, against one worked out by hand, and what a subject is."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hugginggpt.errors import UsageError
from hugginggpt.evaluation.datasets import Dataset, read_dataset
from hugginggpt.evaluation.metrics import Group
from hugginggpt.evaluation.prediction import Prediction
from hugginggpt.evaluation.report import EvaluationReport, GroupScores, make_report
from hugginggpt.evaluation.subject import Subject, settings_with, subject_of
from hugginggpt.plan import parse_plan
from hugginggpt.settings import PACKAGE, Settings, data_folder
from tests.evaluation.conftest import OWN, READ, SPEAK, THEIRS, Write

SUBJECT = Subject(dataset_sha256="d", controller="embedded", model="small", planner_sha256="p")


def predicted(position: int, plan: list[dict[str, Any]] | None, seconds: float) -> Prediction:
    return Prediction(
        position=position,
        sample_id=str(position),
        request="",
        plan=None if plan is None else parse_plan(json.dumps(plan)),
        error=None if plan is not None else "No plan.",
        error_type=None if plan is not None else "PlanError",
        seconds=seconds,
        calls=1,
        prompt_tokens=100,
        completion_tokens=10,
    )


def report(dataset: Dataset, *plans: list[dict[str, Any]] | None) -> EvaluationReport:
    predictions = {k: predicted(k, plan, float(k + 1)) for k, plan in enumerate(plans)}
    return make_report("e", dataset, SUBJECT, predictions)


def test_a_report_by_hand(write: Write) -> None:
    single = {"id": "b", "request": "Read scan.png", "plan": [READ]}
    nothing = {"id": "c", "request": "Hello", "plan": []}
    graph = {"id": "d", "request": "Read scan.png and draw a cat", "plan": [READ, DRAW]}
    made = report(read_dataset(write(OWN, single, nothing, graph)), [READ, SPEAK], [READ, SPEAK], [], None)
    # Tasks: right 2 + 1 + 0 + 2, predicted 2 + 2 + 0 + 0, common 2 + 1: F1 = 6 / 9.
    assert made.node_f1 == 66.67
    # Edges: right 1, predicted 2, common 1: F1 = 2 / 3.
    assert made.edge_f1 == 66.67
    # One argument a task: names as the tasks; values too, for those in common are the same.
    assert (made.name_f1, made.value_f1) == (66.67, 66.67)
    # Exactly right are the first and the third; the last has no valid plan.
    assert (made.samples, made.exact, made.valid) == (4, 50.0, 75.0)
    # The second speaks without being asked to.
    assert made.superfluous == 25.0
    # 1, 2, 3 and 4 seconds: the middle of 2 and 3; the 95th percentile is the 4th of 4 (0.95 * 4 = 3.8).
    assert (made.seconds_median, made.seconds_p95, made.seconds_mean) == (2.5, 4.0, 2.5)
    assert (made.calls, made.prompt_tokens, made.completion_tokens) == (4, 400, 40)
    assert made.by_group == {
        Group.NONE: scores(accuracy=100.0),
        # Of two planned tasks one is right, and it is all that was wanted.
        Group.SINGLE: scores(accuracy=0.0, precision=50.0, recall=100.0, f1=66.67),
        Group.SEQUENCE: scores(accuracy=100.0, precision=100.0, recall=100.0, f1=100.0, edit_distance=0.0),
        Group.GRAPH: scores(accuracy=0.0, precision=0.0, recall=0.0, f1=0.0),
    }


DRAW = {"task": "text-to-image", "id": 1, "dep": [-1], "args": {"text": "a cat"}}


def scores(**given: float) -> GroupScores:
    return GroupScores(samples=1, **dict.fromkeys(("precision", "recall", "f1", "edit_distance")) | given)


def test_a_report_in_taskbench_form_by_hand(write: Write) -> None:
    outlined = {"task": "canny-control", "id": 1, "dep": [-1], "args": {"image": "scan.png"}}
    made = report(read_dataset(write(THEIRS)), [READ, outlined])
    # Right: Image-to-Text and Text-to-Speech; predicted: Image-to-Text and a kind for which there is no tool.
    assert (made.node_f1, made.edge_f1, made.name_f1, made.value_f1) == (50.0, 0.0, 50.0, 50.0)
    # One of two names is to be replaced.
    assert made.by_group[Group.SEQUENCE].edit_distance == 0.5


def test_a_report_on_a_text_with_a_reference_by_hand(write: Write) -> None:
    nodes = [
        {"task": "Image-to-Text", "arguments": ["scan.png"]},
        {"task": "Text Generation", "arguments": ["a poem about <node-0>", "in four lines"]},
        {"task": "Text-to-Speech", "arguments": ["<node-1>"]},
    ]
    poem = {"task": "text-generation", "id": 1, "dep": [0], "args": {"text": "a song about <GENERATED>-0"}}
    draw = {"task": "text-to-image", "id": 2, "dep": [1], "args": {"text": "<GENERATED>-1"}}
    made = report(read_dataset(write(THEIRS | {"task_nodes": nodes})), [READ, poem, draw])
    # Tasks: 3 and 3, common reading and writing: F1 = 4 / 6.
    assert made.node_f1 == 66.67
    # Edges: reading to writing is in both, writing to speaking and writing to drawing in one each: F1 = 2 / 4.
    assert made.edge_f1 == 50.0
    # Names: (read, image), (write, text), (speak, text); (read, image), (write, text), (draw, text): F1 = 4 / 6.
    assert made.name_f1 == 66.67
    # Values: scan.png and the result of reading are in both. Right are also 'in four lines' and what is
    # spoken, predicted also what is drawn: F1 = 2 * 2 / (4 + 3).
    assert made.value_f1 == 57.14
    # One of three names is to be replaced.
    assert made.by_group[Group.SEQUENCE].edit_distance == 0.333


def test_another_controller_another_prompt_or_other_weights_are_another_subject(
    write: Write, settings: Settings, tmp_path: Path
) -> None:
    def changed(**update: Any) -> Settings:
        return settings.model_copy(update={"embedded_planner": Path("none")} | update)

    dataset = read_dataset(write(OWN))
    base, adapter = tmp_path / "base.gguf", tmp_path / "adapter.gguf"
    base.write_bytes(b"GGUF")
    adapter.write_bytes(b"GGUF, an adapter")
    subjects = [
        subject_of(dataset, changed()),
        subject_of(dataset, changed(embedded_controller_gguf=base)),
        subject_of(dataset, changed(embedded_planner=adapter)),
        subject_of(dataset, changed(openai_api_key=SecretStr("sk"))),
        subject_of(dataset, changed(openai_api_key=SecretStr("sk"), controller_model="other")),
        subject_of(read_dataset(write(OWN, OWN)), changed()),
    ]
    assert len(set(subjects)) == len(subjects)
    assert [s.controller for s in subjects] == ["embedded", "embedded", "embedded", "openai", "openai", "embedded"]
    adapter.write_bytes(b"GGUF, a better adapter")
    assert subject_of(dataset, changed(embedded_planner=adapter)) != subjects[2]
    assert subject_of(dataset, changed()) == subjects[0]


def test_another_server_is_another_subject_whoever_asks_it(write: Write, settings: Settings) -> None:
    def at(url: str) -> Subject:
        return subject_of(dataset, settings.model_copy(update={"openai_base_url": url}))

    dataset = read_dataset(write(OWN))
    assert at("https://a.example/v1") != at("https://b.example/v1")
    assert at("https://ada:secret@a.example/v1") == at("https://a.example/v1")


HASHES = """
import importlib, sys
from pathlib import Path
from pydantic import SecretStr

def hashes():
    from hugginggpt.evaluation.datasets import read_dataset
    from hugginggpt.evaluation.subject import subject_of
    from hugginggpt.settings import Settings
    dataset = read_dataset(Path("requests.jsonl"))
    for settings in Settings(embedded_planner=Path("none")), Settings(openai_api_key=SecretStr("sk")):
        yield subject_of(dataset, settings).planner_sha256

for line in sys.stdin:
    print(*hashes(), flush=True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "hugginggpt"]:
        del sys.modules[name]
    importlib.invalidate_caches()
"""
"""For each line, hashes by a project that is imported anew."""


def test_prompts_and_grammar_count_where_they_are_used(write: Write, tmp_path: Path) -> None:
    """In a copy of the project, of which one file after the other is changed."""
    write(OWN)
    shutil.copytree(PACKAGE, tmp_path / "hugginggpt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(data_folder("prompts"), tmp_path / "prompts")

    hashing = subprocess.Popen(
        [sys.executable, "-Bc", HASHES], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert hashing.stdin is not None and hashing.stdout is not None
    asked, answers = hashing.stdin, hashing.stdout

    def hashes() -> list[str]:
        print(file=asked, flush=True)
        return answers.readline().split()

    def changed(file: str, old: str, new: str) -> tuple[bool, ...]:
        whole = (tmp_path / file).read_text("utf-8")
        assert old in whole
        (tmp_path / file).write_text(whole.replace(old, new, 1), "utf-8")
        found = tuple(now != before for now, before in zip(hashes(), unchanged, strict=True))
        (tmp_path / file).write_text(whole, "utf-8")
        return found

    unchanged = hashes()
    embedded, served = (True, False), (False, True)
    assert changed("prompts/embedded/_request.j2", "\n", "\n\n") == embedded
    assert changed("hugginggpt/controller/embedded/grammar.py", "[A-Z] [a-z]{2,20}", "[A-Z] [a-z]{2,21}") == embedded
    assert changed("hugginggpt/controller/embedded/grammar.py", "_MOST_VALUES = ", "_MOST_VALUES = 1 + ") == embedded
    planner = (tmp_path / "hugginggpt/controller/embedded/planner.py").read_text("utf-8")
    for name in set(re.findall(r"^from hugginggpt\.controller\.embedded\.(\w+) import", planner, re.M)) - {"server"}:
        assert changed(f"hugginggpt/controller/embedded/{name}.py", "\n", "\n\n") == embedded, name
    assert changed("prompts/planning_repair.j2", "\n", "\n\n") == served
    assert changed("prompts/planning_demos.json", "\n", "\n\n") == served
    assert changed("hugginggpt/plan/schema.py", "\n", "\n\n") == served
    read_otherwise = {"__init__.py", "notation.py", "schema.py", "origins.py", "renumber.py", "picture.py"}
    for file in {path.name for path in (PACKAGE / "plan").glob("*.py")} - read_otherwise:
        assert changed(f"hugginggpt/plan/{file}", "\n", "\n\n") == (True, True)
    with hashing:
        asked.close()


def test_the_controller_can_be_chosen(settings: Settings) -> None:
    served = settings.model_copy(update={"openai_api_key": SecretStr("sk")})
    assert settings_with(served, "embedded").uses_embedded_controller
    assert not settings_with(served, "openai").uses_embedded_controller
    assert settings_with(served, None) == served
    with pytest.raises(UsageError, match="set OPENAI_API_KEY or OPENAI_BASE_URL"):
        settings_with(settings, "openai")

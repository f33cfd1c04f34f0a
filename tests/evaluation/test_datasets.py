"""Reading datasets in both forms, and refusing what is none."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import UsageError
from hugginggpt.evaluation.datasets import Form, read_dataset, sample_set
from hugginggpt.evaluation.metrics import Argument, Group, Node
from hugginggpt.plan import parse_plan
from tests.evaluation.conftest import OWN, READ, SPEAK, THEIRS, Write


def test_our_own_form(write: Write) -> None:
    path = write(OWN, "", {"id": 2, "request": "Hello", "plan": []})
    dataset = read_dataset(path)
    assert (dataset.form, dataset.sha256) == (Form.OWN, hashlib.sha256(path.read_bytes()).hexdigest())
    first, second = dataset.samples
    assert (first.position, first.id, first.request, first.group) == (0, "a", "Read scan.png aloud", Group.SEQUENCE)
    assert [(r.name, r.artifact.type) for r in first.resources] == [("scan.png", ValueType.IMAGE)]
    assert first.graph == (
        Node("image-to-text", (Argument("image", "scan.png"),)),
        Node("text-to-speech", (Argument("text", source=0),)),
    )
    assert (second.position, second.id, second.graph, second.group) == (1, "2", (), Group.NONE)
    assert dataset.graph_of(parse_plan(json.dumps([READ, SPEAK]))) == first.graph
    assert not dataset.foreign_tools


def test_taskbench_form(write: Write) -> None:
    as_text = THEIRS | {"task_nodes": json.dumps(THEIRS["task_nodes"])}
    instructed = {"id": "9", "instruction": "Wait", "task_nodes": [{"task": "Stopwatch", "arguments": []}]}
    dataset = read_dataset(write(THEIRS, as_text, instructed))
    assert dataset.form is Form.TASKBENCH
    first, second, third = dataset.samples
    assert first.graph == second.graph == dataset.graph_of(parse_plan(json.dumps([READ, SPEAK])))
    assert (first.request, first.resources, third.request) == ("Read scan.png aloud", (), "Wait")
    assert dataset.foreign_tools == {"Stopwatch": 1}


def test_taskbench_form_under_its_other_names(write: Write) -> None:
    nodes = json.dumps(THEIRS["task_nodes"])
    other = {"id": "8", "user_request": " ", "instruction": "Read it", "task_nodes": None, "tool_nodes": nodes}
    dataset = read_dataset(write(other, THEIRS))
    assert dataset.form is Form.TASKBENCH
    first, second = dataset.samples
    assert (first.request, first.graph) == ("Read it", second.graph)


@pytest.mark.parametrize(
    "arguments",
    [
        "scan.png",
        "['scan.png']",
        '{"image": "scan.png"}',
        {"image": {"path": "scan.png"}},
        {"name": "image", "value": ["scan.png"]},
        [{"image": ["scan.png", None]}, {}],
    ],
)
def test_arguments_however_they_are_written(write: Write, arguments: Any) -> None:
    row = {"user_request": "Read it", "result": {"task_nodes": [{"tool": "Image-to-Text", "arguments": arguments}]}}
    (sample,) = read_dataset(write(row)).samples
    assert (sample.id, sample.graph) == ("1", (Node("Image-to-Text", (Argument("image", "scan.png"),)),))


def test_only_what_nothing_stands_for_is_foreign(write: Write) -> None:
    names = ["Zero-Shot Classification", "NER", "Stopwatch", "Translation"]
    dataset = read_dataset(write(THEIRS | {"task_nodes": [{"task": name, "arguments": []} for name in names]}))
    assert dataset.foreign_tools == {"Stopwatch": 1}


@pytest.mark.parametrize(
    "as_bytes", [lambda text: text.replace("\n", "\r\n").encode(), lambda text: text.encode("utf-8-sig")]
)
def test_line_ends_and_byte_order_marks_of_other_systems(write: Write, as_bytes: Callable[[str], bytes]) -> None:
    path = write(OWN, OWN | {"id": "b"})
    expected = read_dataset(path).samples
    path.write_bytes(as_bytes(path.read_text("utf-8")))
    assert read_dataset(path).samples == expected


@pytest.mark.parametrize(
    ("names", "group"),
    [
        ({"group": "single"}, Group.SINGLE),
        ({"type": "chain"}, Group.SEQUENCE),
        ({"type": "DAG"}, Group.GRAPH),
        ({"group": "none"}, Group.NONE),
        ({"group": "of my own"}, Group.SEQUENCE),
        ({"group": None}, Group.SEQUENCE),
        ({}, Group.SEQUENCE),
    ],
)
def test_the_group_is_the_given_one_or_that_of_the_shape(write: Write, names: dict[str, Any], group: Group) -> None:
    assert read_dataset(write(OWN | names)).samples[0].group is group


def test_an_argument_in_a_list_counts_by_itself_and_each_reference_in_a_text(write: Write) -> None:
    plan = [
        {"task": "image-to-text", "id": 1, "args": {"image": ["a.png", "b.png"]}},
        {"task": "image-to-text", "id": 2, "args": {"image": "c.png"}},
        {"task": "text-generation", "id": 3, "args": {"text": "<GENERATED>-2, in the style of <GENERATED>-1"}},
    ]
    (sample,) = read_dataset(write(OWN | {"plan": plan})).samples
    assert sample.graph[0].arguments == (Argument("image", "a.png"), Argument("image", "b.png"))
    assert sample.graph[2].arguments == (Argument("text", source=1), Argument("text", source=0))


def test_files_are_known_by_their_endings_whether_or_not_they_could_be_read(write: Write) -> None:
    files = ["a.JPG", "b.m4a", "c.csv", "https://a.example/d.mp4", "e.txt", "https://a.example/f.png?size=1.5#x.csv"]
    (sample,) = read_dataset(write(OWN | {"files": files})).samples
    assert [r.artifact.type for r in sample.resources] == ["image", "audio", "table", "video", "text", "image"]


def test_a_limit_keeps_the_first_and_checks_the_rest(write: Write) -> None:
    assert [s.id for s in read_dataset(write(OWN, OWN | {"id": "b"}), 1).samples] == ["a"]
    with pytest.raises(UsageError, match="Line 2 of the dataset"):
        read_dataset(write(OWN, "{"), 1)
    with pytest.raises(UsageError, match="A limit of 0 samples is too low"):
        read_dataset(write(OWN), 0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is not a JSON object"),
        (OWN | {"request": "  "}, "has no text in 'request'"),
        (OWN | {"plan": "none"}, "has no list of tasks in 'plan'"),
        (OWN | {"plan": [{"task": "juggle", "id": 0}]}, "has a plan that is not valid: Task 0 has the unknown kind"),
        (
            OWN | {"plan": [READ, SPEAK | {"dep": [0, 5]}]},
            "has a plan that had to be repaired: Task 1 (text-to-speech)",
        ),
        (OWN | {"request": "Read \ud800"}, "has a lone surrogate, half of a character, in 'request'"),
        (OWN | {"files": ["\ud800.png"]}, "has a lone surrogate, half of a character, in 'files'"),
        (
            OWN | {"files": ["https://a.md?x=a.png"]},
            "names the file 'https://a.md?x=a.png', which does not have the ending",
        ),
        (OWN | {"files": "scan.png"}, "has 'files' that are not a list of names"),
        (OWN | {"files": ["scan.xyz"]}, "names the file 'scan.xyz', which does not have the ending"),
        (THEIRS, "has no list of tasks in 'plan'"),
    ],
)
def test_a_line_that_is_no_sample_is_a_sentence(write: Write, line: dict[str, Any] | str, reason: str) -> None:
    path = write(OWN, line)
    with pytest.raises(UsageError) as caught:
        read_dataset(path)
    assert caught.value.message.startswith(f"Line 2 of the dataset {path} {reason}")
    assert "\n" not in caught.value.message


NESTED: list[Any] = []
for _ in range(900):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (THEIRS | {"task_nodes": "[{"}, "has 'task_nodes' that are not JSON."),
        (THEIRS | {"task_nodes": {}}, "has no list of tasks in 'task_nodes'."),
        (THEIRS | {"task_nodes": ["Translation"]}, "has a task node without the name of a task."),
        ({"id": "8", "task_nodes": []}, "has no text in 'user_request' or 'instruction'."),
        (
            THEIRS | {"task_nodes": [{"task": "Translation", "arguments": [f"<node-{'9' * 5000}>"]}]},
            "refers to a task by a number of more than nine digits.",
        ),
        (
            THEIRS | {"task_nodes": [{"task": "Translation", "arguments": NESTED}]},
            "has 'task_nodes' that are nested too deeply.",
        ),
    ],
)
def test_a_line_that_is_not_taskbenchs_is_a_sentence(write: Write, line: dict[str, Any], reason: str) -> None:
    path = write(THEIRS, line)
    with pytest.raises(UsageError) as caught:
        read_dataset(path)
    assert caught.value.message == f"Line 2 of the dataset {path} {reason}"


def test_files_that_are_no_dataset(write: Write, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_dataset(tmp_path / "nowhere.jsonl")
    with pytest.raises(UsageError, match="has no samples"):
        read_dataset(write("", " "))
    (tmp_path / "latin.jsonl").write_bytes(b"\xe9")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        read_dataset(tmp_path / "latin.jsonl")
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError, match="is not a regular file"):
        read_dataset(tmp_path / "pipe.jsonl")


def test_the_requests_that_come_with_the_package_can_be_read() -> None:
    assert len(read_dataset(sample_set()).samples) == 247

"""Our plans in TaskBench's form, and that form as a graph."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.evaluation.metrics import Argument, Node, edges_of, names_of, tasks_of, values_of
from hugginggpt.evaluation.taskbench import PUBLISHED, graph_of_nodes, known_name, task_nodes, tool_named, tools
from hugginggpt.plan import Plan, parse_plan


def plan(*tasks: dict[str, Any]) -> Plan:
    return parse_plan(json.dumps([{"id": place, **task} for place, task in enumerate(tasks)]))


def node(task: str, *arguments: Any) -> dict[str, Any]:
    return {"task": task, "arguments": list(arguments)}


def test_every_tool_is_a_kind_with_inputs_that_it_has() -> None:
    assert len(tools()) == 23
    for tool in tools():
        capability = CAPABILITIES[tool.kind]
        assert all(capability.input(name) for name in tool.inputs), tool
        made = {output.value for output in capability.outputs} | {"text", "none"}
        assert tool.output in made, tool


@pytest.mark.parametrize(
    "name", ["Image-to-Text", "image-to-text", "Image_to_Text", "Image to Text", " image to-text "]
)
def test_names_are_the_same_however_they_are_joined(name: str) -> None:
    found = tool_named(name)
    assert found is not None and found.tool == "Image-to-Text"


def test_a_name_of_no_tool_is_none() -> None:
    assert tool_named("Stopwatch") is None
    assert known_name("Stopwatch") is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("image_to_text", "Image-to-Text"),
        ("NER", "Token Classification"),
        ("Zero-Shot Classification", "zero-shot-classification"),
        ("canny_control", "canny-control"),
    ],
)
def test_a_name_of_no_tool_is_the_kind_that_it_means(name: str, known: str) -> None:
    assert known_name(name) == known
    assert graph_of_nodes([node(name)]) == (Node(known),)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"task": "image-to-image", "args": {"image": "a.png"}}, node("Image-to-Image", "a.png")),
        (
            {"task": "image-to-image", "args": {"image": "a.png", "text": "make it pink"}},
            node("Image Editing", "make it pink", "a.png"),
        ),
        (
            {"task": "translation", "args": {"text": "Hello", "target_language": "French"}},
            node("Translation", "Hello"),
        ),
        ({"task": "text-to-image", "args": {"text": "a cat", "seed": 3}}, node("Text-to-Image", "a cat")),
        (
            {"task": "question-answering", "args": {"text": "Who?", "context": "Ada."}},
            node("Question Answering", "Ada.", "Who?"),
        ),
        (
            {"task": "object-detection", "args": {"image": ["a.png", "b.png"]}},
            node("Object Detection", "a.png", "b.png"),
        ),
        ({"task": "canny-control", "args": {"image": "a.png"}}, node("canny-control", "a.png")),
        (
            {"task": "zero-shot-classification", "args": {"text": "Hi", "labels": ["rude", "kind"]}},
            node("zero-shot-classification", "Hi", "rude", "kind"),
        ),
    ],
)
def test_a_task_of_ours_in_their_form(task: dict[str, Any], expected: dict[str, Any]) -> None:
    assert task_nodes(plan(task)) == [expected]


def test_references_are_by_place() -> None:
    made = parse_plan(
        json.dumps(
            [
                {"task": "image-to-text", "id": 7, "args": {"image": "a.png"}},
                {"task": "text-generation", "id": 9, "args": {"text": "a poem about <GENERATED>-7"}},
            ]
        )
    )
    assert task_nodes(made)[1] == node("Text Generation", "<node-0>")


def test_every_reference_in_a_text_of_ours_counts_and_of_theirs_the_first() -> None:
    made = plan(
        {"task": "image-to-text", "args": {"image": "a.png"}},
        {"task": "automatic-speech-recognition", "args": {"audio": "b.wav"}},
        {"task": "text-generation", "args": {"text": "compare <GENERATED>-0 with <GENERATED>-1"}},
    )
    both = (Argument("text", source=0), Argument("text", source=1))
    assert graph_of_nodes(task_nodes(made))[2].arguments == both
    theirs = [*task_nodes(made)[:2], node("Text Generation", "compare <node-0> with <node-1>")]
    assert graph_of_nodes(theirs)[2].arguments == both[:1]


def test_a_reference_without_end_in_a_plan_of_ours_is_a_text() -> None:
    text = f"<node-{'9' * 5000}>"
    made = plan({"task": "translation", "args": {"text": text}})
    assert graph_of_nodes(task_nodes(made)) == (Node("Translation", (Argument("text", text),)),)


def test_a_plan_of_theirs_by_hand() -> None:
    graph = graph_of_nodes(
        [
            node("Image_to_Text", "holiday.jpg"),
            node("Text-to-Speech", "<node-0>"),
            node("Text-to-Image", "a text <node-0> with more around it"),
            node("Depth Estimation", "<node-2>"),
            node("Audio-to-Audio", "<node-1>", "noise.wav", "at https://a.example/film.mp4", "louder"),
        ]
    )
    assert tasks_of(graph) == {"Image-to-Text", "Text-to-Speech", "Text-to-Image", "Depth Estimation", "Audio-to-Audio"}
    assert edges_of(graph) == {
        ("Image-to-Text", "Text-to-Speech"),
        ("Image-to-Text", "Text-to-Image"),
        ("Text-to-Image", "Depth Estimation"),
        ("Text-to-Speech", "Audio-to-Audio"),
    }
    # A result is named by what the tool makes, a literal by the file ending in it.
    assert names_of(graph) == {
        ("Image-to-Text", "image"),
        ("Text-to-Speech", "text"),
        ("Text-to-Image", "text"),
        ("Depth Estimation", "image"),
        ("Audio-to-Audio", "audio"),
        ("Audio-to-Audio", "video"),
        ("Audio-to-Audio", "text"),
    }
    assert ("Audio-to-Audio", "audio", "Text-to-Speech") in values_of(graph)
    assert ("Audio-to-Audio", "audio", "noise.wav") in values_of(graph)
    assert ("Text-to-Image", "text", "Image-to-Text") in values_of(graph)


def test_what_refers_to_itself_or_to_nothing_is_no_argument() -> None:
    graph = graph_of_nodes([node("Translation", "<node-0>", "<node-9>", "Hello")])
    assert graph == (Node("Translation", (Argument("text", "Hello"),)),)


@pytest.mark.parametrize(
    ("argument", "read"),
    [
        ({"name": "text", "value": "Hello"}, "Hello"),
        ({"name": "text", "value": ["Hello", "you"]}, "Hello you"),
        (["Hello", "you"], "Hello you"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "True"),
        ({"text": "Hello"}, "Hello"),
        ({"text": ["Hello", None, "you"]}, "Hello you"),
    ],
)
def test_arguments_of_every_make(argument: Any, read: str) -> None:
    assert graph_of_nodes([node("Translation", argument)])[0].arguments == (Argument("text", read),)


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ([{"image": "scan.png"}, {"text": "<node-0>"}], ["scan.png", 0]),
        ([{"name": "image", "value": "scan.png"}, {"name": "text", "value": None}], ["scan.png"]),
        ({"image": "scan.png"}, ["scan.png"]),
        ({"image": "scan.png", "text": "<node-0>"}, ["scan.png", 0]),
        ({"name": "image", "value": "scan.png"}, ["scan.png"]),
        ('["scan.png", "<node-0>"]', ["scan.png", 0]),
        (' [{"image": "scan.png"}]', ["scan.png"]),
        ('{"image": "scan.png"}', ["scan.png"]),
        (["scan.png", None, [None]], ["scan.png"]),
        ([], []),
        ({}, []),
        (None, []),
    ],
)
def test_arguments_written_in_every_way(arguments: Any, read: list[str | int]) -> None:
    graph = graph_of_nodes(
        [node("Translation", "Hello"), {"task": "Visual Question Answering", "arguments": arguments}]
    )
    assert [a.value if a.source is None else a.source for a in graph[1].arguments] == read


@pytest.mark.parametrize("text", ["[scan.png]", "[" * 100_000, "{" + "-" * 100_000, "see [1]"])
def test_a_text_that_only_begins_like_a_list_is_an_argument(text: str) -> None:
    ((argument,),) = [node.arguments for node in graph_of_nodes([{"task": "Translation", "arguments": text}])]
    assert argument.value == text


def test_a_node_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="without the name of a task"):
        graph_of_nodes([{"arguments": ["a.png"]}])


@pytest.mark.parametrize("kind", [kind for kind in CAPABILITIES if kind not in {tool.kind for tool in tools()}])
def test_a_kind_without_a_tool_makes_something_of_a_type(kind: str) -> None:
    graph = graph_of_nodes([node(kind), node("Translation", "<node-0>")])
    assert names_of(graph) <= {("Translation", made) for made in ("text", "image", "audio", "video")}


@given(st.lists(st.sampled_from(tools()), max_size=5))
def test_what_a_tool_takes_comes_back_as_that_tool(chosen: list[Any]) -> None:
    values = {"image": "a.png", "audio": "a.wav", "video": "a.mp4", "table": "a.csv", "text": "Hello"}
    tasks = [
        {
            "task": tool.kind,
            "args": {
                name: values[wanted.type.value]
                for name in tool.inputs
                if (wanted := CAPABILITIES[tool.kind].input(name)) is not None
            },
        }
        for tool in chosen
    ]
    assert [n["task"] for n in task_nodes(plan(*tasks))] == [tool.tool for tool in chosen]


def test_the_documentation_has_the_published_figures() -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8")
    table = text.split("| as published |")[1].split("\n\n")[0].splitlines()[2:]
    rows = [f"| {p.system} | {p.node_f1} | {p.edge_f1} | {p.name_f1} | {p.value_f1} |" for p in PUBLISHED]
    assert table == rows

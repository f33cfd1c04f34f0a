"""Our plans in TaskBench's form, and that form as a graph."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.evaluation.metrics import Argument, Node, edges_of, names_of, tasks_of, values_of
from hugginggpt.evaluation.taskbench import graph_of_nodes, task_nodes, tool_named, tools
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
    assert task_nodes(made)[1] == node("Text Generation", "a poem about <node-0>")


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
    ],
)
def test_arguments_of_every_make(argument: Any, read: str) -> None:
    assert graph_of_nodes([node("Translation", argument)])[0].arguments == (Argument("text", read),)


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

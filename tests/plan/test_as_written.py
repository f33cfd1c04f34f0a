"""Plans as language models write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.plan import Plan, PlanError, parse_plan

READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "a.jpg"}}
SAY = {"task": "text-to-speech", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}}
CHAIN = [READ, SAY]


def saying(text: Any, dep: Any = (0,)) -> str:
    return json.dumps([READ, SAY | {"dep": dep, "args": {"text": text}}])


def kinds(plan: Plan) -> list[str]:
    return [task.task for task in plan.tasks]


@pytest.mark.parametrize(
    "wrapped",
    [
        {"plan": {"tasks": CHAIN}},
        {"result": {"plan": {"Tasks": CHAIN}}},
        {"Tasks": CHAIN},
        {"steps": CHAIN},
        {"tasks": {"0": READ, "1": SAY}},
        {
            "task_0": {"task": "image-to-text", "args": READ["args"]},
            "task_1": {"task": "text-to-speech", "args": SAY["args"]},
        },
        {"thought": "First read.", "steps": CHAIN},
        {"arguments": json.dumps({"tasks": CHAIN})},
        {
            "tasks": [
                {"type": "image-to-text", "id": 0, "args": READ["args"]},
                {"Tool": "TTS", "Id": 1, "Args": SAY["args"]},
            ]
        },
        {"tasks": [{"name": "read", "task": "image-to-text", "id": 0, "args": READ["args"]}, SAY]},
        [{"step": 1, "action": "image-to-text", "id": 0, "args": READ["args"]}, SAY],
        {"task": "Read a.jpg aloud", "plan": CHAIN},
        {"tool": "plan", "arguments": {"tasks": CHAIN}},
        {"execution_plan": CHAIN},
        {"final_answer": {"task_plan": CHAIN}},
        [READ | {"task": "Read the picture", "tool": "image-to-text"}, SAY],
        [{"name": "image-to-text", "parameters": READ["args"], "id": 0}, SAY],
        [READ | {"args": json.dumps(READ["args"])}, SAY],
        [READ | {"args": [{"name": "image", "value": "a.jpg"}]}, SAY],
        [{"task": "image-to-text", "id": 0, "image": "a.jpg"}, SAY],
        [READ, SAY, None],
        [{"tasks": CHAIN}],
        [{"plan": {"tasks": CHAIN}}],
        [{"name": "plan", "arguments": {"tasks": CHAIN}}],
        {"tool_calls": [{"type": "function", "function": {"name": "plan", "arguments": json.dumps({"tasks": CHAIN})}}]},
        [
            {"type": "function", "function": {"name": "image-to-text", "arguments": json.dumps(READ["args"])}},
            {"type": "function", "function": {"name": "text-to-speech", "arguments": json.dumps(SAY["args"])}},
        ],
        {"tasks": [{"task": READ}, {"task": SAY}]},
        [{"tasks": [READ]}, {"tasks": [SAY]}],
        [[READ], [SAY]],
        {"tasks": [{"image-to-text": READ["args"]}, {"text-to-speech": SAY["args"]}]},
        [{"id": 0, "image-to-text": READ["args"]}, {"id": 1, "dep": [0], "text-to-speech": {"args": SAY["args"]}}],
        {"image-to-text": READ["args"], "text-to-speech": SAY["args"]},
    ],
)
@pytest.mark.parametrize("around", ["{}", "Here you are:\n```json\n{}\n```\nGood luck!", "The plan: {} That is all."])
def test_wrappers(wrapped: Any, around: str) -> None:
    assert parse_plan(around.replace("{}", json.dumps(wrapped), 1)).to_list() == CHAIN


@pytest.mark.parametrize(
    "text",
    [
        '{"image-to-text": {"image": "a.jpg"}}',
        'I call {"image-to-text": {"image": "a.jpg"}} for this.',
        '{"type": "function", "function": {"name": "image-to-text", "arguments": "{\\"image\\": \\"a.jpg\\"}"}}',
        '<tool_call>\n{"name": "image-to-text", "arguments": {"image": "a.jpg"}}\n</tool_call>',
        '[TOOL_CALLS][{"name": "functions.image-to-text", "arguments": {"image": "a.jpg"}}]',
        '[TOOL_CALLS][{"name": "plan", "arguments": {"tasks": [{"task": "ocr", "args": {"image": "a.jpg"}}]}}]',
    ],
)
def test_one_task(text: str) -> None:
    assert parse_plan(text).to_list() == [READ]


@pytest.mark.parametrize(
    "kind",
    [
        "ImageToText", "imageToText", "image_to_text", "Image to Text", "image–to–text", "image‑to‑text",
        "`image-to-text`",
        "functions.image-to-text", "functions.image_to_text", "tools/image-to-text", "image-to-text()",
        "functions.image_to_text:0",
        "ImageToTextTool", "**image-to-text**",
        "image-to-text(image)", "image-to-text: read it", "<image-to-text>", "OCR",
    ],
)  # fmt: skip
def test_kinds(kind: str) -> None:
    assert parse_plan(json.dumps([READ | {"task": kind}, SAY])).to_list() == CHAIN


@pytest.mark.parametrize("kind", ["image", "to-text", "image-to-text or text-to-speech", "read", "image-to-text.png"])
def test_what_is_no_kind(kind: str) -> None:
    with pytest.raises(PlanError, match="unknown kind"):
        parse_plan(json.dumps([READ | {"task": kind}, SAY]))


@pytest.mark.parametrize(
    "text",
    [
        'No task is needed here: {"tasks": []}',
        "I can answer directly.\n[]\n",
        "I can answer directly.\n```json\n[]\n```",
        '```json\n{"tasks": []}\n```\nas there is nothing to do',
        'Nothing to do. {"plan": {"tasks": []}}',
        "Plan: []",
        "**Plan:** `[]`",
        "The plan is [].",
        "Final answer: []",
        "`[]`",
        "[\n]",
        "No tasks are needed: []",
        "The plan is empty: []",
        "[] (no tasks needed)",
        "Sure!\n\n[\n]\n",
        "{'tasks': []}",
        "{tasks: []}",
        '{"tasks": [],}',
        '{"tasks": {}}',
        '{"tasks": null}',
        "Nothing to do: {'tasks': None}",
        '{"plan": {"tasks": []}}',
        '[{"tasks": []}]',
        '{"name": "plan", "arguments": {"tasks": []}}',
        '{"name": "plan", "arguments": "{\\"tasks\\": []}"}',
        "The list [] is empty in Python, and so is the plan:\n[]",
    ],
)
def test_an_empty_plan_inside_prose(text: str) -> None:
    assert parse_plan(text).tasks == ()


def test_an_empty_list_in_a_sentence_is_no_plan() -> None:
    with pytest.raises(PlanError, match="no plan"):
        parse_plan("I would use args: [] but I do not know the file.")


def test_an_empty_list_in_a_sentence_beside_a_plan_does_not_count() -> None:
    text = f"{json.dumps(CHAIN)}\nThe list [] is empty in Python, and {{'notes': []}} has none."
    assert parse_plan(text).to_list() == CHAIN


@pytest.mark.parametrize(
    "dep", ["0", "[0]", "task 0", "0, -1", {"0": "its text"}, {"task": 0}, {"ids": [0]}, [{"id": 0}], ["task_0"], 0]
)
def test_dep_in_any_form_keeps_the_order(dep: Any) -> None:
    plan = parse_plan(saying("Good day", dep))
    assert plan.task(1).dep == (0,) and plan.task(1).args == {"text": "Good day"}


@pytest.mark.parametrize("dep", [None, "none", "-1", [], "", {}, "[-1]", [None]])
def test_dep_that_names_nothing(dep: Any) -> None:
    assert parse_plan(saying("Good day", dep)).task(1).dep == ()


@pytest.mark.parametrize(
    "written",
    [
        "$0", "${0}", "{{0}}", "{{ task_0 }}", "{{task0.output}}", "{{0.text}}", "[GENERATED]-0", "(GENERATED)-0",
        "{GENERATED}-0", "GENERATED-0", "<image-to-text-0>", "<text-0>", "<output-0>", "<task 0>", "$task_0",
        "${step_0.result}", "<GENERATED>", "[GENERATED]", "{{previous}}", "<output>", "<result>", "{0}", "[0]", "#0",
        "the output of task 0", "the text of the previous step", "<GENERATED>-0.text", "<GENERATED>-0[0]",
        "<GENERATED>-<0>", "<image-to-text>-0", "output_0", "task0",
    ],
)  # fmt: skip
def test_references_in_other_dialects(written: str) -> None:
    assert parse_plan(saying(written)).to_list() == CHAIN


@pytest.mark.parametrize(
    "written", ["It says: $0!", "It says: {{0}}!", "It says: [GENERATED]-0!", "It says: <GENERATED>!", "It says: {0}!"]
)
def test_references_inside_a_text(written: str) -> None:
    assert parse_plan(saying(written)).task(1).args == {"text": "It says: <GENERATED>-0!"}


@pytest.mark.parametrize(
    "text", ["It costs $0.50", "It costs $5", "Use {{name}} and {1}", "see [12]", "<image>", "$5", "task 7", "# 1"]
)
def test_what_only_looks_like_a_reference_stays(text: str) -> None:
    assert parse_plan(saying(text, [-1])).task(1).args == {"text": text}


@pytest.mark.parametrize(
    "text", ["Explain the XML tag <output>.", "What does (result) mean?", "Use {output} as a placeholder", "<output>"]
)
def test_words_of_a_user_are_no_placeholders(text: str) -> None:
    write = {"task": "text-generation", "id": 0, "args": {"text": text}}
    assert parse_plan(json.dumps([write])).task(0).args == {"text": text}


def test_money_beside_a_reference_stays_money() -> None:
    assert parse_plan(saying("<GENERATED>-0 (previous) costs $0 now")).task(1).args == {
        "text": "<GENERATED>-0 (previous) costs $0 now"
    }


def test_steps_are_ids() -> None:
    first = {"step": 1, "task": "image-to-text", "args": READ["args"]}
    second = {"step": 2, "task": "text-to-speech", "args": {"text": "<GENERATED>-1"}}
    assert [task.dep for task in parse_plan(json.dumps([first, second])).tasks] == [(), (1,)]


def test_another_way_of_writing_a_reference_is_a_repair() -> None:
    assert any("in another way: It costs $0" in repair for repair in parse_plan(saying("It costs $0")).repairs)


def test_a_picture_cannot_cost_anything() -> None:
    drawn = {"task": "text-to-image", "id": 3, "args": {"text": "a cat"}}
    plan = parse_plan(json.dumps([drawn, {"task": "image-to-text", "id": 4, "args": {"image": "$3"}}]))
    assert plan.task(4).args == {"image": "<GENERATED>-3"}


def test_a_result_without_number_has_to_be_the_only_one() -> None:
    other = READ | {"id": 2, "args": {"image": "b.jpg"}}
    say = {"task": "text-to-speech", "id": 3, "args": {"text": "<GENERATED>"}}
    assert parse_plan(json.dumps([READ, say])).task(3).dep == (0,)
    with pytest.raises(PlanError, match=r"Task 3 .*'<GENERATED>' in 'text', which does not say whose result"):
        parse_plan(json.dumps([READ, other, say]))
    with pytest.raises(PlanError, match="does not say whose result"):
        parse_plan(json.dumps([READ, other, say | {"dep": [0, 2]}]))


@pytest.mark.parametrize("args", [{}, {"text": ""}, {"text": "<the text>"}, {"text": "$TEXT"}, {"text": None}])
def test_a_task_that_waits_for_one_result_and_lacks_one_takes_it(args: Any) -> None:
    plan = parse_plan(json.dumps([READ, SAY | {"args": args}]))
    assert plan.to_list() == CHAIN
    assert any("takes its result" in repair for repair in plan.repairs)


def test_a_task_that_lacks_an_argument_and_waits_for_nothing_that_fits_is_objected_to() -> None:
    with pytest.raises(PlanError, match="lacks its argument 'image'"):
        parse_plan(json.dumps([READ, {"task": "image-to-text", "id": 1, "dep": [0], "args": {}}]))


@given(st.text(alphabet="$<>[]{}()-_ 01GENERATEDtaskoutpu.", max_size=60), st.sampled_from([[0], [-1], "0", {"0": 0}]))
def test_any_placeholder_is_read_or_objected_to(text: str, dep: Any) -> None:
    try:
        plan = parse_plan(saying(text, dep))
    except PlanError:
        return
    assert parse_plan(plan.to_json()) == plan.model_copy(update={"repairs": ()})

"""What `parse_plan` reads, repairs and refuses."""

import json

import pytest

from hugginggpt.plan import Plan, PlanError, parse_plan

CHAIN = [
    {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "a.jpg"}},
    {"task": "text-to-speech", "id": 1, "dep": [0], "args": {"text": "<GENERATED>-0"}},
]


def plan_of(*tasks: dict[str, object]) -> Plan:
    return parse_plan(json.dumps(tasks))


def problems_of(*tasks: dict[str, object]) -> list[str]:
    with pytest.raises(PlanError) as caught:
        plan_of(*tasks)
    return caught.value.problems


def test_reads_the_papers_format_and_writes_it_back() -> None:
    assert parse_plan(json.dumps(CHAIN)).to_list() == CHAIN


@pytest.mark.parametrize(
    "written",
    [
        "Sure, here is the plan:\n```json\n{}\n```\nAnything else?",
        "```\n{}\n```",
        "The [plan] is: {} and that's it.",
        '{{"tasks": {}}}',
        '{{"plan": {}}}',
    ],
)
def test_takes_prose_fences_and_wrappers(written: str) -> None:
    assert parse_plan(written.format(json.dumps(CHAIN))).to_list() == CHAIN


@pytest.mark.parametrize("text", ["[]", " [] ", "```json\n[]\n```", '{"tasks": []}'])
def test_reads_the_empty_plan(text: str) -> None:
    assert parse_plan(text).tasks == ()


def test_takes_a_single_object() -> None:
    assert len(parse_plan('{"task": "summarization", "args": {"text": "x"}}').tasks) == 1


@pytest.mark.parametrize(
    "loose",
    [
        '[{"task": "summarization", "id": 0, "dep": [-1,], "args": {"text": "x",},},]',
        "[{'task': 'summarization', 'id': 0, 'dep': [-1], 'args': {'text': 'x'}}]",
        '[{"task": "summarization", "id": 0, "dep": [-1], "args": {"text": "x"}}',
        '[{"task": "summarization", "id": 0, // first\n "dep": [-1], "args": {"text": "x"}}]',
    ],
)
def test_takes_loose_json(loose: str) -> None:
    assert parse_plan(loose).tasks[0].args == {"text": "x"}


A = '{"task": "image-to-text", "id": 0, "args": {"image": "r.png"}}'
B = '{"task": "text-to-speech", "id": 1, "args": {"text": "<GENERATED>-0"}}'


@pytest.mark.parametrize(
    "loose",
    [
        f"[{A}, {B},]",
        f"Here: [{A}, {B},] ok",
        f"```json\n[{A}, {B},]\n```",
        f'{{"tasks": [{A}, {B},]}}',
        f"[{A}, {B}]".replace('"', "'"),
        f"[{A}, // read it\n{B}]",
        f"[{A}, {B}",
        f"{A}\n{B}",
        f"1. {A}\n2. {B}",
        f"[{A} {B}]",
        f"I use [image] tasks {{a}}: [{A}, {B}]",
        f"[{A}, " + B.replace(', "args"', ' "args"') + "]",
        f"[{A}, " + B.replace('"id": 1', '"id": 1, "dep": None') + "]",
        f"<think>maybe [{A}]</think>[{A}, {B}]",
        f"For example {A}. The plan: [{A}, {B}]",
        f"```json\n{A}\n```\nor rather\n```json\n[{A}, {B}]\n```",
    ],
)
def test_no_task_of_a_loosely_written_plan_is_lost(loose: str) -> None:
    assert [task.task for task in parse_plan(loose).tasks] == ["image-to-text", "text-to-speech"]


def test_only_plan_errors_are_raised_whatever_the_numbers() -> None:
    big = "9" * 6000
    for text in (
        f'[{{"task": "summarization", "id": {"9" * 400}, "args": {{"text": "x"}}}}]',
        f'[{{"task": "summarization", "id": 0, "dep": [{"9" * 400}], "args": {{"text": "x"}}}}]',
        f'[{{"task": "summarization", "id": {big}, "args": {{"text": "x"}}}}]',
    ):
        parse_plan(text)
    with pytest.raises(PlanError, match="names no other task"):
        parse_plan(f'[{{"task": "summarization", "id": 0, "args": {{"text": "<GENERATED>-{big}"}}}}]')
    with pytest.raises(PlanError, match="not a number"):
        parse_plan(f'[{{"task": "text-to-image", "args": {{"text": "x", "seed": {"9" * 400}}}}}]')


@pytest.mark.parametrize(
    "reference",
    ["<GENERATED>-0", "<GENERATED-0>", "<node-0>", "<generated>-0", "<resource-0>", "<GENERATED>_0", "<node>0"],
)
def test_takes_every_way_of_writing_a_reference(reference: str) -> None:
    plan = plan_of(CHAIN[0], {"task": "summarization", "id": 1, "args": {"text": f"Short: {reference}!"}})
    assert plan.task(1).args == {"text": "Short: <GENERATED>-0!"}
    assert plan.task(1).dep == (0,)


@pytest.mark.parametrize("name", ["Text-To-Speech", "text_to_speech", "TTS", "text to speech"])
def test_takes_aliases_and_case_of_kinds(name: str) -> None:
    assert plan_of({"task": name, "args": {"text": "x"}}).tasks[0].task == "text-to-speech"


def test_derives_dep_from_references_whatever_was_written() -> None:
    plan = plan_of({**CHAIN[0], "dep": [0, 7]}, {**CHAIN[1], "dep": [-1]})
    assert [t.dep for t in plan.tasks] == [(), (0,)]
    assert any("7" in repair for repair in plan.repairs)


def test_keeps_explicit_dep_as_order_only() -> None:
    plan = plan_of(CHAIN[0], {"task": "summarization", "id": 1, "dep": [0], "args": {"text": "x"}})
    assert plan.task(1).dep == (0,)
    assert plan.task(1).needs == ()


def test_orders_tasks_and_keeps_their_ids() -> None:
    assert [t.id for t in plan_of(CHAIN[1], CHAIN[0]).tasks] == [0, 1]


def test_gives_duplicated_ids_a_free_one_and_resolves_to_the_nearest_before() -> None:
    plan = plan_of(
        {"task": "image-to-text", "id": 0, "args": {"image": "a.jpg"}},
        {"task": "summarization", "id": 0, "args": {"text": "<GENERATED>-0"}},
        {"task": "text-to-speech", "id": 1, "args": {"text": "<GENERATED>-0"}},
    )
    assert [t.task for t in plan.tasks] == ["image-to-text", "summarization", "text-to-speech"]
    summary = plan.tasks[1]
    assert summary.needs == (0,)
    assert plan.tasks[2].needs == (summary.id,)


def test_numbers_tasks_without_ids() -> None:
    plan = plan_of(
        {"task": "image-to-text", "args": {"image": "a"}}, {"task": "summarization", "args": {"text": "<node-0>"}}
    )
    assert [t.id for t in plan.tasks] == [0, 1]


def test_reads_lists_of_references() -> None:
    plan = plan_of(
        {"task": "image-to-text", "id": 0, "args": {"image": "a"}},
        {"task": "image-to-text", "id": 1, "args": {"image": "b"}},
        {"task": "text-to-speech", "id": 2, "args": {"text": "<GENERATED>-0,<GENERATED>-1"}},
        {"task": "summarization", "id": 3, "args": {"text": ["<GENERATED>-0", "and <GENERATED>-1"]}},
    )
    assert plan.task(2).args["text"] == ["<GENERATED>-0", "<GENERATED>-1"]
    assert plan.task(3).args["text"] == ["<GENERATED>-0", "and <GENERATED>-1"]


def test_reads_labels_from_a_list_or_from_one_text() -> None:
    for labels in (["cat", "dog"], "cat, dog"):
        plan = plan_of({"task": "zero-shot-classification", "args": {"text": "x", "candidate_labels": labels}})
        assert plan.tasks[0].args["labels"] == ["cat", "dog"]


def test_labels_from_another_tasks_text_are_a_list_too() -> None:
    plan = plan_of(
        {"task": "canny-text-to-image", "id": 0, "args": {"image": "a.png", "text": "cat, dog"}},
        {"task": "zero-shot-classification", "id": 1, "args": {"text": "x", "labels": "<GENERATED>-0"}},
    )
    assert plan.task(1).args["labels"] == ["cat", "dog"]
    assert plan_of(*json.loads(plan.to_json())).tasks == plan.tasks


def test_a_plan_whose_reference_was_repaired_reads_back_the_same() -> None:
    plan = plan_of(
        {"task": "translation", "id": 1, "args": {"text": "<GENERATED>-2", "target_language": "fr"}},
        {"task": "canny-text-to-image", "id": 2, "args": {"image": "a.png", "text": "cat"}},
    )
    assert plan.task(1).args["text"] == "cat" and plan.task(1).dep == ()
    assert plan_of(*json.loads(plan.to_json())).tasks == plan.tasks


def test_reads_parameters_as_numbers() -> None:
    args = (
        plan_of({"task": "text-to-image", "args": {"prompt": "a cat", "seed": "7", "guidance_scale": 3}}).tasks[0].args
    )
    assert args == {"text": "a cat", "seed": 7, "guidance_scale": 3.0}


def test_a_reference_to_a_task_without_that_type_takes_its_own_argument() -> None:
    plan = plan_of(
        {"task": "image-to-text", "id": 0, "args": {"image": "a.jpg"}},
        {"task": "object-detection", "id": 1, "dep": [0], "args": {"image": "<GENERATED>-0"}},
    )
    assert plan.task(1).args == {"image": "a.jpg"}
    assert plan.task(1).dep == ()
    assert plan.repairs


def test_an_own_argument_that_is_a_reference_is_followed() -> None:
    plan = plan_of(
        {"task": "text-to-image", "id": 0, "args": {"text": "a cat"}},
        {"task": "image-to-text", "id": 1, "args": {"image": "<GENERATED>-0"}},
        {"task": "depth-estimation", "id": 2, "args": {"image": "<GENERATED>-1"}},
    )
    assert plan.task(2).args == {"image": "<GENERATED>-0"}
    assert plan.task(2).dep == (0,)


def test_control_generation_without_text_becomes_the_control() -> None:
    plan = plan_of({"task": "seg-text-to-image", "id": 0, "args": {"image": "a.jpg"}})
    assert plan.tasks[0].task == "seg-control"
    assert plan.repairs


def test_text_takes_a_structured_result() -> None:
    plan = plan_of(
        {"task": "object-detection", "id": 0, "args": {"image": "a.jpg"}},
        {"task": "text-to-speech", "id": 1, "args": {"text": "I see <GENERATED>-0"}},
    )
    assert plan.task(1).needs == (0,)


def test_order_that_closes_a_circle_is_given_up() -> None:
    plan = plan_of({**CHAIN[0], "dep": [1]}, CHAIN[1])
    assert [t.dep for t in plan.tasks] == [(), (0,)]
    assert plan.repairs


def test_names_every_problem_at_once() -> None:
    problems = problems_of(
        {"task": "image-to-txt", "id": 0, "args": {"image": "a"}},
        {"task": "text-to-image", "id": 1, "args": {"text": {"a": 1}}},
        {"task": "text-to-image", "id": 2, "args": {"text": "x", "seed": "soon"}},
    )
    assert len(problems) == 3
    assert "did you mean image-to-text" in problems[0]


def test_refuses_circles_dangling_references_missing_arguments_and_wrong_types() -> None:
    assert (
        "circle"
        in problems_of(
            {"task": "summarization", "id": 0, "args": {"text": "<GENERATED>-1"}},
            {"task": "summarization", "id": 1, "args": {"text": "<GENERATED>-0"}},
        )[0]
    )
    assert "not in the plan" in problems_of({"task": "summarization", "id": 0, "args": {"text": "<GENERATED>-4"}})[0]
    assert "lacks its argument 'question'" not in problems_of({"task": "visual-question-answering", "id": 0})[0]
    assert "lacks its argument 'image'" in problems_of({"task": "object-detection", "id": 0, "args": {}})[0]
    assert (
        "needs an image"
        in problems_of(
            {"task": "text-to-speech", "id": 0, "args": {"text": "x"}},
            {"task": "object-detection", "id": 1, "args": {"image": "<GENERATED>-0"}},
        )[0]
    )
    assert (
        "unequal length"
        in problems_of(
            {"task": "visual-question-answering", "id": 0, "args": {"image": ["a", "b"], "text": ["x", "y", "z"]}}
        )[0]
    )


def test_refuses_text_without_a_plan_and_too_much_of_it() -> None:
    for text in ("", "I cannot do that.", "[1, 2]", '{"a": 1}', "[" * 100_000, "x" * 300_000):
        with pytest.raises(PlanError):
            parse_plan(text)
    with pytest.raises(PlanError, match="the limit is 64"):
        plan_of(*({"task": "summarization", "args": {"text": "x"}} for _ in range(65)))

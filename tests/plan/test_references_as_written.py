"""References as language models write them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.plan import PlanError, parse_plan
from tests.plan.test_as_written import CHAIN, READ, SAY, saying

BY_NUMBER = (
    "<GENERATED>-0.outputs", "<GENERATED>-0.generated_text", "<GENERATED>-0.transcript", "<GENERATED>-0.label",
    "<GENERATED>-0.generatedText", '<GENERATED>-0["text"]', "<GENERATED>-0['text']", "<GENERATED>-0.outputs[0].text",
    "<GENERATED>-0.get('text')", "<GENERATED>-0.output()", "<GENERATED>-0->text", "<GENERATED>-0/text",
    "<GENERATED>-0:text", "<GENERATED>-0</GENERATED>", "<GENERATED>=0", "<GENERATED>.0", "<GENERATED>-'0'",
    "<GENERATED>-{0}", "<GENERATED>/0", "<<<GENERATED>>>-0", "<GENERATED_TEXT>-0", "__GENERATED_0__",
    "<GENERATED-0>.caption_of_it", "<GENERATED>–0", "<GENERATED>\u20110", "<GENERATED>—0", "<GENERATED> - 0",
    "<GENERATED>:0", "<GENERATED>#0", "<GENERATED>[0]", "<GENERATED>(0)", "<GENERATED>-task0", "<GENERATED>-task_0",
    "<GENERATED>-id0", "<GENERATED>-image-to-text", "&lt;GENERATED&gt;-0", "&lt;GENERATED-0&gt;",
    "\\u003cGENERATED\\u003e-0", "＜GENERATED＞-0", "<<GENERATED>>-0", "{{GENERATED}}-0", "{{GENERATED}}-0.text",
    "[[GENERATED]]-0", "{{generated-0}}", "GENERATED[0]", "GENERATED-0.text", "GENERATED(0)", "<GENERATED[0]>",
    "[GENERATED-0]", "{GENERATED_0}", "<OUTPUT>-0", "<output>-0", "<result>-0", "<TASK>-0", "[output]-0",
    "{{<GENERATED>-0}}", "[<GENERATED>-0]", "`<GENERATED>-0`", '"<GENERATED>-0"', "${<GENERATED>-0}", "{{ $0 }}",
    "$0.text", "$0.output", "${0.text}", "{{steps.0.output}}", "{{outputs[0]}}", "{{tasks[0].result}}",
    "${tasks[0].output}", "{{step_0.text}}", "$step0.text", "#E0", "@0", "{task_0}", "{task0.text}", "{output_0}",
    "[task_0]", "<0>", "<<0>>", "<task_0_output>", "<output_of_task_0>", "<output of task 0>", "<task0.output>",
    "task 0 output", "Task 0's output", "the task 0 result", "output of task 0", "the text of step 0",
    "Output from task 0", "Generated text from task 0", "the output of task with id 0", "(output of task 0)",
    "task_0.output", "outputs[0]", "outputs[0].text", "step 0", "[output from step 0]",
    "%GENERATED-0%", "@task0", "@{0}", "<output>0", "<RESULT>[0]", "ref:0",
)  # fmt: skip


@pytest.mark.parametrize("written", BY_NUMBER)
def test_a_reference_in_another_dialect(written: str) -> None:
    assert parse_plan(saying(written)).to_list() == CHAIN


ALONE = ("Generated text from task 0", "[<GENERATED>-0]", "<output>0", "<RESULT>[0]")
MARKED = [written for written in BY_NUMBER if written[0] in "<{[&$\\＜G" and written not in ALONE]


@given(st.sampled_from(MARKED), st.sampled_from(["It says: ", "Is "]), st.sampled_from([".", "!", " and more", ", or"]))
def test_a_reference_in_a_sentence(written: str, before: str, after: str) -> None:
    assert parse_plan(saying(before + written + after)).task(1).args == {"text": f"{before}<GENERATED>-0{after}"}


@pytest.mark.parametrize(
    "text",
    [
        "Summarise <GENERATED>-0.", "Save it as <GENERATED>-0.txt", "as <GENERATED>-0.jpeg", "<GENERATED>-0.Then speak",
        "<GENERATED>-0. then speak", "(see <GENERATED>-0)", "'<GENERATED>-0' is it", "<GENERATED>-0: all of it",
    ],
)  # fmt: skip
def test_what_follows_a_reference_stays(text: str) -> None:
    assert parse_plan(saying(text)).task(1).args == {"text": text}


def named(first: Any, second: Any, text: str, dep: Any) -> str:
    return json.dumps([READ | {"id": first}, SAY | {"id": second, "dep": dep, "args": {"text": text}}])


NAMES = (("ocr", "tts"), ("T1", "T2"), ("T1", "S1"), ("task_1", "task_2"), ("read_image", "speak"), ("1.1", "1.2"),
         (1.1, 1.2), ("step-a", "step-b"), ("A", "B"), ("text2text", "x"), ("Read the image", "Say it"))  # fmt: skip


@pytest.mark.parametrize("ids", NAMES)
@pytest.mark.parametrize(
    "written",
    [
        "<GENERATED>-{}", "<GENERATED-{}>", "<GENERATED>-{}.text", "<GENERATED>[{}]", "{{{{{}}}}}", "{{{{{}.output}}}}",
        "${{{}}}", "<{}>", "{{{}}}", "<output of {}>", "{{{{outputs.{}}}}}", "<{}_output>", "<output>-{}",
    ],
)  # fmt: skip
def test_a_reference_by_name(ids: tuple[Any, Any], written: str) -> None:
    plan = parse_plan(named(*ids, written.format(ids[0]), [ids[0]]))
    assert [task.needs for task in plan.tasks] == [(), (plan.tasks[0].id,)]
    assert plan.tasks[1].args == {"text": f"<GENERATED>-{plan.tasks[0].id}"}


@pytest.mark.parametrize("ids", NAMES)
def test_a_dep_by_name(ids: tuple[Any, Any]) -> None:
    for dep in ([ids[0]], ids[0], f"{ids[0]}, -1", {"0": ids[0]}, [{"id": ids[0]}], [f"<GENERATED>-{ids[0]}"]):
        plan = parse_plan(named(*ids, "Good day", dep))
        assert plan.tasks[1].dep == (plan.tasks[0].id,) and plan.tasks[1].args == {"text": "Good day"}


def test_a_dep_by_kind_is_no_number() -> None:
    rewrite = {"task": "text2text-generation", "id": 0, "args": {"text": "x"}}
    other = {"task": "summarization", "id": 2, "args": {"text": "y"}}
    say = SAY | {"id": 3, "dep": ["text2text-generation"], "args": {"text": "z"}}
    assert parse_plan(json.dumps([rewrite, READ | {"id": 1}, other, say])).task(3).dep == (0,)
    assert parse_plan(json.dumps([READ | {"id": 1}, other, say])).task(3).dep == ()


@pytest.mark.parametrize(
    "text",
    [
        "<GENERATED>-speech", "It says <GENERATED>-ocr now", "<GENERATED>-7", "<GENERATED>-99999", "GENERATED[7]",
        "{{GENERATED_7}}", "<GENERATED-ocr>", "<GENERATED:text>", "{{task_7.output}}", "${steps[7].text}", "$task_7",
        "<output of task 7>", "<result>-7", "It says {{task_7}}", "<GENERATED>-0 and <GENERATED>",
        "<GENERATED>-0 and <GENERATED>-ocr", "#E1", "$7",
    ],
)  # fmt: skip
def test_a_placeholder_without_a_reading_is_objected_to(text: str) -> None:
    with pytest.raises(PlanError, match="Task 1"):
        parse_plan(saying(text))


@pytest.mark.parametrize("text", ["{{summary}}", "<the text>", "$TEXT", "${text}", "{{ocr.text}}", "{{$json.text}}"])
def test_a_place_to_fill_in_that_several_results_could_fill_is_objected_to(text: str) -> None:
    other = READ | {"id": 2, "args": {"image": "b.jpg"}}
    say = SAY | {"id": 3, "dep": [0, 2], "args": {"text": text}}
    with pytest.raises(PlanError, match="does not say whose result"):
        parse_plan(json.dumps([READ, other, say]))
    assert parse_plan(saying(text)).to_list() == CHAIN


OWN_WORDS = (
    "It costs $0.50", "It costs $0", "Use {{name}} and {0}", "see [0]", "<image>", "task 0", "# 0", "step 0", "0",
    "<b>bold</b>", "The tag <result>0</result> and <output>-1</output>", "#E0E0E0", "T1 and T2", "{0} of {1}", "@0",
    "a < 0 > b", "Answer [output] 0", "1.1", "the result of 0", "ask @ocr about #ocr", "the (output) of it",
    "generated-content",
    "[generated by hand]", "&lt;0&gt;", "$5 text", "x[0].text", "ocr",
)  # fmt: skip


@given(st.lists(st.sampled_from(OWN_WORDS), min_size=1, max_size=3).map(" or ".join))
@pytest.mark.parametrize("first", [0, "ocr"])
def test_words_that_only_look_like_references_stay(first: Any, text: str) -> None:
    assert parse_plan(named(first, 5, text, [-1])).task(5).args == {"text": text}


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="<>{}[]()$#%@&＜＞\\"), min_size=1
    )
)
def test_words_without_marks_are_never_changed(text: str) -> None:
    if "generated" not in text.lower() and text.strip():
        assert parse_plan(saying(text, [-1])).task(1).args == {"text": text.strip()}


def test_a_list_of_references_in_brackets() -> None:
    other = READ | {"id": 1, "args": {"image": "b.jpg"}}
    say = SAY | {"id": 2, "args": {"text": "[<GENERATED>-0, <GENERATED>-1]"}}
    assert parse_plan(json.dumps([READ, other, say])).task(2).args == {"text": ["<GENERATED>-0", "<GENERATED>-1"]}

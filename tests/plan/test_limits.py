"""However small a plan is, what its references stand for is counted before it grows."""

import json
import string
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.controller.embedded.planner import with_passages
from hugginggpt.controller.embedded.sources import ReadRequest
from hugginggpt.plan import Plan, PlanError, PlannedTask, limits, parse_plan
from hugginggpt.plan.limits import MAX_CHARS, MAX_ELEMENTS, MAX_SENTENCES, MAX_TASKS
from hugginggpt.plan.loose import loose_values
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.settings import CHECKOUT

MOST_BYTES = 30_000_000


def refused(text: str) -> str:
    """Why a plan is refused; it never takes much memory to find out."""
    tracemalloc.start()
    try:
        with pytest.raises(PlanError) as caught:
            parse_plan(text)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    return caught.value.message


def plan(*tasks: dict[str, object]) -> str:
    return json.dumps([{"id": k, **task} for k, task in enumerate(tasks)])


def drawing(text: object) -> dict[str, object]:
    """A task that makes no text, so that a reference to it in a text takes its own."""
    return {"task": "text-to-image", "args": {"text": text}}


def test_a_small_plan_that_stands_for_gigabytes_is_refused() -> None:
    tasks = [drawing("a picture of a cat"), *(drawing(f"<GENERATED>-{k} " * 16) for k in range(7))]
    written = plan(*tasks)
    assert len(written) < 2500
    why = refused(written)
    assert "task 4 (text-to-image)" in why
    assert f"the limit is {MAX_CHARS:,}" in why


def test_references_to_references_are_counted_by_the_thousand() -> None:
    assert "1,000,000 elements" in refused(
        plan(drawing(["a"] * 1000), drawing(["<GENERATED>-0"] * 1000), drawing(["<GENERATED>-1"] * 1000))
    )
    assert "the limit is" in refused(
        plan(drawing("a cat"), drawing("<GENERATED>-0 " * 1000), drawing("<GENERATED>-1 " * 1000))
    )


def test_what_fits_is_taken_and_can_be_read_again() -> None:
    read = parse_plan(plan(drawing(["a", "b"]), drawing(["<GENERATED>-0", "<GENERATED>-0 and <GENERATED>-0"])))
    assert read.task(1).args == {"text": ["a", "b", "a\nb and a\nb"]}
    assert parse_plan(read.to_json()).tasks == read.tasks


def test_a_plan_that_could_not_be_read_again_is_refused() -> None:
    escaped = "\\u0001" * 33_322
    assert "longer than 200,000" in refused(f'[{{"task": "tts", "args": {{"text": "{escaped}"}}}}]')


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (plan(drawing(["x"] * (MAX_ELEMENTS + 1))), "1,001 elements in 'text'; the limit is 1,000"),
        (plan(*[drawing(["x"] * 900)] * 5), "4,500 elements in its arguments; the limit is 4,000"),
        (plan({"task": "tts", "args": {f"a{n}": "x" for n in range(5000)}}), "5,000 arguments; the limit is 32"),
        (plan({"task": "tts", "dep": list(range(5000)), "args": {"text": "x"}}), "5,000 tasks in 'dep'"),
        (plan({"task": "zero-shot-classification", "args": {"text": "x", "labels": "a," * 5000}}), "5,000 elements"),
        (plan({"task": "tts", "args": {"text": "<GENERATED>-0," * 5000 + "<GENERATED>-0"}}), "5,001 elements"),
        (plan(*[drawing(f"<GENERATED>-{(k + 1) % 2000}") for k in range(2000)]), f"the limit is {MAX_TASKS}"),
        (plan(drawing("x" * MAX_CHARS)), "longer than 200,000 characters"),
        ("[" * 100_000, "no plan"),
        ('[{"task":' * 20_000, "no plan"),
    ],
)
def test_each_limit_is_told_in_a_sentence(written: str, said: str) -> None:
    assert said in refused(written)


def test_no_more_problems_are_told_than_anybody_reads() -> None:
    problems = refused(plan(drawing(" ".join(f"<GENERATED>-{k}" for k in range(1, 5000))))).split("\n")
    assert len(problems) == MAX_SENTENCES + 1
    assert problems[-1] == "There are 4,949 more like these."


def test_a_template_in_the_notation_is_counted_before_it_is_filled() -> None:
    files = ", ".join(f"f{n}.txt" for n in range(900))
    for written in (f'{files} > write text="{"{}" * 50_000}"', f'"{"x" * 90_000}" > write text="{"{}" * 50_000}"'):
        with pytest.raises(PlanError, match="more than 200,000 characters"):
            read_notation(written)
    with pytest.raises(PlanError, match="longer than 200,000"):
        read_notation("a > read\n" * 50_000)
    with pytest.raises(PlanError, match="more than 64 tasks"):
        read_notation("\n".join(f"a{n}.png > read" for n in range(65)))


def test_a_plan_whose_results_are_shared_is_not_written_out_without_end() -> None:
    def asking(k: int) -> dict[str, object]:
        return {"task": "question-answering", "args": {"text": f"<GENERATED>-{k}", "context": f"<GENERATED>-{k}"}}

    shared = plan({"task": "summarization", "args": {"text": "a"}}, *(asking(k) for k in range(40)))
    with pytest.raises(PlanError, match="longer than 200,000"):
        write_notation(parse_plan(shared))


def test_a_passage_that_is_named_again_and_again_is_counted() -> None:
    task = PlannedTask(task="summarization", id=0, args={"text": "passage-1 " * 1000})
    with pytest.raises(PlanError, match="more than 200,000 characters"):
        with_passages(Plan(tasks=(task,)), ReadRequest("", {"passage-1": "x" * 1000}))


def test_the_guide_tells_every_limit() -> None:
    guide = (CHECKOUT / "docs" / "plans.md").read_text()
    for name, most in vars(limits).items():
        assert not isinstance(most, int) or f"{most:,} |" in guide, name


names = st.text(string.ascii_letters + "_", min_size=1)
texts = st.text().filter(lambda text: "\ufeff" not in text and text.isprintable())
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(names, values, max_size=5))
def test_correct_json_is_read_loosely_as_it_is(found: dict[str, object]) -> None:
    assert list(loose_values(json.dumps(found, ensure_ascii=False)))[:1] == [found]
    assert list(loose_values(json.dumps(found, indent=1)))[:1] == [found]


@given(st.text("[]{},:'\"\\/*#n1a \n“”`") | st.text())
def test_any_text_can_be_read_loosely(text: str) -> None:
    for value in loose_values(text):
        assert isinstance(value, list | dict)


@pytest.mark.parametrize(
    ("loose", "meant"),
    [
        ("{a: 1, b: x y}", {"a": 1, "b": "x y"}),
        ('{"a": "say "no" now", "b": None,}', {"a": 'say "no" now', "b": None}),
        ("{'a': 'it's', \"b\": True}", {"a": "it's", "b": True}),
        ("{“a”: “b”}", {"a": "b"}),
        ('{"a": [1, 2, "b": 3}', {"a": [1, 2, {"b": 3}]}),
        ('{"a": 1 /* one */, // two\n"b": 2', {"a": 1, "b": 2}),
        ('[{"a": 1, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('[{"a": "x, "b": 2}]', [{"a": "x", "b": 2}]),
        ('[{"a": "b" "c": "d"}]', [{"a": "b", "c": "d"}]),
        ('{"a": "\\ud83d\\ude00 \\"x\\" \\n"}', {"a": '😀 "x" \n'}),
        ('{"a": "cut o', {"a": "cut o"}),
    ],
)
def test_loose_json_is_read_as_it_is_meant(loose: str, meant: object) -> None:
    assert next(loose_values(loose)) == meant

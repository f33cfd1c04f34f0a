"""What holds for every text and every graph."""

import json
import random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.plan import Plan, PlanError, parse_plan, plan_schema

FILES = {
    ValueType.IMAGE: "a.png",
    ValueType.AUDIO: "b.wav",
    ValueType.VIDEO: "c.mp4",
    ValueType.TABLE: "d.csv",
    ValueType.TEXT: "some words",
}

PARAMETERS = sorted({name for capability in CAPABILITIES.values() for name in capability.parameters})


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Valid plans over all kinds, up to eight tasks, with references wherever they fit."""
    tasks: list[dict[str, Any]] = []
    for task_id in range(draw(st.integers(1, 8))):
        capability = CAPABILITIES[draw(st.sampled_from(sorted(CAPABILITIES)))]
        args: dict[str, Any] = {}
        for wanted in capability.inputs:
            sources = [t["id"] for t in tasks if CAPABILITIES[t["task"]].gives(wanted)]
            if sources and draw(st.booleans()):
                value: Any = f"<GENERATED>-{draw(st.sampled_from(sources))}"
            else:
                value = FILES[wanted.type]
            args[wanted.name] = [value, value] if wanted.many else value
        tasks.append({"task": capability.kind, "id": task_id, "dep": [-1], "args": args})
    return tasks


# Around what a float holds (308 digits) and what Python turns into an int and back (4300).
digits = st.sampled_from([1, 4, 5, 16, 308, 309, 400, 4300]).map(lambda n: "9" * n)
huge = st.builds(lambda sign, number: sign * int(number), st.sampled_from([1, -1]), digits)
numbers = huge | digits | st.floats() | st.floats().map(str) | digits.map("1e{}".format)
TOO_MANY_DIGITS = "9" * 5000
UNQUOTED = "a number that JSON can write and Python cannot read"
generated = st.builds(
    "{}{}{}".format,
    st.sampled_from(["<GENERATED>-", "<GENERATED>-0,<GENERATED>-", "<GENERATED-", "<node-"]),
    digits | st.just(TOO_MANY_DIGITS),
    st.sampled_from(["", ">", ",<GENERATED>-0", " and more"]),
)

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | huge | st.just(UNQUOTED),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
odd_tasks = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from([*sorted(CAPABILITIES), "tts", "nothing"]) | json_values,
        "id": st.integers(-2, 5) | numbers | json_values,
        "dep": st.lists(st.integers(-2, 5) | numbers) | json_values,
        "args": st.dictionaries(
            st.sampled_from(["text", "image", "audio", "video", "labels", "table", "text1", "x", *PARAMETERS]),
            st.sampled_from(["<GENERATED>-0", "<node-1>", "<GENERATED>-0,<GENERATED>-1", "a.png"])
            | generated
            | numbers
            | json_values,
            max_size=4,
        )
        | json_values,
    },
)


def assert_valid(plan: Plan) -> None:
    """The promises of a plan, checked from its data alone."""
    done: set[int] = set()
    for task in plan.tasks:
        assert task.id not in done
        assert set(task.dep) <= done, "a task comes before one it waits for"
        assert set(task.needs) <= set(task.dep)
        for wanted in task.capability.inputs:
            assert wanted.name in task.args or not wanted.required
        for name, value in task.args.items():
            wanted_input = task.capability.input(name)
            assert wanted_input is not None or name in task.capability.parameters
            if wanted_input is not None and isinstance(value, str) and task.needs:
                for source in task.needs:
                    if value == f"<GENERATED>-{source}":
                        assert plan.task(source).capability.gives(wanted_input)
        done.add(task.id)


scraps = st.sampled_from(
    [*"[]{},:'\"\\”\n", "```json", "```", "//", "/*", "*/", "...", "-", "1e999", "NaN", "None", "x"]
)
openings = st.sampled_from(['[{"task": "text-to-image", "args": {"seed": ', '"id": ', '"dep": [', TOO_MANY_DIGITS])


@example("{'```json[```")
@given(st.text() | st.lists(scraps | openings, max_size=12).map("".join))
def test_any_text_gives_a_plan_or_a_plan_error(text: str) -> None:
    try:
        assert_valid(parse_plan(text))
    except PlanError as error:
        assert error.problems


@example([{"task": "0\r"}])
@example([{"task": "summarization", "id": int("9" * 400)}])
@example([{"task": "summarization", "dep": [int("9" * 400), UNQUOTED]}])
@example([{"task": "text-to-image", "args": {"text": "x", "seed": int("9" * 400)}}])
@example([{"task": "summarization", "args": {"text": f"<GENERATED>-{TOO_MANY_DIGITS}"}}])
@given(st.lists(odd_tasks, max_size=6))
def test_any_list_of_objects_gives_a_valid_plan_or_a_plan_error(tasks: list[dict[str, Any]]) -> None:
    try:
        plan = parse_plan(json.dumps(tasks).replace(f'"{UNQUOTED}"', TOO_MANY_DIGITS))
    except PlanError as error:
        assert all(problem.endswith((".", "?")) for problem in error.problems)
    else:
        assert_valid(plan)
        plan.to_json().encode()


@given(graphs())
def test_valid_graphs_are_read_without_repair_and_back(tasks: list[dict[str, Any]]) -> None:
    plan = parse_plan(json.dumps(tasks))
    assert plan.repairs == ()
    assert_valid(plan)
    assert {t.id: (t.task, t.args) for t in plan.tasks} == {t["id"]: (t["task"], t["args"]) for t in tasks}
    assert parse_plan(plan.to_json()) == plan


@given(graphs(), st.randoms(use_true_random=False))
def test_presentation_does_not_change_the_plan(tasks: list[dict[str, Any]], rng: random.Random) -> None:
    expected = parse_plan(json.dumps(tasks))
    shuffled = list(tasks)
    rng.shuffle(shuffled)
    loose = json.dumps(shuffled).replace("}}", "},}").replace("<GENERATED>-", "<generated>_")
    assert parse_plan(f"Here you are:\n```json\n{loose}\n```\nDone.") == expected


@given(st.sets(st.sampled_from(sorted(CAPABILITIES)), min_size=1))
def test_the_schema_offers_exactly_the_kinds_given(kinds: set[str]) -> None:
    options = plan_schema(sorted(kinds))["properties"]["tasks"]["items"]["anyOf"]
    assert {option["properties"]["task"]["enum"][0] for option in options} == kinds


def by_kind(tasks: list[dict[str, Any]]) -> Any:
    return [{"id": t["id"], "dep": t["dep"], t["task"]: t["args"]} for t in tasks]


def calls(tasks: list[dict[str, Any]]) -> Any:
    return [
        {"id": t["id"], "type": "function", "function": {"name": t["task"], "arguments": json.dumps(t["args"])}}
        for t in tasks
    ]


WRAPPERS = (
    lambda tasks: tasks,
    lambda tasks: {"tasks": tasks},
    lambda tasks: [{"tasks": tasks}],
    lambda tasks: {"plan": {"steps": tasks}},
    lambda tasks: {"name": "plan", "arguments": {"tasks": tasks}},
    lambda tasks: [{"name": "plan", "arguments": json.dumps({"tasks": tasks})}],
    lambda tasks: {"tool_calls": [{"type": "function", "function": {"name": "plan", "arguments": {"tasks": tasks}}}]},
    by_kind,
    calls,
)
WRITINGS = (
    json.dumps,
    str,
    lambda plan: json.dumps(plan, indent=2),
    lambda plan: f"Here you are:\n```json\n{json.dumps(plan)}\n```\nGood luck!",
    lambda plan: f"[TOOL_CALLS]{json.dumps(plan)}",
    lambda plan: f"At first: []. No, it is this: {json.dumps(plan)}",
)
SPELLINGS = (
    "<GENERATED>-{}", "<GENERATED>-{}.outputs", '<GENERATED>-{}["text"]', "<OUTPUT>-{}", "{{{{GENERATED}}}}-{}",
    "GENERATED[{}]", "&lt;GENERATED&gt;-{}", "<GENERATED>\u2011{}", "{{{{task_{}.output}}}}", "<output of task {}>",
    "the output of task {}", "${{step_{}}}", "<GENERATED>-task{}",
)  # fmt: skip


@given(graphs(), st.sampled_from(WRAPPERS), st.sampled_from(WRITINGS), st.sampled_from(SPELLINGS), st.booleans())
def test_no_way_of_writing_changes_a_plan(
    tasks: list[dict[str, Any]], wrapper: Any, writing: Any, spelling: str, by_name: bool
) -> None:
    expected = parse_plan(json.dumps(tasks))
    names = {t["id"]: f"step_{'abcdefgh'[t['id']]}" if by_name else t["id"] for t in tasks}
    as_written = "<GENERATED>-{}" if by_name else spelling

    def other(value: Any) -> Any:
        if isinstance(value, list):
            return [other(element) for element in value]
        _, mark, number = value.partition("<GENERATED>-")
        return as_written.format(names[int(number)]) if mark else value

    written = [t | {"id": names[t["id"]], "args": {k: other(v) for k, v in t["args"].items()}} for t in tasks]
    assert parse_plan(writing(wrapper(written))).tasks == expected.tasks

"""What the files of a request are called."""

from collections.abc import Sequence

from hugginggpt.capabilities import ValueType
from hugginggpt.conversation import result_name
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.notation import read_notation
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.store import Trace
from tests.trace.samples import artifact, begin, run_of

MIMES = {
    ValueType.TEXT: "text/plain",
    ValueType.IMAGE: "image/png",
    ValueType.AUDIO: "audio/wav",
    ValueType.STRUCTURED: "application/json",
}


def names(trace: Trace, plan: Plan, files: Sequence[str], elements: int = 1) -> list[str]:
    """The names of all that a plan makes, with their endings."""
    given = [Resource(name=f, artifact=artifact(f, ValueType.IMAGE, "image/png"), source=f) for f in files]
    opened = begin(trace, resources=given)
    trace.run(opened.request_id, opened.life).record_plan(plan, "given")
    for task in plan.tasks:
        items = tuple(
            ItemResult(
                outputs=tuple(
                    artifact(f"{task.id} {element} {type}", type, MIMES[type]) for type in task.capability.outputs
                )
            )
            for element in range(elements)
        )
        made = TaskResult(
            task_id=task.id,
            kind=task.task,
            items=items,
            is_list=elements > 1,
            model="m",
            revision=None,
            endpoint=Endpoint.EMBEDDED,
        )
        run_of(trace, opened.request_id).record_result(made)
    story = trace.requests.get(opened.request_id)
    return [name + file.artifact.ending for name, file in named_files(story)]


def test_a_file_is_named_by_what_it_is_and_where_it_comes_from(trace: Trace) -> None:
    plan = read_notation('invoice.png > read > summarize > speak\ninvoice.png > ask text="What is the total?"')
    assert names(trace, plan, ["invoice.png"]) == [
        "invoice-text.txt",
        "invoice-summary.txt",
        "invoice-speech.wav",
        "invoice-answer.txt",
    ]


def test_what_comes_from_no_file_or_from_several_is_named_by_what_it_is(trace: Trace) -> None:
    assert names(trace, read_notation('"a red car" > draw'), []) == ["picture.png"]
    both = read_notation("a.png > read > compare text2=(b.png > read)")
    assert names(trace, both, ["a.png", "b.png"]) == ["a-text.txt", "b-text.txt", "similarity.json"]


def test_two_outputs_of_a_task_differ_in_their_endings(trace: Trace) -> None:
    assert names(trace, read_notation("street.jpg > detect"), ["street.jpg"]) == [
        "street-objects.json",
        "street-objects.png",
    ]
    assert names(trace, read_notation("house.png > hed"), ["house.png"]) == ["house-soft-edges.png"]


def test_what_would_have_the_same_name_is_numbered(trace: Trace) -> None:
    twice = read_notation('a.png > ask text="Who?"\na.png > ask text="When?"')
    assert names(trace, twice, ["a.png"]) == ["a-answer.txt", "a-answer-2.txt"]


def test_each_element_of_a_list_is_named_by_its_file(trace: Trace) -> None:
    plan = read_notation("a.png, b.png > canny")
    assert names(trace, plan, ["a.png", "b.png"], elements=2) == ["a-edges.png", "b-edges.png"]


def test_a_result_of_an_earlier_turn_gives_no_name(trace: Trace) -> None:
    for number in (1, 2):
        name = result_name(1, 0, number, ".png")
        assert names(trace, read_notation(f"{name} > canny"), [name]) == ["edges.png"]
    own = read_notation("turn1.png > canny")
    assert names(trace, own, ["turn1.png"]) == ["turn1-edges.png"]


def test_a_kind_that_is_not_installed_any_more_names_its_files_itself(trace: Trace) -> None:
    opened = begin(trace)
    plan = Plan(tasks=(PlannedTask(task="gone-kind", id=0, args={"image": "invoice.png"}),))
    trace.run(opened.request_id, opened.life).record_plan(plan, "given")
    made = TaskResult(
        task_id=0,
        kind="gone-kind",
        items=(ItemResult(outputs=(artifact("x"),)),),
        model="m",
        revision=None,
        endpoint=Endpoint.EMBEDDED,
    )
    run_of(trace, opened.request_id).record_result(made)
    assert [name for name, _ in named_files(trace.requests.get(opened.request_id))] == ["gone-kind"]

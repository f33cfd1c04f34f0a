"""From arguments to values: literals, names, references, lists."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from PIL import Image as PILImage

from hugginggpt import binding
from hugginggpt.artifacts import Artifact, ArtifactStore
from hugginggpt.binding import BoundTask, MissingInput, fingerprint, seed_for
from hugginggpt.capabilities import ValueType
from hugginggpt.errors import UsageError
from hugginggpt.media import Image, Structured, Text, Value
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import PlannedTask, Scalar
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.settings import Settings
from hugginggpt.stored_inputs import InputReader, StoredInput

MOST_CHARS = 1_000


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore.from_settings(settings)


def picture(colour: str) -> Image:
    return Image(PILImage.new("RGB", (4, 4), colour))


def resource(store: ArtifactStore, name: str, value: Value) -> Resource:
    return Resource(name=name, artifact=store.put(value), source=f"/somewhere/{name}")


def made(store: ArtifactStore, task_id: int, *values: Value | None, is_list: bool = False) -> TaskResult:
    items = tuple(ItemResult(error="it broke") if v is None else ItemResult(outputs=(store.put(v),)) for v in values)
    return TaskResult(
        task_id=task_id, kind="x", items=items, is_list=is_list, model="m", revision=None, endpoint=Endpoint.EMBEDDED
    )


def task(kind: str, **args: Scalar | list[Scalar]) -> PlannedTask:
    return PlannedTask(task=kind, id=9, args=dict(args))


def bind(
    task: PlannedTask, resources: Sequence[Resource], upstream: Mapping[int, TaskResult], store: ArtifactStore
) -> BoundTask:
    """What a task's elements are, with their values as an expert gets them."""
    bound = binding.bind(task, resources, upstream, store, max_chars=MOST_CHARS)
    reader = InputReader(store)
    return replace(bound, items=tuple(e if isinstance(e, MissingInput) else reader.read(e) for e in bound.items))


def texts(items: object) -> list[str]:
    assert isinstance(items, tuple)
    return [item["text"].text if isinstance(item, dict) else item.reason for item in items]


def test_a_literal_text_is_itself(store: ArtifactStore) -> None:
    bound = bind(task("summarization", text="some words"), [], {}, store)
    assert texts(bound.items) == ["some words"]
    assert not bound.is_list


def test_a_name_or_its_source_stands_for_the_file(store: ArtifactStore) -> None:
    notes = resource(store, "notes.txt", Text("what was said"))
    for name in ("notes.txt", "/somewhere/notes.txt"):
        assert texts(bind(task("summarization", text=name), [notes], {}, store).items) == ["what was said"]


def test_a_text_file_at_the_end_of_an_instruction_is_read(store: ArtifactStore) -> None:
    letter = resource(store, "my letter.txt", Text("Dear Sir"))
    told = task("text2text-generation", text="make it shorter: my letter.txt")
    assert texts(bind(told, [letter], {}, store).items) == ["make it shorter: Dear Sir"]
    asked = task("question-answering", text="Who wrote my letter.txt", context="x")
    assert texts(bind(asked, [letter], {}, store).items) == ["Who wrote my letter.txt"]

    other = resource(store, "my letter.txt", Text("Dear Madam"))
    assert fingerprint(told, [letter], {}) != fingerprint(told, [other], {})
    assert fingerprint(told, [letter], {}).whole


def test_an_image_is_loaded_and_a_name_that_is_not_there_is_missing(store: ArtifactStore) -> None:
    red = resource(store, "red.png", picture("red"))
    first, second = bind(task("object-detection", image=["red.png", "blue.png"]), [red], {}, store).items
    assert isinstance(first, dict)
    assert first["image"].image.getpixel((0, 0)) == (255, 0, 0)
    assert isinstance(second, MissingInput)
    assert "blue.png" in second.reason


def test_a_reference_takes_the_output_of_the_arguments_type(store: ArtifactStore) -> None:
    detection = Structured([{"label": "cat"}], "a cat at the left")
    upstream = {0: made(store, 0, detection)}
    assert texts(bind(task("text-to-speech", text="<GENERATED>-0"), [], upstream, store).items) == ["a cat at the left"]
    assert texts(bind(task("summarization", text="I see <GENERATED>-0."), [], upstream, store).items) == [
        "I see a cat at the left."
    ]


def test_a_list_fans_out_and_keeps_its_order(store: ArtifactStore) -> None:
    upstream = {0: made(store, 0, Text("a")), 1: made(store, 1, Text("b"), Text("c"), is_list=True)}
    bound = bind(task("summarization", text=["<GENERATED>-1", "x", "<GENERATED>-0"]), [], upstream, store)
    assert bound.is_list
    assert texts(bound.items) == ["b", "c", "x", "a"]
    assert bind(task("summarization", text="<GENERATED>-1"), [], upstream, store).is_list


def test_a_list_inside_a_longer_text_is_joined(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, Text("b"), Text("c"), is_list=True)}
    bound = bind(task("summarization", text="All: <GENERATED>-1"), [], upstream, store)
    assert texts(bound.items) == ["All: b\n\nc"]
    assert not bound.is_list


def test_two_lists_zip_and_one_value_goes_with_all(store: ArtifactStore) -> None:
    bound = bind(task("sentence-similarity", text1=["a", "b"], text2=["c", "d"]), [], {}, store)
    assert [(i["text1"].text, i["text2"].text) for i in bound.items if isinstance(i, dict)] == [("a", "c"), ("b", "d")]
    bound = bind(task("sentence-similarity", text1="a", text2=["c", "d"]), [], {}, store)
    assert [(i["text1"].text, i["text2"].text) for i in bound.items if isinstance(i, dict)] == [("a", "c"), ("a", "d")]


def test_lists_of_unequal_length_are_refused_once_they_are_known(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, Text("b"), Text("c"), is_list=True)}
    with pytest.raises(UsageError, match="unequal length"):
        bind(task("sentence-similarity", text1="<GENERATED>-1", text2=["x", "y", "z"]), [], upstream, store)


def test_an_element_whose_input_failed_is_missing_and_the_others_are_not(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, Text("b"), None, is_list=True)}
    bound = bind(task("summarization", text="<GENERATED>-1"), [], upstream, store)
    assert texts(bound.items)[0] == "b"
    assert "it broke" in texts(bound.items)[1]


def test_labels_stay_one_list(store: ArtifactStore) -> None:
    bound = bind(task("zero-shot-classification", text="x", labels=["a", "b"]), [], {}, store)
    (item,) = bound.items
    assert isinstance(item, dict)
    assert [label.text for label in item["labels"]] == ["a", "b"]
    assert not bound.is_list


def test_the_fingerprint_depends_on_contents_not_on_names_or_ids(store: ArtifactStore) -> None:
    red, also_red = resource(store, "red.png", picture("red")), resource(store, "x.png", picture("red"))
    blue = resource(store, "red.png", picture("blue"))
    by_name = fingerprint(task("object-detection", image="red.png"), [red], {})
    assert by_name == fingerprint(task("object-detection", image="x.png"), [also_red], {})
    assert by_name != fingerprint(task("object-detection", image="red.png"), [blue], {})
    assert by_name != fingerprint(task("depth-estimation", image="red.png"), [red], {})

    first = fingerprint(task("summarization", text="On <GENERATED>-0"), [], {0: made(store, 0, Text("a"))})
    assert first == fingerprint(task("summarization", text="On <GENERATED>-5"), [], {5: made(store, 5, Text("a"))})
    assert first != fingerprint(task("summarization", text="On <GENERATED>-0"), [], {0: made(store, 0, Text("b"))})


def test_a_fingerprint_says_whether_an_input_is_missing(store: ArtifactStore) -> None:
    assert fingerprint(task("summarization", text="some words"), [], {}).whole
    assert not fingerprint(task("object-detection", image="red.png"), [], {}).whole
    assert not fingerprint(task("summarization", text="<GENERATED>-0"), [], {}).whole
    partial = made(store, 0, Text("a"), None, is_list=True)
    assert not fingerprint(task("summarization", text="<GENERATED>-0"), [], {0: partial}).whole


def test_a_seed_is_given_or_derived_and_only_for_generative_kinds() -> None:
    one, other = (fingerprint(task("text-to-image", text=text), [], {}) for text in "xy")
    assert seed_for(task("text-to-image", text="x", seed=7), one) == 7
    derived = seed_for(task("text-to-image", text="x"), one)
    assert derived not in (None, seed_for(task("text-to-image", text="y"), other))
    assert seed_for(task("object-detection", image="a.png"), one) is None


def test_louder_speech_is_another_result_of_the_same_seed() -> None:
    usual, louder, slower = (task("text-to-speech", text="x", **how) for how in ({}, {"volume": 1.6}, {"rate": 0.75}))
    marks = [fingerprint(each, [], {}) for each in (usual, louder, slower)]
    assert len({mark.sha256 for mark in marks}) == 3 and len({mark.seed for mark in marks}) == 1


def test_previews_are_not_what_an_expert_gets(store: ArtifactStore) -> None:
    long = "word " * 5000
    upstream = {0: made(store, 0, Text(long))}
    assert isinstance(upstream[0].outputs[0], Artifact)
    assert len(upstream[0].outputs[0].preview or "") < len(long)
    assert texts(bind(task("summarization", text="<GENERATED>-0"), [], upstream, store).items) == [long]


def not_stored(count: int, type: ValueType = ValueType.TEXT) -> TaskResult:
    """A list of results that are in no store: whoever loads one fails."""
    item = ItemResult(outputs=(Artifact(sha256="0" * 64, type=type, mime="text/plain", bytes=1),))
    return TaskResult(
        task_id=1, kind="x", items=(item,) * count, is_list=True, model="m", revision=None, endpoint=Endpoint.EMBEDDED
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (["<GENERATED>-1"] * 100, "gets 10,000 elements in 'text', and at most 1,000 are allowed"),
        (["about <GENERATED>-1"] * 200, "refers to 20,000 results, and at most 10,000 are allowed"),
    ],
)
def test_what_references_stand_for_is_counted_before_anything_is_loaded(
    store: ArtifactStore, text: list[Scalar], said: str
) -> None:
    upstream = {1: not_stored(100)}
    with pytest.raises(UsageError, match=said):
        bind(task("summarization", text=text), [], upstream, store)
    assert not fingerprint(task("summarization", text=text), [], upstream).whole


def test_a_text_is_counted_before_it_is_put_together(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, Text("x" * 90))}
    assert bind(task("summarization", text="<GENERATED>-1 " * 9), [], upstream, store).items
    long: list[Scalar | list[Scalar]] = ["<GENERATED>-1 " * 11, ["see <GENERATED>-1"] * 11]
    for text in long:
        with pytest.raises(UsageError, match="more than 1,000 characters in its texts"):
            bind(task("summarization", text=text), [], upstream, store)
    letter = resource(store, "letter.txt", Text("x" * 600))
    with pytest.raises(UsageError, match="HUGGINGGPT_MAX_TEXT_CHARS"):
        bind(task("text2text-generation", text=["shorter: letter.txt", "longer: letter.txt"]), [letter], {}, store)


def test_labels_of_other_tasks_are_counted_as_they_are_all_taken_together(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, Text("a"), Text("b" * 600), is_list=True)}
    (item,) = bind(task("zero-shot-classification", text="x", labels="<GENERATED>-1"), [], upstream, store).items
    assert isinstance(item, dict)
    assert [label.text for label in item["labels"]] == ["a", "b" * 600]
    with pytest.raises(UsageError, match="more than 1,000 characters in its texts"):
        bind(task("zero-shot-classification", text="x", labels=["<GENERATED>-1"] * 2), [], upstream, store)


@pytest.mark.parametrize("type", [ValueType.IMAGE, ValueType.TEXT])
def test_binding_a_list_reads_none_of_its_values(store: ArtifactStore, type: ValueType) -> None:
    planned = (
        task("object-detection", image="<GENERATED>-1")
        if type is ValueType.IMAGE
        else task("summarization", text="<GENERATED>-1")
    )
    bound = binding.bind(planned, [], {1: not_stored(100, type)}, store, max_chars=MOST_CHARS)
    assert len(bound.items) == 100
    for element in bound.items:
        assert not isinstance(element, MissingInput)
        assert [StoredInput] == [each.__class__ for each in element.values()]


def test_a_value_that_many_elements_take_is_loaded_once(store: ArtifactStore) -> None:
    upstream = {1: made(store, 1, picture("red"))}
    first, second = bind(task("object-detection", image=["<GENERATED>-1"] * 2), [], upstream, store).items
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["image"] is second["image"]

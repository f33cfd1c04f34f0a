"""When results are the answer, and how they are put together."""

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.word_for_word import word_for_word
from hugginggpt.results import ItemResult, TaskOutcome
from tests.controller.samples import INVOICE, WAV, done, failed, invoice_outcomes, sound_artifact, text_artifact

ASKED = "document-question-answering"


def asked(task_id: int, question: str, answer: str) -> TaskOutcome:
    return done(task_id, ASKED, text_artifact(answer), args={"image": "invoice.png", "text": question})


def test_a_question_is_answered_by_the_result_of_its_task() -> None:
    outcome = asked(0, "Who has to pay?", "Jane Roe")
    assert word_for_word("Who has to pay?", [outcome]) == "Jane Roe"
    assert word_for_word("Would you tell me who has to pay, please?", [outcome]) == "Jane Roe"
    assert word_for_word("Tell me who has to pay.", [outcome]) == "Jane Roe"


def test_several_answers_stand_after_their_questions() -> None:
    outcomes = [asked(0, "Who has to pay?", "Jane Roe"), asked(1, "What is the total?", "81.99 EUR")]
    both = word_for_word("Who has to pay? What is the total?", outcomes)
    assert both == "Who has to pay?\nJane Roe\n\nWhat is the total?\n81.99 EUR"
    heard = asked(1, "<GENERATED>-0", "81.99 EUR")
    assert word_for_word("Answer both.", [outcomes[0], heard]) == "Who has to pay?\nJane Roe\n\n81.99 EUR"


def test_answers_come_first_then_what_else_was_made() -> None:
    outcomes = [*invoice_outcomes(), asked(2, "What is the total?", "81.99 EUR")]
    answer = word_for_word("Read it aloud. What is the total?", outcomes)
    assert answer == f"81.99 EUR\n\n{INVOICE}\n\ntext-to-speech made {WAV}"


def test_what_was_not_done_is_said_last() -> None:
    outcomes = [asked(0, "Who has to pay?", "Jane Roe"), failed(1, "translation", "The model is gone.")]
    answer = word_for_word("Who has to pay? Translate it.", outcomes)
    assert answer == "Jane Roe\n\nNot done: 1 · translation. The model is gone."


def test_a_request_that_asks_nothing_is_answered_by_what_was_made() -> None:
    assert word_for_word("Read this.", invoice_outcomes()[:1]) == INVOICE
    sound = done(0, "text-to-speech", sound_artifact(), args={"text": "Hello."})
    assert word_for_word("Say hello.", [sound]) == f"text-to-speech made {WAV}"
    twice = [*invoice_outcomes()[:1], done(1, "summarization", text_artifact("Total 81.99 EUR"))]
    assert word_for_word("Sum it up.", twice) == INVOICE, "no result is repeated"


def test_a_question_without_a_task_that_answered_it_needs_words() -> None:
    assert word_for_word("What is the total?", invoice_outcomes()) is None
    sorted_in = done(0, "zero-shot-classification", text_artifact("repairs (0.61).", ValueType.STRUCTURED))
    assert word_for_word("Is it about repairs or rent?", [sorted_in]) is None
    one = asked(0, "Who has to pay?", "Jane Roe")
    assert word_for_word("Who has to pay? And by when?", [one]) is None
    assert word_for_word("Who has to pay?", [failed(0, ASKED, "The page is blank.")]) is None


def test_answers_for_a_list_are_not_told_apart() -> None:
    one = asked(0, "Who has to pay?", "Jane Roe")
    assert one.result is not None
    items = (*one.result.items, ItemResult(error="It is no picture."))
    listed = one.model_copy(update={"result": one.result.model_copy(update={"items": items, "is_list": True})})
    assert word_for_word("Who has to pay?", [listed]) is None


def test_nothing_to_show_needs_words() -> None:
    assert word_for_word("Read this.", [done(0, "image-to-text", text_artifact(""))]) is None

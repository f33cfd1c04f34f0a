"""What a question says about its answer."""

import pytest

from hugginggpt.controller.embedded.answer_types import answer_type
from hugginggpt.controller.embedded.reader_tokens import units_of


def fits(question: str, answer: str) -> bool:
    word = answer_type(question).unit
    return word is None or any(word.fullmatch(unit.group()) for unit in units_of(answer))


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("How much do I have to pay?", "81.99 EUR", "Jane Roe"),
        ("how many invoices are there", "three", "ACME Ltd"),
        ("What is the total?", "81.99", "Total due"),
        ("only the total", "81.99 EUR", "ACME Ltd"),
        ("When is it due?", "by Monday", "ACME Ltd"),
        ("And by when?", "Monday", "Jane Roe"),
        ("What is the due date?", "Monday", "Total due"),
        ("How often does she pay?", "twice a year", "Jane Roe"),
        ("On which day was it sent?", "3 May", "Jane"),
        ("Tell me when I have to pay.", "by Monday", "Jane Roe"),
        ("When I cancel, how much do I get back?", "80 EUR", "on cancelling"),
        ("In the letter: how much is it?", "80 EUR", "ACME Ltd"),
        ("Do you know how much it is?", "80 EUR", "Jane Roe"),
        ("Can you tell me: how much is it?", "80 EUR", "Jane Roe"),
        ("Please could you tell me by when to pay?", "on Monday", "Jane Roe"),
        ("I'd like to know how long it takes.", "a week", "Jane Roe"),
        ("What\u2019s the total?", "81.99", "Total due"),
        ("What price?", "81.99", "Jane Roe"),
        ("My son is 8. How much should he get?", "half a cup", "Jane Roe"),
        ("How much should he get? I have 2 sons.", "half a cup", "Jane Roe"),
    ],
)
def test_the_answer_is_of_the_kind_that_is_asked_for(question: str, right: str, wrong: str) -> None:
    assert fits(question, right) and not fits(question, wrong)
    assert not answer_type(question).verdict


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (
            "How many were there?",
            ["fourteen", "nineteen people", "sixty", "about ninety", "a few", "dozens", "several"],
        ),
        ("How much is it?", ["a tenth off", "a fifth", "½ tsp", "a litre", "a couple", "⅔ cup"]),
        ("How much notice do I have to give?", ["a week", "until Friday", "3 months"]),
        ("How much time is left?", ["an hour", "until the next stop"]),
        ("How much longer does it take?", ["a fortnight", "till Monday"]),
        ("How long may she stay?", ["as long as she lives", "overnight", "since lunch", "nineteen years"]),
        ("When must they leave?", ["by the end of the term", "by nightfall", "at lunchtime", "as soon as it rains"]),
        ("How often was it tested?", ["ninety times", "twice", "on the third try"]),
    ],
)
def test_numbers_and_times_may_be_in_words(question: str, answers: list[str]) -> None:
    for answer in answers:
        assert fits(question, answer), answer
    assert not fits(question, "Jane Roe")


@pytest.mark.parametrize(
    ("question", "verdict"),
    [
        ("Who pays?", False),
        ("And where?", False),
        ("Is it an invoice?", True),
        ("does she pay", True),
        ("Doesn't she pay?", True),
        ("Doesn\u2019t she pay?", True),
        ("Wouldn't it cost more?", True),
        ("Hi, is breakfast included?", True),
        ("Can I pay by phone or card?", True),
        ("Is it due or not?", True),
        ("Is there a cat or a dog?", True),
        ("My son is twelve, does he need one?", True),
        ("My son is 12. Does he need one?", True),
        ("If I cancel, is there a refund?", True),
        ("Do you know if she pays?", True),
        ("Does it say whether dogs are allowed?", True),
        ("Does it say anything about dogs?", True),
        ("Can you drink the water?", True),
        ("Is that before or after tax?", False),
        ("Is it a boy or a girl?", False),
        ("Do they collect it or where is it repaired?", False),
        ("Can you tell me who pays?", False),
        ("Do you know who pays?", False),
        ("Can you give me the name?", False),
        ("If I cancel, who pays?", False),
        ("the sender", False),
        ("", False),
        ("?", False),
    ],
)
def test_a_question_asks_for_yes_or_no_or_for_something_else(question: str, verdict: bool) -> None:
    assert answer_type(question).verdict is verdict


@pytest.mark.parametrize(
    "question",
    [
        "Who has to pay, how much?",
        "What does the total mean?",
        "Where is the date?",
        "When I arrive, who lets me in?",
        "When I cancel, any money back?",
        "When the pool is closed, who has the key?",
        "Which day trip includes lunch?",
        "What time zone is it?",
        "Why the fee?",
        "Why a deposit?",
        "Where's the deposit?",
        "Where\u2019s the deposit?",
        "Does it cost?",
        "Who sets the price?",
        "What's in the price?",
    ],
)
def test_a_word_of_another_question_says_nothing(question: str) -> None:
    assert fits(question, "Jane Roe")

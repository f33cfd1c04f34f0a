"""Questions with several parts are asked one by one."""

import pytest

from hugginggpt.controller.embedded.single_questions import single_questions


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Who has to pay?", ["Who has to pay?"]),
        ("Who has to pay, and by when?", ["Who has to pay?", "By when has to pay?"]),
        (
            "Where and when does the concert take place?",
            ["Where does the concert take place?", "When does the concert take place?"],
        ),
        ("How much do I owe, and until when?", ["How much do I owe?", "Until when do I owe?"]),
        ("Who is it from? What does it cost?", ["Who is it from?", "What does it cost?"]),
        ("I got this letter. Who is it from?", ["Who is it from?"]),
        ("Is breakfast included and is there a car park?", ["Is breakfast included?", "Is there a car park?"]),
        (
            "What is the invoice number and the total amount?",
            ["What is the invoice number?", "What is the total amount?"],
        ),
        (
            "When does it start, where is it and what does it cost?",
            ["When does it start?", "Where is it?", "What does it cost?"],
        ),
        ("the total", ["The total?"]),
        ("If I cancel, how much do I get back?", ["If I cancel, how much do I get back?"]),
        (
            "If I cancel, how much do I get back, and by when?",
            ["If I cancel, how much do I get back?", "By when do I get back?"],
        ),
        (
            "If I take the 10:15 from Lower Ambry, when am I at the hospital?",
            ["If I take the 10:15 from Lower Ambry, when am I at the hospital?"],
        ),
        ("When I arrive, who lets me in?", ["When I arrive, who lets me in?"]),
        ("Besides his mum, who is allowed to fetch him?", ["Besides his mum, who is allowed to fetch him?"]),
        ("I'm stuck in here, which number do I call?", ["I'm stuck in here, which number do I call?"]),
        ("When does it open, who has the key?", ["When does it open?", "Who has the key?"]),
        ("Give me the invoice number. Who pays?", ["Give me the invoice number?", "Who pays?"]),
        ("Who pays? Please also tell me the date.", ["Who pays?", "Please also tell me the date?"]),
        ("Name: Jane Roe. Who pays?", ["Who pays?"]),
        ("What is the price of the soup and the salad?", ["What is the price of the soup and the salad?"]),
        ("?", ["?"]),
        (" ... ", ["..."]),
        ("???", ["???"]),
        ("Do salt and pepper cost extra?", ["Do salt and pepper cost extra?"]),
        (
            "What is the difference between the net and the total?",
            ["What is the difference between the net and the total?"],
        ),
        ("When do the parents and the children arrive?", ["When do the parents and the children arrive?"]),
        ("Give me the total. Also tell me the date.", ["Give me the total?", "Also tell me the date?"]),
        ("how often to take Syp. Azee 200", ["How often to take Syp. Azee 200?"]),
        ("the total. the due date", ["The total. the due date?"]),
        ("What does it cost? 2 adults. When is it?", ["What does it cost?", "When is it?"]),
        ("What\u2019s the total and the due date?", ["What's the total?", "What's the due date?"]),
    ],
)
def test_each_part_is_a_question(text: str, asked: list[str]) -> None:
    assert [question.asked for question in single_questions(text)] == asked


@pytest.mark.parametrize(
    "text",
    [
        "1. Who has to pay? 2. When is it due?",
        "1. Who has to pay?\n2. When is it due?",
        "1) Who has to pay? 2) When is it due?",
        "a) Who has to pay? b) When is it due?",
        "- Who has to pay?\n- When is it due?",
        "- Who has to pay\n- When is it due",
        "who has to pay. when is it due. It is urgent.",
        "\u2022 Who has to\n  pay?\n\u2022 When is it due?",
    ],
)
def test_each_item_of_a_list_is_a_question(text: str) -> None:
    assert [question.asked.capitalize() for question in single_questions(text)] == [
        "Who has to pay?",
        "When is it due?",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "What does ACME Ltd. owe?",
        "When does the course by Prof. Lind start?",
        "What does mr. smith owe?",
        "When does bus no. 12 leave?",
        "What is on invoice No. A12?",
        "Is it open at 8 a.m. on Monday?",
        "Is it open from Mon. to Fri.  in May?",
        "Is it open on Monday, when the school is closed?",
        "How much is the deposit, which I paid in May?",
        "How much is the deposit, which is due in May?",
        "What is the total, of which I paid half?",
        "Which bus stops at the hospital, where I work?",
    ],
)
def test_a_question_is_not_divided_at_an_abbreviation_or_a_relative_clause(text: str) -> None:
    assert [question.asked for question in single_questions(text)] == [" ".join(text.split())]


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Is a bike included, and for how much?", ["Is a bike included?", "For how much is a bike included?"]),
        ("Do pensioners pay, how much?", ["Do pensioners pay?", "How much do pensioners pay?"]),
        (
            "Is breakfast included and at what price?",
            ["Is breakfast included?", "At what price is breakfast included?"],
        ),
        (
            "Is it open when it rains, and until when?",
            ["Is it open when it rains?", "Until when is it open when it rains?"],
        ),
        ("Who has to pay, and when then?", ["Who has to pay?", "When has to pay?"]),
        ("Can you tell me who has to pay, and by when?", ["Can you tell me who has to pay?", "By when has to pay?"]),
        ("Give me the total and by when?", ["Give me the total?", "By when the total?"]),
        ("Who pays, when is it due?", ["Who pays?", "When is it due?"]),
        ("Who pays, on which day?", ["Who pays?", "On which day pays?"]),
        ("When is it done, after how many days?", ["When is it done?", "After how many days is it done?"]),
        ("Isn't it free, who pays?", ["Isn't it free?", "Who pays?"]),
        ("how much it is, when it starts", ["How much it is?", "When it starts?"]),
    ],
)
def test_a_part_without_a_topic_takes_that_of_the_others(text: str, asked: list[str]) -> None:
    assert [question.asked for question in single_questions(text)] == asked


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("My son is 8. How much should he get?", ["My son is 8. How much should he get?"]),
        ("He is eight. Who pays, and when?", ["He is eight. Who pays?", "He is eight. When pays?"]),
        ("I am 70. Do I pay? Who is it from?", ["I am 70. Do I pay?", "Who is it from?"]),
        ("How much should he get? He is 8.", ["He is 8. How much should he get?"]),
        ("I found one. Who is it from?", ["Who is it from?"]),
        ("I have a letter. Who is it from?", ["Who is it from?"]),
        ("Name: Jane Roe, 12 Mill Lane. Who pays?", ["Who pays?"]),
        (f"I have 2 letters{' from her' * 20}. Who pays?", ["Who pays?"]),
    ],
)
def test_a_question_is_asked_with_the_number_that_it_may_depend_on(text: str, asked: list[str]) -> None:
    assert [question.asked for question in single_questions(text)] == asked
    assert "eight" not in "".join(question.shown for question in single_questions(text))


def test_a_part_is_shown_as_it_was_put() -> None:
    assert [question.shown for question in single_questions("Who has to pay, and by when?")] == [
        "Who has to pay?",
        "By when?",
    ]

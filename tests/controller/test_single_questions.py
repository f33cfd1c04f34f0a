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
    ],
)
def test_each_part_is_a_question(text: str, asked: list[str]) -> None:
    assert [question.asked for question in single_questions(text)] == asked


def test_a_part_is_shown_as_it_was_put() -> None:
    assert [question.shown for question in single_questions("Who has to pay, and by when?")] == [
        "Who has to pay?",
        "By when?",
    ]

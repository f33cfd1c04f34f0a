"""What is said without a plan, and which requests are questions, wishes or small talk."""

import pytest

from hugginggpt.controller.embedded import direct
from hugginggpt.controller.embedded.direct import direct_answer, small_talk
from hugginggpt.controller.embedded.questions import asked_in, questions_in, unplanned_questions
from tests.controller.samples import picture


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Hello!", direct.GREETING),
        ("Hi there, how are you today?", direct.GREETING),
        ("Good morning.", direct.GREETING),
        ("Thanks, that was great!", direct.WELCOME),
        ("thank you so much", direct.WELCOME),
        ("Great, thanks a lot!", direct.WELCOME),
        ("Perfect. That's all for today. Bye!", direct.WELCOME),
        ("OK", direct.WELCOME),
        ("Goodbye.", direct.GOODBYE),
        ("Who are you?", direct.WHO),
        ("Hi! Are you a robot?", direct.WHO),
        ("What can you do?", direct.CAN),
        ("Could you tell me what you can do for me?", direct.CAN),
        ("help", direct.CAN),
        ("How does this work?", direct.HOW),
        ("Thanks. And how does this work?", direct.HOW),
        ("Thanks 😊", direct.WELCOME),
        ("Thank you so much ❤️ 🙏🏽!", direct.WELCOME),
        ("Thanks :-)", direct.WELCOME),
        ("Thanks :D", direct.WELCOME),
        ("Thank you <3", direct.WELCOME),
        ("Great - thanks!", direct.WELCOME),
        ("(Thanks!)", direct.WELCOME),
        ("That’s great!", direct.WELCOME),
        ("Hello :)", direct.GREETING),
        ("👋 Hi", direct.GREETING),
        ('"What can you do?"', direct.CAN),
    ],
)
def test_small_talk_has_fixed_answers(text: str, said: str) -> None:
    assert small_talk(text) == direct_answer(text, []) == said


@pytest.mark.parametrize(
    "text",
    [
        "Thanks! And now in French?",
        "Great, now translate it into Spanish.",
        "Hello, what is the total?",
        "Good morning, would you kindly copy out what the attached notice says?",
        "What can you do about the boiler in this letter, and who pays?" * 3,
        "No, the other one.",
        "Thanks 😊 Now read it to me.",
        "Hello :) what is the total?",
        "Good follow-up",
        "hi-res",
        "No.",
        "What are you seeing in this picture?",
        "Help me translate this letter.",
        "",
    ],
)
def test_a_wish_among_small_talk_is_no_small_talk(text: str) -> None:
    assert small_talk(text) is None


def test_with_a_file_it_is_the_file_that_is_asked_about() -> None:
    manual = [picture("manual.png")]
    for text in ("How does it work?", "How do I use this?"):
        assert small_talk(text, has_files=True) is None and direct_answer(text, manual) != direct.HOW
    for text, said in (
        ("How do you work?", direct.HOW),
        ("How does HuggingGPT work?", direct.HOW),
        ("help", direct.CAN),
        ("Thanks!", direct.WELCOME),
    ):
        assert small_talk(text, has_files=True) == direct_answer(text, manual) == said


@pytest.mark.parametrize("text", ["What is the capital of Peru?", "who wrote Hamlet", "Tell me how tall Everest is."])
def test_what_it_cannot_know_it_does_not_say(text: str) -> None:
    answer = direct_answer(text, [picture("old.png").model_copy(update={"earlier": True})])
    assert answer.startswith("Without a file to look in or a larger model I cannot know this: attach a file, or set ")
    assert answer.endswith("set OPENAI_API_KEY or OPENAI_BASE_URL.")


def test_what_it_did_not_understand_it_says_so() -> None:
    assert direct_answer("Bitte lies mir den Brief vor.", []).startswith("I did not understand what to do: say it in ")
    answer = direct_answer("Bitte lies mir den Brief vor.", [picture("brief.png")])
    assert answer.startswith("I did not understand what to do with brief.png: say it in other words, in English, or ")


def test_questions_are_told_from_polite_wishes() -> None:
    for wish in (
        "Could you read this to me?",
        "Please, can you summarise it?",
        "Would you mind drawing the edges?",
        "Can I have it in French?",
        "Could I also get a summary?",
        "Any way I could hear it?",
        "Would it be possible to read this out loud?",
        "Any chance you could transcribe this?",
        "Kannst du das vorlesen?",
    ):
        assert questions_in(wish) == [] and asked_in(wish) == []
    for question in (
        "Who has to pay?",
        "Can you tell me who has to pay?",
        "Is this sign about parking?",
        "And by when?",
        "Are pets allowed?",
        "Do you know how much it is?",
        "Can I bring my dog?",
        "May I smoke there?",
        "Can I get a full refund?",
        "Can we get our money back?",
        "Any chance I can cancel?",
        "Can someone else collect it?",
        "Should you take it with food?",
        "When is Dr. Low's appointment?",
        "What does Mr. Smith owe?",
        "When does bus no. 12 leave?",
        "Is it open at 8 a.m. on Monday?",
        "Can't I pay later?",
    ):
        assert questions_in(f"Hello. {question} Thanks!") == [question] == asked_in(question)


@pytest.mark.parametrize("text", ["Read this aloud, please?", "You know what I found in the attic? Read it."])
def test_a_mark_alone_makes_no_question_that_has_to_be_answered(text: str) -> None:
    assert questions_in(text) == []


def test_questions_without_a_mark_count_where_they_are_to_be_planned() -> None:
    for asked in (
        "how much is a ticket for a child",
        "Tell me who has to pay.",
        "is there a phone number on it",
        "I'd like to know when the water is off.",
    ):
        assert asked_in(asked) == [asked] and questions_in(asked) == []
    for other in ("Read it aloud.", "The boiler is broken.", "notice.png -> text"):
        assert asked_in(other) == []


def test_the_items_of_a_list_are_questions_of_their_own() -> None:
    request = "1. What is the invoice number on invoice.png?\n2. On which day does the engineer come (letter.png)?"
    first, second = questions_in(request)
    assert (first, second[:12]) == ("What is the invoice number on invoice.png?", "On which day")
    assert unplanned_questions(request, [first, first]) == [second]
    assert unplanned_questions(request, [second, first]) == []


def test_a_question_is_planned_if_a_task_has_half_of_its_words() -> None:
    assert unplanned_questions("Who has to pay the invoice?", ["who must pay the invoice"]) == []
    assert unplanned_questions("Who has to pay? And by when?", ["Who has to pay?"]) == ["And by when?"]
    assert unplanned_questions("How much is it?", ["What does it cost"]) == []
    assert unplanned_questions("What does it say? When is it off?", ["When is it off?"]) == ["What does it say?"]
    assert unplanned_questions("When is it off? What does it say?", ["What does it say?"]) == ["When is it off?"]
    assert unplanned_questions("What's the total? Who's the sender?", ["What's the total?"]) == ["Who's the sender?"]


def test_a_curly_apostrophe_is_an_apostrophe() -> None:
    assert questions_in("Doesn\u2019t she pay? What\u2019s due?") == ["Doesn't she pay?", "What's due?"]


def test_an_item_after_a_wish_is_a_question_too() -> None:
    assert questions_in("1. Read it aloud. 2. Who pays? 3) And when?") == ["Who pays?", "And when?"]

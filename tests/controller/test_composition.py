"""How results are put together into an answer: the rules of docs/answers.md."""

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.composition import compose
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from hugginggpt.controller.response import plain_rendering
from hugginggpt.plan import PlannedTask
from hugginggpt.results import LONG_TEXT, ItemResult, TaskOutcome, TaskStatus
from tests.controller.samples import INVOICE, WAV, done, failed, invoice_outcomes, sound_artifact, text_artifact

ASKED = "document-question-answering"
SUMMARY = "ACME Tools Ltd asks for 81.99 EUR."


def asked(task_id: int, question: str, answer: str, image: str = "invoice.png") -> TaskOutcome:
    return done(task_id, ASKED, text_artifact(answer), args={"image": image, "text": question})


def read(task_id: int = 0, text: str = INVOICE, image: str = "invoice.png") -> TaskOutcome:
    return done(task_id, "image-to-text", text_artifact(text), args={"image": image})


def summed_up(task_id: int, of: int, text: str = SUMMARY) -> TaskOutcome:
    return done(task_id, "summarization", text_artifact(text), args={"text": f"<GENERATED>-{of}"})


def translated() -> TaskOutcome:
    return done(0, "translation", text_artifact("Guten Tag."), args={"text": "letter.txt", "target_language": "German"})


def spoken(task_id: int, text: str) -> TaskOutcome:
    return done(task_id, "text-to-speech", sound_artifact(), args={"text": text})


def skipped(task_id: int, kind: str, needs: int) -> TaskOutcome:
    planned = PlannedTask(task=kind, id=task_id, dep=(needs,), args={"text": f"<GENERATED>-{needs}"})
    error = f"It needs the result of task {needs}, which failed."
    return TaskOutcome(planned=planned, status=TaskStatus.SKIPPED, error=error)


def picture_artifact(digit: str = "a") -> Artifact:
    return Artifact(sha256=digit * 64, type=ValueType.IMAGE, mime="image/png", bytes=9)


def test_one_question_is_answered_by_its_answer_alone() -> None:
    outcome = asked(0, "Who has to pay?", "Jane Roe")
    for wording in ("Who has to pay?", "Would you tell me who has to pay, please?", "Tell me who has to pay."):
        assert compose(wording, [outcome]) == "Jane Roe"


def test_several_answers_stand_after_their_questions() -> None:
    outcomes = [asked(0, "Who has to pay?", "Jane Roe"), asked(1, "What is the total?", "81.99 EUR")]
    assert compose("Who has to pay? What is the total?", outcomes) == (
        "Who has to pay?\nJane Roe\n\nWhat is the total?\n81.99 EUR"
    )
    assert compose("Who has to pay, and how much?", outcomes).startswith("Who has to pay?\nJane Roe\n\n")


def test_equal_answers_are_both_given() -> None:
    outcomes = [asked(0, "Who sent it?", "ACME"), asked(1, "Who gets the money?", "ACME")]
    assert compose("Who sent it? Who gets the money?", outcomes) == "Who sent it?\nACME\n\nWho gets the money?\nACME"


def test_a_spoken_question_is_shown_as_it_was_heard() -> None:
    heard = done(0, "automatic-speech-recognition", text_artifact("Who has to pay?"), args={"audio": "q.wav"})
    outcomes = [heard, asked(1, "<GENERATED>-0", "Jane Roe"), asked(2, "What is the total?", "81.99 EUR")]
    assert compose("Answer what I ask in q.wav. What is the total?", outcomes) == (
        "Who has to pay?\nJane Roe\n\nWhat is the total?\n81.99 EUR"
    )


def test_the_demo() -> None:
    outcomes = [
        read(),
        summed_up(1, of=0),
        spoken(2, "<GENERATED>-1"),
        asked(3, "What is the total due?", "81.99 EUR"),
    ]
    request = "Read the text on this invoice, summarise it, say it aloud. What is the total due?"
    assert compose(request, outcomes) == f"81.99 EUR\n\nSummary: {SUMMARY}\nSpeech: {WAV}"


def test_what_only_fed_another_task_is_not_shown() -> None:
    assert compose("Summarise this invoice.", [read(), summed_up(1, of=0)]) == SUMMARY


@pytest.mark.parametrize(
    "request_text",
    [
        "Give me the full text and a summary.",
        "Copy out this page, and sum it up.",
        "Both the text and a summary please",
    ],
)
def test_what_fed_another_task_is_shown_if_it_was_wished_for(request_text: str) -> None:
    both = f"Text:\n{INVOICE}\n\nSummary: {SUMMARY}"
    assert compose(request_text, [read(), summed_up(1, of=0)]) == both


def test_a_transcript_is_shown_beside_its_summary_if_somebody_asks_what_is_said() -> None:
    heard = done(0, "automatic-speech-recognition", text_artifact("I come at six."), args={"audio": "m.wav"})
    outcomes = [heard, summed_up(1, of=0, text="She comes at six.")]
    assert compose("What does she say in this recording? Summarise it.", outcomes) == (
        "Transcript: I come at six.\n\nSummary: She comes at six."
    )
    assert compose("Summarise this recording.", outcomes) == "She comes at six."


def test_what_failed_to_be_used_is_shown() -> None:
    outcomes = [read(), failed(1, "translation", "The model is gone.")]
    assert compose("Translate this.", outcomes) == f"{INVOICE}\n\nNot done: the translation. The model is gone."


def test_a_spoken_text_is_shown_once_with_its_recording() -> None:
    assert compose("Read it aloud.", invoice_outcomes()) == f"{INVOICE}\nSpeech: {WAV}"
    assert compose("Say hello.", [spoken(0, "Hello.")]) == f"Hello.\nSpeech: {WAV}"
    answer = [asked(0, "What is the total?", "81.99 EUR"), spoken(1, "<GENERATED>-0")]
    assert compose("What is the total? Say it.", answer) == f"81.99 EUR\nSpeech: {WAV}"


def test_a_text_that_is_spoken_and_used_is_still_shown_with_its_recording() -> None:
    outcomes = [read(), spoken(1, "<GENERATED>-0"), summed_up(2, of=0)]
    assert compose("Read it aloud and sum it up.", outcomes) == f"Text:\n{INVOICE}\nSpeech: {WAV}\n\nSummary: {SUMMARY}"


def test_a_speech_of_a_text_around_a_result_shows_the_whole() -> None:
    outcomes = [asked(0, "What is the total?", "81.99 EUR"), spoken(1, "The total is <GENERATED>-0.")]
    assert compose("Say the total in a sentence.", outcomes) == f"The total is 81.99 EUR.\nSpeech: {WAV}"


def test_a_file_that_is_spoken_is_not_repeated() -> None:
    assert compose("Read letter.txt aloud.", [spoken(0, "letter.txt")], ["letter.txt"]) == f"Speech: {WAV}"


def test_a_long_text_that_is_spoken_is_shown_by_its_beginning() -> None:
    long = " ".join(f"This is sentence {n}." for n in range(100))
    shown = compose("Read it aloud.", [read(text=long), spoken(1, "<GENERATED>-0")])
    text, said = shown.split("\n")
    assert long.startswith(text.removesuffix(" …")) and text.endswith(". …") and len(text) < 510
    assert said == f"Speech: {WAV}"


def test_a_long_text_that_is_spoken_and_wished_for_is_shown_whole() -> None:
    long = " ".join(f"This is sentence {n}." for n in range(80))
    outcomes = [with_path(read(text=long)), spoken(1, "<GENERATED>-0")]
    assert compose("Give me the full text, and read it aloud.", outcomes) == f"{long}\nSpeech: {WAV}"
    cut = compose("Read it aloud.", outcomes)
    assert cut.endswith(f". …\n\nThe whole text: /home/me/page.txt\nSpeech: {WAV}")


def with_path(outcome: TaskOutcome) -> TaskOutcome:
    assert outcome.result is not None
    return outcome.model_copy(update={"files": {outcome.result.outputs[0].sha256: "/home/me/page.txt"}})


def test_a_text_that_is_too_long_to_show_is_a_file() -> None:
    shown = compose("Read it.", [with_path(read(text="One line of the page.\n" * 200))])
    assert shown.endswith("One line of the page. …\n\nThe whole text: /home/me/page.txt")
    assert len(shown) < LONG_TEXT + 50


def test_no_result_is_shown_twice() -> None:
    outcomes = [asked(0, "What is the total?", "81.99 EUR"), read(1, "81.99  EUR")]
    assert compose("What is the total? And read it.", outcomes) == "81.99 EUR"


def test_the_same_result_for_another_file_is_shown_too() -> None:
    files, positive = ["a.txt", "b.txt"], text_artifact("positive (1.00)")
    moods = [done(k, "text-classification", positive, args={"text": name}) for k, name in enumerate(files)]
    shown = compose("What is the mood of these reviews?", moods, files)
    assert [line.partition(" of ")[2] for line in shown.split("\n\n")] == [f"{n}: positive (1.00)" for n in files]
    photos = done(0, "object-detection", args={"image": ["a.png", "b.png"]})
    items = [ItemResult(outputs=(text_artifact("No objects were found.", ValueType.STRUCTURED),))] * 2
    shown = compose("What is on these photos?", [listed(photos, *items)], ["a.png", "b.png"])
    assert shown.count("No objects were found.") == 2
    of_a = [read(0, "one", "a.png"), read(1, "one", "a.png")]
    assert compose("Read it.", of_a, ["a.png"]).count("one") == 1


def test_a_file_is_named_by_what_it_is() -> None:
    edges = done(0, "canny-control", picture_artifact(), args={"image": "house.png"})
    assert compose("Draw the edges.", [edges]) == f"Edges: {WAV}"
    found = text_artifact("2 found: 2 × cat (0.99, 0.98).", ValueType.STRUCTURED)
    boxes = done(0, "object-detection", found, picture_artifact(), args={"image": "cats.jpg"})
    assert compose("How many cats are there?", [boxes]) == f"2 found: 2 × cat (0.99, 0.98).\nPicture: {WAV}"


def test_results_of_several_files_say_of_which() -> None:
    outcomes = [
        read(0, "one", "a.png"),
        summed_up(1, of=0, text="First."),
        read(2, "two", "b.png"),
        summed_up(3, of=2, text="Second."),
    ]
    shown = compose("Summarise both pages.", outcomes, ["a.png", "b.png"])
    assert shown == "Summary of a.png: First.\n\nSummary of b.png: Second."


def listed(outcome: TaskOutcome, *items: ItemResult) -> TaskOutcome:
    assert outcome.result is not None
    return outcome.model_copy(update={"result": outcome.result.model_copy(update={"items": items, "is_list": True})})


def test_a_list_is_shown_element_by_element() -> None:
    one = done(0, ASKED, args={"image": ["a.png", "b.png"], "text": "Who has to pay?"})
    answers = [ItemResult(outputs=(text_artifact(name),)) for name in ("Jane Roe", "The text does not say.")]
    assert compose("Who has to pay?", [listed(one, *answers)], ["a.png", "b.png"]) == (
        "a.png: Jane Roe\nb.png: The text does not say."
    )
    broken = ItemResult(error="It is not a picture.")
    assert compose("Who has to pay?", [listed(one, answers[0], broken)], ["a.png", "b.png"]) == (
        'a.png: Jane Roe\n\nNot done: the answer to "Who has to pay?" for b.png. It is not a picture.'
    )
    twice = listed(done(0, "image-to-text", args={"image": ["a.png", "b.png", "b.png"]}), answers[0], broken, broken)
    assert compose("Read them.", [twice], ["a.png", "b.png"]).split("\n\n")[1:] == [
        "Not done: the text 2. It is not a picture.",
        "Not done: the text 3. It is not a picture.",
    ]
    drawn = done(0, "canny-control", args={"image": ["a.png", "b.png"]})
    assert compose("Draw the edges.", [listed(drawn, broken, answers[0])], ["a.png", "b.png"]).endswith(
        "Not done: the edges of a.png. It is not a picture."
    )
    pictures = [ItemResult(outputs=(picture_artifact(digit),)) for digit in "ab"]
    files = {"a" * 64: "/a-edges.png", "b" * 64: "/b-edges.png"}
    assert compose("Draw the edges.", [listed(drawn, *pictures).model_copy(update={"files": files})]) == (
        "Edges: /a-edges.png\n\nEdges: /b-edges.png"
    )


def of_sheets(**answers: str) -> TaskOutcome:
    """A question about a workbook; "both" stands for sheets that are read as one table."""
    parts = [
        ItemResult(outputs=(text_artifact(text),), part="" if name == "both" else name)
        for name, text in answers.items()
    ]
    args = {"text": "Who wrote the notes?", "table": "book.xlsx"}
    outcome = listed(done(0, "table-question-answering", text_artifact(""), args=args), *parts)
    return outcome.model_copy(update={"result": outcome.result.model_copy(update={"first_page": 1})})


@pytest.mark.parametrize(
    ("answers", "shown"),
    [
        ({"both": DOES_NOT_SAY, "Notes": "Ann"}, "Notes: Ann"),
        ({"both": "May (405, sheet Q2)", "Notes": DOES_NOT_SAY}, "May (405, sheet Q2)"),
        ({"both": "May (405, sheet Q2)", "Notes": "Ann"}, "book.xlsx: May (405, sheet Q2)\nNotes: Ann"),
        ({"Sales": "May", "Notes": "Ann"}, "Sales: May\nNotes: Ann"),
        ({"Sales": DOES_NOT_SAY, "Notes": DOES_NOT_SAY}, DOES_NOT_SAY),
    ],
)
def test_the_sheets_that_answer_a_question_are_named(answers: dict[str, str], shown: str) -> None:
    outcome = of_sheets(**answers)
    assert compose("Who wrote the notes?", [outcome], ["book.xlsx"]) == shown
    plain = plain_rendering("Who wrote the notes?", [outcome]).splitlines()
    assert all(name == "both" or f"  {name}:" in plain for name in answers)


def test_each_question_of_a_list_stands_before_its_answer() -> None:
    questions = ["Who has to pay?", "What is the total"]
    one = done(0, ASKED, args={"image": "invoice.png", "text": questions})
    answers = [ItemResult(outputs=(text_artifact(text),)) for text in ("Jane Roe", "81.99 EUR")]
    assert compose("Who has to pay? What is the total?", [listed(one, *answers)], ["invoice.png"]) == (
        "Who has to pay?\nJane Roe\n\nWhat is the total?\n81.99 EUR"
    )


def test_each_of_several_speeches_is_shown_with_its_words() -> None:
    one = done(0, "text-to-speech", args={"text": ["Good morning.", "Good night."]})
    speeches = [
        ItemResult(outputs=(Artifact(sha256=digit * 64, type=ValueType.AUDIO, mime="audio/wav", bytes=9),))
        for digit in "ab"
    ]
    files = {"a" * 64: "/speech-1.wav", "b" * 64: "/speech-2.wav"}
    assert compose("Say both.", [listed(one, *speeches).model_copy(update={"files": files})]) == (
        "Speech 1: Good morning.\nSpeech: /speech-1.wav\n\nSpeech 2: Good night.\nSpeech: /speech-2.wav"
    )


def test_what_was_not_done_is_said_last_with_what_hangs_on_it() -> None:
    outcomes = [
        asked(0, "Who has to pay?", "Jane Roe"),
        failed(1, "translation", "The model is gone."),
        skipped(2, "text-to-speech", needs=1),
    ]
    answer = compose("Who has to pay? Translate it and say it.", outcomes)
    assert answer == "Jane Roe\n\nNot done: the translation, the speech. The model is gone."


def test_each_cause_is_told_once() -> None:
    video = skipped(2, "text-to-video", needs=1).model_copy(update={"obstacle": "text-to-video cannot run here. Buy."})
    outcomes = [
        asked(0, "Who has to pay?", "Jane Roe"),
        failed(1, "translation", "translation cannot run here. Set a key."),
        video,
        failed(3, "summarization", "Too long."),
        failed(4, "translation", "translation cannot run here. Set a key."),
    ]
    assert compose("Who has to pay?", outcomes).split("\n\n")[1:] == [
        "Not done: the translation, the video. Translation cannot run here. Set a key. "
        "Text-to-video cannot run here. Buy.",
        "Not done: the summary. Too long.",
    ]


def test_a_question_that_could_not_be_answered_is_named() -> None:
    lost = failed(1, ASKED, "No text was found in the picture.")
    lost = lost.model_copy(update={"planned": lost.planned.model_copy(update={"args": {"text": "Who has to pay?"}})})
    assert compose("Sum it up. Who has to pay?", [summed_up(0, of=9), lost]) == (
        f'{SUMMARY}\n\nNot done: the answer to "Who has to pay?". No text was found in the picture.'
    )


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("Is it about repairs or rent?", done(0, "zero-shot-classification", text_artifact("repairs (0.61)."))),
        ("What does this sign say?", read()),
        ("What is this letter about?", summed_up(0, of=9)),
        ("What does it mean in English?", done(0, "translation", text_artifact("Good day."))),
        ("Which objects do you see?", done(0, "object-detection", text_artifact("1 found: 1 × cat (0.99)."))),
    ],
)
def test_a_question_without_a_task_is_answered_by_what_belongs_to_it(question: str, outcome: TaskOutcome) -> None:
    assert outcome.result is not None
    assert compose(question, [outcome]) == outcome.result.outputs[0].preview


def test_a_question_that_nothing_belongs_to_is_said_to_be_unanswered() -> None:
    answer = compose("What is the total? Read it to me.", [read(), spoken(1, "<GENERATED>-0")])
    assert answer == (
        f"{INVOICE}\nSpeech: {WAV}\n\n"
        'Not answered: "What is the total?" No step of the plan looked for it; ask it by itself.'
    )
    second = compose("Who has to pay? And by when?", [asked(0, "Who has to pay?", "Jane Roe")])
    assert second.startswith('Who has to pay?\nJane Roe\n\nNot answered: "And by when?"')


@pytest.mark.parametrize(
    ("question", "outcome"),
    [
        ("When is the meeting in the town hall?", translated()),
        ("When is the meeting in Leeds?", translated()),
        ("Who pays in the meantime?", translated()),
        ("When does the summer camp start?", summed_up(0, of=9)),
        ("How much is the lump sum?", summed_up(0, of=9)),
    ],
)
def test_words_that_only_look_alike_make_no_answer(question: str, outcome: TaskOutcome) -> None:
    assert compose(question, [outcome]).endswith(
        f'Not answered: "{question}" No step of the plan looked for it; ask it by itself.'
    )


@pytest.mark.parametrize("question", ["What is that in German?", "how is it in german?", "What does that mean?"])
def test_a_question_for_the_translation_is_answered_by_it(question: str) -> None:
    assert compose(question, [translated()]) == "Guten Tag."


def test_a_question_of_little_words_takes_no_answer_from_another() -> None:
    outcomes = [read(), asked(1, "When will the hot water be off?", "From 8:00")]
    assert compose("What does it say? When will the hot water be off?", outcomes) == f"From 8:00\n\nText:\n{INVOICE}"


def test_a_polite_wish_is_no_question() -> None:
    assert compose("Could you read this to me?", invoice_outcomes()) == f"{INVOICE}\nSpeech: {WAV}"
    assert compose("Can I have a summary of it, please?", [read(), summed_up(1, of=0)]) == SUMMARY


def test_an_empty_text_is_said_to_be_empty() -> None:
    assert compose("Read this.", [read(text="")]) == "The text is empty."


def test_hidden_characters_of_results_are_not_passed_on() -> None:
    assert compose("Read this.", [read(text="Tot\x1b[31mal\u202e 5")]) == "Total 5"

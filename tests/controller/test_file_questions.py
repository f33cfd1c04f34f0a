"""A question about a file reads the file, whatever the planner says."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.file_questions import other_ways, reading_plan
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.resource import Resource

ENDINGS = {
    "png": ValueType.IMAGE,
    "txt": ValueType.TEXT,
    "csv": ValueType.TABLE,
    "wav": ValueType.AUDIO,
    "mp4": ValueType.VIDEO,
}


def files(*names: str, **changes: Any) -> list[Resource]:
    def artifact(name: str) -> Artifact:
        return Artifact(sha256="0" * 64, type=ENDINGS[name.rpartition(".")[2]], mime="", bytes=0)

    return [Resource(name=name, artifact=artifact(name), source=f"/home/me/{name}", **changes) for name in names]


def only(*kinds: str) -> Callable[[Plan], list[str]]:
    """A check that lets only some kinds through."""
    return lambda plan: [f"{task.task} cannot run here." for task in plan.tasks if task.task not in kinds]


def planned(
    text: str, notation: str, given: Sequence[Resource], check: Callable[[Plan], list[str]] | None = None
) -> str:
    """The plan that a rule makes of the planner's, in notation; that of the planner if it stands."""
    plan = read_notation(notation)
    made = reading_plan(text, plan, given, check or (lambda plan: []))
    return write_notation(made or plan, [resource.name for resource in given])


@pytest.mark.parametrize("notation", ["none", '"How much is a ticket for a child?" > answer', '"ticket" > chat'])
def test_a_question_that_was_answered_from_nowhere_reads_the_file(notation: str) -> None:
    question = "How much is a ticket for a child?"
    assert planned(question, notation, files("notice.png")) == f'notice.png > ask text="{question}"'


def test_how_it_works_is_asked_of_the_manual() -> None:
    question = "How does it work?"
    assert planned(question, "none", files("manual.png")) == f'manual.png > ask text="{question}"'


@pytest.mark.parametrize(
    ("file", "plan"),
    [
        ("a.png", 'a.png > ask text="Who pays?"'),
        ("a.txt", 'a.txt > answer text="Who pays?"'),
        ("a.csv", 'a.csv > query text="Who pays?"'),
        ("a.wav", 'a.wav > hear > answer text="Who pays?"'),
    ],
)
def test_each_type_of_file_is_read_in_its_way(file: str, plan: str) -> None:
    made = planned("Who pays?", "none", files(file))
    assert read_notation(made).to_list() == read_notation(plan).to_list()


def test_a_question_about_what_a_picture_shows_looks_where_that_can_run() -> None:
    question = "What colour is the car?"
    assert planned(question, "none", files("a.png")) == f'a.png > look text="{question}"'
    check = only("document-question-answering")
    assert planned(question, "none", files("a.png"), check) == f'a.png > ask text="{question}"'


def test_a_table_is_read_as_a_text_where_nothing_else_can_run() -> None:
    made = planned("Who pays?", "none", files("a.csv"), only("question-answering"))
    assert read_notation(made).tasks[0].args == {"text": "Who pays?", "context": "a.csv"}


def test_every_question_is_asked_and_answered_aloud_if_that_was_planned() -> None:
    made = planned("Who pays? By when? Tell me aloud.", '"Who pays?" > answer > speak', files("a.png"))
    assert made.splitlines() == ['a.png > ask text="Who pays?" > speak', 'a.png > ask text="By when?" > speak']


def test_a_question_goes_to_the_files_that_it_names_or_to_all() -> None:
    both = files("invoice.png", "letter.png")
    assert planned("Who wrote letter.png?", "none", both) == 'letter.png > ask text="Who wrote letter.png?"'
    assert planned("Who wrote the letter?", "none", both) == 'letter.png > ask text="Who wrote the letter?"'
    assert len(planned("Who wrote it?", "none", both).splitlines()) == 2
    with pytest.raises(PlanError, match="may be about any of the 5 files: name one of them"):
        planned("Who wrote it?", "none", files(*(f"{n}.png" for n in "abcde")))


@pytest.mark.parametrize(
    ("text", "notation"),
    [
        ("What does it say?", "a.png > read"),
        ("Is this rude?", '"Shut the door." > classify'),
        ("Draw a red car.", '"a red car" > draw'),
        ("Write a poem about autumn.", '"a poem about autumn" > write'),
        ("Thanks, that was great!", "none"),
        ("Bitte lies mir den Brief vor.", "none"),
        ("Hello! What can you do?", "none"),
    ],
)
def test_other_plans_stand(text: str, notation: str) -> None:
    assert planned(text, notation, files("a.png")) == notation


def test_a_plan_that_reads_a_text_stands() -> None:
    given = files("a.txt")
    for notation in ('a.txt > answer text="Who?"', 'a.txt > write text="a poem about {}"', "a.txt > chat"):
        assert reading_plan("Who?", read_notation(notation), given, lambda plan: []) is None


def test_files_of_earlier_turns_do_not_count() -> None:
    assert planned("What is the capital of Peru?", "none", files("a.png", earlier=True)) == "none"


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(PlanError, match="visual-question-answering cannot run here"):
        planned("Who pays?", "none", files("a.png"), only())
    with pytest.raises(PlanError, match=r"Questions about video files such as a\.mp4 cannot be answered: attach"):
        planned("Who pays?", "none", files("a.mp4"))


def test_what_was_done_is_recorded_as_a_repair() -> None:
    plan = reading_plan("Who pays?", Plan(), files("a.png"), lambda plan: [])
    assert plan is not None
    assert plan.repairs == ("No file of the request was used; its questions are put to its files.",)
    assert [task.dep for task in plan.tasks] == [()]


@pytest.mark.parametrize(
    ("notation", "made"),
    [
        ('sign.png > look text="Is this sign about parking?"', 'sign.png > ask text="Is this sign about parking?"'),
        ('costs.csv > query text="How much in March?"', 'costs.csv > answer text="How much in March?"'),
        # What is seen is in no document.
        ('bike.png > look text="What colour is the bike?"', 'bike.png > look text="What colour is the bike?"'),
        ('sign.png > ask text="Who?"', 'sign.png > ask text="Who?"'),
    ],
)
def test_a_question_whose_own_way_cannot_run_is_asked_another_way(notation: str, made: str) -> None:
    given = files("sign.png", "costs.csv", "bike.png")
    check = only("document-question-answering", "question-answering")
    plan = other_ways(read_notation(notation), given, check)
    assert write_notation(plan, [resource.name for resource in given]) == made
    assert bool(plan.repairs) == (notation != made)
    assert other_ways(read_notation(notation), given, lambda plan: []) == read_notation(notation)

"""Questions that compare rows are asked of the tables of a document."""

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.document_tables import asked_of_tables
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.resource import Parts, Resource

COLUMNS = ("Month", "Sold", "Revenue")


def report(columns: tuple[str, ...] = COLUMNS) -> Resource:
    artifact = Artifact(sha256="0" * 64, type=ValueType.DOCUMENT, mime="application/pdf", bytes=9)
    parts = Parts(pages=2, pictured=True, tables=min(1, len(columns)), columns=columns)
    return Resource(name="report.pdf", source="/tmp/report.pdf", artifact=artifact, parts=parts)


ASKED = ('"{}" > answer context=report.pdf', 'report.pdf > ask text="{}"')


def planned(question: str, file: Resource, refused: bool = False, asked: str = ASKED[0]) -> str:
    notation = asked.format(question)
    plan = asked_of_tables(read_notation(notation), [file], lambda plan: ["No."] if refused else [])
    return write_notation(plan, ["report.pdf"])


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    "question",
    [
        "Which month sold most?",
        "What is the month with the lowest revenue?",
        "In report.pdf, which day has the highest revenue?",
        "Which months sold the most bicycles?",
    ],
)
def test_a_question_that_compares_rows_is_asked_of_the_tables(question: str, asked: str) -> None:
    assert planned(question, report(), asked=asked) == f'report.pdf > query text="{question}"'


@pytest.mark.parametrize(
    "question",
    ["Who did well?", "What says the oldest customer?", "What is the most important month?", "What is the revenue?"],
)
def test_other_questions_are_asked_of_the_text(question: str) -> None:
    assert "answer" in planned(question, report())


def test_the_text_is_asked_where_there_is_no_table_or_tables_cannot_be_asked() -> None:
    question = "Which month sold most?"
    assert "answer" in planned(question, report(()))
    assert "answer" in planned(question, report(), refused=True)

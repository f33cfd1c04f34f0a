"""The column that a request wants predicted, found by the names in the header."""

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.target_columns import columns_of, named_column, with_target_columns
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Parts, Resource

SORT, PREDICT = "tabular-classification", "tabular-regression"
HOUSES = ("size_m2", "rooms", "ZipCode", "house price", "price", "y")


def resource(preview: str, name: str = "price.csv") -> Resource:
    artifact = Artifact(sha256="0" * 64, type=ValueType.TABLE, mime="text/csv", bytes=9, preview=preview)
    return Resource(name=name, source=f"/tmp/{name}", artifact=artifact)


@pytest.mark.parametrize(
    ("request_", "kind", "column"),
    [
        ("Predict the price for the empty rows.", PREDICT, "price"),
        ("Predict the house price for the empty rows.", PREDICT, "house price"),
        ("Estimate the missing prices from size m2 and rooms.", PREDICT, "price"),
        ("Using rooms and size_m2, predict Price.", PREDICT, "price"),
        ("Fill in the column zip code", SORT, "ZipCode"),
        ("Fill in the zip_code column of this table", SORT, "ZipCode"),
        ("Classify the rows by rooms", SORT, "rooms"),
        ("Predict the price by rooms", PREDICT, "price"),
        ("Predict y with price and rooms", PREDICT, "y"),
        ("The rooms are known. Predict the price.", PREDICT, "price"),
        ("Classify the rows", SORT, ""),
        ("Predict the weight", PREDICT, ""),
    ],
)
def test_the_column_is_found(request_: str, kind: str, column: str) -> None:
    assert named_column(request_, HOUSES, kind) == column


def test_letters_are_columns_only_where_they_are_called_so() -> None:
    assert named_column("Fill in a column of this table", ("b", "c"), SORT) == ""
    assert named_column("Predict a number for me", ("a", "b"), PREDICT) == ""
    assert named_column("Predict column b", ("a", "b"), PREDICT) == "b"


def test_the_plan_gets_the_column() -> None:
    file = resource("size,price\n1,2\n")
    task = PlannedTask(task=PREDICT, id=0, args={"table": "price.csv"})
    other = PlannedTask(task="image-to-text", id=1, args={"image": "a.png"})
    plan = with_target_columns("Predict the size in price.csv", Plan(tasks=(task, other)), [file])
    assert plan.tasks[0].args == {"table": "price.csv", "column": "size"}
    assert plan.tasks[1] == other
    unnamed = Plan(tasks=(task,))
    assert with_target_columns("Predict what is missing in price.csv", unnamed, [file]) is unnamed


def test_a_header_that_is_cut_loses_its_last_name() -> None:
    assert columns_of(resource('a,"b, c"\n1,2\n')) == ["a", "b, c"]
    assert columns_of(resource("a,b,long na")) == ["a", "b"]
    assert columns_of(resource("")) == []


def test_the_column_of_a_table_in_a_document_is_found() -> None:
    artifact = Artifact(sha256="0" * 64, type=ValueType.DOCUMENT, mime="application/pdf", bytes=9)
    parts = Parts(pages=3, tables=2, columns=("Name", "Room", "Size", "Price"))
    file = Resource(name="houses.pdf", source="/tmp/houses.pdf", artifact=artifact, parts=parts)
    plan = Plan(tasks=(PlannedTask(task=PREDICT, id=0, args={"table": "houses.pdf"}),))
    made = with_target_columns("Predict the missing prices in houses.pdf", plan, [file])
    assert made.tasks[0].args == {"table": "houses.pdf", "column": "Price"}
    bare = file.model_copy(update={"parts": None})
    assert with_target_columns("Predict the missing prices in houses.pdf", plan, [bare]) is plan

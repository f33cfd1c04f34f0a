"""Documents in plans: one file, used by its text, its pages or its tables."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.binding import MissingInput, bind, fingerprint
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.named_pages import only_pages
from hugginggpt.media import Image, Table, Text
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import Plan, PlannedTask, Scalar
from hugginggpt.reading import with_reading
from hugginggpt.resource import Parts, Resource
from hugginggpt.resources import Namespace, load_resources
from hugginggpt.results import ItemResult, TaskResult
from hugginggpt.settings import Settings
from hugginggpt.stored_inputs import InputReader
from tests.documents import builders

PAGES = ("Order 88-1407", "Payment within 30 days", "Total due 570.50 EUR")


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore.from_settings(settings)


@pytest.fixture
def load(settings: Settings, store: ArtifactStore, tmp_path: Path) -> Any:
    def one(name: str, data: bytes) -> Resource:
        (tmp_path / name).write_bytes(data)
        return load_resources([str(tmp_path / name)], settings, store)[0]

    return one


def written_pdf() -> bytes:
    return builders.pdf([f"BT /F1 18 Tf 72 700 Td ({words}) Tj ET".encode() for words in PAGES])


def animation() -> bytes:
    """Three frames, of which the first is blank and the second shows most."""
    frames = [PILImage.new("RGB", (80, 60), "white") for _ in range(3)]
    ImageDraw.Draw(frames[1]).rectangle((10, 10, 70, 50), fill="black")
    ImageDraw.Draw(frames[2]).rectangle((10, 10, 14, 14), fill="black")
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["Month", "Sold"], ["January", 120], ["March", 240]):
        sheet.append(row)
    other = book.create_sheet("Staff")
    for row in (["Name", "Room"], ["Ada", "4"]):
        other.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def task(kind: str, id: int = 0, **args: Scalar | list[Scalar]) -> PlannedTask:
    made = PlannedTask(task=kind, id=id, args=dict(args))
    return made.model_copy(update={"dep": made.needs})


def inputs(
    planned: PlannedTask, resources: list[Resource], store: ArtifactStore, upstream: Mapping[int, TaskResult] = {}
) -> list[Any]:
    """The values of the first argument of each element."""
    bound = bind(planned, resources, upstream, store, max_chars=10_000)
    reader = InputReader(store)
    name = next(iter(planned.args))
    return [e if isinstance(e, MissingInput) else reader.read(e)[name] for e in bound.items]


def read_pages(store: ArtifactStore, first: int, *texts: str | None) -> TaskResult:
    items = tuple(
        ItemResult(error="No text was found.") if t is None else ItemResult(outputs=(store.put(Text(t)),))
        for t in texts
    )
    return TaskResult(
        task_id=0,
        kind="image-to-text",
        items=items,
        is_list=len(items) > 1,
        first_page=first,
        model="m",
        revision=None,
        endpoint=Endpoint.EMBEDDED,
    )


def test_a_document_gives_its_text_or_its_pages(load: Any, store: ArtifactStore) -> None:
    pdf = load("order.pdf", written_pdf())
    assert (pdf.artifact.type, pdf.parts) == (ValueType.DOCUMENT, Parts(pages=3, pictured=True))
    assert pdf.types == {ValueType.TEXT, ValueType.IMAGE} and pdf.main_type is ValueType.TEXT
    (whole,) = inputs(task("summarization", text="order.pdf"), [pdf], store)
    assert whole.text.splitlines() == [PAGES[0], "[page 2]", PAGES[1], "[page 3]", PAGES[2]]
    pages = inputs(task("image-to-text", image="order.pdf"), [pdf], store)
    assert [page.text for page in pages] == [*PAGES]
    assert all(isinstance(page, Image) and page.image.width > 1000 for page in pages)


def test_pages_can_be_named(load: Any, store: ArtifactStore) -> None:
    pdf = load("order.pdf", written_pdf())
    (text,) = inputs(task("summarization", text="order.pdf#page=3"), [pdf], store)
    assert PAGES[2] in text.text and PAGES[0] not in text.text
    second, third = inputs(task("image-to-text", image="order.pdf#page=2-3"), [pdf], store)
    assert (second.text, third.text) == PAGES[1:]
    bound = bind(task("image-to-text", image="order.pdf#page=2-3"), [pdf], {}, store, max_chars=100)
    assert bound.first_page == 2 and bound.is_list
    (one,) = inputs(task("object-detection", image="order.pdf#page=2"), [pdf], store)
    assert one.text == PAGES[1]


def test_pages_stay_named_when_a_plan_is_resolved(load: Any, store: ArtifactStore, settings: Settings) -> None:
    pdf = load("order.pdf", written_pdf())
    names = Namespace.of("?", [], (pdf,), given=False, settings=settings)
    for name in ("order.pdf", pdf.source):
        plan, _ = names.resolve(Plan(tasks=(task("image-to-text", image=f"{name}#page=2"),)), store)
        assert plan.tasks[0].args == {"image": "order.pdf#page=2"}
    (problem,) = names.problems(Plan(tasks=(task("image-to-text", image="order.pdf#page=17"),)))
    assert problem.endswith("which is beyond the end of order.pdf, which has 3 pages.")


def test_what_was_read_of_pages_is_one_text(store: ArtifactStore) -> None:
    (text,) = inputs(
        task("summarization", 1, text="<GENERATED>-0"), [], store, {0: read_pages(store, 2, "Two", None, "Four")}
    )
    assert text.text == "[page 2]\nTwo\n\n[page 4]\nFour"
    aloud = inputs(task("text-to-speech", 1, text="<GENERATED>-0"), [], store, {0: read_pages(store, 0, "One", "Two")})
    assert [one.text for one in aloud] == ["One", "Two"]


def test_a_workbook_gives_its_sheets(load: Any, store: ArtifactStore) -> None:
    book = load("book.xlsx", workbook())
    assert book.main_type is ValueType.TABLE and book.parts == Parts(
        pages=2, tables=2, sheets=("Sheet", "Staff"), columns=("Month", "Sold", "Name", "Room")
    )
    first, second = inputs(task("table-question-answering", table="book.xlsx", text="?"), [book], store)
    assert first == Table(("Month", "Sold"), (("January", "120"), ("March", "240")))
    assert second.columns == ("Name", "Room")
    (text,) = inputs(task("summarization", text="book.xlsx"), [book], store)
    assert "March" in text.text and "Ada" in text.text


QUARTERS = (
    Table(("Month", "Sold"), (("January", "120"), ("March", "240"))),
    Table(("Month", "Sold"), (("April", "80"),)),
    Table(("Name", "Room"), (("Ada", "4"),)),
)


def test_a_question_takes_sheets_with_the_same_columns_as_one_table(load: Any, store: ArtifactStore) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in zip(("Q1", "Q2", "Staff"), QUARTERS, strict=True):
        sheet = book.create_sheet(name)
        for row in (table.columns, *table.rows):
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    loaded = load("book.xlsx", buffer.getvalue())
    assert loaded.parts == Parts(
        pages=3, tables=3, sheets=("Q1", "Q2", "Staff"), alike=((1, 2), (3,)), columns=("Month", "Sold", "Name", "Room")
    )

    asked = task("table-question-answering", table="book.xlsx", text="?")
    both, staff = inputs(asked, [loaded], store)
    assert both.columns == ("Month", "Sold", "Sheet")
    assert both.rows == (("January", "120", "Q1"), ("March", "240", "Q1"), ("April", "80", "Q2"))
    assert staff == QUARTERS[2]
    assert bind(asked, [loaded], {}, store, max_chars=100).parts == ("", "Staff")

    one = task("table-question-answering", table="book.xlsx#page=2", text="?")
    assert inputs(one, [loaded], store) == [QUARTERS[1]]
    features = task("tabular-regression", table="book.xlsx", target="Sold")
    assert inputs(features, [loaded], store) == [*QUARTERS]
    assert len({fingerprint(planned, [loaded], {}).sha256 for planned in (asked, one)}) == 2


def test_a_pdf_file_gives_its_tables_whatever_page_is_named(load: Any, store: ArtifactStore) -> None:
    rows = (("Month", "Sold", "Revenue"), ("May", "12", "120.00"), ("June", "31", "310.00"))
    table = b"".join(
        builders.words(cell, 72 + 120 * x, 700 - 18 * y) for y, row in enumerate(rows) for x, cell in enumerate(row)
    )
    pdf = load("report.pdf", builders.pdf([builders.words("The report begins here.", 72, 700), table]))
    assert pdf.parts == Parts(pages=2, pictured=True, tables=1, columns=rows[0])
    for name in ("report.pdf", "report.pdf#page=2"):
        (found,) = inputs(task("table-question-answering", table=name, text="?"), [pdf], store)
        assert found == Table(rows[0], rows[1:])
    (text,) = inputs(task("summarization", text="report.pdf"), [pdf], store)
    assert text.text.endswith("[page 2]\nMonth | Sold | Revenue\nMay | 12 | 120.00\nJune | 31 | 310.00")


def test_of_several_pictures_all_are_read_and_the_fullest_is_looked_at(load: Any, store: ArtifactStore) -> None:
    gif = load("moving.gif", animation())
    assert gif.artifact.type is ValueType.IMAGE and gif.parts == Parts(pages=3, pictured=True, unread=True, best=2)
    assert gif.notes == ("moving.gif holds 3 pictures; where one is wanted, it is number 2.",)
    assert len(inputs(task("image-to-text", image="moving.gif"), [gif], store)) == 3
    (seen,) = inputs(task("object-detection", image="moving.gif"), [gif], store)
    assert seen.image.convert("L").getpixel((40, 30)) == 0
    assert gif.types == {ValueType.IMAGE}


def test_parts_of_a_document_are_different_inputs(load: Any) -> None:
    pdf = load("order.pdf", written_pdf())
    prints = {
        fingerprint(planned, [pdf], {}).sha256
        for planned in (
            task("summarization", text="order.pdf"),
            task("summarization", text="order.pdf#page=1"),
            task("summarization", text="order.pdf#page=2"),
        )
    }
    assert len(prints) == 3


SCAN = Resource(
    name="scan.pdf",
    artifact={"sha256": "ab" * 32, "type": "document", "mime": "application/pdf", "bytes": 9},  # type: ignore[arg-type]
    source="/home/me/scan.pdf",
    parts=Parts(pages=3, pictured=True, unread=True),
)
WRITTEN = SCAN.model_copy(update={"name": "order.pdf", "parts": Parts(pages=3, pictured=True)})


def planned(*tasks: PlannedTask) -> list[dict[str, Any]]:
    return with_reading(Plan(tasks=tasks), [SCAN, WRITTEN]).to_list()


def test_pages_that_are_pictures_are_read_once() -> None:
    first, *others = planned(
        task("summarization", 0, text="scan.pdf"),
        task("question-answering", 1, text="What is the total?", context="scan.pdf"),
        task("text-generation", 2, text="make it shorter: scan.pdf"),
    )
    assert (first["task"], first["id"], first["args"]) == ("image-to-text", 3, {"image": "scan.pdf"})
    assert [one["dep"] for one in others] == [[3], [3], [3]]
    assert others[0]["args"] == {"text": "<GENERATED>-3"} and others[1]["args"]["context"] == "<GENERATED>-3"
    assert others[2]["args"] == {"text": "make it shorter: <GENERATED>-3"}


def test_pages_that_are_text_need_no_reading() -> None:
    assert planned(task("summarization", 0, text="order.pdf"))[0]["args"] == {"text": "order.pdf"}
    assert len(planned(task("object-detection", 0, image="scan.pdf"))) == 1


def test_a_question_about_a_document_is_put_to_its_text() -> None:
    (asked,) = planned(task("document-question-answering", 0, image="order.pdf#page=2", text="When?"))
    assert (asked["task"], asked["args"]) == ("question-answering", {"text": "When?", "context": "order.pdf#page=2"})
    read, asked = planned(task("document-question-answering", 0, image="scan.pdf#page=2", text="When?"))
    assert read["args"] == {"image": "scan.pdf#page=2"}
    assert asked["args"] == {"text": "When?", "context": "<GENERATED>-1"} and asked["dep"] == [1]


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("What is the total on page 3 of this scan?", "3"),
        ("Summarise pages 2 to 4.", "2-4"),
        ("Read pages 2-4 aloud", "2-4"),
        ("from page two to page 3", "2-3"),
        ("pages 2 and 3", "2-3"),
        ("What does the second page say?", "2"),
        ("Look at the 12th page.", "12"),
        ("What is on slide 7?", "7"),
        ("p. 3", "3"),
        ("Read the last page to me.", "20"),
        ("The last two pages, please.", "19-20"),
        ("the first three slides", "1-3"),
        ("What is on page 2, 12 or more?", "2"),
        ("How many pages are there?", None),
        ("Summarise it on 2 pages.", None),
        ("Turn the page.", None),
        ("Compare page 3 and the fifth page.", ["3", "5"]),
        ("Summarise pages 1, 3 and 5-7.", ["1", "3", "5-7"]),
    ],
)
def test_pages_that_a_request_names(text: str, pages: str | list[str] | None) -> None:
    long = WRITTEN.model_copy(update={"parts": Parts(pages=20, pictured=True)})
    plan = only_pages(Plan(tasks=(task("summarization", text="order.pdf"),)), text, [long])
    wanted = (
        [f"order.pdf#page={part}" for part in pages or []] if isinstance(pages, list) else f"order.pdf#page={pages}"
    )
    assert plan.tasks[0].args["text"] == ("order.pdf" if pages is None else wanted)


def test_pages_go_to_the_tasks_that_want_them() -> None:
    two = Plan(tasks=(task("translation", 0, text="order.pdf"), task("summarization", 1, text="order.pdf")))
    plan = only_pages(two, "Translate page 1 into German and summarise page 3.", [WRITTEN])
    assert [t.args["text"] for t in plan.tasks] == ["order.pdf#page=1", "order.pdf#page=3"]
    asked = Plan(
        tasks=(
            task("question-answering", 0, text="Who signed page 3?", context="order.pdf"),
            task("summarization", 1, text="order.pdf"),
            task("question-answering", 2, text="What is the total on the first page?", context="order.pdf"),
        )
    )
    text = "Who signed page 3? What is the total on the first page? And summarise it."
    plan = only_pages(asked, text, [WRITTEN])
    assert [t.args.get("context", t.args["text"]) for t in plan.tasks] == [
        "order.pdf#page=3",
        "order.pdf",
        "order.pdf#page=1",
    ]


FAX = SCAN.model_copy(
    update={"name": "fax.tiff", "artifact": SCAN.artifact.model_copy(update={"type": ValueType.IMAGE})}
)


def test_each_document_of_a_list_is_read() -> None:
    first, listed = planned(task("summarization", 0, text=["order.pdf", "scan.pdf", "scan.pdf"]))
    assert first["args"] == {"image": "scan.pdf"}
    assert listed["args"] == {"text": ["order.pdf", "<GENERATED>-1", "<GENERATED>-1"]} and listed["dep"] == [1]
    (asked,) = planned(task("document-question-answering", 0, image=["order.pdf", "order.pdf#page=2"], text="When?"))
    assert asked["args"] == {"text": "When?", "context": ["order.pdf", "order.pdf#page=2"]}


def test_a_question_about_a_fax_of_several_pages_is_put_to_their_text() -> None:
    plan = Plan(tasks=(task("document-question-answering", 0, image="fax.tiff", text="Who?"),))
    read, asked = with_reading(plan, [FAX]).to_list()
    assert read["args"] == {"image": "fax.tiff"}
    assert (asked["task"], asked["args"]) == ("question-answering", {"text": "Who?", "context": "<GENERATED>-1"})
    one = FAX.model_copy(update={"parts": Parts(pages=1, pictured=True, unread=True)})
    assert with_reading(plan, [one]) == plan

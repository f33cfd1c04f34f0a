"""Plans over documents: by rule where the planner was trained on pictures and texts alone, and really planned."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.fitting import fitting
from hugginggpt.controller.embedded.listening import with_speech
from hugginggpt.controller.embedded.other_languages import in_english
from hugginggpt.controller.planning import Checks, plan_request
from hugginggpt.media.input_formats import by_ending
from hugginggpt.plan import Plan
from hugginggpt.plan.notation import read_notation, write_notation
from hugginggpt.reading import with_reading
from hugginggpt.resource import Parts, Resource
from hugginggpt.settings import Settings

PARTS = {
    ".pdf": Parts(pages=5, pictured=True),
    ".tiff": Parts(pages=3, pictured=True, unread=True),
    ".xlsx": Parts(pages=2, tables=2),
    ".pptx": Parts(pages=6),
    ".png": None,
    ".txt": None,
}


def file(name: str) -> Resource:
    """A file as it would be loaded; a PDF named scan has pages that are pictures."""
    ending = PurePosixPath(name).suffix
    format = by_ending(ending)
    assert format is not None and format.type is not None
    artifact = Artifact(sha256="0" * 64, type=format.type, mime=format.mime, bytes=9)
    parts = PARTS.get(ending, Parts())
    if parts is not None and name.startswith("scan"):
        parts = parts.model_copy(update={"unread": True})
    return Resource(name=name, source=f"/home/me/{name}", artifact=artifact, parts=parts)


def written(plan: Plan, *files: str) -> str:
    pages = [f"{name}#page={pages}" for name in files for pages in ("1", "2", "3", "6", "2-4")]
    return write_notation(plan, [*files, *pages])


FILES = (
    "letter.png",
    "cat.png",
    "scan.pdf",
    "order.pdf",
    "other.pdf",
    "letter.docx",
    "mail.eml",
    "fax.tiff",
    "a.txt",
    "costs.xlsx",
)


@pytest.mark.parametrize(
    ("text", "notation", "made"),
    [
        # What a writing is about is told by its text, not by how it looks.
        (
            "Is the letter about rent or noise?",
            'letter.png > match labels="rent", "noise"',
            'letter.png > read > label labels="rent", "noise"',
        ),
        (
            "An order or a complaint?",
            'fax.tiff > match labels="order", "complaint"',
            'fax.tiff > read > label labels="order", "complaint"',
        ),
        ("Is this a cat or a letter?", 'cat.png > match labels="cat", "letter"', None),
        ("Is letter.png blurred or sharp?", 'letter.png > match labels="blurred", "sharp"', None),
        # An answer that a summary may leave out.
        (
            "Summarise it and tell me who signed it.",
            'order.pdf > summarize > answer text="who signed it"',
            'order.pdf > answer text="who signed it"\norder.pdf > summarize',
        ),
        ("Summarise it. Whom does the summary name?", 'a.txt > summarize > answer text="Whom does it name?"', None),
        # What is seen is in no text, and what is written is.
        (
            "What does the chart on page 2 show?",
            'order.pdf > ask text="What does the chart on page 2 show?"',
            'order.pdf > look text="What does the chart on page 2 show?"',
        ),
        ("Who pays?", 'order.pdf > look text="Who pays?"', 'order.pdf > ask text="Who pays?"'),
        ("How many people are in the photo?", 'cat.png > look text="How many people are in the photo?"', None),
        # A text as a whole.
        (
            "What's the letter about?",
            'letter.png > ask text="What\'s the letter about?"',
            "letter.png > read > summarize",
        ),
        ("What is this about?", "scan.pdf > read", "scan.pdf > summarize"),
        ("What does it say?", 'letter.docx > answer text="What does it say?"', "letter.docx > summarize"),
        ("What does it say?", "scan.pdf > read", None),
        # A number of a table.
        ("sum of column Cost", "costs.xlsx > summarize", 'costs.xlsx > query text="sum of column Cost"'),
        ("Summarise it with the sum of the costs.", "costs.xlsx > summarize", None),
        # A text that need not be read from pictures.
        ("Translate it", "order.pdf > read > translate to=German", "order.pdf > translate to=German"),
        ("Compare them", "order.pdf > compare text2=(other.pdf > read)", "order.pdf > compare text2=other.pdf"),
        ("Translate it", "scan.pdf > read > translate to=German", None),
    ],
)
def test_plans_fit_what_the_files_are(text: str, notation: str, made: str | None) -> None:
    plan = fitting(read_notation(notation), text, [file(name) for name in FILES])
    assert sorted(written(plan, *FILES).splitlines()) == sorted((made or notation).splitlines())
    assert bool(plan.repairs) == (made is not None)
    assert all(set(task.needs) <= {*task.dep} for task in plan.tasks)


@pytest.mark.parametrize(
    ("text", "notation", "made"),
    [
        ("Read the letter to me", "letter.png > read", "letter.png > read > speak"),
        ("Would you read this scanned letter to my mother?", "letter.png > read", "letter.png > read > speak"),
        ("Please read it out.", "letter.png > read > summarize", "letter.png > read > summarize > speak"),
        ("Read me the letter please", "none", "letter.png > read > speak"),
        (
            "who pays and read it to me",
            'letter.png > ask text="who pays and read it to me"',
            'letter.png > ask text="who pays" > speak',
        ),
        (
            "Say it in French.",
            "letter.png > read > speak > hear > translate to=French",
            "letter.png > read > translate to=French > speak",
        ),
        ("Read the letter.", "letter.png > read", None),
        ("Don't read it aloud, just show it.", "letter.png > read", None),
        ("The letter was read to me. Is it rude?", "letter.png > read > classify", None),
        ("Read it to me", "letter.png > read > speak rate=0.75", None),
    ],
)
def test_what_is_to_be_read_to_someone_is_spoken(text: str, notation: str, made: str | None) -> None:
    plan = with_speech(read_notation(notation), text, [file("letter.png")])
    assert written(plan, "letter.png") == (made or notation)


def test_a_document_with_a_text_is_spoken_without_reading_its_pages() -> None:
    assert written(with_speech(Plan(), "Read me the book.", [file("novel.epub")]), "novel.epub") == "novel.epub > speak"
    assert not with_speech(Plan(), "Read me something.", []).tasks


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("Bitte lies mir den Brief vor.", "Read it aloud."),
        ("Kannst du mir das vorlesen?", "Read it aloud."),
        ("Lesen Sie die Seiten 2 bis 3 vor", "Read pages 2-3 of it aloud."),
        ("Fass letter.docx zusammen und lies es vor", "Summarise letter.docx, then read it aloud."),
        ("Übersetze das ins Englische", "Translate it into English."),
        ("Was steht auf dem Zettel?", "Read the text in it."),
        ("Résume ce document s’il te plaît", "Summarise it."),
        ("Traduis cette lettre en allemand", "Translate it into German."),
        ("Resume la carta y tradúcela al inglés", "Summarise it, then translate it into English."),
        ("Leggimi la lettera", "Read it aloud."),
        ("Wer hat den Brief geschrieben?", None),
        ("Read my resume aloud", None),
        ("Translate this into French", None),
    ],
)
def test_common_wishes_in_other_languages(text: str, english: str | None) -> None:
    assert in_english(text) == english


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    pytest.importorskip("xllamacpp")
    controller = Controller.from_settings(Settings(openai_api_key=None, openai_base_url=None))
    yield controller
    controller.close()


@pytest.mark.parametrize(
    ("text", "name", "plan"),
    [
        ("Summarise this PDF", "report.pdf", "report.pdf > summarize"),
        ("Which month sold most?", "sales.xlsx", 'sales.xlsx > query text="Which month sold most?"'),
        ("What is the code?", "mail.eml", 'mail.eml > answer text="What is the code?"'),
        ("translate the second page into German", "report.pdf", '"report.pdf#page=2" > translate to=German'),
        ("read the letter to me", "letter.pdf", "letter.pdf > speak"),
        ("lies mir den Brief vor", "letter.pdf", "letter.pdf > speak"),
        ("is the letter about rent or noise?", "letter.docx", 'letter.docx > label labels="rent", "noise"'),
        ("What is this paper about?", "paper.pdf", "paper.pdf > summarize"),
        (
            "What is the total on page 3 of this scan?",
            "scan.pdf",
            '"scan.pdf#page=3" > read > answer text="What is the total on page 3 of this scan?"',
        ),
        (
            "what number should I call back",
            "fax.tiff",
            'fax.tiff > read > answer text="what number should I call back"',
        ),
        (
            "what colour is the logo on page 1?",
            "report.pdf",
            '"report.pdf#page=1" > look text="what colour is the logo on page 1?"',
        ),
        ("What does the last slide say?", "talk.pptx", '"talk.pptx#page=6" > summarize'),
        ("Tell me the IBAN.", "bill.pdf", 'bill.pdf > answer text="What is the IBAN?"'),
        ("Read me the book please", "novel.epub", "novel.epub > speak"),
        ("is this mail angry?", "mail.eml", "mail.eml > classify"),
    ],
)
def test_documents_are_planned_for(controller: Controller, text: str, name: str, plan: str) -> None:
    given = [file(name)]
    planned = plan_request(
        controller, text=text, resources=given, history=(), kinds=CAPABILITIES, deadline=None, checks=Checks()
    )
    assert written(with_reading(planned, given), name) == plan

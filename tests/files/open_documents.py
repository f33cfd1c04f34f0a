"""OpenDocument files, as LibreOffice and others write them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import partial

from tests.documents.builders import zipped
from tests.documents.test_odf import document
from tests.files.input import Input
from tests.files.outcomes import Paper, grid
from tests.files.pages_and_mails import SOLD, stored

_KINDS = "application/vnd.oasis.opendocument."
_ODT, _ODS, _ODP = f"{_KINDS}text", f"{_KINDS}spreadsheet", f"{_KINDS}presentation"


def open_document(kind: str, body: str, styles: str = "", more: Mapping[str, str] = {}) -> bytes:
    """An OpenDocument file by the XML of its body."""
    return stored({"mimetype": f"{_KINDS}{kind}", "content.xml": _content(body, styles), **more})


def packed_again(kind: str, body: str) -> bytes:
    """The same as a program for archives packs it: the type is neither the first member nor legible."""
    return zipped({"META-INF/manifest.xml": "<a/>", "content.xml": _content(body), "mimetype": f"{_KINDS}{kind}"})


def _content(body: str, styles: str = "") -> bytes:
    with zipfile.ZipFile(io.BytesIO(document(body))) as archive:
        content = archive.read("content.xml").decode()
    more = "xmlns:presentation='urn:oasis:names:tc:opendocument:xmlns:presentation:1.0' "
    content = content.replace("<office:document-content ", f"<office:document-content {more}")
    found = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    return content.replace("<office:body>", f"{found}<office:body>").encode()


def _frame(kind: str, content: str) -> str:
    return f"<draw:frame presentation:class='{kind}'><draw:text-box>{content}</draw:text-box></draw:frame>"


def _row(*cells: str) -> str:
    inner = "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in cells)
    return f"<table:table-row>{inner}</table:table-row>"


_WORDS = "<office:text><text:h>Title</text:h><text:p>Some words.</text:p></office:text>"
_LETTER = Paper(_ODT, "Title\nSome words.")
_SUMS = (
    "<office:spreadsheet><table:table table:name='One'><table:table-row><table:table-cell><text:p>Day</text:p>"
    "</table:table-cell><table:table-cell><text:p>Sold</text:p></table:table-cell></table:table-row>"
    "<table:table-row><table:table-cell office:value-type='date' office:date-value='2024-05-01'>"
    "<text:p>1.5.24</text:p></table:table-cell><table:table-cell office:value-type='float' "
    "office:value='1234.5'><text:p>1.234,5</text:p></table:table-cell></table:table-row></table:table>"
    "</office:spreadsheet>"
)
_SHEET = Paper(_ODS, "[sheet One]\nDay,Sold\n2024-05-01,1234.5", (grid("Day|Sold", "2024-05-01|1234.5"),))
_NOTES = (
    "<presentation:notes><draw:page-thumbnail/><draw:frame presentation:class='page-number'><draw:text-box><text:p>1"
    f"</text:p></draw:text-box></draw:frame>{_frame('notes', '<text:p>Smile.</text:p>')}</presentation:notes>"
)
_POINTS = "".join(f"<text:list-item><text:p>{point}</text:p></text:list-item>" for point in ("One", "Two"))
_SLIDES = (
    "<office:presentation><presentation:footer-decl presentation:name='f1'>Smith Ltd</presentation:footer-decl>"
    "<draw:page draw:name='page1' presentation:use-footer-name='f1'>"
    f"{_frame('outline', f'<text:list>{_POINTS}</text:list>')}{_frame('title', '<text:p>Welcome</text:p>')}"
    f"<draw:g><draw:custom-shape><text:p>A box</text:p></draw:custom-shape></draw:g>{_NOTES}</draw:page>"
    "<draw:page draw:name='page2' draw:style-name='dp2' presentation:use-footer-name='f1'>"
    f"{_frame('title', '<text:p>Numbers</text:p>')}<draw:frame><table:table>"
    f"{_row('Month', 'Sold')}{_row('May', '12')}{_row('June', '15')}</table:table></draw:frame>"
    f"{_frame('date-time', '<text:p>today</text:p>')}</draw:page></office:presentation>"
)
_HIDDEN = (
    "<style:style style:name='dp2'><style:drawing-page-properties presentation:visibility='hidden'/></style:style>"
)
_DECK = Paper(
    _ODP,
    "Welcome\n- One\n- Two\nA box\nNotes: Smile.\nSmith Ltd\n[slide 2]\nNumbers\nMonth | Sold\nMay | 12\nJune | 15",
    (SOLD,),
    pages=2,
)

OPEN = (
    Input("letter.odt", partial(open_document, "text", _WORDS), "LibreOffice Writer", _LETTER),
    Input("letter.ott", partial(open_document, "text-template", _WORDS), "a template of LibreOffice Writer", _LETTER),
    Input("packed-again.odt", partial(packed_again, "text", _WORDS), "LibreOffice Writer, packed again", _LETTER),
    Input(
        "with-macros.odt",
        partial(
            open_document,
            "text",
            _WORDS,
            more={"Basic/script-lc.xml": "<a/>", "Basic/Standard/Module1.xml": "<a>Sub Main</a>"},
        ),
        "LibreOffice Writer with macros, which are not run",
        Paper(_ODT, "Title\nSome words.", notes=("has macros, which are left alone",)),
    ),
    Input("sums.ods", partial(open_document, "spreadsheet", _SUMS), "LibreOffice Calc in German", _SHEET),
    Input("sums.ots", partial(open_document, "spreadsheet-template", _SUMS), "a template of LibreOffice Calc", _SHEET),
    Input("slides.odp", partial(open_document, "presentation", _SLIDES), "LibreOffice Impress, with notes", _DECK),
    Input("slides.otp", partial(open_document, "presentation-template", _SLIDES), "a template of Impress", _DECK),
    Input(
        "hidden.odp",
        partial(open_document, "presentation", _SLIDES, _HIDDEN),
        "LibreOffice Impress with a hidden slide",
        Paper(_ODP, _DECK.text, (SOLD,), pages=2, notes=("has a hidden slide 2, which is read, too",)),
    ),
)

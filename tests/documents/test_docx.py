import io

import docx as python_docx
import pytest
from docx.enum.section import WD_SECTION

from hugginggpt.documents.model import DOCX
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table
from tests.documents.builders import contents, docx, paragraph


def saved(document: python_docx.document.Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_headings_paragraphs_lists_and_tables_are_read_in_their_order() -> None:
    document = python_docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("First words.")
    document.add_paragraph("Milk", style="List Bullet")
    document.add_paragraph("Bread", style="List Bullet")
    document.add_paragraph("Wash", style="List Number")
    document.add_paragraph("Cook", style="List Number")
    table = document.add_table(3, 2)
    for row, cells in zip(table.rows, (("Month", "Sold"), ("May", "12"), ("June", "15")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_paragraph("Last words.")
    read = contents(saved(document), DOCX)
    assert read.text == (
        "Report\nFirst words.\n- Milk\n- Bread\n1. Wash\n2. Cook\n\nMonth | Sold\nMay | 12\nJune | 15\n\nLast words."
    )
    assert read.tables == (Table(("Month", "Sold"), (("May", "12"), ("June", "15"))),)
    assert len(read.pages) == 1 and not read.has_pictures and read.notes == ()


def test_headers_and_footers_are_read_once() -> None:
    document = python_docx.Document()
    document.sections[0].header.paragraphs[0].text = "ACME Ltd."
    document.sections[0].footer.paragraphs[0].text = "Confidential"
    document.add_paragraph("Body.")
    document.add_section(WD_SECTION.NEW_PAGE)
    assert contents(saved(document), DOCX).text == "ACME Ltd.\nBody.\nConfidential"


def test_insertions_stay_and_deletions_and_comments_go() -> None:
    body = (
        "<w:p><w:r><w:t>We pay </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>20</w:t></w:r></w:ins><w:r><w:t> euros.</w:t></w:r>"
        '<w:hyperlink r:id="x"><w:r><w:t> Here.</w:t></w:r></w:hyperlink>'
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p>"
    )
    comments = "<w:comments><w:comment w:id='0'><w:p><w:r><w:t>Why?</w:t></w:r></w:p></w:comment></w:comments>"
    read = contents(docx(body, {"comments": comments}), DOCX)
    assert read.text == "We pay 20 euros. Here."
    assert any("comments" in note for note in read.notes) and any("deleted" in note for note in read.notes)


def test_footnotes_follow_the_text() -> None:
    notes = (
        '<w:footnotes><w:footnote w:id="-1" w:type="separator"><w:p/></w:footnote>'
        f'<w:footnote w:id="2">{paragraph("Seen in May.")}</w:footnote></w:footnotes>'
    )
    body = '<w:p><w:r><w:t>A claim</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>' + paragraph("More.")
    assert contents(docx(body, {"footnotes": notes}), DOCX).text == "A claim[1]\nMore.\n[1] Seen in May."


def test_text_boxes_are_read_once_though_they_are_written_twice() -> None:
    box = f"<wps:txbx><w:txbxContent>{paragraph('In a box')}</w:txbxContent></wps:txbx>"
    old = f"<v:textbox><w:txbxContent>{paragraph('In a box')}</w:txbxContent></v:textbox>"
    body = (
        "<w:p><w:r><w:t>Beside</w:t></w:r><w:r><mc:AlternateContent><mc:Choice>"
        f"{box}</mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert contents(docx(body), DOCX).text == "Beside\nIn a box"


def test_lists_are_numbered_by_level() -> None:
    levels = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for depth, kind, text in ((0, "decimal", "%1."), (1, "lowerLetter", "%1.%2)"), (2, "upperRoman", "%3"))
    )
    numbering = (
        f'<w:numbering><w:abstractNum w:abstractNumId="7">{levels}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num></w:numbering>'
    )

    def item(text: str, depth: int) -> str:
        return paragraph(text, f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="1"/></w:numPr>')

    body = "".join(item(text, depth) for text, depth in (("a", 0), ("b", 1), ("c", 1), ("d", 2), ("e", 0), ("f", 1)))
    assert contents(docx(body, {"numbering": numbering}), DOCX).text.split("\n") == [
        "1. a", "  1.a) b", "  1.b) c", "    I d", "2. e", "  2.a) f",
    ]  # fmt: skip


def test_merged_cells_keep_their_value_downwards() -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"

    body = "".join((
        "<w:tbl><w:tr>", cell("Region"), cell("City"), "</w:tr><w:tr>",
        cell("North", '<w:vMerge w:val="restart"/>'), cell("Oslo"), "</w:tr><w:tr>",
        cell("", "<w:vMerge/>"), cell("Bergen"), "</w:tr></w:tbl>",
    ))  # fmt: skip
    read = contents(docx(body), DOCX)
    assert read.tables == (Table(("Region", "City"), (("North", "Oslo"), ("North", "Bergen"))),)


def test_macros_are_noted_and_nothing_else() -> None:
    read = contents(docx(paragraph("Body."), **{"word/vbaProject.bin": "macro"}), DOCX)
    assert read.text == "Body." and read.notes == ("has macros, which are left alone",)


def test_an_encrypted_file_is_named_so() -> None:
    compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    with pytest.raises(ContentProblem, match="protected by a password"):
        contents(compound, DOCX)
    with pytest.raises(ContentProblem, match=r"old Office"):
        contents(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), DOCX)

import io
from copy import deepcopy

import pptx as python_pptx
from pptx.enum.shapes import PP_PLACEHOLDER
from pptx.oxml.ns import qn
from pptx.util import Inches

from hugginggpt.documents.model import PPTX
from hugginggpt.media.values import Table
from tests.documents.builders import contents


def test_dates_and_footers_are_read_once_and_tab_stops_are_none() -> None:
    deck = python_pptx.Presentation()
    for number in (1, 2):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = f"Title {number}"
        properties = slide.shapes.title.text_frame.paragraphs[0]._p.get_or_add_pPr()
        stops = properties.makeelement(qn("a:tabLst"), {})
        stops.append(stops.makeelement(qn("a:tab"), {"pos": "0"}))
        properties.append(stops)
        for place in deck.slide_layouts[5].placeholders:
            if place.placeholder_format.type in (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.SLIDE_NUMBER):
                slide.shapes._spTree.append(deepcopy(place._element))
                slide.shapes[-1].text_frame.text = "4 May" if "Date" in place.name else str(number)
    buffer = io.BytesIO()
    deck.save(buffer)
    assert contents(buffer.getvalue(), PPTX).text == "Title 1\n4 May\n[slide 2]\nTitle 2"


def test_slides_are_pages_with_titles_texts_tables_and_notes() -> None:
    deck = python_pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    box = first.shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1))
    box.text_frame.text = "In a box"
    first.shapes.title.text = "Welcome"
    first.placeholders[1].text = "One\nTwo"
    first.notes_slide.notes_text_frame.text = "Smile."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Numbers"
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, cells in enumerate((("Month", "Sold"), ("May", "12"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    second._element.set("show", "0")
    buffer = io.BytesIO()
    deck.save(buffer)
    read = contents(buffer.getvalue(), PPTX)
    assert [page.text for page in read.pages] == [
        "Welcome\nOne\nTwo\nIn a box\nNotes: Smile.",
        "Numbers\nMonth | Sold\nMay | 12",
    ]
    assert "\n[slide 2]\nNumbers" in read.text
    assert read.tables == (Table(("Month", "Sold"), (("May", "12"),)),)
    assert read.notes == ("has a hidden slide 2, which is read, too",)

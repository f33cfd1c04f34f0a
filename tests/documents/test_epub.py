import pytest

from hugginggpt.documents.model import EPUB
from hugginggpt.media.problem import ContentProblem
from tests.documents.builders import contents, zipped

_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
_OPF = (
    '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
    "<dc:title>The Book</dc:title><dc:creator>Ann Author</dc:creator></metadata><manifest>"
    '<item id="b" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="i" href="i.png" media-type="image/png"/></manifest>'
    '<spine><itemref idref="a"/><itemref idref="b"/><itemref idref="gone"/></spine></package>'
)
_BOOK = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": _CONTAINER,
    "OEBPS/book.opf": _OPF,
    "OEBPS/text/one.xhtml": '<?xml version="1.0"?><!DOCTYPE html><body><h1>One</h1><p>It began.</p></body>',
    "OEBPS/text/two b.xhtml": "<html><body><h1>Two</h1><p>It ended.</p></body></html>",
}


def test_chapters_are_read_in_the_order_of_the_spine() -> None:
    assert contents(zipped(_BOOK), EPUB).text == ("The Book\nBy Ann Author\n\nOne\n\nIt began.\n\nTwo\n\nIt ended.")


def test_names_of_files_that_stand_for_titles_of_chapters_are_left_out() -> None:
    chapter = "<html><head><title>ch001.xhtml</title></head><body><h1>One</h1></body></html>"
    assert contents(zipped({**_BOOK, "OEBPS/text/one.xhtml": chapter}), EPUB).text.split("\n\n")[1] == "One"


def test_a_protected_book_is_refused_and_obscured_fonts_do_not_matter() -> None:
    def encryption(way: str) -> str:
        return f'<encryption><EncryptedData><EncryptionMethod Algorithm="{way}"/></EncryptedData></encryption>'

    font = encryption("http://www.idpf.org/2008/embedding")
    assert "It began." in contents(zipped({**_BOOK, "META-INF/encryption.xml": font}), EPUB).text
    seller = encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    with pytest.raises(ContentProblem, match="protected by its seller"):
        contents(zipped({**_BOOK, "META-INF/encryption.xml": seller}), EPUB)

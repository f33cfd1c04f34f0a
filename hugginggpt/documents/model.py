"""What a document is: its formats, what is in it, and what it may cost to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hugginggpt.media import input_formats
from hugginggpt.media.values import Table


@dataclass(frozen=True)
class Page:
    """One page, slide, sheet or frame; the whole of a document that has none of these.

    Attributes:
        text: what is written on it.
        is_picture: it shows something, but next to nothing of that is text: a scan, for example.
        mark: the line that announces it within the text of the whole document; "" for none.
    """

    text: str
    is_picture: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Contents:
    """What is in a document.

    Attributes:
        pages: its pages, slides, sheets or frames, at least one.
        tables: its tables, in the order of the text.
        has_pictures: its pages can be had as pictures.
        notes: what a user should know about the reading, as ends of sentences that begin with the file's name.
        best: the number of the frame that shows most, from 1.
    """

    pages: tuple[Page, ...]
    tables: tuple[Table, ...] = ()
    has_pictures: bool = False
    notes: tuple[str, ...] = ()
    best: int = 1

    @property
    def text(self) -> str:
        """All of the text, with the marks of its pages."""
        parts = (part for page in self.pages for part in (page.mark, page.text))
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Limits:
    """What reading a document may cost.

    Attributes:
        pages: most pages, slides, sheets or frames.
        pixels: most pixels of a page's picture.
        cells: most cells of its tables.
        characters: most characters of its text.
        memory: most bytes of the address space of the process that reads.
        seconds: most time for one call.
    """

    pages: int
    pixels: int
    cells: int
    characters: int
    memory: int
    seconds: float


@dataclass(frozen=True)
class DocumentFormat:
    """One format of documents.

    Attributes:
        mime: its media type.
        name: its name in a sentence, with its article.
        module: the module of this package that reads it.
        part: what its pages are called; "" if it has none.
        has_pictures: its pages can be had as pictures.
        package: the package that reading it takes, apart from Pillow.
    """

    mime: str
    name: str
    module: str
    part: str = ""
    has_pictures: bool = False
    package: str = ""


PDF = input_formats.PDF.mime
DOCX = input_formats.DOCX.mime
XLSX = input_formats.XLSX.mime
PPTX = input_formats.PPTX.mime
ODT = input_formats.ODT.mime
ODS = input_formats.ODS.mime
ODP = input_formats.ODP.mime
HTML = input_formats.HTML.mime
RTF = input_formats.RTF.mime
EPUB = input_formats.EPUB.mime
EML = input_formats.MAIL.mime
SRT = input_formats.SRT.mime
VTT = input_formats.VTT.mime
TIFF = input_formats.TIFF.mime
GIF = input_formats.GIF.mime
WEBP = input_formats.WEBP.mime
PNG = input_formats.PNG.mime
JPEG = input_formats.JPEG.mime

_SOUP = "beautifulsoup4"

FORMATS: Mapping[str, DocumentFormat] = MappingProxyType(
    {
        found.mime: found
        for found in (
            DocumentFormat(PDF, "a PDF file", "pdf", "page", has_pictures=True, package="pypdfium2"),
            DocumentFormat(DOCX, "a DOCX file", "docx"),
            DocumentFormat(XLSX, "an XLSX file", "xlsx", "sheet"),
            DocumentFormat(PPTX, "a PPTX file", "pptx", "slide"),
            DocumentFormat(ODT, "an ODT file", "odf"),
            DocumentFormat(ODS, "an ODS file", "odf", "sheet"),
            DocumentFormat(ODP, "an ODP file", "odf", "slide"),
            DocumentFormat(HTML, "an HTML page", "html", package=_SOUP),
            DocumentFormat(RTF, "an RTF file", "rtf"),
            DocumentFormat(EPUB, "an EPUB book", "epub", package=_SOUP),
            DocumentFormat(EML, "an e-mail", "mail", package=_SOUP),
            DocumentFormat(SRT, "a file of subtitles", "subtitles"),
            DocumentFormat(VTT, "a file of subtitles", "subtitles"),
            DocumentFormat(TIFF, "a TIFF image", "frames", "page", has_pictures=True),
            DocumentFormat(JPEG, "a JPEG image", "frames", "frame", has_pictures=True),
            DocumentFormat(GIF, "a GIF image", "frames", "frame", has_pictures=True),
            DocumentFormat(WEBP, "a WebP image", "frames", "frame", has_pictures=True),
            DocumentFormat(PNG, "a PNG image", "frames", "frame", has_pictures=True),
        )
    }
)
"""Every format that can be read, by its media type."""


PROTECTED = "is protected by a password; save it without one"


def too_much(memory: int) -> str:
    """The end of the sentence about a document that takes more memory than its reader may have, in bytes."""
    return f"takes more than {memory} bytes of memory to be read, or is damaged; split it, or save it again"

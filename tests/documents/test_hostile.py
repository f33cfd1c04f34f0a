"""Documents that are made to do harm get a sentence, and cost little."""

import io
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.documents import FORMATS, Limits, picture, process, read
from hugginggpt.documents.model import DOCX, EML, EPUB, GIF, HTML, ODS, ODT, PDF, PPTX, RTF, SRT, TIFF, VTT, XLSX
from hugginggpt.errors import DeadlineExceededError, TaskCancelledError
from hugginggpt.media.problem import ContentProblem
from tests.documents.builders import (
    LIMITS,
    contents,
    docx,
    package,
    paragraph,
    pdf,
    pdf_of,
    relations,
    scan,
    words,
    zipped,
)

SECONDS = Limits(**{**LIMITS.__dict__, "seconds": 5.0})
SOURCES = {
    PDF: pdf([words("Some text of a page", 72, 700), b"q 1 0 0 rg 0 0 50 50 re f Q"]),
    DOCX: docx(paragraph("Words") + "<w:tbl><w:tr><w:tc><w:p/></w:tc></w:tr></w:tbl>"),
    HTML: b"<table><tr><td rowspan=2>a<td>b<tr><td>c</table><ul><li>x</ul>",
    RTF: rb"{\rtf1\ansi{\fonttbl{\f0\fcharset204 A;}}\u228a\'e4 \trowd a\cell b\cell\row}",
    EML: b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x--\r\n",
    SRT: b"1\n00:00:01,000 --> 00:00:02,000\nHi <i>you</i>\n",
    VTT: b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hi\n",
}


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """The most bytes that processes started inside the block had in memory, as the only item."""
    peak, ended, before = [0], threading.Event(), set(psutil.Process().children())

    def watch() -> None:
        own = psutil.Process().cmdline()
        while not ended.wait(0.01):
            for child in set(psutil.Process().children()) - before:
                # A child that is forked and has not yet become its own program still has this process's memory.
                with suppress(psutil.Error):
                    if child.cmdline() != own:
                        peak[0] = max(peak[0], child.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()


def refused(data: bytes, mime: str, why: str, limits: Limits = LIMITS) -> None:
    with peak_memory() as peak, pytest.raises(ContentProblem, match=why):
        contents(data, mime, limits)
    assert peak[0] < 500 * 10**6


def bomb(name: str, others: dict[str, str], size: int = 2**28) -> bytes:
    """A package with a large member of spaces within XML."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in others.items():
            archive.writestr(other, content)
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(b"<a>")
            for _ in range(size >> 20):
                member.write(b" " * (1 << 20))
            member.write(b"</a>")
    return buffer.getvalue()


def test_archives_that_unpack_to_gigabytes_are_refused() -> None:
    root = {"_rels/.rels": relations({"a": ("officeDocument", "main.xml")})}
    data = bomb("main.xml", root)
    for mime in (DOCX, XLSX, PPTX):
        refused(data, mime, "once it is unpacked")
    refused(bomb("META-INF/container.xml", {}), EPUB, "once it is unpacked")


def test_a_size_that_lies_does_not_help() -> None:
    data = bytearray(bomb("main.xml", {"_rels/.rels": relations({"a": ("officeDocument", "main.xml")})}))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        declared = archive.getinfo("main.xml").file_size.to_bytes(4, "little")
    at = data.rindex(declared)
    data[at : at + 4] = (10).to_bytes(4, "little")
    refused(bytes(data), DOCX, "damaged|unpacked")


@pytest.mark.parametrize(
    "definitions",
    [
        '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE a [<!ENTITY c SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>',
    ],
)
def test_entities_are_neither_grown_nor_fetched(definitions: str) -> None:
    main = (
        f'<?xml version="1.0"?>{definitions}<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>&c;</w:t></w:r></w:p>'
        "</w:body></w:document>"
    )
    refused(package("main.xml", {"main.xml": main}), DOCX, "definitions of its own")
    sheet = package(
        "w.xml",
        {
            "w.xml": '<workbook xmlns:r="r"><sheets><sheet name="a" r:id="a"/></sheets></workbook>',
            "_rels/w.xml.rels": relations({"a": ("worksheet", "s.xml")}),
            "s.xml": f'{definitions}<worksheet><sheetData><row><c t="str"><v>&c;</v></c></row></sheetData></worksheet>',
        },
    )
    refused(sheet, XLSX, "definitions of its own")
    refused(zipped({"content.xml": f"{definitions}<a>&c;</a>"}), ODT, "definitions of its own")


def test_a_document_type_elsewhere_is_not_fetched() -> None:
    main = (
        '<!DOCTYPE document SYSTEM "http://127.0.0.1:9/x.dtd"><w:document xmlns:w="w"><w:body>'
        "<w:p><w:r><w:t>Words</w:t></w:r></w:p></w:body></w:document>"
    )
    assert contents(package("main.xml", {"main.xml": main}), DOCX).text == "Words"


def test_parts_outside_of_the_package_are_not_read() -> None:
    outside = '<Relationship Id="h" Type="x/header" TargetMode="External" Target="file:///etc/hostname"/>'
    up = '<Relationship Id="i" Type="x/header" Target="../../../../etc/hostname"/>'
    data = zipped(
        {
            "_rels/.rels": relations({"r": ("officeDocument", "w.xml")}),
            "w.xml": '<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Only this</w:t></w:r></w:p></w:body></w:document>',
            "_rels/w.xml.rels": f"<Relationships>{outside}{up}</Relationships>",
        }
    )
    assert contents(data, DOCX).text == "Only this"


def test_nesting_without_end_gets_a_sentence() -> None:
    body = "<w:tbl><w:tr><w:tc>" * 50_000 + "</w:tc></w:tr></w:tbl>" * 50_000
    refused(docx(body), DOCX, "damaged|memory|longer than")
    refused(b"{\\rtf1" + b"{" * 1_000_000, RTF, "too many groups")


def test_limits_are_kept() -> None:
    few = Limits(**{**LIMITS.__dict__, "pages": 2, "characters": 100, "cells": 10})
    refused(pdf([b""] * 3), PDF, "has 3 pages, more than the 2", few)
    refused(pdf(b"".join(words("x" * 60, 72, 700 - 14 * n) for n in range(3))), PDF, "characters", few)
    refused(docx(paragraph("x" * 101)), DOCX, "characters", few)
    refused(b"<p>" + b"x" * 101, HTML, "characters", few)
    refused(b"<table>" + b"<tr><td>a<td>b" * 10, HTML, "cells", few)
    refused(b"<table><tr><td colspan=100>a<td>b" * 2, HTML, "cells", few)


def test_a_pdf_of_a_million_objects_is_read_or_refused_in_bounds() -> None:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        *[b"null"] * 1_000_000,
    ]
    with peak_memory() as peak:
        assert contents(pdf_of(objects), PDF).text == ""
    assert peak[0] < 500 * 10**6
    # As many things on one page.
    drawn = pdf(b"0 0 1 1 re f " * 1_000_000)
    began = time.monotonic()
    with peak_memory() as peak:
        for ask in (lambda: contents(drawn, PDF, SECONDS), lambda: picture(drawn, PDF, 1, SECONDS, Deadline(60))):
            try:
                ask()
            except ContentProblem as problem:
                assert "memory" in str(problem) or "seconds" in str(problem)
    assert peak[0] < 500 * 10**6 and time.monotonic() - began < 30


def test_a_pdf_that_unpacks_to_gigabytes_or_has_a_giant_picture_stays_in_bounds() -> None:
    compressor = zlib.compressobj(9)
    packed = b"".join(compressor.compress(b" " * (1 << 20)) for _ in range(1024)) + compressor.flush()
    stream = b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed)
    image = (
        b"<< /Type /XObject /Subtype /Image /Width 60000 /Height 60000 /ColorSpace /DeviceRGB /BitsPerComponent 8 "
        b"/Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(packed), packed)
    )
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /XObject << /I 5 0 R >> >> >>"
    )
    show = b"<< /Length 30 >>\nstream\nq 612 0 0 792 0 0 cm /I Do Q  \nendstream"
    catalog, pages = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    for data in (pdf_of([catalog, pages, page, stream, image]), pdf_of([catalog, pages, page, show, image])):
        with peak_memory() as peak:
            for ask in (lambda: contents(data, PDF, SECONDS), lambda: picture(data, PDF, 1, SECONDS, Deadline(60))):  # noqa: B023
                try:
                    ask()
                except ContentProblem as problem:
                    assert "memory" in str(problem) or "seconds" in str(problem) or "damaged" in str(problem)
        assert peak[0] < 500 * 10**6


def test_a_scan_of_thirty_pages_takes_little_memory() -> None:
    data = scan(30)
    with peak_memory() as peak:
        assert len(contents(data, PDF).pages) == 30
        for page in range(1, 31):
            assert picture(data, PDF, page, LIMITS, Deadline(60)).image.size == (1654, 2339)
    assert peak[0] < 300 * 10**6


def test_pictures_of_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    buffer = io.BytesIO()
    PILImage.new("1", (12_000, 12_000)).save(buffer, "TIFF", compression="group4")
    refused(buffer.getvalue(), TIFF, "has 12000 x 12000 pixels")
    refused(b"GIF89a\xff\xff\xff\xff" + bytes(100), GIF, "pixels|damaged")


def test_time_is_bounded_and_deadlines_end_the_reading() -> None:
    slow = b"<table>" + b"<table><tr><td>" * 30_000
    brief = Limits(**{**LIMITS.__dict__, "seconds": 1.0})
    began = time.monotonic()
    with pytest.raises(ContentProblem, match="takes longer than 1 seconds"):
        contents(slow, HTML, brief)
    with pytest.raises(DeadlineExceededError):
        read(slow, HTML, LIMITS, Deadline(1))
    deadline = Deadline(60)
    threading.Timer(0.5, deadline.cancel).start()
    with pytest.raises(TaskCancelledError):
        read(slow, HTML, LIMITS, deadline)
    assert time.monotonic() - began < 10


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hugginggpt.documents.reading.find_spec", lambda name: None)
    with pytest.raises(ContentProblem) as caught:
        contents(b"%PDF-1.7", PDF)
    assert str(caught.value) == (
        'is a PDF file, which needs pypdfium2 to be read; run `pip install "hugginggpt[documents]"`'
    )
    assert contents(docx(paragraph("Words")), DOCX).text == "Words"


def test_other_types_and_nothing_are_refused() -> None:
    refused(b"x", "text/csv", "text/csv")
    refused(b"", PDF, "is empty")
    with pytest.raises(ContentProblem, match="save it as a PDF file"):
        picture(b"x", DOCX, 1, LIMITS, Deadline(60))


def in_process(data: bytes, mime: str) -> None:
    """What the process that reads would answer, without starting one for each example."""
    answer, content = process._Reader()({"do": "read", "mime": mime, "limits": LIMITS.__dict__}, data)
    assert set(answer) <= {"problem"} and bool(content) is ("problem" not in answer)


@given(data=st.binary(min_size=1, max_size=400), mime=st.sampled_from(sorted(FORMATS)))
@settings(max_examples=300, deadline=5000)
def test_any_bytes_give_contents_or_a_sentence(data: bytes, mime: str) -> None:
    in_process(data, mime)


@given(
    source=st.sampled_from(sorted(SOURCES)),
    edits=st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=4)), max_size=8),
)
@settings(max_examples=300, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
def test_any_change_gives_contents_or_a_sentence(source: str, edits: list[tuple[int, bytes]]) -> None:
    data = bytearray(SOURCES[source])
    for place, change in edits:
        at = place % len(data)
        data[at : at + len(change)] = change
    in_process(bytes(data), source)


@given(text=st.text(max_size=60), mime=st.sampled_from([DOCX, ODT, ODS, XLSX, PPTX]))
@settings(max_examples=100, deadline=5000)
def test_any_xml_gives_contents_or_a_sentence(text: str, mime: str) -> None:
    in_process(
        package("w.xml", {"w.xml": text.encode("utf-8", "replace"), "content.xml": b"<a><body><text/></body></a>"}),
        mime,
    )

"""Which characters the bytes of documents stand for, whether they declare it, and what is said where it is a guess."""

from email.message import EmailMessage

import pytest

from hugginggpt.documents import Contents
from hugginggpt.documents.model import EML, EPUB, HTML, RTF, SRT
from hugginggpt.media import check_file
from hugginggpt.settings import Settings
from tests.documents.builders import contents, zipped

RUSSIAN = "Вчера вечером мы гуляли вдоль реки и смотрели на закат."
JAPANESE = "昨日の夕方、川沿いを散歩して夕日を見ました。"
GERMAN = "Grüße aus Köln – schön, dass Sie hier sind"
UNSURE = "does not say in which encoding it is and was read as {}; save it as UTF-8 if it reads wrong"
BROKEN = "has a byte that is not valid {}; the rest was read as {}"
WRONG = "is declared as {}, which it is not, and was read as {}; save it as UTF-8 if it reads wrong"


def page(text: str, head: str = "", codec: str = "utf-8") -> bytes:
    return f"<html><head>{head}<title>A</title></head><body><p>{text}</p></body></html>".encode(codec)


def meta(charset: str) -> str:
    return f'<meta charset="{charset}">'


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (page(GERMAN), GERMAN),
        (page(RUSSIAN, codec="cp1251"), RUSSIAN),  # nothing is declared
        (page(RUSSIAN, codec="koi8_r"), RUSSIAN),
        (page(JAPANESE, codec="cp932"), JAPANESE),
        (page(JAPANESE, meta("iso-2022-jp"), "iso2022_jp"), JAPANESE),
        (b'<?xml version="1.0" encoding="iso-8859-2"?>' + page("żółw", codec="iso8859_2"), "żółw"),
        (page(RUSSIAN, meta("windows-1251"), "cp1251"), RUSSIAN),
        (page(RUSSIAN, "<!-- <meta charset=koi8-r> --><meta charset=windows-1251>", "cp1251"), RUSSIAN),
        (b"<title>" + "Б".encode("cp1251") + b"</title><meta charset=windows-1251><p>" + "а".encode("cp1251"), "а"),
        (page("“5 €” – naïve", meta("iso-8859-1"), "cp1252"), "“5 €” – naïve"),  # as browsers read it
        (page(GERMAN, meta("utf-8"), "cp1252"), GERMAN),  # a lie
        (page(RUSSIAN, meta("windows-1251")), RUSSIAN),  # a page that was converted
        (page(RUSSIAN, meta("no-such-charset"), "cp1251"), RUSSIAN),
        (page(GERMAN, meta("utf-16")), GERMAN),  # could not be read so far if it were
        (page(GERMAN, codec="utf-16"), GERMAN),
        (page(GERMAN, codec="utf-16-le"), GERMAN),
        (page(GERMAN, codec="utf-16-be"), GERMAN),
        (page("镕基" * 20, meta("gb2312"), "gb18030"), "镕基" * 20),
        (page("镕基" * 20, meta("gb2312"), "gb18030").replace(b"</p>", b"\xff</p>"), "镕基" * 20 + "�"),
    ],
)
def test_pages_are_decoded_alike_by_the_reader_and_on_the_way_in(markup: bytes, text: str) -> None:
    for read in (contents(markup, HTML), taken(markup, "a.html")):
        assert read.text.split("\n\n")[-1] == text


def taken(data: bytes, name: str, mime: str | None = None) -> Contents:
    found = check_file(name, data, Settings(), mime=mime).contents
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("markup", "note"),
    [
        (page("caf\u00e9", codec="cp1252"), UNSURE.format("Windows-1252")),
        (page("caf\u00e9", meta("utf-8"), "cp1252"), WRONG.format("utf-8", "Windows-1252")),
        (page(GERMAN * 5).replace(b"</p>", b"\xff</p>"), BROKEN.format("UTF-8", "UTF-8")),
        (
            page("镕基" * 20, meta("gb2312"), "gb18030").replace(b"</p>", b"\xff</p>"),
            BROKEN.format("gb2312", "gb2312"),
        ),
        (page(GERMAN), None),
        (page("caf\u00e9", meta("iso-8859-1"), "cp1252"), None),
    ],
)
def test_a_guess_about_a_page_is_a_note_of_it(markup: bytes, note: str | None) -> None:
    assert contents(markup, HTML).notes == (() if note is None else (note,))
    assert check_file("a.html", markup, Settings()).notes == (() if note is None else (f"a.html {note}.",))


def test_what_a_server_declares_holds_for_a_page() -> None:
    assert taken(page(RUSSIAN, codec="koi8_r"), "a.html", "text/html; charset=koi8-r").text.endswith(RUSSIAN)
    served = taken(page(JAPANESE, codec="iso2022_jp"), "a.html", "text/html; charset=iso-2022-jp")
    assert served.text.endswith(JAPANESE)
    # Where it names no charset that exists, the page does.
    assert taken(page("б", meta("koi8-r"), "koi8_r"), "a.html", "text/html; charset=none").text.endswith("б")


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp1251", "utf-16", "utf-16-le"])
def test_subtitles_are_decoded(codec: str) -> None:
    data = f"1\n00:00:01,000 --> 00:00:04,000\n{RUSSIAN}\n".encode(codec)
    assert contents(data, SRT).text == taken(data, "a.srt").text == RUSSIAN
    few = "1\n00:00:01,000 --> 00:00:04,000\ncaf\u00e9\n".encode("cp1252")
    assert contents(few, SRT).notes == (UNSURE.format("Windows-1252"),)
    assert check_file("a.srt", few, Settings()).notes == (f"a.srt {UNSURE.format('Windows-1252')}.",)


def mail(body: bytes, kind: str) -> bytes:
    head = f"From: a@b.c\r\nSubject: A\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: {kind}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=koi8-r", RUSSIAN.encode("koi8_r"), RUSSIAN),
        ("text/plain; charset=iso-8859-1", "“5 €”".encode("cp1252"), "“5 €”"),
        ("text/plain", GERMAN.encode(), GERMAN),
        ("text/plain", RUSSIAN.encode("cp1251"), RUSSIAN),
        ("text/plain; charset=unknown-8bit", RUSSIAN.encode("cp1251"), RUSSIAN),
        ("text/plain; charset=utf-8", RUSSIAN.encode("cp1251"), RUSSIAN),
        ("text/html", page(RUSSIAN, meta("windows-1251"), "cp1251"), f"A\n\n{RUSSIAN}"),
        ("text/html; charset=nonsense", page(RUSSIAN, meta("windows-1251"), "cp1251"), f"A\n\n{RUSSIAN}"),
        ("text/html; charset=windows-1251", page(RUSSIAN, meta("utf-8"), "cp1251"), f"A\n\n{RUSSIAN}"),
    ],
)
def test_parts_of_mails_are_decoded(kind: str, body: bytes, text: str) -> None:
    for read in (contents(mail(body, kind), EML), taken(mail(body, kind), "a.eml")):
        assert read.text == f"From: a@b.c\nSubject: A\n\n{text}"


def test_a_guess_about_a_part_is_a_note_of_the_mail() -> None:
    data = mail("caf\u00e9".encode("cp1252"), "text/plain")
    note = f"has a text that {UNSURE.format('Windows-1252')}"
    assert contents(data, EML).notes == (note,)
    assert check_file("a.eml", data, Settings()).notes == (f"a.eml {note}.",)


def test_a_part_that_cannot_be_decoded_is_left_out_and_noted() -> None:
    message = EmailMessage()
    message["Subject"] = "A"
    message.set_content("Seen.")
    message.add_attachment(bytes(range(256)), maintype="application", subtype="x", cte="base64")
    data = (
        message.as_bytes().replace(b"application/x", b"text/plain").replace(b"Content-Disposition: attachment", b"X: x")
    )
    read = contents(data, EML)
    assert read.text == "Subject: A\n\nSeen."
    assert read.notes == ("has a text whose encoding cannot be determined, which is left out",)


def test_chapters_of_books_are_decoded() -> None:
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    items = "".join(f'<item id="{n}" href="{n}.html" media-type="text/html"/>' for n in "abc")
    spine = "".join(f'<itemref idref="{n}"/>' for n in "abc")
    book = {
        "META-INF/container.xml": container,
        "b.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
        "a.html": page(RUSSIAN, meta("windows-1251"), "cp1251"),
        "b.html": page("caf\u00e9", codec="cp1252"),
        "c.html": page(GERMAN, codec="utf-16"),
    }
    read = contents(zipped(book), EPUB)
    assert read.text == f"{RUSSIAN}\n\ncafé\n\n{GERMAN}"
    assert read.notes == (f"has a text that {UNSURE.format('Windows-1252')}",)


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1\ansi\ansicpg1250 \'bf\'f3\'b3w}", "żółw"),
        (rb"{\rtf1\ansi\ansicpg936 \'e9\'46\'bb\'f9}", "镕基"),
        (rb"{\rtf1\ansi\ansicpg932 \'87\'40}", "①"),
        (rb"{\rtf1\ansi\ansicpg10007 \'8f}", "П"),
        (rb"{\rtf1\ansi\ansicpg20866 \'f0}", "П"),
        (rb"{\rtf1\ansi\ansicpg65001 \'c3\'bc}", "ü"),
        (rb"{\rtf1\ansi\ansicpg0 \'fc}", "ü"),
        (rb"{\rtf1\ansi\ansicpg424242 \'fc}", "ü"),
        (rb"{\rtf1\mac \'8a}", "ä"),
        (rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset238 A;}{\f1\fcharset0 B;}}\f0\'b3\f1\'b3}", "ł³"),
    ],
)
def test_code_pages_of_rtf(rtf: bytes, text: str) -> None:
    assert contents(rtf, RTF).text == text

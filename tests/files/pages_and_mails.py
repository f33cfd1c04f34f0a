"""Web pages, mails, books and subtitles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from email.message import EmailMessage
from functools import partial

from tests.documents.test_epub import _BOOK
from tests.files.input import Input
from tests.files.outcomes import Paper, grid
from tests.files.saved_pages import SAVED

_HTML, _EML = "text/html", "message/rfc822"
SOLD = grid("Month|Sold", "May|12", "June|15")


def stored(members: Mapping[str, str | bytes]) -> bytes:
    """An archive whose media type can be read in its first bytes, as LibreOffice and publishers make it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def mail(text: str, html: str = "", **fields: str) -> bytes:
    """An e-mail as a mail program saves it."""
    message = EmailMessage()
    for name, value in {"From": "Ann <ann@example.com>", "Subject": "Prices", **fields}.items():
        message[name] = value
    if text:
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
    else:
        message.set_content(html, subtype="html")
    return message.as_bytes()


def mail_with_attachment() -> bytes:
    """An e-mail with a photo."""
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@example.com", "Photo"
    message.set_content("See below.\n")
    message.add_attachment(b"\xff\xd8\xff", maintype="image", subtype="jpeg", filename="cat.jpg")
    return message.as_bytes()


_SRT = (
    "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Schöne Grüße</i>,\r\n\r\n"
    "2\r\n00:00:02,500 --> 00:00:04,000\r\nliebe Gäste aus Köln.\r\n"
)
_PAGE = (
    "<!doctype html><html><head><title>News</title><style>p {}</style></head><body><script>x()</script><h1>Today</h1>"
    "<p>Fish &amp; chips.</p><table><tr><th>Month<th>Sold<tr><td>May<td>12<tr><td>June<td>15</table></body></html>"
)
_PAGE_TEXT = "News\n\nToday\n\nFish & chips.\n\nMonth | Sold\nMay | 12\nJune | 15"

WEB = (
    Input("page.html", _PAGE.encode(), "a saved web page", Paper(_HTML, _PAGE_TEXT, (SOLD,))),
    Input(
        "stranica.htm",
        "<html><head><meta charset=windows-1251></head><body><p>Привет, мир</p></body></html>".encode("cp1251"),
        "an old Russian page that declares its charset",
        Paper(_HTML, "Привет, мир"),
    ),
    Input(
        "served.html",
        "<html><body><p>Grüße</p></body></html>".encode("latin-1"),
        "a page whose server declares the charset",
        Paper(_HTML, "Grüße"),
        served="text/html; charset=ISO-8859-1",
    ),
    Input(
        "error.png",
        b"<!DOCTYPE html><html><body><h1>403 Forbidden</h1></body></html>",
        "a server's error page instead of a picture",
        Paper(_HTML, "403 Forbidden", notes=("is an HTML page; it is declared as image/png",)),
        served="image/png",
    ),
    Input(
        "export.xls",
        b"<html><table><tr><th>Month<th>Sold<tr><td>May<td>12<tr><td>June<td>15</table></html>",
        "a portal's .xls that is a web page",
        Paper(_HTML, "Month | Sold\nMay | 12\nJune | 15", (SOLD,), notes=("is an HTML page; its ending says XLS",)),
    ),
    Input(
        "novel.epub",
        lambda: stored(_BOOK),
        "a book",
        Paper("application/epub+zip", "The Book\nBy Ann Author\n\nOne\n\nIt began.\n\nTwo\n\nIt ended."),
    ),
)

MAILS = (
    Input(
        "lunch.eml",
        partial(mail, "Noodles, für zwei?\n", "<p>Noodles, <b>HTML</b>?</p>"),
        "a mail with text and HTML, of which the text is read",
        Paper(_EML, "From: Ann <ann@example.com>\nSubject: Prices\n\nNoodles, für zwei?"),
    ),
    Input(
        "newsletter.eml",
        partial(mail, "", "<p>Prices</p><table><tr><th>Month<th>Sold<tr><td>May<td>12<tr><td>June<td>15</table>"),
        "a newsletter, which is only HTML",
        Paper(
            _EML,
            "From: Ann <ann@example.com>\nSubject: Prices\n\nPrices\n\nMonth | Sold\nMay | 12\nJune | 15",
            (SOLD,),
        ),
    ),
    Input(
        "photo.eml",
        mail_with_attachment,
        "a mail with an attachment",
        Paper(
            _EML,
            "From: ann@example.com\nSubject: Photo\n\nSee below.",
            notes=('has attachments, which are not opened: "cat.jpg"',),
        ),
    ),
    Input(
        "umlauts.eml",
        b"From: =?iso-8859-1?Q?J=FCrgen?= <j@example.com>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"
        b"Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        b"Es kostet 5 \x80, sch\xf6n.\r\n",
        "Outlook's mail with bytes of Windows-1252",
        Paper(_EML, "From: Jürgen <j@example.com>\nSubject: Grüße\n\nEs kostet 5 €, schön."),
    ),
)

SUBTITLES = (
    Input(
        "film.srt",
        _SRT.encode("cp1252"),
        "subtitles in Windows-1252",
        Paper("application/x-subrip", "Schöne Grüße, liebe Gäste aus Köln."),
    ),
    Input(
        "talk.vtt",
        b"WEBVTT\n\nNOTE by me\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello<00:01.500> there.</v>\n\n"
        b"00:03.000 --> 00:04.000\nBye.\n",
        "a meeting's transcript",
        Paper("text/vtt", "Ann: Hello there.\nBye."),
    ),
    Input(
        "rolls.vtt",
        b"WEBVTT\n\n00:01.000 --> 00:02.000\nso today we\n\n00:02.000 --> 00:03.000\nso today we\nare going to cook.\n",
        "YouTube's captions, whose lines roll up",
        Paper("text/vtt", "so today we are going to cook."),
    ),
)

WRITTEN = (*WEB, *SAVED, *MAILS, *SUBTITLES)

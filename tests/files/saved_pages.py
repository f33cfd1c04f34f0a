"""Web pages in a single file, as browsers and Word save them."""

from __future__ import annotations

import base64
import quopri

from tests.files.input import Input
from tests.files.outcomes import Paper, grid

_EML = "message/rfc822"
_PAGE = "<html><head><title>News</title></head><body><h1>Today</h1><p>Cafés are open.</p></body></html>"
_TEXT = "News\n\nToday\n\nCafés are open."
_CHROME = """\
From: <Saved by Blink>
Snapshot-Content-Location: https://example.com/
Subject: =?utf-8?Q?News?=
Date: Mon, 6 May 2024 10:00:00 -0000
MIME-Version: 1.0
Content-Type: multipart/related; type="text/html"; boundary="----x"
"""
_HEAD = "Date: Mon, 6 May 2024 10:00:00 -0000\nSubject: News\n\n"
_PICTURE = ("image/png", "base64", "https://example.com/a.png", base64.b64encode(b"\x89PNG\r\n\x1a\n").decode())
_STYLE = ("text/css", "quoted-printable", "cid:css-1@mhtml.blink", "p {{ color: red }}")


def _printable(markup: str, charset: str = "utf-8") -> str:
    return quopri.encodestring(markup.encode(charset)).decode()


def _packed(head: str, *parts: tuple[str, str, str, str], preamble: str = "", boundary: str = "----x") -> bytes:
    """A file by its head and by its parts, each with its type, its encoding, its place and its content."""
    written = "".join(
        f"--{boundary}\nContent-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n{_place(place)}\n\n{content}\n"
        for kind, encoding, place, content in parts
    )
    return f"{head}\n{preamble}{written}--{boundary}--\n".replace("\n", "\r\n").encode()


def _place(place: str) -> str:
    return f"Content-ID: {place}" if place.startswith("<") else f"Content-Location: {place}"


_MAIN = ("text/html", "quoted-printable", "https://example.com/", _printable(_PAGE))
_IE = """\
From: "Von Microsoft Internet Explorer gespeichert"
Subject: News
Date: Mon, 6 May 2024 10:00:00 +0200
MIME-Version: 1.0
Content-Type: multipart/related; type="text/html"; boundary="----=_NextPart_000"
X-MimeOLE: Produced By Microsoft MimeOLE V6.00.2900.2180
"""
_WORD = 'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="----=_NextPart_01"\n'
_OPERA = 'Content-Type: multipart/related; start=<op.1>; type="text/html"; boundary=----x\nMIME-Version: 1.0\n'
_FRAMES = (
    "<html><head><title>Manual</title></head><frameset cols='20,80'><frame src='a.htm'><frame src='b.htm'><noframes>"
    "Your browser is too old.</noframes></frameset></html>"
)
_NEWSLETTER = """\
From: Shop <shop@example.com>
To: ann@example.com
Subject: Lamps
MIME-Version: 1.0
Content-Type: multipart/related; type="text/html"; boundary="----x"
"""

SAVED = (
    Input(
        "saved.mhtml",
        _packed(_CHROME, _MAIN),
        "Chrome's page in a single file",
        Paper(_EML, f"{_HEAD}{_TEXT}"),
    ),
    Input(
        "saved-with-ads.mhtml",
        _packed(
            _CHROME, _MAIN, _STYLE, _PICTURE, ("text/html", "base64", "cid:frame-1@mhtml.blink", "PGI+QnV5ITwvYj4=")
        ),
        "Chrome's page with its style, a picture and an advertisement in a frame",
        Paper(_EML, f"{_HEAD}{_TEXT}"),
    ),
    Input(
        "download",
        _packed(_CHROME, _MAIN),
        "Chrome's page without an ending",
        Paper(_EML, f"{_HEAD}{_TEXT}"),
        renamed="download.eml",
    ),
    Input(
        "served.mht",
        _packed(_CHROME, _MAIN),
        "a saved page that a server declares by its type",
        Paper(_EML, f"{_HEAD}{_TEXT}"),
        served="multipart/related",
    ),
    Input(
        "explorer.mht",
        _packed(
            _IE,
            (
                'text/html; charset="windows-1252"',
                "quoted-printable",
                "http://example.com/",
                _printable(_PAGE, "cp1252"),
            ),
            _PICTURE,
            preamble="This is a multi-part message in MIME format.\n\n",
            boundary="----=_NextPart_000",
        ),
        "Internet Explorer's page in German Windows",
        Paper(_EML, f"Date: Mon, 6 May 2024 10:00:00 +0200\nSubject: News\n\n{_TEXT}"),
    ),
    Input(
        "word.mht",
        _packed(
            _WORD,
            (
                'text/html; charset="us-ascii"',
                "quoted-printable",
                "file:///C:/9E1/report.htm",
                _printable("<html><body><p>Sold &#8211; all:</p><table><tr><td>Month<td>Sold<tr><td>May<td>12</table>"),
            ),
            ("text/xml; charset=utf-8", "base64", "file:///C:/9E1/filelist.xml", "PGEvPg=="),
            preamble="This document is a Single File Web Page, also known as a Web Archive file.\n\n",
            boundary="----=_NextPart_01",
        ),
        "Word's page in a single file, which has neither sender nor subject",
        Paper(_EML, "Sold – all:\n\nMonth | Sold\nMay | 12", (grid("Month|Sold", "May|12"),)),
    ),
    Input(
        "opera.mht",
        _packed(
            _OPERA,
            ("text/html", "base64", "<op.0>", base64.b64encode(b"<b>Buy!</b>").decode()),
            ("text/html; charset=utf-8", "base64", "<op.1>", base64.b64encode(_PAGE.encode()).decode()),
        ),
        "a page in base64 that is not the first part",
        Paper(_EML, _TEXT),
    ),
    Input(
        "manual.mht",
        _packed(
            _IE,
            ("text/html", "7bit", "http://example.com/", _FRAMES),
            ("text/html", "7bit", "http://example.com/a.htm", "<p>Contents</p>"),
            ("text/html", "7bit", "http://example.com/b.htm", "<p>Press the button.</p>"),
            boundary="----=_NextPart_000",
        ),
        "an old page of frames, which are read one after the other",
        Paper(
            _EML,
            "Date: Mon, 6 May 2024 10:00:00 +0200\nSubject: News\n\nManual\n\nContents\n\nPress the button.",
        ),
    ),
    Input(
        "newsletter-with-pictures.eml",
        _packed(_NEWSLETTER, ("text/html", "7bit", "<a@b>", "<p>New lamps.</p>"), _PICTURE),
        "a mail of the same form that somebody sent",
        Paper(
            _EML,
            "From: Shop <shop@example.com>\nTo: ann@example.com\nSubject: Lamps\n\nNew lamps.",
            notes=('has attachments, which are not opened: "image/png"',),
        ),
    ),
)

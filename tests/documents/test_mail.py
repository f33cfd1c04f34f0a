from email.message import EmailMessage

import pytest

from hugginggpt.documents.model import EML
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Table
from tests.documents.builders import contents

HEAD = "From: Ann <ann@example.com>\nTo: bob@example.com\nDate: Mon, 06 May 2024 10:00:00 +0200\nSubject: Lunch"


def message() -> EmailMessage:
    mail = EmailMessage()
    for line in HEAD.split("\n"):
        name, _, text = line.partition(": ")
        mail[name] = text
    return mail


def test_the_plain_text_is_preferred_and_attachments_are_named() -> None:
    mail = message()
    mail.set_content("Noodles?\n")
    mail.add_alternative("<p>Noodles, <b>HTML</b>?</p>", subtype="html")
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="Menü.pdf")
    read = contents(mail.as_bytes(), EML)
    assert read.text == f"{HEAD}\n\nNoodles?"
    assert read.notes == ('has attachments, which are not opened: "Menü.pdf"',)


def test_html_is_read_where_there_is_no_plain_text() -> None:
    mail = message()
    mail.set_content("<p>Prices</p><table><tr><th>Dish<th>Price<tr><td>Soup<td>5</table>", subtype="html")
    read = contents(mail.as_bytes(), EML)
    assert read.text == f"{HEAD}\n\nPrices\n\nDish | Price\nSoup | 5"
    assert read.tables == (Table(("Dish", "Price"), (("Soup", "5"),)),)


def test_encoded_words_and_charsets_are_decoded() -> None:
    data = (
        b"From: =?iso-8859-1?Q?J=FCrgen?= <j@example.com>\r\nSubject: =?utf-8?B?R3LDvMOfZSBh?=\r\n"
        b" =?utf-8?B?dXMgS8O2bG4=?=\r\n"
        b"Content-Type: text/plain; charset=iso-8859-15\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"Es kostet 5 =A4, sch=\r\n=F6n.\r\n"
    )
    assert contents(data, EML).text == (
        "From: Jürgen <j@example.com>\nSubject: Grüße aus Köln\n\nEs kostet 5 €, schön."
    )


def test_a_forwarded_message_is_read_too() -> None:
    inner = message()
    inner.set_content("The original.")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "bob@example.com", "Fwd: Lunch"
    outer.set_content("See below.")
    outer.add_attachment(inner)
    text = contents(outer.as_bytes(), EML).text
    assert (
        text
        == f"From: bob@example.com\nSubject: Fwd: Lunch\n\nSee below.\n\nForwarded message:\n{HEAD}\n\nThe original."
    )


def test_what_has_no_head_is_refused() -> None:
    with pytest.raises(ContentProblem, match="cannot be read as an e-mail"):
        contents(b"just words", EML)


def test_nested_parts_come_to_an_end() -> None:
    data = b"From: a@b.c\r\n"
    for number in range(300):
        data += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (number, number)
    assert contents(data + b"\r\ndeep", EML).text.startswith("From: a@b.c")

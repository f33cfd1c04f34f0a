"""E-mails: who wrote to whom, and what. Attachments are named and not opened. A web page may be saved as an e-mail."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable, Iterator
from email.header import decode_header, make_header
from email.message import Message
from email.utils import collapse_rfc2231_value

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.html import Reader
from hugginggpt.documents.mhtml import pages_in
from hugginggpt.documents.model import Contents, Page
from hugginggpt.media.problem import ContentProblem

_FIELDS = ("From", "To", "Cc", "Date", "Subject")
_MOST_NESTED = 10
_MOST_NAMED = 20
_MOST_FIELD = 2000
_FOLDS = re.compile(r"\s*[\r\n]+\s*")


def read(data: bytes, budget: Budget) -> Contents:
    """The text of an e-mail, or of a page that was saved as one, below the fields of its head.

    Raises:
        ContentProblem: it is none, or too large.
    """
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    reader = Reader(budget)
    attachments: list[str] = []
    if pages := pages_in(message):
        body = "\n\n".join(reader.text(reader.decoder.text(_content(page), _charset(page))) for page in pages)
        text = "\n".join([*_head(message, _FIELDS[1:]), "", body]).strip()
    elif any(message.get(name) for name in (*_FIELDS, "Received", "Message-ID")):
        text = _text(message, reader, attachments, 0)
    else:
        raise ContentProblem("is damaged and cannot be read as an e-mail; save it again")
    budget.spend_characters(len(text))
    named = ", ".join(f'"{name}"' for name in attachments[:_MOST_NAMED])
    more = " and others" if len(attachments) > _MOST_NAMED else ""
    notes = (f"has attachments, which are not opened: {named}{more}",) if attachments else ()
    return Contents((Page(text),), tuple(reader.tables), notes=(*notes, *reader.decoder.notes))


def _text(message: Message, reader: Reader, attachments: list[str], depth: int) -> str:
    if depth > _MOST_NESTED:
        raise ContentProblem("holds too many e-mails in each other; save the one that is meant by itself")
    body = "\n\n".join(text for text in _bodies(message, reader, attachments, depth) if text.strip())
    return "\n".join([*_head(message, _FIELDS), "", body.strip()]).strip()


def _head(message: Message, fields: Iterable[str]) -> list[str]:
    return [f"{name}: {text}" for name in fields if (text := _field(message, name))]


def _bodies(part: Message, reader: Reader, attachments: list[str], depth: int) -> Iterator[str]:
    """The texts of a part and of those in it: of alternatives the plain one."""
    kind = part.get_content_type()
    if depth > _MOST_NESTED:
        return
    if kind == "message/rfc822" and part.is_multipart():
        for inner in part.get_payload():
            if isinstance(inner, Message):
                yield "Forwarded message:\n" + _text(inner, reader, attachments, depth + 1)
    elif part.is_multipart():
        below = [inner for inner in part.get_payload() if isinstance(inner, Message)]
        if kind == "multipart/alternative":
            below = _preferred(below)
        for inner in below:
            yield from _bodies(inner, reader, attachments, depth + 1)
    elif (name := _file_name(part)) or part.get_content_disposition() == "attachment":
        attachments.append(name or kind)
    elif kind in ("text/plain", "text/html"):
        text = reader.decoder.text(_content(part), _charset(part))
        yield reader.text(text) if kind == "text/html" else text
    elif depth and part.get_content_maintype() != "multipart":
        attachments.append(kind)


def _preferred(alternatives: list[Message]) -> list[Message]:
    """The version with the plainest text that is not empty."""

    def rank(part: Message) -> int:
        if part.get_content_type() == "text/plain":
            return 0 if _content(part).strip() else 3
        return 1 if part.get_content_type() == "text/html" else 2

    return sorted(alternatives, key=rank)[:1]


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _charset(part: Message) -> str:
    charset = part.get_param("charset", "")
    return collapse_rfc2231_value(charset) if charset else ""


def _file_name(part: Message) -> str:
    try:
        return _words(part.get_filename() or "")
    except (ValueError, LookupError, TypeError):
        return "a file"


def _field(message: Message, name: str) -> str:
    return ", ".join(_words(text) for text in message.get_all(name, [])[:3])


def _words(text: object) -> str:
    """A field with its encoded words decoded."""
    plain = _FOLDS.sub(" ", str(text)[:_MOST_FIELD])
    try:
        return " ".join(str(make_header(decode_header(plain))).split())
    except (ValueError, LookupError, email.errors.MessageError):
        return plain

"""EPUB books: the text of each chapter, in the order of reading."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.html import Reader
from hugginggpt.documents.model import PROTECTED, Contents, Page
from hugginggpt.documents.office import Archive, attribute, descendants, resolved
from hugginggpt.media.problem import ContentProblem

_NAME = "an EPUB book"
_CONTAINER, _ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
_FONTS = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
"""Ways to obscure fonts, which leave the text alone."""
_TEXTS = frozenset({"application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document"})


def read(data: bytes, budget: Budget) -> Contents:
    """The text of a book, chapter by chapter.

    Raises:
        ContentProblem: it is damaged, protected or too large.
    """
    archive = Archive(data, budget, _NAME)
    _check_protection(archive)
    container = archive.required(_CONTAINER)
    path = next((attribute(file, "full-path") for file in descendants(container, "rootfile")), "")
    opf = archive.required(unquote(path))
    items = {attribute(item, "id"): item for item in descendants(opf, "item")}
    spine = [items[name] for ref in descendants(opf, "itemref") if (name := attribute(ref, "idref")) in items]
    reader = Reader(budget)
    texts: list[str] = []
    for item in spine:
        if attribute(item, "media-type") not in _TEXTS:
            continue
        content = archive.read(resolved(posixpath.dirname(path), attribute(item, "href")))
        if content is not None and (text := reader.text(reader.decoder.text(content), titled=False)):
            texts.append(text)
    if not texts:
        raise ContentProblem("has no text in its chapters")
    title = next((" ".join((found.text or "").split()) for found in descendants(opf, "title")), "")
    author = ", ".join(" ".join((found.text or "").split()) for found in descendants(opf, "creator"))
    head = "\n".join(filter(None, (title, f"By {author}" if author else "")))
    page = Page("\n\n".join(filter(None, (head, *texts))))
    return Contents((page,), tuple(reader.tables), notes=reader.decoder.notes)


def _check_protection(archive: Archive) -> None:
    encryption = archive.root(_ENCRYPTION)
    ways = () if encryption is None else descendants(encryption, "EncryptionMethod")
    if any(attribute(way, "Algorithm") not in _FONTS for way in ways):
        raise ContentProblem(PROTECTED.replace("a password", "its seller"))

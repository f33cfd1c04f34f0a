"""Texts: detecting their encoding."""

from __future__ import annotations

import codecs
import re

from hugginggpt.media.problem import ContentProblem

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK_BYTES = 1 << 20
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


def read(data: bytes, max_chars: int | None = None) -> str:
    """The characters of a text file, decoded by its byte order mark, else as UTF-8, else as Windows-1252.

    Args:
        data: the file.
        max_chars: decoding stops as soon as there are more.

    Raises:
        ContentProblem: it is not text in any of these encodings, or has too many characters.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return _decoded(data, encoding, max_chars)
            except UnicodeDecodeError:
                raise ContentProblem(
                    f"is marked as {encoding.removesuffix('-sig').upper()} text but is not; save it as UTF-8"
                ) from None
    if b"\x00" not in data:
        try:
            return _decoded(data, "utf-8", max_chars)
        except UnicodeDecodeError:
            pass
        # Windows-1252 decodes nearly every byte, so control bytes are what gives binary data away.
        if not _CONTROL.search(data):
            try:
                return _decoded(data, "cp1252", max_chars)
            except UnicodeDecodeError:
                pass
    raise ContentProblem("holds neither text nor a known media format; give a picture, sound, video, CSV or text file")


def _decoded(data: bytes, encoding: str, max_chars: int | None) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    parts: list[str] = []
    length = 0
    for start in range(0, len(data), _BLOCK_BYTES):
        part = decoder.decode(data[start : start + _BLOCK_BYTES], final=start + _BLOCK_BYTES >= len(data))
        length += len(part)
        if max_chars is not None and length > max_chars:
            raise ContentProblem(
                f"has more than the {max_chars} characters that HUGGINGGPT_MAX_TEXT_CHARS allows; split it"
            )
        parts.append(part)
    return "".join(parts)


def write(text: str) -> bytes:
    """The text as UTF-8. Lone surrogates, which a language model's JSON may contain, become question marks."""
    return text.encode("utf-8", "replace")

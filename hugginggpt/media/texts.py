"""Texts: detecting their encoding."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import NamedTuple

from hugginggpt.media.problem import ContentProblem

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_BLOCK_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 16
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_ISO_2022 = re.compile(rb"\x1b\$[@B]|\x1b\([IJ]")
_CUT_OFF = ("unexpected end of data", "truncated data", "incomplete multibyte sequence")
_WIDE = ("utf-16", "utf-32")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_BROKEN = 16  # most characters that may be broken in a text that is otherwise UTF-8
_BINARY = "holds neither text nor a known media format; give a picture, sound, video, CSV or text file"
_UNKNOWN = "is text in an encoding that cannot be determined; save it as UTF-8"

_ALIASES = {
    "ansi": "cp1252",
    "iso-8859-8-i": "iso8859-8",
    "sjis": "cp932",
    "unicode": "utf-16",
    "windows-31j": "cp932",
}
"""Names of charsets that Python does not know."""

_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
"""What programs write under the name of a smaller charset, as browsers read it."""

_NOT_FOR_TEXTS = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf_7"}
_CODE_PAGE = re.compile(r"(?:win|windows|cp|dos|ibm)[-_]?(?=\d)")
_SEVERAL_BYTES = ("gb", "cp932", "cp949", "cp950", "shift", "euc", "big5", "hz", "iso2022", "johab", "utf")
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([\w.:-]{1,40})["']"""
    rb"""|<meta[^>]{0,300}?\scharset\s*=\s*["']?\s*([\w.:-]{1,40})"""
    rb"""|<meta[^>]{0,300}?content\s*=\s*["'][^"'>]{0,200}?charset\s*=\s*([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_MOST_BYTES = 4  # of a character in UTF-8
_SEQUENCE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_DECLARATION_BYTES = 4096
_MARKUP = re.compile(rb"\s*<[?!a-z]", re.IGNORECASE)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


class Decoded(NamedTuple):
    """The characters of a text file.

    Attributes:
        is_utf8: its bytes are UTF-8, so that `read` needs no help to decode them again.
        note: the end of a sentence on how it was decoded, if the user should know; else "".
    """

    text: str
    is_utf8: bool
    note: str = ""


def read(data: bytes, max_chars: int | None = None) -> str:
    """The characters of a stored text: as UTF-8 if it is that, whatever it declares; else as `decoded` finds them.

    Files in other encodings become UTF-8 when they come in, but older versions stored them as they were.

    Args:
        data: the file.
        max_chars: decoding stops as soon as there are more.

    Raises:
        ContentProblem: it is not text in any known encoding, or has too many characters.
    """
    if b"\x00" not in data:
        try:
            return _decoded(data, "utf-8-sig", max_chars)
        except UnicodeDecodeError:
            pass
    return decoded(data, max_chars=max_chars).text


def decoded(data: bytes, charset: str | None = None, max_chars: int | None = None) -> Decoded:
    """The characters of a text file: by its byte order mark, its declared charset, as UTF-8, else by a guess.

    Args:
        data: the file.
        charset: its charset, as a server or a data URI declares it; markup may declare its own.
        max_chars: decoding stops as soon as there are more.

    Raises:
        ContentProblem: it is not text in any known encoding, or has too many characters.
    """
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            try:
                return Decoded(_decoded(data, codec, max_chars), codec == "utf-8-sig")
            except UnicodeDecodeError:
                if mended := _nearly(data, codec, name, max_chars):
                    return mended
                raise ContentProblem(f"is marked as {name} text but is not; save it as UTF-8") from None
    for declared in (charset or "", _declared_in(data)):
        if named := codec_of(declared):
            return _declared(data, declared, named, max_chars)
    return _undeclared(data, None, max_chars)


def codec_of(charset: str) -> str:
    """Python's codec for a charset; "" if it has none, or none that is meant for texts."""
    label = charset.strip().strip("\"'").lower().removeprefix("x-")
    for name in (label, _CODE_PAGE.sub("cp", label, count=1)):
        try:
            found = codecs.lookup(_ALIASES.get(name) or name)
        except (LookupError, ValueError):
            continue
        if getattr(found, "_is_text_encoding", True) and found.incrementaldecoder is not None:
            meant = _MEANT.get(found.name, found.name)
            return "" if meant.replace("-", "_") in _NOT_FOR_TEXTS else meant
    return ""


def _declared(data: bytes, declared: str, named: str, max_chars: int | None) -> Decoded:
    """The characters of a text that declares a charset.

    Args:
        data: the text.
        declared: the charset, as it is written.
        named: its codec.
        max_chars: as in `decoded`.
    """
    if _is_rather_utf8(data, named):
        note = "" if named in ("cp1252", "utf-8") else f"is declared as {declared} but is UTF-8"
        return Decoded(_decoded(data, "utf-8", max_chars), True, note)
    try:
        text = _decoded(data, named, max_chars)
        if "\x00" not in text:
            return Decoded(text, named == "utf-8")
    except UnicodeDecodeError:
        if named.startswith(_SEVERAL_BYTES) and (mended := _nearly(data, named, declared, max_chars)):
            return mended
    return _undeclared(data, declared, max_chars)


def without_padding(data: bytes) -> bytes:
    """A text without the zeros at its end, which are left by a machine that lost its power, or fill a block.

    The zeros that belong to the characters of UTF-16 and UTF-32 stay, and so does what has zeros elsewhere.
    """
    rest = data.rstrip(b"\x00")
    codec = next((codec for mark, codec, _ in _MARKS if data.startswith(mark)), "")
    width = {"utf-32": 4, "utf-16": 2}.get(codec, 1)
    if width == 1 and (b"\x00" in rest or _may_be_wide(data, rest)):
        return data
    return data[: -(-len(rest) // width) * width]


def _may_be_wide(data: bytes, rest: bytes) -> bool:
    """Whether the only zero of a text may be that of a line end in UTF-16, after nothing but East Asian characters."""
    return len(data) == len(rest) + 1 and rest.endswith(b"\n") and len(data) % 2 == 0 and not rest.isascii()


def _undeclared(data: bytes, wrongly: str | None, max_chars: int | None) -> Decoded:
    """The characters of a text, by its bytes alone.

    Args:
        data: the text.
        wrongly: the charset that it declares and does not have, if it does.
        max_chars: as in `decoded`.
    """
    if _ISO_2022.search(data, 0, _SAMPLE_BYTES):
        try:
            return Decoded(_decoded(data, "iso2022_jp_ext", max_chars), False)
        except UnicodeDecodeError:
            pass
    if b"\x00" not in data:
        try:
            return Decoded(_decoded(data, "utf-8", max_chars), True)
        except UnicodeDecodeError:
            pass
    # An encoding of one byte per character decodes nearly every byte, so control bytes are what gives binary data away.
    if _CONTROL.search(data):
        if (wide := _wide(data)) is None:
            raise ContentProblem(_BINARY)
        return Decoded(_decoded(data, wide, max_chars), False)
    return _nearly(data, "utf-8", "UTF-8", max_chars) or _guessed(data, wrongly, max_chars)


def _guessed(data: bytes, wrongly: str | None, max_chars: int | None) -> Decoded:
    from hugginggpt.media.encodings import guesses

    for guess in guesses(data):
        try:
            text = _decoded(data, guess.codec, max_chars)
        except UnicodeDecodeError:
            continue
        said = f"is declared as {wrongly}, which it is not," if wrongly else "does not say in which encoding it is"
        note = f"{said} and was read as {guess.name}; save it as UTF-8 if it reads wrong"
        return Decoded(text, False, "" if guess.sure and not wrongly else note)
    raise ContentProblem(_UNKNOWN)


def _nearly(data: bytes, codec: str, name: str, max_chars: int | None) -> Decoded | None:
    """A text that is valid but for a few bytes, such as a log of several programs, or one that was cut off.

    Args:
        data: the text.
        codec: one whose characters may take several bytes, so that others are not valid in it by chance.
        name: what it is called.
        max_chars: as in `decoded`.
    """
    broken: list[int] = []

    def one(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        broken.append(error.start)
        if len(broken) > _BROKEN:
            raise error
        if error.end == len(error.object) and error.reason in _CUT_OFF:
            return "", error.end
        other = "cp1252" if codec.startswith("utf-8") else "ascii"
        return error.object[error.start : error.end].decode(other, "replace"), error.end

    if max_chars is not None:
        _check_length(len(data) // _MOST_BYTES, max_chars)
    codecs.register_error("hugginggpt.nearly", one)
    try:
        text = data.decode(codec, "hugginggpt.nearly")
    except UnicodeDecodeError:
        return None
    telling = len(text) if codec in _WIDE else len(_NOT_ASCII.findall(text, 0, _BLOCK_BYTES))
    if telling < 4 * len(broken):
        return None
    _check_length(len(text), max_chars)
    places = "a byte that is" if len(broken) == 1 else f"{len(broken)} places that are"
    return Decoded(text, False, f"has {places} not valid {name}; the rest was read as {name}")


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, in one of both orders; None if it is neither."""
    sample = data[:_SAMPLE_BYTES]
    found: list[tuple[int, str]] = []
    for codec, width, high in (
        ("utf-32-le", 4, 2),
        ("utf-32-be", 4, 1),
        ("utf-16-le", 2, 1),
        ("utf-16-be", 2, 0),
    ):
        if len(data) % width:
            continue
        try:
            text = codecs.getincrementaldecoder(codec)().decode(sample)
        except UnicodeDecodeError:
            continue
        if text and not any(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\n\r\f" for c in text):
            found.append((len(set(sample[high::width])), codec))
    found = [one for one in found if one[1].startswith("utf-32")] or found
    # In the wrong order, the characters of any script are all over Unicode.
    for _, codec in sorted(found):
        if _is_valid(data, codec):
            return codec
    return None


def _is_rather_utf8(data: bytes, named: str) -> bool:
    """Whether a text is UTF-8, although it is declared to be in an encoding of one byte per character.

    Servers declare Latin-1 for whatever they do not know, and pages keep what they declared before they were converted.
    A real text in such an encoding is not UTF-8 by chance.
    """
    if (named.startswith(_SEVERAL_BYTES) and named != "utf-8") or b"\x00" in data:
        return False
    sequences = len(_SEQUENCE.findall(data, 0, _BLOCK_BYTES))
    if sequences < (1 if named in ("cp1252", "utf-8") else 3):
        return False
    return _is_valid(data, "utf-8")


def _declared_in(data: bytes) -> str:
    """The charset that HTML or XML declares at its beginning; "" for none."""
    head = data[:_DECLARATION_BYTES]
    if not _MARKUP.match(head):
        return ""
    match = _DECLARED.search(_COMMENT.sub(b"", head))
    declared = next((group for group in match.groups() if group), b"").decode() if match else ""
    # The declaration could be read byte by byte, so two bytes per character is not what it means.
    return "" if declared.lower().startswith(("utf-16", "utf-32", "unicode")) else declared


def _decoded(data: bytes, encoding: str, max_chars: int | None) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    parts: list[str] = []
    length = 0
    for start in range(0, len(data), _BLOCK_BYTES):
        part = decoder.decode(data[start : start + _BLOCK_BYTES], final=start + _BLOCK_BYTES >= len(data))
        length += len(part)
        _check_length(length, max_chars)
        parts.append(part)
    return "".join(parts)


def _is_valid(data: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), _BLOCK_BYTES):
            decoder.decode(data[start : start + _BLOCK_BYTES], final=start + _BLOCK_BYTES >= len(data))
    except UnicodeDecodeError:
        return False
    return True


def _check_length(length: int, max_chars: int | None) -> None:
    if max_chars is not None and length > max_chars:
        raise ContentProblem(
            f"has more than the {max_chars} characters that HUGGINGGPT_MAX_TEXT_CHARS allows; split it"
        )


def write(text: str) -> bytes:
    """The text as UTF-8. Lone surrogates, which a language model's JSON may contain, become question marks."""
    return text.encode("utf-8", "replace")

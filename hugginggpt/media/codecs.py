"""Values to bytes and back: the format that each type of value is written in."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import MediaError
from hugginggpt.media import tables, text_kinds, texts
from hugginggpt.media.input_formats import is_document
from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Audio, Document, Image, Structured, Table, Text, Value, Video

PICTURE_FORMAT, PICTURE_TYPE = "PNG", "image/png"
"""The format that pictures are written in, as Pillow calls it, and its media type. It has to be lossless."""

# `pictures` and `sound` import Pillow, NumPy and libsndfile, so they are imported only when needed.


def encode(value: Value, check_deadline: Callable[[], object] = lambda: None) -> tuple[bytes, str]:
    """The encoded bytes of a value, and their media type.

    Text becomes UTF-8, an image PNG, audio 16-bit WAV (FLAC when longer than a minute), a table
    CSV, a structured result JSON with its text; a video and a document keep their bytes. Equal values give equal bytes.

    Args:
        value: the value to encode.
        check_deadline: called repeatedly while a long recording is encoded; an exception from it stops the encoding.

    Raises:
        MediaError: a structured result holds something that JSON cannot, such as NaN.
    """
    match value:
        case Text(text):
            return texts.write(text), "text/plain"
        case Image():
            from hugginggpt.media import pictures

            return pictures.write(value, PICTURE_FORMAT), PICTURE_TYPE
        case Audio():
            from hugginggpt.media import sound

            return sound.write(value, check_deadline)
        case Video(data, mime) | Document(data, mime):
            return data, mime
        case Table():
            return tables.write(value), "text/csv"
        case Structured(data, text):
            return texts.write(_json({"data": data, "text": text})), "application/json"


def decode(type: ValueType, data: bytes, mime: str) -> Value:
    """The value that the bytes encode, in our own encodings or any supported input format.

    Args:
        type: the type of the value; of a document, of the part of it.
        data: the bytes.
        mime: their media type, as `encode` or `load_file` returned it; of a part of a document, with its number.

    Raises:
        MediaError: the bytes do not encode such a value.
    """
    try:
        if is_document(mime):
            from hugginggpt.documents.parts import part

            return part(type, data, mime)
        match type:
            case ValueType.TEXT:
                return Text(texts.read(data))
            case ValueType.IMAGE:
                from hugginggpt.media import pictures

                return pictures.read(data)
            case ValueType.AUDIO:
                from hugginggpt.media import sound

                return sound.read(data)
            case ValueType.VIDEO:
                return Video(data, mime)
            case ValueType.TABLE:
                return text_kinds.read_table(data, mime)
            case ValueType.STRUCTURED:
                return _structured(data)
            case ValueType.DOCUMENT:
                return Document(data, mime)
    except ContentProblem as problem:
        raise MediaError(f"A stored {mime} value {problem}.") from problem


def text_of(value: Value) -> str | None:
    """The text of a text, a table (as CSV) or a structured result; None for other values."""
    match value:
        case Text(text):
            return text
        case Table():
            return tables.render(value)
        case Structured(data, text):
            return text or _json(data)
        case _:
            return None


def _json(data: Any) -> str:
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_from_numpy)
    except (TypeError, ValueError, RecursionError) as error:
        raise MediaError(f"A structured result cannot be written as JSON: {error}.") from error


def _from_numpy(data: Any) -> Any:
    if hasattr(data, "tolist"):
        return data.tolist()
    raise TypeError(f"{type(data).__name__} is not a JSON type")


def _structured(data: bytes) -> Structured:
    content = texts.read(data)
    try:
        found = json.loads(content)
    except ValueError as error:
        raise ContentProblem(f"is not JSON: {error}") from error
    except RecursionError:
        raise ContentProblem("is nested too deeply") from None
    if isinstance(found, dict) and found.keys() == {"data", "text"} and isinstance(found["text"], str):
        return Structured(found["data"], found["text"])
    return Structured(found, content)

"""Typed values that experts take and return, their encodings, and the way in for files.

In memory a value is one of the classes in `values.py`; everywhere else (database, task
parameters, results) it is an `Artifact`, which names its encoded bytes.
"""

from hugginggpt.media.codecs import decode, encode, text_of
from hugginggpt.media.input_formats import EXTENSIONS
from hugginggpt.media.load import LoadedFile, check_file, load_file
from hugginggpt.media.text_kinds import is_table
from hugginggpt.media.values import Audio, Document, Image, Structured, Table, Text, Value, Video

__all__ = [
    "EXTENSIONS",
    "Audio",
    "Document",
    "Image",
    "LoadedFile",
    "Structured",
    "Table",
    "Text",
    "Value",
    "Video",
    "check_file",
    "decode",
    "encode",
    "is_table",
    "load_file",
    "text_of",
]

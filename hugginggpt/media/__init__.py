"""Typed values, as experts take and give them, their encodings, and the way in for files.

A value in memory is one of the classes in `values.py`; everywhere else (database, task
parameters, results) it is an `Artifact`, the name of its encoded bytes.
"""

from hugginggpt.media.codecs import decode, encode, text_of
from hugginggpt.media.formats import EXTENSIONS
from hugginggpt.media.load import LoadedFile, check_file, load_file
from hugginggpt.media.values import Audio, Image, Structured, Table, Text, Value, Video

__all__ = [
    "EXTENSIONS",
    "Audio",
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
    "load_file",
    "text_of",
]

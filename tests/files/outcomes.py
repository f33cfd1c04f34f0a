"""What must come of a file: one class for each kind of value. Each checks it, and tells it for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pytest

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import ValueType
from hugginggpt.media import Audio, Image, Table, Text, Value, Video, decode, is_table, text_of
from hugginggpt.media.numbers import numeric_columns
from hugginggpt.resource import Resource
from hugginggpt.stored_inputs import InputReader, StoredInput

_Kind = TypeVar("_Kind", bound=Value)
_MOST_SHOWN = 90
_COLOUR_TOLERANCE, _PEAK_TOLERANCE, _SECONDS_TOLERANCE = 12, 0.03, 0.12
"""What lossy encodings may change; codecs add some silence at both ends."""


@dataclass(frozen=True)
class Taken:
    """A file that was accepted, with its values as experts get them."""

    resource: Resource
    store: ArtifactStore

    def read(self, type: ValueType, kind: type[_Kind]) -> list[_Kind]:
        """Every value of a type that a plan can use the file as."""
        views = self.resource.views(type)
        inputs = {str(at): StoredInput(view, as_text=False) for at, view in enumerate(views)}
        values = list(InputReader(self.store).read(inputs).values())
        assert all(isinstance(value, kind) for value in values)
        return [value for value in values if isinstance(value, kind)]

    def one(self, type: ValueType, kind: type[_Kind]) -> _Kind:
        """The only value of its main type."""
        assert self.resource.artifact.type is type
        (value,) = self.read(type, kind)
        return value


def grid(columns: str, *rows: str) -> Table:
    """A table whose cells are divided by "|"."""
    return Table(tuple(columns.split("|")), tuple(tuple(row.split("|")) for row in rows))


def quoted(text: str) -> str:
    """A text, or its beginning, in quotes on one line."""
    line = text.replace("\n", " ↵ ").replace("\t", " ⇥ ")
    return f'"{line}"' if len(line) <= _MOST_SHOWN else f'"{line[:_MOST_SHOWN].rstrip()} …"'


@dataclass(frozen=True)
class Words:
    """A text."""

    text: str
    mime: str = "text/plain"
    notes: tuple[str, ...] = ()

    def check(self, taken: Taken) -> None:
        """Compare the whole text."""
        assert taken.one(ValueType.TEXT, Text).text == self.text

    def told(self) -> str:
        """The beginning of the text."""
        return f"the text {quoted(self.text)}"


@dataclass(frozen=True)
class Rows:
    """A table.

    Attributes:
        table: its columns and cells.
        numbers: the values of every column that is numeric.
        units: the units of those columns that have one.
        ambiguous: what is said of a column whose numbers can be read in two ways.
        type: TEXT for a text that is a table where a kind wants one.
    """

    table: Table
    numbers: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    ambiguous: str = ""
    mime: str = "text/csv"
    type: ValueType = ValueType.TABLE
    notes: tuple[str, ...] = ()

    def check(self, taken: Taken) -> None:
        """Compare every cell, and the numbers in them."""
        if self.type is ValueType.TEXT:
            text = taken.one(ValueType.TEXT, Text).text
            assert is_table(text)
            found = decode(ValueType.TABLE, taken.store.read_bytes(taken.resource.artifact), self.mime)
        else:
            found = taken.one(ValueType.TABLE, Table)
        assert found == self.table
        columns = numeric_columns(self.table).values()
        assert {column.name: list(column.values) for column in columns} == {n: list(v) for n, v in self.numbers.items()}
        assert {column.name: column.unit for column in columns if column.unit} == dict(self.units)
        assert "".join(column.note for column in columns) == self.ambiguous

    def told(self) -> str:
        """The columns, and the numbers in them."""
        rows = len(self.table.rows)
        start = "a text that a table kind takes as a table" if self.type is ValueType.TEXT else "a table"
        named = ", ".join(name.strip() or "(no name)" for name in self.table.columns)
        told = f"{start} of {rows} row{'' if rows == 1 else 's'} with the columns {named}"
        for name, values in self.numbers.items():
            shown = ", ".join("missing" if value is None else f"{value:.12g}" for value in values[:4])
            unit = f" in {self.units[name]}" if name in self.units else ""
            told += f"; {name.strip() or '(no name)'}{unit} is {shown}{', …' if len(values) > 4 else ''}"
        return f"{told}. {self.ambiguous}" if self.ambiguous else told


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        size: width and height once it is upright.
        pixels: the colours at some places.
        pages: how many pictures the file holds.
        best: the one that stands for all.
    """

    size: tuple[int, int]
    pixels: Mapping[tuple[int, int], int | tuple[int, ...]]
    mime: str
    mode: str = "RGB"
    pages: int = 1
    best: int = 1
    notes: tuple[str, ...] = ()

    def check(self, taken: Taken) -> None:
        """Compare the size, the mode and some pixels of the picture that stands for all."""
        assert taken.resource.artifact.type is ValueType.IMAGE
        shown = taken.read(ValueType.IMAGE, Image)
        parts = taken.resource.parts
        assert (len(shown), parts.best if parts else 1) == (self.pages, self.best)
        image = shown[self.best - 1].image
        assert (image.size, image.mode) == (self.size, self.mode)
        for place, colour in self.pixels.items():
            found = np.asarray(image.getpixel(place)).ravel()
            assert found == pytest.approx(np.asarray(colour).ravel(), abs=_COLOUR_TOLERANCE), place

    def told(self) -> str:
        """The size and the colours."""
        modes = {"L": " in grey", "RGBA": " with transparency"}
        colours = ", ".join(f"{_colour(colour)} at {x}, {y}" for (x, y), colour in self.pixels.items())
        several = f"{self.pages} pictures, for one of which number {self.best} stands; it is " if self.pages > 1 else ""
        return f"{several}a picture of {self.size[0]} × {self.size[1]} pixels{modes.get(self.mode, '')}: {colours}"


def _colour(colour: int | tuple[int, ...]) -> str:
    if isinstance(colour, int):
        return f"grey {colour}"
    return f"{'rgba' if len(colour) == 4 else 'rgb'}{colour}"


@dataclass(frozen=True)
class Sound:
    """A recording: its rate in Hz, its channels, its length in seconds and its loudest sample."""

    rate: int
    channels: int
    seconds: float
    peak: float
    mime: str = "audio/wav"
    notes: tuple[str, ...] = ()
    peak_within: float = _PEAK_TOLERANCE

    def check(self, taken: Taken) -> None:
        """Compare rate, channels, length and the loudest sample."""
        audio = taken.one(ValueType.AUDIO, Audio)
        assert (audio.rate, audio.samples.shape[1]) == (self.rate, self.channels)
        assert len(audio.samples) / audio.rate == pytest.approx(self.seconds, abs=_SECONDS_TOLERANCE)
        assert float(np.abs(audio.samples).max()) == pytest.approx(self.peak, abs=self.peak_within)

    def told(self) -> str:
        """Its length, rate, channels and peak."""
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        return f"a recording of {self.seconds:g} s at {self.rate} Hz, {channels}, with a peak of {self.peak:g}"


@dataclass(frozen=True)
class Film:
    """A video, which keeps its bytes."""

    mime: str
    notes: tuple[str, ...] = ()

    def check(self, taken: Taken) -> None:
        """Check that there is one."""
        assert taken.one(ValueType.VIDEO, Video).mime == self.mime

    def told(self) -> str:
        """That it is one."""
        return f"a video, {self.mime}"


@dataclass(frozen=True)
class Paper:
    """A document.

    Attributes:
        text: all of its text.
        tables: its tables.
        pages: how many pages, slides or sheets it has.
        pictured: its pages can be shown as pictures.
        unread: some of its pages are pictures only, which are read where their text is wanted.
    """

    mime: str
    text: str
    tables: tuple[Table, ...] = ()
    pages: int = 1
    pictured: bool = False
    unread: bool = False
    notes: tuple[str, ...] = ()

    def check(self, taken: Taken) -> None:
        """Compare its text and its tables, and count its pages."""
        assert taken.resource.artifact.type is ValueType.DOCUMENT
        parts = taken.resource.parts
        assert parts is not None
        assert (parts.pages, parts.pictured, parts.unread) == (self.pages, self.pictured, self.unread)
        (text,) = taken.read(ValueType.TEXT, Text)
        assert text.text == self.text
        assert tuple(taken.read(ValueType.TABLE, Table)) == self.tables
        assert len(taken.resource.views(ValueType.IMAGE)) == (self.pages if self.pictured else 0)

    def told(self) -> str:
        """The beginning of its text, and how many pages and tables it has."""
        pages = f" of {self.pages} pages" if self.pages > 1 else ""
        told = f"a document{pages} with the text {quoted(self.text)}"
        tables = "; ".join(f"the table {quoted((text_of(table) or '').strip())}" for table in self.tables)
        told += f" and {tables}" if tables else ""
        return f"{told}; pages that are pictures are read where their text is wanted" if self.unread else told


@dataclass(frozen=True)
class Refused:
    """A refusal: the end of its sentence, after the name of the file."""

    end: str

    def told(self) -> str:
        """The end of the sentence."""
        return f'refused: "{self.end}."'


Outcome = Words | Rows | Picture | Sound | Film | Paper | Refused

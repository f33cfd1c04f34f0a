"""What a plan can name: a file of the request, or a result of an earlier turn."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType


class Parts(BaseModel):
    """What a document can be used as.

    Attributes:
        pages: how many it has.
        pictured: its pages can be shown as pictures.
        unread: some of its pages are pictures only, whose text has to be read first.
        best: the page that stands for all where one picture is wanted: the first, or of an animation the fullest.
        tables: how many it has.
        sheets: the names of its tables; empty if they have none.
        alike: the numbers of its tables, from 1, with those that have the same columns together; empty if none have.
        columns: the names of their columns, each once, as far as there is room for them.
    """

    model_config = ConfigDict(frozen=True)

    pages: int = 1
    pictured: bool = False
    unread: bool = False
    best: int = 1
    tables: int = 0
    sheets: tuple[str, ...] = ()
    alike: tuple[tuple[int, ...], ...] = ()
    columns: tuple[str, ...] = ()


class Resource(BaseModel):
    """A value that a plan can name: a file of the request, or a result of an earlier turn.

    Attributes:
        name: what a plan calls it, `invoice.png` for example; unique within a request.
        source: where it came from: the absolute path or the URL, or the earlier request's id.
        earlier: it belongs to an earlier turn of the conversation.
        notes: what the user should know of how the file was taken, one sentence each.
        parts: what a document can be used as; None for any other file.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    artifact: Artifact
    source: str
    earlier: bool = False
    notes: tuple[str, ...] = ()
    parts: Parts | None = None

    def views(self, type: ValueType) -> tuple[Artifact, ...]:
        """What a plan that names it gets where it wants a value of a type; none if it cannot be used so.

        Of a document these are its text, its pages, or its tables: all in the same bytes, told apart by their media
        types.
        """
        from hugginggpt.media.input_formats import with_part

        artifact, parts = self.artifact, self.parts
        if parts is None:
            return (artifact,) if artifact.type is type else ()
        match type:
            case ValueType.TEXT:
                numbers: Sequence[int] = [0] if artifact.type is ValueType.DOCUMENT else ()
            case ValueType.IMAGE:
                numbers = range(1, parts.pages + 1) if parts.pictured else ()
            case ValueType.TABLE:
                numbers = range(1, parts.tables + 1)
            case _:
                return ()
        return tuple(
            artifact.model_copy(update={"type": type, "mime": with_part(artifact.mime, number), "preview": None})
            for number in numbers
        )

    @property
    def joined_tables(self) -> tuple[Artifact, ...]:
        """Its tables, where those with the same columns are one."""
        from hugginggpt.media.input_formats import with_part

        if self.parts is None or not self.parts.alike:
            return self.views(ValueType.TABLE)
        artifact = self.artifact.model_copy(update={"type": ValueType.TABLE, "preview": None})
        return tuple(
            artifact.model_copy(update={"mime": with_part(artifact.mime, *numbers)}) for numbers in self.parts.alike
        )

    def part_name(self, view: Artifact) -> str:
        """What a user calls a part of it: the name of a sheet, or the number of a page or a table; "" for several."""
        from hugginggpt.media.input_formats import parts_in

        numbers = parts_in(view.mime)
        if len(numbers) != 1:
            return ""
        (number,) = numbers
        if view.type is not ValueType.TABLE:
            return f"Page {number}"
        sheets = self.parts.sheets if self.parts is not None else ()
        return sheets[number - 1] if sheets else f"Table {number}"

    @property
    def main_type(self) -> ValueType:
        """The type that it is shown as where there is room for one."""
        if self.artifact.type is not ValueType.DOCUMENT or self.parts is None:
            return self.artifact.type
        return (
            ValueType.TABLE if self.parts.tables == self.parts.pages > 0 and not self.parts.pictured else ValueType.TEXT
        )

    @property
    def types(self) -> frozenset[ValueType]:
        """The types that it can be used as."""
        return frozenset(type for type in ValueType if self.views(type))

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
        columns: the names of their columns, each once, as far as there is room for them.
    """

    model_config = ConfigDict(frozen=True)

    pages: int = 1
    pictured: bool = False
    unread: bool = False
    best: int = 1
    tables: int = 0
    columns: tuple[str, ...] = ()


class Resource(BaseModel):
    """A value that a plan can name: a file of the request, or a result of an earlier turn.

    Attributes:
        name: what a plan calls it, `invoice.png` for example; unique within a request.
        source: where it came from, as the user gave it (path or URL), or the earlier request's id.
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

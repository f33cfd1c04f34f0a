"""The texts within a document, each of which may be in an encoding of its own."""

from __future__ import annotations

from hugginggpt.media import texts
from hugginggpt.media.problem import ContentProblem


class Decoder:
    """Decodes the texts within a document."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about that, as `Contents` has it."""
        return tuple(self._notes)

    def text(self, data: bytes, charset: str = "") -> str:
        """The characters of a text; "" if it cannot be decoded, of which there is a note.

        Args:
            data: the text.
            charset: what the document says about it.
        """
        try:
            found = texts.decoded(data, charset)
        except ContentProblem:
            self._notes["has a text whose encoding cannot be determined, which is left out"] = None
            return ""
        if found.note:
            self._notes[f"has a text that {found.note}"] = None
        return found.text

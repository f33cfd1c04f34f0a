"""One input of the tests: a file as users have it, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.files.outcomes import Outcome


@dataclass(frozen=True)
class Input:
    """A file of the tests.

    Attributes:
        name: its name on the disk or at the end of its URL; what a data URI is called.
        build: its bytes, or what makes them.
        stands_for: the files of users that it is an example of.
        wanted: what must come of it.
        served: the media type that a web server declares; None for a file on the disk.
        uri: the beginning of the data URI that it comes in, before its base64.
        renamed: what it is called once it is loaded, if that is not its name.
    """

    name: str
    build: bytes | Callable[[], bytes]
    stands_for: str
    wanted: Outcome
    served: str | None = None
    uri: str = ""
    renamed: str = ""

    def data(self) -> bytes:
        """The bytes of the file."""
        return self.build if isinstance(self.build, bytes) else self.build()

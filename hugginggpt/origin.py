"""Where a request came from: the door that it came in by, and the key that opened it."""

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """A way in."""

    COMMAND_LINE = "command line"
    PYTHON = "python"
    PREFECT = "prefect"
    HTTP = "http"
    OPENAI = "openai"
    MCP = "mcp"
    PAGE = "page"


@dataclass(frozen=True)
class Origin:
    """Where a request came from.

    Attributes:
        door: the way in.
        key: name of the key that its client used; None for the owner of the home folder.
    """

    door: Door = Door.PYTHON
    key: str | None = None

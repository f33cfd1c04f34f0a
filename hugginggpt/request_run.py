"""A request as it passes through the stages."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from hugginggpt.request import Exchange, RequestOptions
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_trace

if TYPE_CHECKING:
    from hugginggpt.trace.recording import RunTrace


class RequestRun(BaseModel):
    """One life of a request: a process that works on it. It can be sent to other processes.

    Attributes:
        life: 1 for the first process, 2 for the one that resumed it, and so on.
        status: RUNNING, or how the request had already ended.
        resources: the request's files and the results of earlier turns.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    conversation_id: str
    life: int
    status: RequestStatus
    text: str
    options: RequestOptions
    resources: tuple[Resource, ...]
    history: tuple[Exchange, ...]

    @property
    def key(self) -> tuple[str, int]:
        """The key of this life, which no other life has."""
        return self.request_id, self.life

    @property
    def is_first_life(self) -> bool:
        """Whether no other process has worked on the request before, so that the trace has nothing to go on from."""
        return self.life == 1

    @property
    def trace(self) -> "RunTrace":
        """The trace of this life.

        Raises:
            DatabaseUnavailableError: this process opens the database here, and it is away. So ask for it where that is
                handled: inside the function that `retry_while_database_is_down` calls, or inside `recording`.
        """
        return get_trace().run(self.request_id, self.life)

"""One class per cause that a user can act on.

Every error is built from its message alone, so it survives pickling between
processes and being written to the trace. The message is one sentence that says
what was wrong and what to do.
"""

import errno
from typing import TYPE_CHECKING

from hugginggpt.text import visible

if TYPE_CHECKING:
    from pydantic import ValidationError

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The system's numbers for a disk that is full, and a quota that is used up."""


class HuggingGPTError(Exception):
    """Base of every error that this project raises on purpose.

    Names and words of others in its message are made visible, so that it can stand in a terminal, a database and JSON.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(*([visible(message)] if message else []))

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class PassingError(HuggingGPTError):
    """A cause that can pass by itself: trying the same thing again may work."""


class UsageError(HuggingGPTError):
    """The request, a file or an option cannot be accepted as given."""


class MediaError(UsageError):
    """A file or value is missing, unreadable, too large, or not what it claims to be."""


class ForbiddenURLError(MediaError):
    """A URL leads to an address that may not be fetched."""


class PlanError(HuggingGPTError):
    """No valid plan: every problem found, each a sentence."""

    @property
    def problems(self) -> list[str]:
        """The problems, one sentence each."""
        return self.message.split("\n")


class ControllerError(HuggingGPTError):
    """The controller refused or answered with something unusable."""


class ControllerAuthError(ControllerError):
    """The controller's server did not accept the key, or the account has no quota left."""


class CostCeilingError(ControllerError):
    """A request has cost what it may cost."""


class ControllerUnavailableError(PassingError, ControllerError):
    """The controller could not be reached, or kept failing, within its retries."""


class HubUnavailableError(PassingError):
    """The Hugging Face Hub could not be reached, or gave no whole answer."""


class SelectionError(HuggingGPTError):
    """No model can do a planned task here."""


class ExpertError(HuggingGPTError):
    """An expert cannot do this task; another candidate may."""


class ModelLoadError(ExpertError):
    """A model could not be found, trusted or loaded."""


class DeadlineExceededError(ExpertError):
    """An expert did not finish before its deadline."""


class TaskCancelledError(DeadlineExceededError):
    """A task was stopped from outside before its deadline."""


class ExpertUnavailableError(PassingError, ExpertError):
    """An expert's server is busy, loading or out of reach."""


class StorageError(HuggingGPTError):
    """The artifact store cannot be read or written."""


class DiskFullError(PassingError, StorageError):
    """There is no space left where something has to be written: when there is, the same works."""


class ModelDiskFullError(PassingError, ModelLoadError):
    """There is no space left for the files of a model: another may need less, and there may be more later."""


class TraceError(HuggingGPTError):
    """The trace refuses what was asked of it, such as an unknown request."""


class DatabaseUnavailableError(PassingError, TraceError):
    """The trace database cannot be reached."""


class RequestClosedError(TraceError):
    """A request is finished, cancelled, or another process's: its trace takes nothing more from this one."""


class RequestInProgressError(TraceError):
    """Another live process holds this request."""


class RequestIdError(TraceError, UsageError):
    """An id cannot be a request's, or is that of another request."""


def first_problem(error: "ValidationError") -> str:
    """What pydantic says of the first wrong value."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")


def rebuilt(name: str | None, message: str) -> HuggingGPTError:
    """The error of that class name, as the trace keeps it; the base class where the name is unknown."""
    kind = globals().get(name or "")
    if isinstance(kind, type) and issubclass(kind, HuggingGPTError):
        return kind(message)
    return HuggingGPTError(message)


class OrchestratorUnavailableError(PassingError):
    """Prefect's server cannot be reached."""


class ClusterUnavailableError(PassingError):
    """The expert workers cannot be reached."""


class UnexpectedError(HuggingGPTError):
    """An exception that nothing here foresaw, in one sentence; its traceback is in the log of the run."""


class ConfigurationError(HuggingGPTError):
    """A setting has a value that cannot work."""

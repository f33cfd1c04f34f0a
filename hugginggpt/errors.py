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
"""The system's error numbers for a full disk and a used-up quota."""


class HuggingGPTError(Exception):
    """Base of every error that this project raises on purpose.

    Control characters in the message are made visible, so that it is safe in a terminal, a database and JSON.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(*([visible(message)] if message else []))

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class PassingError(HuggingGPTError):
    """A failure that may be temporary: trying the same thing again may work."""


class UsageError(HuggingGPTError):
    """The request, a file or an option cannot be accepted as given."""


class ForbiddenError(UsageError):
    """A key may not do this."""


class TooLargeError(UsageError):
    """A call of the service sends more than it may."""


class TooManyRequestsError(PassingError):
    """There are as many open requests as may be: trying again works once some have ended."""


class MediaError(UsageError):
    """A file or value is missing, unreadable, too large, or not what it claims to be."""


class ForbiddenURLError(MediaError):
    """A URL leads to an address that may not be fetched."""


class PlanError(HuggingGPTError):
    """No plan is valid: the message has a line for each problem."""

    @property
    def problems(self) -> list[str]:
        """The problems, one sentence each."""
        return self.message.split("\n")


class ControllerError(HuggingGPTError):
    """The controller refused or answered with something unusable."""


class ControllerAuthError(ControllerError):
    """The controller's server did not accept the key, or the account has no quota left."""


class EndlessAnswerError(ControllerError):
    """The controller was still thinking, or writing, when its room was used up."""


class CostCeilingError(ControllerError):
    """A request has reached its cost ceiling."""


class ControllerUnavailableError(PassingError, ControllerError):
    """The controller could not be reached, or kept failing, within its retries."""


class HubUnavailableError(PassingError):
    """The Hugging Face Hub could not be reached, or its answer was incomplete."""


class SelectionError(HuggingGPTError):
    """No model here can do a planned task."""


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
    """The disk is full. Trying again works once there is space."""


class ModelDiskFullError(PassingError, ModelLoadError):
    """There is no space for a model's files. Another model may need less, or there may be more space later."""


class TraceError(HuggingGPTError):
    """The trace refuses a query or a record, for example about an unknown request."""


class DatabaseUnavailableError(PassingError, TraceError):
    """The trace database cannot be reached."""


class RequestClosedError(TraceError):
    """This process may not write to a request, because it has ended or another process has taken it over."""


class RequestInProgressError(TraceError):
    """Another live process holds this request."""


class RequestIdError(TraceError, UsageError):
    """A request id is not valid, or belongs to another request."""


class OrchestratorUnavailableError(PassingError):
    """Prefect's server cannot be reached."""


class ClusterUnavailableError(PassingError):
    """The expert workers cannot be reached."""


class UnexpectedError(HuggingGPTError):
    """An unexpected exception, in one sentence. Its traceback is in the log of the run."""


class ConfigurationError(HuggingGPTError):
    """A setting has a value that cannot work."""


def error_class(name: str | None) -> type[HuggingGPTError] | None:
    """The class of that name in this module; None if there is none."""
    found = globals().get(name or "")
    return found if isinstance(found, type) and issubclass(found, HuggingGPTError) else None


def rebuilt(name: str | None, message: str) -> HuggingGPTError:
    """An error, made from the class name and message in the trace."""
    return (error_class(name) or HuggingGPTError)(message)


def first_problem(error: "ValidationError") -> str:
    """What pydantic says about the first wrong value."""
    return error.errors()[0]["msg"].removeprefix("Value error, ")

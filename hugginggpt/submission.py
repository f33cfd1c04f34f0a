"""Submit a request: put it in line, and have it started or say why it waits.

Every way to start a request calls `submit`, except those that run the flow in their own process, such as `ask`.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, ConfigDict, ValidationError
from typing_extensions import TypedDict

from hugginggpt.acceptance import Accepted, accept
from hugginggpt.addresses import AddressError, web_address
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import (
    ConfigurationError,
    OrchestratorUnavailableError,
    RequestInProgressError,
    UsageError,
)
from hugginggpt.origin import Origin
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.roots import Readable
from hugginggpt.settings import Settings
from hugginggpt.text import is_storable, one_line, storable_json
from hugginggpt.trace.story import AskedRequest, RequestTrace

if TYPE_CHECKING:
    from hugginggpt.trace.store import Trace


_MOST_SHOWN = 60
_MOST_ADDRESS = 2000


def _only_text(given: str) -> str:
    if not is_storable(given):
        raise ValueError("it contains a character that is not text: NUL or half of a surrogate pair")
    return given


def _only_address(given: str) -> str:
    if len(_only_text(given)) > _MOST_ADDRESS:
        raise ValueError(f"it has more than {_MOST_ADDRESS} characters")
    try:
        web_address(given)
    except AddressError as error:
        raise ValueError(f"the address {error}") from None
    return given


Text = Annotated[str, AfterValidator(_only_text)]
"""A text that every database can store."""


class Submission(RequestOptions):
    """A request as it is submitted; in a batch, one line.

    Attributes:
        request: the request, in plain language.
        files: paths, URLs, data URIs or references that belong to it.
        id: the request's id; submitting an id twice answers it once.
        conversation: id of the conversation that it continues.
        webhook: address that is told, by `hugginggpt up`, when it has ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: Text
    files: tuple[Text, ...] = ()
    id: Text | None = None
    conversation: Text | None = None
    webhook: Annotated[str, AfterValidator(_only_address)] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """How to answer it, as JSON data."""
        return self.model_dump(include=set(RequestOptions.model_fields))


def parse_submission(line: bytes) -> Submission:
    """Read a line of a batch.

    Raises:
        UsageError: the line is not a valid request.
    """
    try:
        content = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_each_once)
        # Validated as JSON, where strict mode takes a list for a tuple but converts nothing else.
        written = json.dumps(content, ensure_ascii=False, allow_nan=False)
    except UnicodeDecodeError:
        raise UsageError("This is not valid UTF-8.") from None
    except RecursionError:
        raise UsageError("This is nested too deeply.") from None
    except ValueError:
        raise UsageError('This is not JSON: give an object such as {"request": "..."}.') from None
    if not isinstance(content, dict):
        raise UsageError('This is not a JSON object: give one such as {"request": "..."}.')
    if not is_storable(written) or storable_json(content) != written:
        raise UsageError("This contains a character that is not text: NUL or half of a surrogate pair.")
    try:
        return Submission.model_validate_json(written, strict=True)
    except ValidationError as error:
        raise unusable(error) from None


def objection(problems: Sequence[Mapping[str, Any]]) -> str:
    """Why content from outside is refused, in one sentence, from Pydantic's list of what is wrong with it."""
    name = one_line(".".join(str(part) for part in problems[0]["loc"]), _MOST_SHOWN)
    reason = problems[0]["msg"].removeprefix("Value error, ")
    begins = reason[:1] if reason[:2].isupper() else reason[:1].lower()
    return f"'{name}' cannot be used: {begins}{reason[1:]}."


def unusable(error: ValidationError) -> UsageError:
    """Why content from outside is refused, from Pydantic's error."""
    return UsageError(objection(error.errors()))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UsageError(f"'{one_line(name, _MOST_SHOWN)}' appears twice: keep only one.")
        found[name] = value
    return found


@dataclass(frozen=True)
class Submitted:
    """A request that is in line, or already started.

    Attributes:
        new: False if a request of that id was submitted before.
        flow_run_id: Prefect's id of the flow run that answers the request; None if none was started.
        obstacle: why Prefect could not start the request, which waits in line; None if it could, or was not asked to.
    """

    request_id: str
    new: bool
    flow_run_id: str | None = None
    obstacle: str | None = None


Start = Callable[[str, str], str]
"""Has Prefect answer the request with an id, and returns the id of the flow run, which is named by the request's text.

It raises a ConfigurationError or an OrchestratorUnavailableError if Prefect cannot start the run.
"""


def submit(
    submission: Submission,
    settings: Settings,
    store: ArtifactStore,
    trace: "Trace",
    start: Start | None = None,
    *,
    origin: Origin = Origin(),  # noqa: B008 - it never changes
    readable: Readable | None = None,
) -> Submitted:
    """Store the files of a request, put it in line, and have it started.

    Args:
        submission: the request.
        settings: the limits that it must keep to.
        store: where its files go.
        trace: where it is put in line.
        start: starts a request that has not ended yet; None leaves that to the next scheduled run.
        origin: where it comes from.
        readable: what paths among its files may lead to; None allows any path.

    Raises:
        UsageError: the request, its id or a file cannot be accepted.
        StorageError: the store cannot take a file.
        DeadlineExceededError: the files did not arrive within the request's deadline.
        TraceError: the conversation is unknown.
    """
    files = submission.files
    accepted = accept(submission.request, files, submission, settings=settings, store=store, readable=readable)
    request_id = submission.id or new_id()
    new = trace.queue.put(asked_request(submission, request_id, accepted, origin))
    if start is None or trace.requests.get(request_id).finished_at is not None:
        return Submitted(request_id, new)
    try:
        return Submitted(request_id, new, flow_run_id=start(request_id, submission.request))
    except (ConfigurationError, OrchestratorUnavailableError) as error:
        return Submitted(request_id, new, obstacle=error.message)


def new_id() -> str:
    """An id for a request."""
    return uuid.uuid4().hex


def asked_request(submission: Submission, request_id: str, accepted: Accepted, origin: Origin) -> AskedRequest:
    """A submitted request as the trace takes it, with its files, which are in the store."""
    return AskedRequest(
        text=submission.request,
        resources=tuple(accepted.resources),
        conversation_id=submission.conversation,
        options=submission.options,
        request_id=request_id,
        origin=origin,
        webhook=submission.webhook,
    )


def reopen(trace: "Trace", name: str) -> tuple[RequestTrace, bool]:
    """Get a request ready to be resumed by hand, if there is anything left of it to do.

    Args:
        trace: where it is.
        name: its id, or any unique beginning of it.

    Returns:
        The request, and whether it has to be run again.

    Raises:
        RequestInProgressError: a live process works on it.
        TraceError: it is unknown.
    """
    story = trace.requests.get(name)
    if story.status is RequestStatus.RUNNING:
        raise RequestInProgressError(
            f"Request {story.request_id} is still running, in {story.lives[-1].holder}: wait for it, or see its "
            f"progress with `hugginggpt trace show {story.request_id}`."
        )
    again = story.status in (RequestStatus.DIED, RequestStatus.QUEUED, RequestStatus.CANCELLED)
    if again:
        trace.lifecycle.reopen(story.request_id)
    return story, again


class Cancelled(TypedDict):
    """What became of the wish to cancel a request.

    Attributes:
        cancelled: False if it had already ended.
        status: how it stood before.
    """

    request_id: str
    cancelled: bool
    status: str


def cancel(trace: "Trace", name: str, how: str = "by `hugginggpt cancel`") -> Cancelled:
    """Stop a request that waits or runs, wherever it runs.

    Args:
        trace: where it is.
        name: its id, or any unique beginning of it.
        how: by what it is cancelled, in a few words.

    Raises:
        TraceError: it is unknown.
    """
    story = trace.requests.get(name)
    done = trace.lifecycle.cancel(story.request_id, f"Cancelled {how}.")
    return Cancelled(request_id=story.request_id, cancelled=done, status=str(story.status))

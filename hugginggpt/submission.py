"""Requests that are to be answered elsewhere: what they consist of, and how they are put in line."""

import json
import math
import uuid
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, UsageError
from hugginggpt.request import RequestOptions, check_budget, check_size
from hugginggpt.resources import gather
from hugginggpt.settings import Settings

if TYPE_CHECKING:
    from hugginggpt.trace.store import Trace


class Submission(RequestOptions):
    """A request as it is submitted; in a batch, one line.

    Attributes:
        request: what is wanted, in plain language.
        files: paths, URLs, data URIs or references that come with it.
        id: the id it is to have; submitting the same id twice answers it once.
        conversation: id of the conversation that it continues.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: str = Field(min_length=1)
    files: tuple[str, ...] = ()
    id: str | None = None
    conversation: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """How it is to be answered, as JSON data."""
        return self.model_dump(mode="json", include=set(RequestOptions.model_fields))


def parse_submission(line: bytes) -> Submission:
    """Read a line of a batch.

    Raises:
        UsageError: it is none; one sentence says what is wrong with it.
    """
    try:
        content = json.loads(line)
    except UnicodeDecodeError:
        raise UsageError("This is not a text in UTF-8.") from None
    except (ValueError, RecursionError):
        raise UsageError('This is not JSON: give an object such as {"request": "..."}.') from None
    if not isinstance(content, dict):
        raise UsageError('This is no object: give one such as {"request": "..."}.')
    try:
        # As JSON, so that a list stands for a tuple and nothing else does for anything.
        return Submission.model_validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"'{name}' cannot be used: {first['msg'].lower()}.") from None


def put_in_line(submission: Submission, settings: Settings, store: ArtifactStore, trace: "Trace") -> tuple[str, bool]:
    """Store the files of a request and put it in line.

    Returns:
        its id, and whether it is new: False when it was in the trace before.

    Raises:
        UsageError: the request, its id or a file cannot be accepted.
        StorageError: the store cannot take a file.
        DeadlineExceededError: its files were not there within the time that it may take.
        TraceError: its conversation is unknown.
    """
    check_size(submission.request, submission.files, settings)
    check_budget(submission, settings)
    request_id = submission.id or uuid.uuid4().hex
    try:
        resources = gather(submission.files, settings, store, deadline=Deadline(submission.deadline or math.inf))
    except DeadlineExceededError:
        raise DeadlineExceededError(
            f"The request's files had not all arrived within its {submission.deadline:g} seconds: give it more time."
        ) from None
    new = trace.queue_request(
        request_id=request_id,
        text=submission.request,
        resources=resources,
        conversation_id=submission.conversation,
        options=submission.options,
    )
    return request_id, new

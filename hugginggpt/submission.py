"""Requests that are to be answered elsewhere: what they consist of, and how they are put in line."""

import json
import uuid
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, ValidationError

from hugginggpt.acceptance import accept
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import UsageError
from hugginggpt.request import RequestOptions
from hugginggpt.settings import Settings
from hugginggpt.text import is_storable, one_line, storable_json
from hugginggpt.trace.story import AskedRequest

if TYPE_CHECKING:
    from hugginggpt.trace.store import Trace


_MOST_SHOWN = 60


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
        content = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_each_once)
        # As JSON again, so that a list stands for a tuple and nothing else does for anything.
        written = json.dumps(content, ensure_ascii=False, allow_nan=False)
    except UnicodeDecodeError:
        raise UsageError("This is not a text in UTF-8.") from None
    except (ValueError, RecursionError):
        raise UsageError('This is not JSON: give an object such as {"request": "..."}.') from None
    if not isinstance(content, dict):
        raise UsageError('This is no object: give one such as {"request": "..."}.')
    if not is_storable(written) or storable_json(content) != written:
        raise UsageError("This holds a character that is no text: half of one, or NUL.")
    try:
        return Submission.model_validate_json(written, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = one_line(".".join(str(part) for part in first["loc"]), _MOST_SHOWN)
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"'{name}' cannot be used: {reason[:1].lower()}{reason[1:]}.") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UsageError(f"'{one_line(name, _MOST_SHOWN)}' stands there twice: say which is meant.")
        found[name] = value
    return found


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
    accepted = accept(submission.request, submission.files, submission, settings=settings, store=store)
    request_id = submission.id or uuid.uuid4().hex
    asked = AskedRequest(
        text=submission.request,
        resources=tuple(accepted.resources),
        conversation_id=submission.conversation,
        options=submission.options,
        request_id=request_id,
    )
    return request_id, trace.queue.put(asked)

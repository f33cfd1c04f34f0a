"""Checks a form against its schema in a process of its own: a pattern, for example, can take for ever to match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from hugginggpt.child_process import Child, Handler, Message
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError
from hugginggpt.text import one_line

SECONDS = 5.0
"""How long a form may take to check."""

FORMATS = ("date", "email", "ipv4", "ipv6", "uuid", "regex")
"""The formats that are enforced: those that can be checked alike wherever this runs."""

_STARTING_SECONDS = 60.0
_MOST_BYTES = 1 << 30
_MOST_PROBLEMS = 12
_SHOWN_CHARS = 80


def schema_problems(form: Mapping[str, Any], schema: Mapping[str, Any], deadline: Deadline | None = None) -> list[str]:
    """Where a form does not keep to its schema, one sentence each.

    Args:
        form: what was filled in; JSON data.
        schema: a schema that can be used.
        deadline: when it has to be done.

    Raises:
        DeadlineExceededError: that time is up. That the check itself took too long is a problem of the form.
    """
    child = Child("hugginggpt.controller.form_check:checking", {}, threads=1)
    try:
        child.start(Deadline(_STARTING_SECONDS, deadline))
        answer, _ = child.call({"form": form, "schema": schema}, deadline=Deadline(SECONDS, deadline))
    except DeadlineExceededError:
        if deadline is not None:
            deadline.check()
        return [f"The form could not be checked against its schema within {SECONDS:g} seconds."]
    except ExpertError as error:
        return [f"The form could not be checked against its schema: {one_line(error.message, _SHOWN_CHARS)}"]
    finally:
        child.close()
    problems: list[str] = answer["problems"]
    return problems


def checking() -> Handler:
    """The child's side."""
    import resource

    import jsonschema  # noqa: F401 - its import is no part of the check

    with suppress(OSError, ValueError):  # where the system does not limit it
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return _check


def _check(header: Mapping[str, Any], data: bytes) -> Message:
    return {"problems": objections(header["form"], header["schema"])}, b""


def objections(form: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Where a form does not keep to its schema, found in this process, however long that takes."""
    from jsonschema import Draft202012Validator, FormatChecker

    validator = Draft202012Validator(schema, format_checker=FormatChecker(FORMATS))
    try:
        errors = list(islice(validator.iter_errors(form), _MOST_PROBLEMS))
    except Exception as error:  # of its pattern, its numbers, its references: whatever it is, the form is not valid
        return [f"The schema cannot be applied: {one_line(str(error) or type(error).__name__, _SHOWN_CHARS)}."]
    return [f"{_place(error.absolute_path)}: {one_line(error.message, 2 * _SHOWN_CHARS)}." for error in errors]


def _place(path: Sequence[str | int]) -> str:
    found = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    return one_line(found, _SHOWN_CHARS) or "The form"

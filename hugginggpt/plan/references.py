"""`<GENERATED>-k`: how an argument refers to the result of task k."""

import re
from collections.abc import Callable

from hugginggpt.errors import PlanError

LESS = r"(?:<|&lt;|＜|\\u003c)"
GREATER = r"(?:>|&gt;|＞|\\u003e)"
"""The brackets of a reference, which may be escaped for HTML or JSON."""

DASH = r"[-_‐‑‒–—−]"

_PART = (
    r"(?:texts?|images?|audio|videos?|tables?|outputs?|results?|contents?|values?|captions?|summary|answers?|path|url|uri"
    r"|data|body|file|labels?|transcript(?:ion)?|translation|description|response|prediction|message)"
)
FIELD = (
    rf"(?:(?:(?:\.|->|[:/]){_PART}\b|\.(?-i:[a-z]{{1,20}}[_A-Z]\w{{1,40}}|[a-z]\w{{4,40}}(?! ?\w)))(?:\(\))?"
    r"""|(?:\.get)?[\[(]\s?(?:(?<=\[)\d{1,3}|["'][\w -]{1,40}["'])\s?[\])])"""
)
"""A part of a result, named behind a reference: `.text`, `["text"]`, `[0]`. No ending of a file's name is one."""

# Controllers write it in many ways: <GENERATED>-1, <GENERATED-1>, <node-1>, <resource>-1, <GENERATED>-<1>; and they
# name a part of the result: <GENERATED>-1.text, <GENERATED>-1[0].
# Possessive quantifiers: a run of white space is never matched in a second way.
_ANY = re.compile(
    rf"{LESS}\s*+(?:generated|node|resource)\s*+"
    rf"(?:{GREATER}\s*+(?:{DASH}\s*+)?(?:<(\d{{1,4}})>|(\d{{1,4}})(?!\d))|(?:{DASH}\s*+)?(\d{{1,4}})\s*+{GREATER})"
    rf"{FIELD}{{0,4}}(?:</generated>)?",
    re.IGNORECASE,
)
_SHOWN_CHARS = 60
_CANONICAL = re.compile(r"<GENERATED>-(\d{1,4})(?!\d)")
_LIST = re.compile(r"<GENERATED>-\d{1,4}(?:\s*,\s*<GENERATED>-\d{1,4})+")


def reference(task_id: int) -> str:
    """The canonical reference to a task."""
    return f"<GENERATED>-{task_id}"


def canonical(text: str, resolve: Callable[[int], int]) -> str:
    """Rewrite every way of writing a reference to the canonical one, its id through `resolve`."""
    return _ANY.sub(lambda m: reference(resolve(int(m.group(1) or m.group(2) or m.group(3)))), text)


def any_reference(text: str) -> str | None:
    """The first reference in a text, however it is written."""
    match = _ANY.search(text)
    return match.group() if match else None


def refuse_references(text: str) -> None:
    """Refuse a user's text that a plan would take for a reference.

    Raises:
        PlanError: it contains one, however it is written.
    """
    if found := any_reference(text):
        shown = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
        raise PlanError(f"The text '{shown}' contains {found}, which a plan reads as a reference to a result.")


def starts_of_references(text: str) -> set[int]:
    """Where references begin in a text, however they are written."""
    return {match.start() for match in _ANY.finditer(text)}


def references_in(value: object) -> list[int]:
    """Ids that an argument refers to, in order, each once."""
    if isinstance(value, list):
        return list(dict.fromkeys(k for element in value for k in references_in(element)))
    return list(dict.fromkeys(occurrences(value))) if isinstance(value, str) else []


def occurrences(text: str) -> list[int]:
    """The ids that a text refers to, in order, with repeats."""
    return [int(k) for k in _CANONICAL.findall(text)]


def sole_reference(value: object) -> int | None:
    """The id when the value is one reference and nothing else."""
    match = _CANONICAL.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(match.group(1)) if match else None


def replace_references(text: str, rendering: Callable[[int], str]) -> str:
    """The text with each reference replaced by that task's rendering."""
    return _CANONICAL.sub(lambda m: rendering(int(m.group(1))), text)


def split_list(text: str) -> list[str] | None:
    """The references of `<GENERATED>-0,<GENERATED>-1`; None if the text is anything else."""
    return [part.strip() for part in text.split(",")] if _LIST.fullmatch(text.strip()) else None

"""Other ways of writing a reference to a result: `$0`, `{{0}}`, `[GENERATED]-0`, `<image-to-text-0>`, `<GENERATED>`.

Language models take them from other systems. They are rewritten where there is one reading.
"""

import re
from collections.abc import Callable, Collection

from hugginggpt.capabilities import find_kind
from hugginggpt.plan.references import any_reference, reference

_WORD = r"(?:generated|outputs?|results?|tasks?|steps?|nodes?)"
_FIELD = r"(?:\.\w{1,20}){0,2}"
# These mean a result wherever they stand.
_SURE = re.compile(
    rf"[\[({{]\s?{_WORD}\s?[\])}}]\s?[-_:]?\s?(\d{{1,4}})(?!\d)"
    rf"|<\s?{_WORD}\s?[-_: ]\s?(\d{{1,4}})\s?>{_FIELD}"
    rf"|\{{\{{\s?(?:{_WORD}\s?[-_.\[]?\s?)?(\d{{1,4}})\]?{_FIELD}\s?\}}\}}"
    rf"|\$\{{\s?(?:{_WORD}[-_.\[]?)?(\d{{1,4}})\]?{_FIELD}\s?\}}"
    rf"|\${_WORD}[-_.\[]?(\d{{1,4}})(?!\d)\]?{_FIELD}"
    r"|\b(?-i:GENERATED)[-_](\d{1,4})(?!\d)",
    re.IGNORECASE,
)
_BY_KIND = re.compile(r"<([a-z][a-z0-9 -]{2,40})(?:[-_](\d{1,4})>|>[-_](\d{1,4})(?!\d))", re.IGNORECASE)
_TYPES = ("image", "text", "audio", "video", "answer", "summary", "transcript", "translation")
# These mean one only if the task waits for it, or if nothing else can be meant.
_MAYBE = re.compile(r"\$(\d{1,4})(?![\d.,])|(?<!\{)\{(\d{1,4})\}(?!\})")
_WHOLE = re.compile(
    r"[$#%](\d{1,4})|\{(\d{1,4})\}|\[(\d{1,4})\]"
    r"|(?:the )?(?:\w{3,20} )?(?:of|from) (?:task|step|node)[ _-]?(\d{1,4})"
    rf"|{_WORD}[ _-]?(\d{{1,4}})",
    re.IGNORECASE,
)
_UNNUMBERED = re.compile(
    rf"[<\[{{(]{{1,2}}\s?(?:generated|(?:previous|last)[ _-]?(?:{_WORD})?|output|result)\s?[>\]}})]{{1,2}}"
    r"(?!\s?[-_:]?\s?\d)",
    re.IGNORECASE,
)
_PREVIOUS = re.compile(
    r"(?:the )?\w{3,20} (?:of|from) (?:the )?(?:previous|last|preceding|above) (?:task|step|result|output)",
    re.IGNORECASE,
)
_OPEN = re.compile(r"[<\[{(]{1,2}[\w .-]{1,40}[>\])}]{1,2}|\$\w{1,40}")


def rewritten(text: str, *, known: Callable[[int], bool], waits_for: Collection[int], is_text: bool) -> str:
    """The text with other ways of writing a reference in the usual one.

    Args:
        text: an argument, or an element of one.
        known: whether the plan has another task of that id.
        waits_for: the ids in the task's `dep`.
        is_text: the argument is a text, so that `$5` may be a price.
    """

    def sure(match: re.Match[str]) -> str:
        task_id = _number(match)
        return reference(task_id) if known(task_id) else match.group()

    def by_kind(match: re.Match[str]) -> str:
        named = match[1].lower() in _TYPES or find_kind(match[1]) is not None
        task_id = int(match[2] or match[3])
        return reference(task_id) if named and known(task_id) else match.group()

    def awaited(match: re.Match[str]) -> str:
        return reference(_number(match)) if _number(match) in waits_for else match.group()

    whole = _WHOLE.fullmatch(text.strip())
    if whole is not None and known(_number(whole)):
        is_said = " of " in f" {whole.group()}" or " from " in f" {whole.group()}"
        if _number(whole) in waits_for or not is_text or is_said:
            return reference(_number(whole))
    certain = _BY_KIND.sub(by_kind, _SURE.sub(sure, text))
    # Beside a real reference, "$1" is money.
    return certain if any_reference(certain) else _MAYBE.sub(awaited, certain)


def unnumbered(text: str) -> str | None:
    """What in a text means a result without saying which one; None if there is nothing, or a real reference as well."""
    if any_reference(text):
        return None
    if _PREVIOUS.fullmatch(text.strip()):
        return text
    match = _UNNUMBERED.search(text)
    return match.group() if match else None


def is_certain(found: str, text: str) -> bool:
    """Whether what `unnumbered` found can mean nothing else: our own word, or all that a text says."""
    return "generated" in found.lower() or found.strip() == text.strip()


def is_open(text: str) -> bool:
    """Whether a text is nothing but what looks like a place to be filled in."""
    return _OPEN.fullmatch(text.strip()) is not None


def _number(match: re.Match[str]) -> int:
    return int(next(group for group in match.groups() if group is not None))

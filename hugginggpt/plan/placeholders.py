"""Other ways of writing a reference to a result: `$0`, `{{0}}`, `[GENERATED]-0`, `<output of task 0>`, `{{ocr}}`.

Language models take them from other systems. They are rewritten where there is one reading.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache

from hugginggpt.capabilities import find_kind
from hugginggpt.plan.references import DASH, FIELD, GREATER, LESS, any_reference, reference

_NOUN = (
    r"(?:generated|outputs?|results?|responses?|answers?|texts?|images?|audio|videos?|tables?|contents?|values?"
    r"|captions?|descriptions?|summary|transcript(?:ion)?|translation)"
)
_TASK = r"(?:subtasks?|tasks?|steps?|nodes?|actions?)"
_WORDS = rf"(?:(?:{_NOUN}|{_TASK}|of|from|the|with|id|number|ref)[ _.:-]?){{1,6}}"
_FIELDS = rf"{FIELD}{{0,4}}"
_AFTER = rf"(?:'s)?(?:{FIELD}|[ _.-]{_NOUN}(?!\w)){{0,4}}"
_OPEN = rf"(?:{LESS}|[\[({{]){{1,3}}\s?"
_CLOSE = rf"\s?(?:{GREATER}|[\])}}]){{1,3}}"


def _enclosed(inside: str) -> str:
    pairs = ((LESS, GREATER), (r"\[", r"\]"), (r"\(", r"\)"), (r"\{", r"\}"))
    return "(?:" + "|".join(rf"{left}{{1,3}}\s?{inside}\s?{right}{{1,3}}" for left, right in pairs) + ")"


_REFERENCE = r"<GENERATED>-\d{1,4}(?!\d)"
_BY_KIND = re.compile(r"<([a-z][a-z0-9 -]{2,40})(?:[-_](\d{1,4})>|>[-_](\d{1,4})(?!\d))", re.IGNORECASE)
_TYPES = ("image", "text", "audio", "video", "answer", "summary", "transcript", "translation")
_UNNUMBERED = re.compile(
    rf"{_OPEN}(?:generated|(?:previous|last)[ _-]?(?:{_NOUN}|{_TASK})?|output|result){_CLOSE}"
    rf"(?!\s?{DASH}?\s?\d|(?:{DASH}|[:#=/\[({{])[\w'\"\[({{]|\.\d)",
    re.IGNORECASE,
)
_PREVIOUS = re.compile(
    r"(?:the )?\w{3,20} (?:of|from) (?:the )?(?:previous|last|preceding|above) (?:task|step|result|output)",
    re.IGNORECASE,
)
_TO_FILL_IN = re.compile(r"\$?[<\[{(]{1,2}[$\w .\[\]'-]{1,40}[>\])}]{1,2}|\$\w[\w.]{0,40}")
_OURS = re.compile(
    rf"{LESS}\s?generated\b[^<>\n]{{0,40}}(?:{GREATER}(?:[-_:#]?\w+)?)?"
    r"|(?-i:\[\s?GENERATED\b|\{\s?GENERATED\b|(?<![^\W_])GENERATED[-_\[(]\w)",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\{\{[^{}\n]{1,60}\}\}|\$\{[^{}\n]{1,60}\}")
_IN_BRACES = re.compile(rf"\$?\{{\{{?\s?({_REFERENCE})\s?\}}\}}?")
_WRAPPED = re.compile(rf"[\s`'\"“”\[({{<$%@]*({_REFERENCE}(?:\s*,\s*{_REFERENCE})*)[\s`'\"“”\])}}>%]*")

Find = Callable[[str], int | None]


@dataclass(frozen=True)
class _Forms:
    """Patterns of references, with the number or the name in one of their groups.

    Attributes:
        sure: what means a result wherever it stands.
        maybe: what means one only if the task waits for it.
        whole: what means one if an argument says nothing else, and the task waits for it or the argument is no text.
        said: what means one if an argument says nothing else.
    """

    sure: re.Pattern[str]
    maybe: re.Pattern[str]
    whole: re.Pattern[str]
    said: re.Pattern[str]


@lru_cache(maxsize=64)
def _forms(names: tuple[str, ...]) -> _Forms:
    number = r"(\d{1,4})(?!\d)"
    name = rf"({'|'.join(map(re.escape, sorted(names, key=len, reverse=True))) or '(?!)'})(?!\w)"
    one = rf"(?:{name}|{number})"
    inside = rf"(?:\[\s?{one}\s?\]|\(\s?{one}\s?\)|{one})"
    boxed = rf"(?:\[{number}\]|\({number}\)|\{{{number}\}}|'{number}'|\"{number}\"|{number})"
    generated = _enclosed("generated")
    noun = _enclosed(rf"(?:{_NOUN}|{_TASK})(?:[ _-](?:{_NOUN}|{_TASK})){{0,2}}")
    phrase = rf"(?:{_WORDS})?#?{inside}{_AFTER}"
    sure = (
        rf"{generated}(?:{DASH}|[:#.])(?:<{name}>|{name}){_FIELDS}",
        rf"{generated}(?:\[{name}\]|\({name}\)){_FIELDS}",
        rf"{generated}\s?(?:{DASH}|[:#=./])?\s?(?:(?:{_TASK}|id)[ _-]?)?{boxed}{_FIELDS}",
        rf"{noun}{DASH}{one}(?!\s*</){_FIELDS}",
        rf"{LESS}{{1,2}}\s?{_WORDS}#?{inside}{_AFTER}\s?{GREATER}{{1,2}}{_FIELDS}",
        rf"{LESS}{{1,2}}\s?{name}[ _.-]{_NOUN}\s?{GREATER}{{1,2}}",
        rf"\{{\{{\s?\$?{phrase}\s?\}}\}}{_FIELDS}",
        rf"\$\{{\s?{phrase}\s?\}}{_FIELDS}",
        rf"\${_WORDS}{inside}{_FIELDS}",
        rf"\$(?:{name}{_FIELDS}|{number}{FIELD}{{1,4}})",
        rf"[\[{{]\s?(?-i:GENERATED)(?:{DASH}|\s)?{one}\s?[\]}}]{_FIELDS}",
        r"__(?-i:GENERATED)_(\d{1,4})__",
        rf"\b(?-i:GENERATED)(?:[-_]{one}|\[{one}\]|\({one}\)){_FIELDS}",
    )
    maybe = (
        rf"\${number}(?![.,]\d)",
        rf"(?<!\{{)\{{\s?{phrase}\s?\}}(?!\}})",
        rf"{LESS}{{1,2}}\s?{inside}{_AFTER}\s?{GREATER}{{1,2}}",
        rf"\[{_WORDS}{inside}{_AFTER}\s?\]",
        rf"#E{number}(?!\w)",
        rf"[@#]{name}",
    )
    whole = (
        *maybe,
        rf"[$#%@]{phrase}",
        rf"{noun}{inside}",
        rf"{_OPEN}{phrase}{_CLOSE}",
        phrase,
    )
    said = (
        rf"{_OPEN}?(?:the )?(?:\w{{3,20}} )?(?:of|from) {_WORDS}{inside}{_CLOSE}?",
        rf"(?:the )?{_TASK}[ _]?{inside}(?:'s)? {_NOUN}",
        rf"(?:the )?(?:{_NOUN} ){{1,3}}(?:of|from) {_WORDS}{inside}",
        rf"{_TASK}[ _]?{inside}{FIELD}{{1,4}}",
    )
    return _Forms(*(re.compile("|".join(rows), re.IGNORECASE) for rows in (sure, maybe, whole, said)))


def rewritten(
    text: str, *, find: Find, names: tuple[str, ...] = (), waits_for: Collection[int] = (), is_text: bool = True
) -> str:
    """The text with other ways of writing a reference in the usual one.

    Args:
        text: an argument, or an element of one.
        find: the other task of the plan that a number or a name means.
        names: what tasks are called besides their numbers.
        waits_for: the ids in the task's `dep`.
        is_text: the argument is a text, so that `$5` may be a price.
    """

    def sure(match: re.Match[str]) -> str:
        task_id = find(_named(match))
        return match.group() if task_id is None else reference(task_id)

    def by_kind(match: re.Match[str]) -> str:
        known = match[1].lower() in _TYPES or find_kind(match[1]) is not None
        task_id = find(match[2] or match[3])
        return reference(task_id) if known and task_id is not None else match.group()

    def awaited(match: re.Match[str]) -> str:
        task_id = find(_named(match))
        return reference(task_id) if task_id is not None and task_id in waits_for else match.group()

    text = _IN_BRACES.sub(r"\1", text)
    folded, alone = text.casefold(), text.strip()
    forms = _forms(tuple(name for name in names if name in folded))
    for pattern, is_enough in ((forms.said, True), (forms.whole, not is_text)):
        match = pattern.fullmatch(alone)
        if match is not None and (task_id := find(_named(match))) is not None and (is_enough or task_id in waits_for):
            return reference(task_id)
    certain = _BY_KIND.sub(by_kind, forms.sure.sub(sure, text))
    # Beside a real reference, "$1" is money.
    found = certain if any_reference(certain) else forms.maybe.sub(awaited, certain)
    found = _IN_BRACES.sub(r"\1", found)
    wrapped = _WRAPPED.fullmatch(found)
    return wrapped[1] if wrapped else found


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


def unreadable(text: str, *, waits: bool) -> str | None:
    """What in a text is plainly meant as a reference, but to no other task of the plan.

    Args:
        text: an argument, or an element of one, with all references that can be read in the usual form.
        waits: the task waits for others, so that it is likely to take their results.
    """
    rest = re.sub(_REFERENCE, " ", text)
    if match := _OURS.search(rest):
        return match.group()
    match = _forms(()).sure.search(rest)
    if match and (match.group() == text.strip() or (waits and rest == text)):
        return match.group()
    return text if waits and _forms(()).maybe.fullmatch(text.strip()) else None


def unfilled(text: str) -> str | None:
    """What in a text is a place to be filled in, as templates write it; None if there is nothing."""
    if is_open(text) and text.strip()[0] in "<{$":
        return text.strip()
    match = _TEMPLATE.search(text)
    return match.group() if match else None


def is_open(text: str) -> bool:
    """Whether a text is nothing but what looks like a place to be filled in."""
    return _TO_FILL_IN.fullmatch(text.strip()) is not None


def _named(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)

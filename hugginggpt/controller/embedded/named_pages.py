"""The pages that a request names, and a plan that keeps to them."""

import re
from collections.abc import Iterator, Sequence

from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.model import Argument, Scalar, elements
from hugginggpt.plan.references import any_reference
from hugginggpt.resource import Resource

_CARDINALS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

_NUMBER = rf"(?:[1-9]\d{{0,3}}|{'|'.join(_CARDINALS)})(?!\w|\.\d)"
_ORDINAL = rf"(?:[1-9]\d{{0,3}}(?:st|nd|rd|th)|{'|'.join(_ORDINALS)}|last|final)"
_TO = r"\s*(?:-|–|\b(?:to|till|until|through)\b)\s*(?:page\s+)?"
_AND = r"(?:\s*,\s*(?:and\s+)?|\s*&\s*|\s+and\s+)"
_MENTION = re.compile(
    # "pages 1, 3 and 5-7"; after "page 2," a number may be any other.
    rf"(?P<between>\bbetween\s+)?\b(?:(?:pages|slides|sheets|pp\.)\s*"
    rf"(?P<many>{_NUMBER}(?:(?:{_TO}|{_AND}){_NUMBER})*)|"
    rf"(?:page|slide|sheet|p\.|p(?=\d))\s*(?P<one>{_NUMBER}(?:{_TO}{_NUMBER})?)|"
    rf"(?P<ordinals>{_ORDINAL}(?:{_AND}(?:the\s+)?{_ORDINAL})*)\s+"
    rf"(?:(?P<count>{'|'.join(_CARDINALS)}|[1-9]\d?)\s+)?(?:page|slide|sheet)s?)\b",
    re.IGNORECASE,
)
_SPAN = re.compile(rf"(?P<first>{_NUMBER})(?:{_TO}(?P<last>{_NUMBER}))?", re.IGNORECASE)

Pages = tuple[int, int]
"""The first and the last of some pages. Below 1 they count from the end: 0 is the last page, -1 the one before it."""


def only_pages(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """The plan with its documents narrowed to the pages that the request names.

    Pages that the text of a task names are for that task. Else several are divided among the tasks that use a
    document, in order, or are the list of its only use.

    Args:
        plan: a valid plan.
        text: the request.
        resources: the request's files and the results of earlier turns.
    """
    documents = {r.name: r.parts.pages for r in resources if r.parts is not None and r.parts.pages > 1}
    uses = [value for task in plan.tasks for value in _literals(task) if value in documents]
    named = pages_in(text)
    if not uses or not named:
        return plan
    divided = iter(named if len(named) == len(uses) else ())

    def narrowed(value: Scalar, own: Sequence[Pages]) -> list[Scalar]:
        if not isinstance(value, str) or value not in documents:
            return [value]
        other = next(divided, None)
        whole = named if len(named) == 1 or len(uses) == 1 else []
        return [_of(value, pages, documents[value]) for pages in own or ([other] if other else whole)] or [value]

    def narrowed_argument(value: Argument, own: Sequence[Pages]) -> Argument:
        if isinstance(value, list):
            return [part for element in value for part in narrowed(element, own)]
        parts = narrowed(value, own)
        return parts if len(parts) > 1 else parts[0]

    tasks = []
    for task in plan.tasks:
        said = " ".join(v for v in _literals(task) if v not in documents and any_reference(v) is None)
        own = pages_in(said)
        args = {name: narrowed_argument(value, own) for name, value in task.args.items()}
        tasks.append(task.model_copy(update={"args": args}))
    return plan.model_copy(update={"tasks": tuple(tasks)})


def pages_in(text: str) -> list[Pages]:
    """The pages that a text names, in order, each once."""
    return list(dict.fromkeys(pages for match in _MENTION.finditer(text) for pages in _read(match)))


def _read(match: re.Match[str]) -> Iterator[Pages]:
    numbers = match["many"] or match["one"]
    if not numbers:
        ordinals = [_ordinal(word) for word in re.findall(_ORDINAL, match["ordinals"], re.IGNORECASE)]
        count = _cardinal(match["count"]) if match["count"] else 1
        for place in ordinals:
            yield (place, place + count - 1) if place > 0 else (place - count + 1, place)
        return
    spans = [(_cardinal(s["first"]), _cardinal(s["last"] or s["first"])) for s in _SPAN.finditer(numbers)]
    if len(spans) == 2 and (match["between"] or spans[1][0] == spans[0][1] + 1):
        spans = [(spans[0][0], spans[1][1])]
    yield from ((min(span), max(span)) for span in spans)


def _cardinal(word: str) -> int:
    return int(word) if word.isdecimal() else _CARDINALS.index(word.lower()) + 1


def _ordinal(word: str) -> int:
    word = word.lower()
    if word in ("last", "final"):
        return 0
    return _ORDINALS.index(word) + 1 if word in _ORDINALS else int(word[:-2])


def _of(document: str, pages: Pages, count: int) -> str:
    """The name of some pages of a document that has this many."""
    first, last = (max(page if page > 0 else count + page, 1) for page in pages)
    return f"{document}#page={first}" if first == last else f"{document}#page={first}-{last}"


def _literals(task: PlannedTask) -> list[str]:
    return [value for argument in task.args.values() for value in elements(argument) if isinstance(value, str)]

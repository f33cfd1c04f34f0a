"""The earlier turns of a conversation as the embedded planner sees them.

A turn is shown as it was asked, done and answered. What was done stands in pipeline notation with the names of the
results, so that a plan can go on from any of them:

    Before: Read the letter and say it aloud.
    Did: letter.png > read [turn1-0.txt] > speak [turn1-1.wav]
    Answer: ...
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller.embedded.sources import (
    PASSAGE_CHARS,
    ReadRequest,
    Source,
    passage_names,
    sources_of,
    take_passages,
)
from hugginggpt.controller.prompts import shorten
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, PlannedTask, Scalar
from hugginggpt.plan.notation import NOTHING, TEMPLATED, write_notation
from hugginggpt.plan.references import any_reference, references_in, replace_references, sole_reference
from hugginggpt.request import Exchange
from hugginggpt.text import one_line, visible

_MOST_TURNS = 3
_REQUEST_CHARS = 300
_ANSWER_CHARS = 200  # enough to tell what it was about
_TEXT_CHARS = PASSAGE_CHARS
_MOST_LINES = 8
_LINE_CHARS = 400
_MOST_RESULTS = 4  # of one step
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class ShownTurn:
    """An earlier turn.

    Attributes:
        did: its plan, a line for each pipeline; empty if nothing was done.
        names: the names of results and files in these lines.
        texts: the texts in these lines, quoted as in the notation. A plan may repeat them.
    """

    text: str
    did: tuple[str, ...]
    response: str
    names: frozenset[str]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class ShownRequest:
    """A request, what its plan may name, and the turns before it, as the planner sees them.

    Attributes:
        read: the request. Its passages include those of the turns.
    """

    read: ReadRequest
    sources: tuple[Source, ...]
    turns: tuple[ShownTurn, ...]


def shown_request(
    text: str,
    resources: Sequence[tuple[str, ValueType]],
    history: Sequence[Exchange],
    documents: Mapping[str, frozenset[ValueType]] = MappingProxyType({}),
) -> ShownRequest:
    """A request as the embedded planner sees it.

    Args:
        text: the request.
        resources: name and type of its files, of those of earlier turns, and of earlier results.
        history: earlier turns, oldest first.
        documents: all types that each document can be used as, by name.
    """
    read = take_passages(text)
    turns, passages = [], read.passages
    files = {name for name, _ in resources}
    for turn in history[-_MOST_TURNS:]:
        before = take_passages(visible(turn.text), [read.text, *passages])
        passages = _with_long_texts(passages | before.passages, turn, [read.text, before.text])
        turns.append(_shown_turn(turn, ReadRequest(before.text, passages), files))
    whole = ReadRequest(read.text, passages)
    wording = [turn.text for turn in history[-_MOST_TURNS:]]
    return ShownRequest(whole, tuple(sources_of(whole, resources, wording, documents)), tuple(turns))


def _with_long_texts(passages: Mapping[str, str], turn: Exchange, others: Sequence[str]) -> dict[str, str]:
    """The passages so far, and the long texts of a turn's plan under names that are in no other text."""
    found = dict(passages)
    free = passage_names(*found, *others)
    values = (value for task in (turn.plan.tasks if turn.plan else ()) for value in task.args.values())
    for text in (element for value in values for element in (value if isinstance(value, list) else [value])):
        if not isinstance(text, str) or len(text) <= _TEXT_CHARS or references_in(text):
            continue
        if not any(passage in text for passage in found.values()):
            found[next(free)] = text
    return found


def _shown_turn(turn: Exchange, before: ReadRequest, files: set[str]) -> ShownTurn:
    results = _results(turn)
    lines = _did(turn.plan, before, files, results) if turn.plan else ()
    did = tuple(shorten(line, _LINE_CHARS) for line in lines)
    names = {name for made in results.values() for name in made} | files | before.passages.keys()
    shown = frozenset(name for name in names if any(_stands_in(name, line) for line in did))
    quoted = [text for line in lines for text in _QUOTED.findall(line)]
    whole = (t for t in dict.fromkeys(quoted) if t[1:-1] not in names and not t.endswith('…"'))
    texts = tuple(text for text in whole if any_reference(text) is None)
    request = shorten(before.text, _REQUEST_CHARS)
    return ShownTurn(request, did, turn.response[:_ANSWER_CHARS], shown, texts)


def _stands_in(name: str, line: str) -> bool:
    return re.search(rf'(?<![^\s\[("=]){re.escape(name)}(?![^\s\]),":])', line) is not None


def _results(turn: Exchange) -> dict[int, dict[str, ValueType]]:
    """The names and types of the first results of each task."""
    found: dict[int, dict[str, ValueType]] = {}
    for result in turn.results:
        made = found.setdefault(result.task_id, {})
        if len(made) < _MOST_RESULTS:
            made[result.name] = result.type
    return found


def _did(
    plan: Plan, before: ReadRequest, files: set[str], results: Mapping[int, Mapping[str, ValueType]]
) -> tuple[str, ...]:
    """What a plan did, a line for each of its first pipelines."""
    if not all(task.task in CAPABILITIES for task in plan.tasks):
        return ()  # the package of a kind is no longer installed
    names = {*files, *before.passages}

    def shown(task: PlannedTask, value: Scalar) -> Scalar:
        if not isinstance(value, str) or value in names or sole_reference(value) is not None:
            return value
        for name, passage in before.passages.items():
            value = value.replace(passage, name)
        referred = references_in(value)
        if referred and not (task.task in TEMPLATED and len(referred) == 1):
            value = replace_references(value, lambda k: ", ".join(results.get(k, {})) or "…")
        return value if references_in(value) or value in names else one_line(value, _TEXT_CHARS)

    tasks = [
        task.model_copy(
            update={
                "args": {
                    name: [shown(task, v) for v in value] if isinstance(value, list) else shown(task, value)
                    for name, value in task.args.items()
                }
            }
        )
        for task in plan.tasks
    ]
    try:
        written = write_notation(Plan(tasks=tuple(tasks)), names, results)
    except PlanError:
        return ()  # longer than a plan may be
    return () if written == NOTHING else tuple(written.split("\n")[:_MOST_LINES])

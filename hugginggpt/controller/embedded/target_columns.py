"""Finds the column that a request wants predicted, by the names in the table's header.

The planner does not see the header, so its plan gets the column afterwards.
"""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice

from hugginggpt.capabilities import ValueType
from hugginggpt.naming import named_file
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.resource import Resource

_CLASSIFY, _PREDICT = "tabular-classification", "tabular-regression"
_ANY_VERB = (
    r"predict\w*|estimat\w+|forecast\w*|guess\w*|fill\w*|complet\w+|imput\w+|infer\w*|missing|gaps?|empty|blanks?"
)
_VERBS = {
    _PREDICT: re.compile(rf"\b(?:{_ANY_VERB}|regress\w*|value of|how (?:much|many|high|old|long))\b", re.IGNORECASE),
    _CLASSIFY: re.compile(rf"\b(?:{_ANY_VERB}|classif\w+|categori\w+|label\w*|sort\w*|which)\b", re.IGNORECASE),
}
_TARGET = re.compile(r"\b(?:target|dependent variable|outcome|response)\b", re.IGNORECASE)
_BESIDE = re.compile(r"\b(?:column|field|variable|target)\b", re.IGNORECASE)
_FEATURES = r"from|using|with|based on|given|depending on|out of|except|without|not|ignor\w+"
_AFTER = {
    _PREDICT: re.compile(rf"\b(?:{_FEATURES}|by)\b", re.IGNORECASE),
    _CLASSIFY: re.compile(rf"\b(?:{_FEATURES})\b", re.IGNORECASE),
}
_CLAUSE_END = re.compile(
    r"[.;:!?\n]|(?:,|,? and|,? then) (?:please )?(?=" + _ANY_VERB + r"|classif|sort|label)", re.IGNORECASE
)
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+|[^\W\d_]+")
_MOST_COLUMNS = 200
_MOST_MENTIONS = 20
_MOST_CHARS = 10_000
_NEAR = 15


def with_target_columns(text: str, plan: Plan, resources: Sequence[Resource]) -> Plan:
    """The plan, whose predictions for a table have the column that the request names.

    Args:
        text: the request.
        plan: what the planner planned.
        resources: the request's files and the results of earlier turns.
    """
    tasks = tuple(_with_column(text, task, resources) for task in plan.tasks)
    return plan if tasks == plan.tasks else plan.model_copy(update={"tasks": tasks})


def _with_column(text: str, task: PlannedTask, resources: Sequence[Resource]) -> PlannedTask:
    if task.task not in _VERBS or "column" in task.args:
        return task
    file = named_file(task.args.get("table"), resources)
    if file is None:
        return task
    column = named_column(text.replace(file.name, " " * len(file.name)), columns_of(file), task.task)
    return task.model_copy(update={"args": {**task.args, "column": column}}) if column else task


def columns_of(file: Resource) -> Sequence[str]:
    """The names of the columns of a table, as far as its preview shows them, or of those in a document."""
    if file.artifact.type is not ValueType.TABLE:
        return file.parts.columns if file.parts is not None else ()
    rows = csv.reader(io.StringIO(file.artifact.preview or "", newline=""))
    try:
        header = next(rows, [])
        whole = next(rows, None) is not None
    except csv.Error:
        return []
    return header[:_MOST_COLUMNS] if whole else header[:_MOST_COLUMNS][:-1]


def named_column(text: str, columns: Sequence[str], kind: str) -> str:
    """The column of a table that a request wants predicted; empty if it names none, or several alike.

    Args:
        text: the request.
        columns: the columns of the table.
        kind: tabular-classification or tabular-regression.
    """
    text = text[:_MOST_CHARS]
    found = {column: spans for column in columns if (spans := mentions(column, text))}
    whole = [span for spans in found.values() for span in spans]
    # "house price" is not the column "price" if there is a column "house price".
    found = {
        column: [a for a in spans if not any(b[0] <= a[0] and a[1] <= b[1] and b != a for b in whole)]
        for column, spans in found.items()
    }
    named = {column: spans for column, spans in found.items() if spans}
    features = list(_feature_spans(text, kind))
    meant = {
        column: start
        for column, spans in named.items()
        for start, _ in spans[:1]
        if not all(any(a <= begin < b for a, b in features) for begin, _ in spans)
    }
    if len(meant) <= 1:
        return next(iter(meant), "")
    starts = sorted(meant.values())
    for pattern in (_TARGET, _VERBS[kind]):
        for verb in pattern.finditer(text):
            following = [start for start in starts if verb.end() <= start <= verb.end() + 4 * _NEAR]
            if following:
                return next(column for column, start in meant.items() if start == following[0])
    return ""


def mentions(column: str, text: str) -> list[tuple[int, int]]:
    """Where a text names a column."""
    words = _WORD.findall(column)
    if not words:
        return []
    joined = "[^0-9A-Za-z]{0,3}".join(map(re.escape, words))
    is_letter = len(joined) == 1
    pattern = re.compile(rf"(?<!\w){joined}(?:s|es)?(?!\w)", re.NOFLAG if is_letter else re.IGNORECASE)
    places = [found.span() for found in islice(pattern.finditer(text), _MOST_MENTIONS)]
    if is_letter and column not in "xyzXYZ":  # "a" and "I" are words
        places = [(a, b) for a, b in places if _BESIDE.search(text[max(0, a - _NEAR) : b + _NEAR])]
    return places


def _feature_spans(text: str, kind: str) -> list[tuple[int, int]]:
    """Where the request says what to predict from."""
    spans = []
    for word in _AFTER[kind].finditer(text):
        end = _CLAUSE_END.search(text, word.end())
        spans.append((word.end(), end.start() if end else len(text)))
    return spans

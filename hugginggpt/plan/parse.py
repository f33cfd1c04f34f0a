"""Parse the text of a controller or a user into a valid `Plan`: lenient in reading, strict in what it accepts."""

import difflib
import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.errors import PlanError
from hugginggpt.plan import placeholders
from hugginggpt.plan.draft import Draft, Drafts, argument_of, count_of
from hugginggpt.plan.extract import ID_KEYS, KIND_KEYS, RawTask, extract_tasks, kind_of, with_plain_names
from hugginggpt.plan.limits import MAX_ARGUMENTS, MAX_TASKS
from hugginggpt.plan.loose import loose_values
from hugginggpt.plan.model import Plan, Scalar
from hugginggpt.plan.references import canonical, reference, split_list
from hugginggpt.plan.repair import finished_plan

_ARGUMENT_KEYS = ("args", "arguments", "inputs", "input", "parameters", "params")
_DEP_KEYS = ("dep", "deps", "depends_on", "dependencies", "dependency")
_NUMBER = re.compile(r"(?<!\w)-\d{1,5}|(?<!\d)\d{1,5}(?!\d)")
_MOST_NESTED = 4
_MAX_ID = 9999
_MAX_ID_CHARS = 100  # digits of an id that is written as a text, such as "task 3"


def parse_plan(text: str) -> Plan:
    """Read a plan.

    Takes the paper's JSON list with anything that language models put around and into it, repairs mistakes that have
    one plain meaning, and refuses the rest.

    Args:
        text: a JSON list of `{"task", "id", "dep", "args"}`, possibly inside prose.

    Raises:
        PlanError: every problem, one sentence each. Nothing else is ever raised.
    """
    return finished_plan(_Reading(extract_tasks(text)).tasks())


class _Reading:
    """One pass over the tasks of a plan as they are written."""

    def __init__(self, raw: list[RawTask]) -> None:
        self.drafts = Drafts()
        self.repairs, self.problems = self.drafts.repairs, self.drafts.problems
        if len(raw) > MAX_TASKS:
            raise PlanError(f"The plan has {len(raw):,} tasks; the limit is {MAX_TASKS}: split the request.")
        self.raw = list(map(with_plain_names, raw))
        self.declared = [as_id(_first(task, *ID_KEYS)) for task in self.raw]
        self.ids = self._assign_ids()
        self.places: dict[int, list[int]] = defaultdict(list)
        for position, declared in enumerate(self.declared):
            self.places[self.ids[position] if declared is None else declared].append(position)

    def tasks(self) -> Drafts:
        """The tasks that can be read."""
        for position in range(len(self.raw)):
            self._read_task(position)
        return self.drafts

    def _assign_ids(self) -> list[int]:
        """Keep the first use of each declared id; give all other tasks a free id."""
        taken = {declared for declared in self.declared if declared is not None}
        seen: set[int] = set()
        ids = []
        for position, declared in enumerate(self.declared):
            if declared is not None and declared not in seen:
                seen.add(declared)
                ids.append(declared)
                continue
            free = (
                position if position not in taken else next(i for i in range(len(self.raw) * 2 + 1) if i not in taken)
            )
            taken.add(free)
            ids.append(free)
            if declared is not None:
                self.repairs.append(f"Two tasks had the id {declared}; the later one became {free}.")
        return ids

    def _resolve(self, position: int, wanted: int) -> int:
        """The task that an id means at this position: the nearest one before it, else the nearest after it."""
        named = self.places.get(wanted)
        if named is None:
            return wanted
        before = bisect_left(named, position)
        after = before + (before < len(named) and named[before] == position)
        if before:
            return self.ids[named[before - 1]]
        return self.ids[named[after] if after < len(named) else named[0]]

    def _read_task(self, position: int) -> None:
        raw, task_id = self.raw[position], self.ids[position]
        kind = kind_of(raw)
        if kind is None:
            self.problems.append(_unknown_kind(task_id, _first(raw, *KIND_KEYS)))
            return
        draft = self.drafts.tasks[task_id] = Draft(task_id, CAPABILITIES[kind])
        arguments = _arguments_of(raw)
        if not isinstance(arguments, dict):
            if arguments not in (None, []):
                self.problems.append(f"{draft.label} has arguments that are not an object of names and values.")
            arguments = {}
        if len(arguments) > MAX_ARGUMENTS:
            self.problems.append(f"{draft.label} has {len(arguments):,} arguments; the limit is {MAX_ARGUMENTS}.")
            return
        declared = list(_ids_in(_first(raw, *_DEP_KEYS)))
        if len(declared) > MAX_TASKS:
            self.problems.append(f"{draft.label} names {len(declared):,} tasks in 'dep'; the limit is {MAX_TASKS}.")
            return
        for key, value in arguments.items():
            self._read_argument(draft, position, str(key), value, declared)
        draft.order |= {self._resolve(position, dep) for dep in declared}
        draft.order -= draft.needs | {task_id}

    def _read_argument(self, draft: Draft, position: int, key: str, value: Any, waits_for: Collection[int]) -> None:
        if value is None or value == "" or value == []:
            return
        parameter = next((p for p in draft.capability.parameters if p == key.strip().lower()), None)
        if parameter is not None:
            self._read_parameter(draft, parameter, value)
            return
        wanted = draft.capability.input(key)
        if wanted is None:
            self.repairs.append(f"{draft.label} takes no argument '{_short(key)}'; it was left out.")
            return
        if wanted.name in draft.args:
            self.repairs.append(f"{draft.label} had its argument '{wanted.name}' twice; the first was kept.")
            return
        elements = value if isinstance(value, list) else [value]
        if self.drafts.is_too_long(draft, wanted.name, len(elements)):
            return
        scalars = [self._scalar(draft, position, element, wanted, waits_for) for element in elements]
        if None in scalars:
            draft.unreadable.add(wanted.name)
            self.problems.append(
                f"{draft.label} has an argument '{wanted.name}' that is not a text or a list of texts."
            )
            return
        texts: list[Scalar] = [s for s in scalars if s]
        split = split_list(str(texts[0])) if len(texts) == 1 else None
        if split is not None:
            draft.args[wanted.name] = list[Scalar](split)
        elif texts or isinstance(value, list):
            draft.args[wanted.name] = argument_of(wanted, texts, isinstance(value, list))
        self.drafts.is_too_long(draft, wanted.name, count_of(draft.args.get(wanted.name)))

    def _scalar(self, draft: Draft, position: int, value: Any, wanted: Input, waits_for: Collection[int]) -> str | None:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        given = _clean(str(value))
        text = placeholders.rewritten(
            given,
            known=lambda k: any(place != position for place in self.places.get(k, ())),
            waits_for=waits_for,
            is_text=wanted.type is ValueType.TEXT,
        )
        if text != given:
            self.repairs.append(f"{draft.label} refers to a result in '{wanted.name}' in another way: {_short(given)}.")
        if (found := placeholders.unnumbered(text)) is not None:
            text = self._numbered(draft, position, text, found, wanted, waits_for)
        return canonical(text, lambda k: self._resolve(position, k)).strip()

    def _numbered(
        self, draft: Draft, position: int, text: str, found: str, wanted: Input, waits_for: Collection[int]
    ) -> str:
        """The text with a number for a result that has none: of the task that it waits for, or of the only possible."""
        candidates = [k for k in dict.fromkeys(waits_for) if k in self.places]
        certain = placeholders.is_certain(found, text) or wanted.type is not ValueType.TEXT
        if not candidates and certain:
            makers = [other for other in range(position) if self._makes(other, wanted)]
            candidates = [self.ids[other] for other in makers]
        if len(candidates) == 1:
            self.repairs.append(
                f"{draft.label} has '{_short(found)}' in '{wanted.name}'; it means task {candidates[0]}."
            )
            return text.replace(found, reference(candidates[0]))
        if not certain or (not candidates and "generated" not in found.lower() and wanted.type is ValueType.TEXT):
            return text  # words that a user may mean as they are
        self.problems.append(
            f"{draft.label} has '{_short(found)}' in '{wanted.name}', which does not say whose result it is: "
            f"write {reference(0)} with the id of the task."
        )
        return text

    def _makes(self, position: int, wanted: Input) -> bool:
        """Whether the task at a position makes a value of the type that is wanted."""
        kind = kind_of(self.raw[position])
        return kind is not None and CAPABILITIES[kind].gives(wanted)

    def _read_parameter(self, draft: Draft, name: str, value: Any) -> None:
        wanted = draft.capability.parameters[name]
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or abs(number) > 2**53:
                raise ValueError
        except (TypeError, ValueError, OverflowError):
            self.problems.append(f"{draft.label} has a {name} that is not a number.")
            return
        limits = draft.capability.ranges.get(name)
        if limits is not None and not limits.least <= number <= limits.most:
            self.problems.append(
                f"{draft.label} has a {name} of {number:g}: give a number from {limits.least:g} to {limits.most:g}."
            )
            return
        draft.args[name] = int(number) if wanted is int else number


def _arguments_of(raw: RawTask) -> Any:
    """The arguments of a task: in a field for them, as JSON, as pairs of names and values, or beside its kind."""
    given = _first(raw, *_ARGUMENT_KEYS)
    if isinstance(given, str) and given.lstrip().startswith(("{", "[")):
        given = next(loose_values(given), None)
    if (
        isinstance(given, list)
        and given
        and all(isinstance(one, dict) and {"name", "value"} <= {*one} for one in given)
    ):
        return {str(one["name"]): one["value"] for one in given}
    kind = kind_of(raw)
    if given is not None or kind is None:
        return given
    return {name: value for name, value in raw.items() if CAPABILITIES[kind].input(name) is not None}


def _ids_in(value: Any, deeper: int = _MOST_NESTED) -> Iterator[int]:
    """The ids in a `dep`, however it is written: a list, a number, a text such as "0, 1", or an object."""
    if isinstance(value, str):
        yield from (int(number) for number in _NUMBER.findall(value) if not number.startswith("-"))
    elif isinstance(value, list | dict) and deeper > 0:
        inside = value.values() if isinstance(value, dict) else value
        found = [k for one in inside for k in _ids_in(one, deeper - 1)]
        yield from found or (k for name in (value if isinstance(value, dict) else ()) for k in _ids_in(str(name)))
    elif (declared := as_id(value)) is not None:
        yield declared


def _first(raw: RawTask, *keys: str) -> Any:
    return next((raw[key] for key in keys if key in raw), None)


def as_id(value: Any) -> int | None:
    """The id that a value of a plan means, such as 3 or "task 3"; None if it is none."""
    if isinstance(value, str):
        match = None if len(value) > _MAX_ID_CHARS else re.fullmatch(r"(-\d{1,5})|\D*?(\d{1,5})", value.strip())
        value = int(match.group(1) or match.group(2)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_ID:
        return None
    return int(value) if int(value) == value else None


def _clean(text: str) -> str:
    """The text without lone surrogates and NUL, which UTF-8 or PostgreSQL cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _short(text: str) -> str:
    cleaned = " ".join(_clean(text).split())
    return cleaned if len(cleaned) <= 40 else cleaned[:40] + "…"


def _unknown_kind(task_id: int, name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        return f"Task {task_id} does not say what kind of task it is."
    close = difflib.get_close_matches(name.strip().lower()[:60], CAPABILITIES, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"Task {task_id} has the unknown kind '{_short(name)}'{hint}"

"""Parse the text of a controller or a user into a valid `Plan`: lenient in reading, strict in what it accepts."""

import difflib
import math
from collections.abc import Collection
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.errors import PlanError
from hugginggpt.plan import placeholders
from hugginggpt.plan.draft import Draft, Drafts, argument_of, count_of
from hugginggpt.plan.extract import (
    ARGUMENT_KEYS,
    DEP_KEYS,
    KIND_KEYS,
    RawTask,
    extract_tasks,
    kind_of,
    with_plain_names,
)
from hugginggpt.plan.ids import TaskIds
from hugginggpt.plan.limits import MAX_ARGUMENTS, MAX_TASKS
from hugginggpt.plan.loose import loose_values
from hugginggpt.plan.model import Plan, Scalar
from hugginggpt.plan.references import canonical, reference, split_list
from hugginggpt.plan.repair import finished_plan


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
        self.ids = TaskIds(self.raw)
        self.repairs += self.ids.repairs

    def tasks(self) -> Drafts:
        """The tasks that can be read."""
        for position in range(len(self.raw)):
            self._read_task(position)
        return self.drafts

    def _read_task(self, position: int) -> None:
        raw, task_id = self.raw[position], self.ids.ids[position]
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
        declared = self.ids.in_dep(position, _first(raw, *DEP_KEYS))
        if len(declared) > MAX_TASKS:
            self.problems.append(f"{draft.label} names {len(declared):,} tasks in 'dep'; the limit is {MAX_TASKS}.")
            return
        for key, value in arguments.items():
            self._read_argument(draft, position, str(key), value, declared)
        draft.order |= {self.ids.resolve(position, dep) for dep in declared}
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
        given = canonical(_clean(str(value)), lambda k: k)
        text = placeholders.rewritten(
            given,
            find=lambda word: self.ids.other(position, word),
            names=self.ids.names,
            waits_for=waits_for,
            is_text=wanted.type is ValueType.TEXT,
        )
        if text != given:
            self.repairs.append(f"{draft.label} refers to a result in '{wanted.name}' in another way: {_short(given)}.")
        if (found := placeholders.unnumbered(text)) is not None:
            text = self._numbered(draft, position, text, found, wanted, waits_for)
        elif (found := placeholders.unreadable(text, waits=bool(waits_for))) is not None:
            self.problems.append(
                f"{draft.label} has '{_short(found)}' in '{wanted.name}', which names no other task of the plan: "
                f"write {reference(0)} with the id of the task."
            )
        return canonical(text, lambda k: self.ids.resolve(position, k)).strip()

    def _numbered(
        self, draft: Draft, position: int, text: str, found: str, wanted: Input, waits_for: Collection[int]
    ) -> str:
        """The text with a number for a result that has none: of the task that it waits for, or of the only possible."""
        candidates = [k for k in dict.fromkeys(waits_for) if self.ids.has(k)]
        certain = placeholders.is_certain(found, text) or wanted.type is not ValueType.TEXT
        if not candidates and certain:
            makers = [other for other in range(position) if self._makes(other, wanted)]
            candidates = [self.ids.ids[other] for other in makers]
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
    given = _first(raw, *ARGUMENT_KEYS)
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


def _first(raw: RawTask, *keys: str) -> Any:
    return next((raw[key] for key in keys if key in raw), None)


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

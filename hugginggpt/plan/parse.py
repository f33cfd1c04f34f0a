"""From what a controller or a user wrote to a valid `Plan`: tolerant in reading, strict in letting through."""

import difflib
import heapq
import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, Capability, Input, ValueType, find_kind
from hugginggpt.errors import PlanError
from hugginggpt.plan.extract import RawTask, extract_tasks
from hugginggpt.plan.limits import (
    MAX_ARGUMENTS,
    MAX_CHARS,
    MAX_ELEMENTS,
    MAX_PLAN_ELEMENTS,
    MAX_TASKS,
    check_length,
    refusal,
    told,
)
from hugginggpt.plan.model import Argument, Plan, PlannedTask, Scalar
from hugginggpt.plan.references import (
    canonical,
    occurrences,
    reference,
    references_in,
    replace_references,
    sole_reference,
    split_list,
)

_MAX_ID = 9999
_MAX_ID_CHARS = 100  # of an id that is written as a text, such as "task 3"


def parse_plan(text: str) -> Plan:
    """Read a plan.

    Takes the paper's JSON list with anything that language models put around and into it, repairs
    what has one plain meaning, and refuses the rest.

    Args:
        text: a JSON list of `{"task", "id", "dep", "args"}`, possibly inside prose.

    Raises:
        PlanError: the problems found, each a sentence. Nothing else is ever raised.
    """
    return _Reading(extract_tasks(text)).plan()


@dataclass
class _Draft:
    """A task while it is read."""

    id: int
    capability: Capability
    args: dict[str, Argument] = field(default_factory=dict)
    order: set[int] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        return f"Task {self.id} ({self.capability.kind})"

    @property
    def needs(self) -> set[int]:
        return {k for value in self.args.values() for k in references_in(value)}


class _Reading:
    """One pass over one plan, collecting repairs and problems."""

    def __init__(self, raw: list[RawTask]) -> None:
        self.repairs: list[str] = []
        self.problems: list[str] = []
        if len(raw) > MAX_TASKS:
            raise PlanError(f"The plan has {len(raw):,} tasks; {MAX_TASKS} is the most: split the request.")
        self.raw = [{str(key).strip().lower(): value for key, value in task.items()} for task in raw]
        self.declared = [_as_id(_first(task, "id", "task_id")) for task in self.raw]
        self.ids = self._assign_ids()
        self.places: dict[int, list[int]] = defaultdict(list)
        for position, declared in enumerate(self.declared):
            self.places[self.ids[position] if declared is None else declared].append(position)
        self.drafts: dict[int, _Draft] = {}
        self.chars = self.elements = 0

    def plan(self) -> Plan:
        for position in range(len(self.raw)):
            self._read_task(position)
        if self.problems:
            for draft in self.drafts.values():
                self._check_arguments(draft)
        self._stop_at_problems()
        self._drop_dangling_order()
        self._check_references()
        self._stop_at_problems()
        ids = self._order()
        self._take_stock()
        for task_id in ids:
            self._repair_edges(self.drafts[task_id])
            self._repair_control(self.drafts[task_id])
        for task_id in ids:
            self._check_arguments(self.drafts[task_id])
        self._stop_at_problems()
        self._check_room("With what its references stand for, the plan has")
        tasks = tuple(
            PlannedTask(task=d.capability.kind, id=d.id, dep=tuple(sorted(d.needs | d.order)), args=d.args)
            # A repaired reference is one less to wait for.
            for d in (self.drafts[task_id] for task_id in self._order())
        )
        plan = Plan(tasks=tasks, repairs=tuple(told(self.repairs)))
        check_length(plan.to_json())  # what is written for it can be read again
        return plan

    def _stop_at_problems(self) -> None:
        if self.problems:
            raise refusal(self.problems)

    # Ids

    def _assign_ids(self) -> list[int]:
        """Keep the first use of each declared id; give the others a free one."""
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
        """The task that an id means at this place: the nearest one before it, else the nearest after."""
        named = self.places.get(wanted)
        if named is None:
            return wanted
        before = bisect_left(named, position)
        after = before + (before < len(named) and named[before] == position)
        if before:
            return self.ids[named[before - 1]]
        return self.ids[named[after] if after < len(named) else named[0]]

    # Reading one task

    def _read_task(self, position: int) -> None:
        raw, task_id = self.raw[position], self.ids[position]
        name = _first(raw, "task", "kind", "tool")
        kind = find_kind(name) if isinstance(name, str) else None
        if kind is None:
            self.problems.append(_unknown_kind(task_id, name))
            return
        draft = self.drafts[task_id] = _Draft(task_id, CAPABILITIES[kind])
        arguments = _first(raw, "args", "arguments", "inputs")
        if not isinstance(arguments, dict):
            if arguments not in (None, []):
                self.problems.append(f"{draft.label} has arguments that are not an object of names and values.")
            arguments = {}
        if len(arguments) > MAX_ARGUMENTS:
            self.problems.append(f"{draft.label} has {len(arguments):,} arguments; {MAX_ARGUMENTS} is the most.")
            return
        for key, value in arguments.items():
            self._read_argument(draft, position, str(key), value)
        deps = _first(raw, "dep", "deps", "depends_on")
        declared_deps = deps if isinstance(deps, list) else [deps]
        if len(declared_deps) > MAX_TASKS:
            self.problems.append(f"{draft.label} names {len(declared_deps):,} tasks in 'dep'; {MAX_TASKS} is the most.")
            return
        for dep in declared_deps:
            declared = _as_id(dep)
            if declared is not None:
                draft.order.add(self._resolve(position, declared))
        draft.order -= draft.needs | {task_id}

    def _read_argument(self, draft: _Draft, position: int, key: str, value: Any) -> None:
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
        if self._is_too_long(draft, wanted.name, len(elements)):
            return
        scalars = [self._scalar(position, element) for element in elements]
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
            draft.args[wanted.name] = self._argument(wanted, texts, isinstance(value, list))
        self._is_too_long(draft, wanted.name, _count(draft.args.get(wanted.name)))

    def _is_too_long(self, draft: _Draft, name: str, count: int) -> bool:
        if count > MAX_ELEMENTS:
            draft.unreadable.add(name)
            self.problems.append(
                f"{draft.label} has {count:,} elements in '{name}'; {MAX_ELEMENTS:,} is the most: split the list."
            )
        return count > MAX_ELEMENTS

    @staticmethod
    def _argument(wanted: Input, texts: list[Scalar], listed: bool) -> Argument:
        """An argument from its elements. One that takes many may be written as one text, separated by commas."""
        if not listed and not (wanted.many and sole_reference(texts[0]) is None):
            return texts[0]
        if wanted.many and len(texts) == 1:
            return [part.strip() for part in str(texts[0]).split(",") if part.strip()]
        return texts

    def _scalar(self, position: int, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        return canonical(_clean(str(value)), lambda k: self._resolve(position, k)).strip()

    def _read_parameter(self, draft: _Draft, name: str, value: Any) -> None:
        wanted = draft.capability.parameters[name]
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or abs(number) > 2**53:
                raise ValueError
            draft.args[name] = int(number) if wanted is int else number
        except (TypeError, ValueError, OverflowError):
            self.problems.append(f"{draft.label} has a {name} that is not a number.")

    # Edges

    def _drop_dangling_order(self) -> None:
        for draft in self.drafts.values():
            dangling = draft.order - self.drafts.keys()
            if dangling:
                self.repairs.append(f"{draft.label} depended on {_ids(dangling)}, not in the plan; that was left out.")
                draft.order -= dangling

    def _check_references(self) -> None:
        for draft in self.drafts.values():
            for missing in sorted(draft.needs - self.drafts.keys()):
                self.problems.append(f"{draft.label} refers to task {missing}, which is not in the plan.")

    def _order(self) -> list[int]:
        """Ids in an order in which they can run. Extra order that closes a cycle is given up."""
        try:
            return _sorted({d.id: d.needs | d.order for d in self.drafts.values()})
        except CycleError:
            pass
        try:
            ids = _sorted({d.id: d.needs for d in self.drafts.values()})
        except CycleError as error:
            circle = " -> ".join(str(k) for k in error.args[1])
            raise PlanError(f"The tasks wait for each other in a circle: {circle}.") from None
        for draft in self.drafts.values():
            draft.order.clear()
        self.repairs.append("The order in 'dep' ran in a circle; the order of the references was kept.")
        return ids

    def _take_stock(self) -> None:
        """Count what the arguments hold before references are repaired."""
        arguments = [value for draft in self.drafts.values() for value in draft.args.values()]
        self.chars, self.elements = sum(map(_chars, arguments)), sum(map(_count, arguments))
        self._check_room("The plan has")

    def _repair_edges(self, draft: _Draft) -> None:
        """A reference to a task that makes no such type takes that task's own argument of the type."""
        for name, value in list(draft.args.items()):
            wanted = draft.capability.input(name)
            if wanted is None:
                continue
            own = {k: found for k in references_in(value) if (found := self._own_argument(draft, wanted, k))}
            if not own:
                continue
            joined = {k: _joined(found) for k, found in own.items()}
            elements = value if isinstance(value, list) else [value]
            self._make_room(draft, name, elements, own, joined)
            repaired: list[Scalar] = []
            for element in elements:
                sole = sole_reference(element)
                if sole is not None:
                    new = own.get(sole, element)
                    repaired.extend(new) if isinstance(new, list) else repaired.append(new)
                else:
                    repaired.append(_filled(str(element), joined))
            whole = None if isinstance(value, list) else sole_reference(value)
            listed = isinstance(value, list) or (whole is not None and isinstance(own.get(whole), list))
            new = draft.args[name] = self._argument(wanted, repaired, listed)
            self.elements += _count(new) - len(repaired)
            self._is_too_long(draft, name, _count(new))

    def _make_room(
        self,
        draft: _Draft,
        name: str,
        elements: list[Scalar],
        own: Mapping[int, Argument],
        joined: Mapping[int, str],
    ) -> None:
        """Count what an argument grows to before it does.

        Raises:
            PlanError: that is more than a plan may hold.
        """
        count = 0
        for element in elements:
            sole = sole_reference(element)
            if sole is not None and sole in own:
                count += _count(own[sole])
                self.chars += _chars(own[sole]) - len(str(element))
            else:
                count += 1
                self.chars += sum(len(joined[k]) - len(reference(k)) for k in occurrences(str(element)) if k in joined)
        self.elements += count - len(elements)
        self._is_too_long(draft, name, count)
        self._stop_at_problems()
        self._check_room(f"With what '{name}' of {draft.label.lower()} refers to, the plan has")

    def _check_room(self, subject: str) -> None:
        """Refuse a plan that holds too much.

        Raises:
            PlanError: it does.
        """
        for count, what, most in (
            (self.elements, "elements", MAX_PLAN_ELEMENTS),
            (self.chars, "characters", MAX_CHARS),
        ):
            if count > most:
                raise PlanError(
                    f"{subject} {count:,} {what} in its arguments; {most:,} is the most: "
                    "refer to fewer tasks, give long texts as files, or split the request."
                )

    def _own_argument(self, draft: _Draft, wanted: Input, source_id: int) -> Argument | None:
        """What replaces a reference to that task; None when the reference can stay."""
        source = self.drafts[source_id]
        if source.capability.gives(wanted):
            return None
        own = next(
            (source.args[i.name] for i in source.capability.inputs if i.type is wanted.type and i.name in source.args),
            None,
        )
        if own is None:
            needed, made = _article(wanted.type), " and ".join(source.capability.outputs)
            self.problems.append(
                f"{draft.label} needs {needed} in '{wanted.name}', but {source.label.lower()} makes {made}."
            )
            return None
        self.repairs.append(
            f"{draft.label} refers to {source.label.lower()} for {wanted.type}, which it does not make; "
            "that task's own input was taken."
        )
        return own

    def _repair_control(self, draft: _Draft) -> None:
        control = draft.capability.control
        if control is not None and "text" not in draft.args:
            before = draft.label
            draft.capability = CAPABILITIES[control]
            draft.args = {name: value for name, value in draft.args.items() if draft.capability.input(name)}
            self.repairs.append(f"{before} had no text and became {control}.")

    # What is let through

    def _check_arguments(self, draft: _Draft) -> None:
        lengths = {}
        for wanted in draft.capability.inputs:
            value = draft.args.get(wanted.name)
            if value is None:
                if wanted.required and wanted.name not in draft.unreadable:
                    self.problems.append(f"{draft.label} lacks its argument '{wanted.name}' ({wanted.type}).")
                continue
            if isinstance(value, list) and not wanted.many:
                lengths[wanted.name] = len(value)
            if wanted.type is not ValueType.TEXT:
                for element in value if isinstance(value, list) else [value]:
                    if references_in(element) and sole_reference(element) is None:
                        self.problems.append(f"{draft.label} mixes a reference and other text in '{wanted.name}'.")
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"'{name}' has {n}" for name, n in lengths.items())
            self.problems.append(f"{draft.label} has lists of unequal length: {each}.")


def _sorted(graph: dict[int, set[int]]) -> list[int]:
    """An order in which everything comes after what it waits for, by id where there is a choice.

    Raises:
        CycleError: there is none.
    """
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ids: list[int] = []
    ready = list(sorter.get_ready())
    heapq.heapify(ready)
    while ready:
        ids.append(heapq.heappop(ready))
        sorter.done(ids[-1])
        for task_id in sorter.get_ready():
            heapq.heappush(ready, task_id)
    return ids


def _first(raw: RawTask, *keys: str) -> Any:
    return next((raw[key] for key in keys if key in raw), None)


def _as_id(value: Any) -> int | None:
    if isinstance(value, str):
        match = None if len(value) > _MAX_ID_CHARS else re.fullmatch(r"(-\d{1,5})|\D*?(\d{1,5})", value.strip())
        value = int(match.group(1) or match.group(2)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_ID:
        return None
    return int(value) if int(value) == value else None


def _count(value: Argument | None) -> int:
    return len(value) if isinstance(value, list) else int(value is not None)


def _chars(value: Argument) -> int:
    return sum(len(str(element)) for element in (value if isinstance(value, list) else [value]))


def _joined(value: Argument) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _filled(text: str, joined: Mapping[int, str]) -> str:
    return replace_references(text, lambda k: joined.get(k, reference(k)))


def _clean(text: str) -> str:
    """Without what neither UTF-8 nor PostgreSQL can hold: lone surrogates and NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _short(text: str) -> str:
    cleaned = " ".join(_clean(text).split())
    return cleaned if len(cleaned) <= 40 else cleaned[:40] + "…"


def _ids(ids: set[int]) -> str:
    return "task " + ", ".join(str(k) for k in sorted(ids))


def _article(kind: ValueType) -> str:
    return {ValueType.IMAGE: "an image", ValueType.AUDIO: "audio", ValueType.TEXT: "a text"}.get(kind, f"a {kind}")


def _unknown_kind(task_id: int, name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        return f"Task {task_id} does not say what kind of task it is."
    close = difflib.get_close_matches(name.strip().lower()[:60], CAPABILITIES, n=1)
    hint = f"; did you mean {close[0]}?" if close else "."
    return f"Task {task_id} has the unknown kind '{_short(name)}'{hint}"

"""Turn the tasks as written into a plan that can run: repair references, check everything."""

import heapq
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.errors import PlanError
from hugginggpt.plan.draft import Draft, Drafts, argument_of, count_of
from hugginggpt.plan.limits import MAX_CHARS, MAX_PLAN_ELEMENTS, check_length, listed
from hugginggpt.plan.model import Argument, Plan, PlannedTask, Scalar
from hugginggpt.plan.placeholders import is_open, unfilled
from hugginggpt.plan.references import occurrences, reference, references_in, replace_references, sole_reference


def finished_plan(drafts: Drafts) -> Plan:
    """The plan that these tasks make.

    Raises:
        PlanError: every problem, one sentence each.
    """
    return _Repair(drafts).plan()


class _Repair:
    def __init__(self, drafts: Drafts) -> None:
        self.drafts = drafts
        self.repairs, self.problems = drafts.repairs, drafts.problems
        self.chars = self.elements = 0

    def plan(self) -> Plan:
        if self.problems:
            for draft in self.drafts.tasks.values():
                self._check_arguments(draft)
        self.drafts.stop_at_problems()
        self._drop_dangling_order()
        for draft in self.drafts.tasks.values():
            self._use_what_is_awaited(draft)
            self._check_places_to_fill_in(draft)
        self._check_references()
        self.drafts.stop_at_problems()
        ids = self._order()
        self._take_stock()
        for task_id in ids:
            self._repair_edges(self.drafts.tasks[task_id])
            self._repair_control(self.drafts.tasks[task_id])
        for task_id in ids:
            self._check_arguments(self.drafts.tasks[task_id])
        self.drafts.stop_at_problems()
        self._check_room("With its references resolved, the plan has")
        tasks = tuple(
            PlannedTask(task=d.capability.kind, id=d.id, dep=tuple(sorted(d.needs | d.order)), args=d.args)
            # Repairs remove references, so tasks may have fewer others to wait for.
            for d in (self.drafts.tasks[task_id] for task_id in self._order())
        )
        plan = Plan(tasks=tasks, repairs=tuple(listed(self.repairs)))
        check_length(plan.to_json())  # so that the plan can be read again as we write it
        return plan

    def _drop_dangling_order(self) -> None:
        for draft in self.drafts.tasks.values():
            dangling = draft.order - self.drafts.tasks.keys()
            if dangling:
                self.repairs.append(f"{draft.label} depended on {_ids(dangling)}, not in the plan; this was left out.")
                draft.order -= dangling

    def _use_what_is_awaited(self, draft: Draft) -> None:
        """A task that waits for one other task without using its result lacks it, if it has a place for it."""
        open_ = [
            i for i in draft.capability.inputs
            if i.required and i.name not in draft.unreadable and _is_open(draft.args.get(i.name))
        ]  # fmt: skip
        sources = sorted(draft.order)
        if len(open_) != 1 or len(sources) != 1:
            return
        (wanted,), (source,) = open_, sources
        if not self.drafts.tasks[source].capability.gives(wanted):
            return
        draft.args[wanted.name] = reference(source)
        draft.order.discard(source)
        self.repairs.append(f"{draft.label} waits for task {source} and lacked '{wanted.name}'; it takes its result.")

    def _check_places_to_fill_in(self, draft: Draft) -> None:
        """A task that waits for others and takes none of their results means them where its text has a gap."""
        if not draft.order or draft.needs:
            return
        for wanted in draft.capability.inputs:
            value = draft.args.get(wanted.name)
            gap = unfilled(value) if isinstance(value, str) else None
            if gap is not None:
                self.problems.append(
                    f"{draft.label} has '{gap}' in '{wanted.name}', which does not say whose result it is: "
                    f"write {reference(0)} with the id of the task."
                )

    def _check_references(self) -> None:
        for draft in self.drafts.tasks.values():
            for missing in sorted(draft.needs - self.drafts.tasks.keys()):
                self.problems.append(f"{draft.label} refers to task {missing}, which is not in the plan.")

    def _order(self) -> list[int]:
        """Ids in an order in which they can run. If extra order in `dep` closes a cycle, it is dropped."""
        try:
            return _sorted({d.id: d.needs | d.order for d in self.drafts.tasks.values()})
        except CycleError:
            pass
        try:
            ids = _sorted({d.id: d.needs for d in self.drafts.tasks.values()})
        except CycleError as error:
            circle = " -> ".join(str(k) for k in error.args[1])
            raise PlanError(f"The tasks wait for each other in a circle: {circle}.") from None
        for draft in self.drafts.tasks.values():
            draft.order.clear()
        self.repairs.append("The order in 'dep' ran in a circle; the order of the references was kept.")
        return ids

    def _take_stock(self) -> None:
        """Count the contents of the arguments before references are repaired."""
        arguments = [value for draft in self.drafts.tasks.values() for value in draft.args.values()]
        self.chars, self.elements = sum(map(_chars, arguments)), sum(map(count_of, arguments))
        self._check_room("The plan has")

    def _repair_edges(self, draft: Draft) -> None:
        """A reference to a task that makes no value of the needed type takes that task's own argument of the type."""
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
            new = draft.args[name] = argument_of(wanted, repaired, listed)
            self.elements += count_of(new) - len(repaired)
            self.drafts.is_too_long(draft, name, count_of(new))

    def _make_room(
        self,
        draft: Draft,
        name: str,
        elements: list[Scalar],
        own: Mapping[int, Argument],
        joined: Mapping[int, str],
    ) -> None:
        """Count how large an argument will grow, before it grows.

        Raises:
            PlanError: the plan would hold too much.
        """
        count = 0
        for element in elements:
            sole = sole_reference(element)
            if sole is not None and sole in own:
                count += count_of(own[sole])
                self.chars += _chars(own[sole]) - len(str(element))
            else:
                count += 1
                self.chars += sum(len(joined[k]) - len(reference(k)) for k in occurrences(str(element)) if k in joined)
        self.elements += count - len(elements)
        self.drafts.is_too_long(draft, name, count)
        self.drafts.stop_at_problems()
        self._check_room(f"With the references in '{name}' of {draft.label.lower()} resolved, the plan has")

    def _check_room(self, subject: str) -> None:
        """Raise PlanError if the plan holds too much."""
        for count, what, most in (
            (self.elements, "elements", MAX_PLAN_ELEMENTS),
            (self.chars, "characters", MAX_CHARS),
        ):
            if count > most:
                raise PlanError(
                    f"{subject} {count:,} {what} in its arguments; the limit is {most:,}: "
                    "refer to fewer tasks, give long texts as files, or split the request."
                )

    def _own_argument(self, draft: Draft, wanted: Input, source_id: int) -> Argument | None:
        """What replaces a reference to that task; None if the reference can stay."""
        source = self.drafts.tasks[source_id]
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

    def _repair_control(self, draft: Draft) -> None:
        control = draft.capability.control
        if control is not None and "text" not in draft.args:
            before = draft.label
            draft.capability = CAPABILITIES[control]
            draft.args = {name: value for name, value in draft.args.items() if draft.capability.input(name)}
            self.repairs.append(f"{before} had no text and became {control}.")

    def _check_arguments(self, draft: Draft) -> None:
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
    """An order in which each task comes after those it waits for, by id where there is a choice.

    Raises:
        CycleError: there is no such order.
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


def _is_open(value: Argument | None) -> bool:
    return value is None or (isinstance(value, str) and is_open(value))


def _chars(value: Argument) -> int:
    return sum(len(str(element)) for element in (value if isinstance(value, list) else [value]))


def _joined(value: Argument) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _filled(text: str, joined: Mapping[int, str]) -> str:
    return replace_references(text, lambda k: joined.get(k, reference(k)))


def _ids(ids: set[int]) -> str:
    return "task " + ", ".join(str(k) for k in sorted(ids))


def _article(kind: ValueType) -> str:
    return {ValueType.IMAGE: "an image", ValueType.AUDIO: "audio", ValueType.TEXT: "a text"}.get(kind, f"a {kind}")

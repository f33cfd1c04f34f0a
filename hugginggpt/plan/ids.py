"""Which task an id means. Controllers number tasks or name them, give an id twice, or give none."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from hugginggpt.plan.extract import ID_KEYS, RawTask, kind_of
from hugginggpt.plan.references import canonical, references_in

_NUMBER = re.compile(r"(?<!\w)-\d{1,5}|(?<!\d)\d{1,5}(?![^\W_])")
_GENERATED = re.compile(r"^\W*generated\W+", re.IGNORECASE)
_MOST_NESTED = 4
_MAX_ID = 9999
_MAX_ID_CHARS = 100  # of an id that is written as a text, such as "task 3"


class TaskIds:
    """The ids of a plan's tasks.

    Attributes:
        ids: the id of each task, by its position.
        repairs: what was changed, one sentence each.
        names: what tasks are called besides their numbers: ids that are no numbers, and kinds.
    """

    def __init__(self, raw: Sequence[RawTask]) -> None:
        """Give each task an id.

        Args:
            raw: the tasks, with plain names.
        """
        self.repairs: list[str] = []
        written = [next((task[key] for key in ID_KEYS if key in task), None) for task in raw]
        self._declared = _numbers_of(written)
        self.ids = self._assigned()
        self._places: dict[int, list[int]] = defaultdict(list)
        self._named: dict[str, list[int]] = defaultdict(list)
        self._of_kind: dict[str, list[int]] = defaultdict(list)
        for position, declared in enumerate(self._declared):
            self._places[self.ids[position] if declared is None else declared].append(position)
            if name := _name(written[position]):
                self._named[name].append(position)
            if kind := kind_of(raw[position]):
                self._of_kind[kind].append(position)
        self.names = tuple(sorted({*self._named, *self._of_kind}))

    def _assigned(self) -> list[int]:
        """Keep the first use of each declared id; give all other tasks a free id."""
        count = len(self._declared)
        taken = {declared for declared in self._declared if declared is not None}
        seen: set[int] = set()
        ids = []
        for position, declared in enumerate(self._declared):
            if declared is not None and declared not in seen:
                seen.add(declared)
                ids.append(declared)
                continue
            free = position if position not in taken else next(i for i in range(count * 2 + 1) if i not in taken)
            taken.add(free)
            ids.append(free)
            if declared is not None:
                self.repairs.append(f"Two tasks had the id {declared}; the later one became {free}.")
        return ids

    def resolve(self, position: int, wanted: int) -> int:
        """The task that a number means at this position: the nearest one before it, else the nearest after it."""
        return self._nearest(position, self._places.get(wanted, [])) if wanted in self._places else wanted

    def _nearest(self, position: int, places: list[int]) -> int:
        before = bisect_left(places, position)
        after = before + (before < len(places) and places[before] == position)
        if before:
            return self.ids[places[before - 1]]
        return self.ids[places[after] if after < len(places) else places[0]]

    def has(self, task_id: int) -> bool:
        """Whether a task is called by that number."""
        return task_id in self._places

    def other(self, position: int, word: str) -> int | None:
        """The id of another task that a number, a name or a kind means at this position; None if there is none."""
        name = word.strip().casefold()
        if name in self._named:
            places = self._named[name]
            return self._nearest(position, places) if places != [position] else None
        if name in self._of_kind:
            others = [place for place in self._of_kind[name] if place != position]
            return self.ids[others[0]] if len(others) == 1 else None
        if not name.isdecimal():
            return None
        return int(name) if any(place != position for place in self._places.get(int(name), ())) else None

    def in_dep(self, position: int, value: Any) -> list[int]:
        """The ids in a `dep`, however it is written: a list, a number, a name, a text such as "0, 1", or an object."""
        return list(self._in_dep(position, value, _MOST_NESTED))

    def _in_dep(self, position: int, value: Any, deeper: int) -> Iterator[int]:
        if isinstance(value, str) or (isinstance(value, float) and not value.is_integer()):
            for part in [str(value)] if self._is_name(str(value)) else re.split(r"[,;]", str(value)):
                yield from self._in_text(position, part.strip(" []'\"`"))
        elif isinstance(value, list | dict) and deeper > 0:
            inside = value.values() if isinstance(value, dict) else value
            found = [k for one in inside for k in self._in_dep(position, one, deeper - 1)]
            names = value if isinstance(value, dict) else ()
            yield from found or (k for name in names for k in self._in_dep(position, str(name), 0))
        elif (declared := as_id(value)) is not None:
            yield declared

    def _in_text(self, position: int, text: str) -> Iterator[int]:
        name = _GENERATED.sub("", text)
        if self._is_name(name):
            yield from (k for k in [self.other(position, name)] if k is not None)
        elif found := references_in(canonical(text, lambda k: k)):
            yield from found
        else:
            yield from (int(number) for number in _NUMBER.findall(text) if not number.startswith("-"))

    def _is_name(self, text: str) -> bool:
        return text.strip().casefold() in self.names


def as_id(value: Any) -> int | None:
    """The id that a value of a plan means, such as 3 or "task 3"; None if it is none."""
    if isinstance(value, str):
        match = None if len(value) > _MAX_ID_CHARS else re.fullmatch(r"(-\d{1,5})|\D*?(\d{1,5})", value.strip())
        value = int(match.group(1) or match.group(2)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_ID:
        return None
    return int(value) if int(value) == value else None


def _numbers_of(written: Sequence[Any]) -> list[int | None]:
    """The number of each id. Where two ids differ in their letters alone, such as "T1" and "S1", they are names."""
    numbers = [as_id(value) for value in written]
    letters: dict[int | None, set[str]] = defaultdict(set)
    for number, name in zip(numbers, map(_name, written), strict=True):
        letters[number].update([name.rstrip("0123456789")] if name else [])
    return [
        None if _name(value) and len(letters[number]) > 1 else number
        for number, value in zip(numbers, written, strict=True)
    ]


def _name(written: Any) -> str:
    """What an id is called if it is no number, else an empty text."""
    if not isinstance(written, str | float) or isinstance(written, bool):
        return ""
    name = str(written).strip().casefold()
    is_number = name.isdecimal() or (isinstance(written, float) and as_id(written) is not None)
    return name if not is_number and len(name) <= _MAX_ID_CHARS and any(map(str.isalnum, name)) else ""

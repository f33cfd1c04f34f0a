"""Which files the elements of each planned task come from, directly or through other tasks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan.model import PlannedTask, Scalar
from hugginggpt.plan.references import references_in, sole_reference

Names = tuple[str, ...]


def origins(tasks: Iterable[PlannedTask], files: Collection[str]) -> dict[int, list[Names]]:
    """The names of the files behind each element of each task, by the task's id.

    Args:
        tasks: in an order in which they can run.
        files: the names of the request's files.
    """
    found: dict[int, list[Names]] = {}
    for task in tasks:
        columns = list(_columns(task, files, found))
        rows = max(map(len, columns), default=1)
        found[task.id] = [
            _merged(column[row if len(column) == rows else 0] for column in columns) for row in range(rows)
        ]
    return found


def _columns(task: PlannedTask, files: Collection[str], found: Mapping[int, list[Names]]) -> Iterator[list[Names]]:
    """For each input, the files behind each of its elements; nothing for a kind that is no longer installed."""
    capability = CAPABILITIES.get(task.task)
    for name, value in task.args.items():
        wanted = capability.input(name) if capability is not None else None
        if wanted is None:
            continue
        elements = value if isinstance(value, list) else [value]
        column = [names for element in elements for names in _behind(element, files, found)]
        yield [_merged(column)] if wanted.many or not column else column


def _behind(element: Scalar, files: Collection[str], found: Mapping[int, list[Names]]) -> Sequence[Names]:
    if element in files:
        return [(str(element),)]
    sole = sole_reference(element)
    if sole is not None:
        return found.get(sole, [()])
    at_the_end = [name for name in files if str(element).endswith(f" {name}")]
    return [_merged([at_the_end, *(names for k in references_in(element) for names in found.get(k, ()))])]


def _merged(several: Iterable[Iterable[str]]) -> Names:
    return tuple(dict.fromkeys(name for names in several for name in names))

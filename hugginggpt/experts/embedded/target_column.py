"""Which column of a table is to be predicted: the one that the request names, else the one that is plainly meant."""

from collections.abc import Mapping, Sequence

from hugginggpt.errors import ExpertError
from hugginggpt.media import Table
from hugginggpt.media.numbers import NumericColumn, is_missing
from hugginggpt.text import counted

_NAMES = (
    "target targets label labels class classes category y outcome output response result prediction predicted predict "
    "dependent dependentvariable targetvariable targetcolumn classlabel ylabel"
)
_TARGETS = frozenset(_NAMES.split())
_MOST_NAMED = 12


def target_column(table: Table, named: str, numeric: Mapping[int, NumericColumn], *, of_numbers: bool) -> int:
    """The position of the column to predict.

    Without a name it is a column that is missing in some rows and filled in others: the only one, the only one named
    like a target, the only one of the right kind, or the only one that is missing in the last rows and nowhere else.

    Args:
        table: the table.
        named: the name that the request gives; empty if it gives none.
        numeric: the columns that hold numbers.
        of_numbers: numbers are to be predicted, not classes.

    Raises:
        ExpertError: there is no such column, or it is not clear which one is meant.
    """
    gaps = {at: _gaps(table, at) for at in range(len(table.columns))}
    if named.strip():
        return _named(table, named, gaps)
    possible = [at for at, rows in gaps.items() if 0 < len(rows) < len(table.rows)]
    if not possible:
        raise ExpertError(
            "No column of the table is empty in some rows and filled in others: leave the cells to predict empty."
        )
    last = len(table.rows) - 1
    for meant in (
        possible,
        [at for at in possible if _plain(table.columns[at]) in _TARGETS],
        [at for at in possible if (at in numeric) is of_numbers],
        [at for at in possible if gaps[at][-1] - gaps[at][0] + 1 == len(gaps[at]) and gaps[at][-1] == last],
    ):
        if len(meant) == 1:
            return meant[0]
    names = _listed([table.columns[at] for at in possible])
    raise ExpertError(f"Several columns have empty cells ({names}): say which of them to predict.")


def _named(table: Table, named: str, gaps: Mapping[int, Sequence[int]]) -> int:
    wanted = _plain(named)
    names = [_plain(name) for name in table.columns]
    found = [at for at, name in enumerate(table.columns) if name.strip() == named.strip()]
    found = found or [at for at, name in enumerate(names) if name == wanted]
    found = found or _longest([at for at, name in enumerate(names) if name and name in wanted], names)
    found = found or [at for at, name in enumerate(names) if wanted and wanted in name]
    if not found:
        raise ExpertError(f"The table has no column '{named.strip():.60}': its columns are {_listed(table.columns)}.")
    empty = [at for at in found if gaps[at]]
    if not empty:
        raise ExpertError(f"The column {table.columns[found[0]]} has no empty cells: leave the cells to predict empty.")
    if len(empty) > 1:
        raise ExpertError(
            f"'{named.strip():.60}' may mean {counted(len(empty), 'column')} with empty cells "
            f"({_listed([table.columns[at] for at in empty])}): give the whole name of one."
        )
    return empty[0]


def _longest(places: Sequence[int], names: Sequence[str]) -> list[int]:
    length = max((len(names[at]) for at in places), default=0)
    return [at for at in places if len(names[at]) == length]


def _gaps(table: Table, at: int) -> list[int]:
    return [number for number, row in enumerate(table.rows) if is_missing(row[at])]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > _MOST_NAMED else ""
    return ", ".join(name or "(no name)" for name in names[:_MOST_NAMED]) + more

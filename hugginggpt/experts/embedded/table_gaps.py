"""Fills the gaps in a column of a table, by learning from the other rows. Needs no model."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs
from hugginggpt.experts.embedded.target_column import target_column
from hugginggpt.experts.inputs import table_with_rows
from hugginggpt.media import Table
from hugginggpt.media.numbers import NumericColumn, is_missing, numeric_columns, why_not_numeric
from hugginggpt.models.card import Endpoint, ModelCard

_FEWEST_EXAMPLES = 4
_TREES = 200
_LARGEST = 1e38
"""Within the numbers of 32 bits, which the trees compute with."""


@dataclass(frozen=True)
class Gaps:
    """A table with a column to fill.

    Attributes:
        at: the position of that column.
        numeric: the columns that hold numbers, by position.
    """

    table: Table
    at: int
    numeric: Mapping[int, NumericColumn]

    @property
    def column(self) -> str:
        """The name of the column."""
        return self.table.columns[self.at]


@dataclass(frozen=True)
class Filled:
    """What was predicted.

    Attributes:
        found: the number of each row, counted from 0, with its prediction.
    """

    gaps: Gaps
    found: Sequence[tuple[int, Any]]

    @property
    def notes(self) -> list[str]:
        """How ambiguous numbers of the table were read, one sentence for each column."""
        return [column.note for column in self.gaps.numeric.values() if column.note]


class TableGapsExpert(Expert):
    """Trains a random forest on the rows where a column is filled, and predicts the column for the others.

    `target_column` says which column that is.
    """

    endpoint = Endpoint.EMBEDDED
    packages = ("sklearn", "numpy")
    requirement = "hugginggpt[embedded]"
    pool_key = "forest"
    of_numbers: ClassVar[bool]

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """Nothing is loaded: each table trains a model of its own."""
        return None

    def prepare(self, inputs: Inputs) -> Any:
        table = table_with_rows(inputs)
        numeric = numeric_columns(table)
        named = inputs["column"].text if "column" in inputs else ""
        return Gaps(table, target_column(table, named, numeric, of_numbers=self.of_numbers), numeric)

    def run(self, model: Any, prepared: Gaps, deadline: Deadline) -> Any:
        targets = self._targets(prepared)
        examples = [number for number, target in enumerate(targets) if target is not None]
        if len(examples) < _FEWEST_EXAMPLES:
            raise ExpertError(
                f"The column {prepared.column} is filled in only {len(examples)} rows, which is too few to learn from: "
                f"fill it in at least {_FEWEST_EXAMPLES}."
            )
        missing = [number for number, row in enumerate(prepared.table.rows) if is_missing(row[prepared.at])]
        with computing(deadline):
            features = _features(prepared)
            learner = self.estimator(_TREES).fit(features[examples], [targets[number] for number in examples])
            return Filled(prepared, list(zip(missing, self.predict(learner, features[missing]), strict=True)))

    def _targets(self, gaps: Gaps) -> Sequence[Any]:
        """What to learn, for each row; None where it is missing."""
        if not self.of_numbers:
            cells = [row[gaps.at].strip() for row in gaps.table.rows]
            return [None if is_missing(cell) else cell for cell in cells]
        if gaps.at not in gaps.numeric:
            raise ExpertError(
                f"The column {gaps.column} {why_not_numeric(gaps.table, gaps.at)}: to predict categories, use "
                "tabular-classification."
            )
        return gaps.numeric[gaps.at].values

    @abstractmethod
    def estimator(self, trees: int) -> Any:
        """An untrained estimator of scikit-learn."""

    @abstractmethod
    def predict(self, learner: Any, rows: Any) -> list[Any]:
        """One prediction for each row."""


def _features(gaps: Gaps) -> Any:
    """The other columns as numbers. A text becomes its rank in its column, and what is missing less than all others.

    Returns:
        float64, shape (rows, columns), all finite.
    """
    import numpy as np

    coded = [_coded(gaps, at) for at in range(len(gaps.table.columns)) if at != gaps.at]
    if not coded:
        raise ExpertError(f"The table has no column but {gaps.column}: add the columns to predict it from.")
    return np.array(coded, np.float64).clip(-_LARGEST, _LARGEST).T


def _coded(gaps: Gaps, at: int) -> list[float]:
    if at in gaps.numeric:
        values = gaps.numeric[at].values
        least = min(value for value in values if value is not None) if any(v is not None for v in values) else 0.0
        return [least - 1 - abs(least) if value is None else value for value in values]
    cells = [row[at].strip() for row in gaps.table.rows]
    codes = {text: float(number) for number, text in enumerate(sorted({*cells}))}
    return [-1.0 if is_missing(cell) else codes[cell] for cell in cells]

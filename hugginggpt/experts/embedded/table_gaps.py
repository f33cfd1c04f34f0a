"""Fills the gaps in a column of a table, by learning from the other rows. Needs no model."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs
from hugginggpt.experts.inputs import number_or_text, table_with_rows
from hugginggpt.media import Table
from hugginggpt.models.card import Endpoint, ModelCard

_FEWEST_EXAMPLES = 4
_TREES = 200


class TableGapsExpert(Expert):
    """Trains a random forest on the rows where a column is filled, and predicts the column for the others.

    The column is the last one that is empty in some rows and filled in others.
    """

    endpoint = Endpoint.EMBEDDED
    packages = ("sklearn", "numpy")
    requirement = "hugginggpt[embedded]"
    pool_key = "forest"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """Nothing is loaded: each table trains a model of its own."""
        return None

    def prepare(self, inputs: Inputs) -> Any:
        return table_with_rows(inputs)

    def run(self, model: Any, prepared: Table, deadline: Deadline) -> Any:
        at = _column(prepared)
        rows = [[number_or_text(cell) for cell in row] for row in prepared.rows]
        examples = [row for row in rows if row[at] is not None]
        if len(examples) < _FEWEST_EXAMPLES:
            raise ExpertError(
                f"The column {prepared.columns[at]} is filled in only {len(examples)} rows, which is too few to "
                "learn from: "
                f"fill it in at least {_FEWEST_EXAMPLES}."
            )
        gaps = [number for number, row in enumerate(rows) if row[at] is None]
        wanted = self.targets([row[at] for row in examples])
        with computing(deadline):
            features = _features([[cell for place, cell in enumerate(row) if place != at] for row in rows])
            learner = self.estimator(_TREES).fit(features[[row[at] is not None for row in rows]], wanted)
            return list(zip(gaps, self.predict(learner, features[gaps]), strict=True))

    @abstractmethod
    def estimator(self, trees: int) -> Any:
        """An untrained estimator of scikit-learn."""

    @abstractmethod
    def targets(self, cells: Sequence[Any]) -> list[Any]:
        """The values to learn, from the filled cells of the column."""

    @abstractmethod
    def predict(self, learner: Any, rows: Any) -> list[Any]:
        """One prediction for each row."""


def _column(table: Table) -> int:
    for at in range(len(table.columns) - 1, -1, -1):
        filled = sum(bool(row[at].strip()) for row in table.rows)
        if 0 < filled < len(table.rows):
            return at
    raise ExpertError(
        "No column of the table is empty in some rows and filled in others: leave the cells to predict empty."
    )


def _features(rows: Sequence[Sequence[Any]]) -> Any:
    """The cells as numbers. A text becomes its rank among the texts of its column, an empty cell -1.

    Returns:
        float64, shape (rows, columns).
    """
    import numpy as np

    coded = []
    for column in zip(*rows, strict=True):
        texts = sorted({cell for cell in column if isinstance(cell, str)})
        codes = {text: float(number) for number, text in enumerate(texts)}
        coded.append([-1.0 if cell is None else codes.get(cell, cell) for cell in column])
    return np.array(coded, np.float64).T

"""Filling the gaps of a table's column from the rows that have it: learnt on the spot, nothing to download."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs
from hugginggpt.experts.inputs import number_or_text
from hugginggpt.media import Table
from hugginggpt.models.card import Endpoint, ModelCard

_FEWEST_EXAMPLES = 4
_TREES = 200


class TableGapsExpert(Expert):
    """Learns a column from the rows in which it is filled, by a forest of trees, and predicts it for the others.

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
        if not inputs["table"].rows:
            raise ExpertError("The table has no rows: give some.")
        return inputs["table"]

    def run(self, model: Any, prepared: Table, deadline: Deadline) -> Any:
        at = _column(prepared)
        rows = [[number_or_text(cell) for cell in row] for row in prepared.rows]
        examples = [row for row in rows if row[at] is not None]
        if len(examples) < _FEWEST_EXAMPLES:
            raise ExpertError(
                f"The column {prepared.columns[at]} is filled in {len(examples)} rows, too few to learn from: "
                f"give at least {_FEWEST_EXAMPLES}."
            )
        gaps = [number for number, row in enumerate(rows) if row[at] is None]
        wanted = self.wanted([row[at] for row in examples])
        with computing(deadline):
            features = _features([[cell for place, cell in enumerate(row) if place != at] for row in rows])
            learner = self.forest(_TREES).fit(features[[row[at] is not None for row in rows]], wanted)
            return list(zip(gaps, self.predict(learner, features[gaps]), strict=True))

    @abstractmethod
    def forest(self, trees: int) -> Any:
        """What learns, of scikit-learn."""

    @abstractmethod
    def wanted(self, cells: Sequence[Any]) -> list[Any]:
        """What is learnt, from the column's filled cells."""

    @abstractmethod
    def predict(self, learner: Any, rows: Any) -> list[Any]:
        """One prediction for each row."""


def _column(table: Table) -> int:
    for at in range(len(table.columns) - 1, -1, -1):
        filled = sum(bool(row[at].strip()) for row in table.rows)
        if 0 < filled < len(table.rows):
            return at
    raise ExpertError(
        "No column of the table is empty in some rows and filled in others: leave empty what is to be predicted."
    )


def _features(rows: Sequence[Sequence[Any]]) -> Any:
    """The cells as numbers: a text as the number that its column's texts have in order, an empty cell as -1.

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

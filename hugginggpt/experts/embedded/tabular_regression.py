"""Predicts numbers for rows of a table by learning from its other rows."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.table_gaps import TableGapsExpert
from hugginggpt.experts.rendering import row_values


class TabularRegression(TableGapsExpert):
    """Predicts the number in each row where it is empty."""

    kind = "tabular-regression"

    def estimator(self, trees: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(trees, random_state=0)

    def targets(self, cells: Sequence[Any]) -> list[Any]:
        strange = next((cell for cell in cells if not isinstance(cell, float)), None)
        if strange is not None:
            raise ExpertError(f"'{strange!s:.40}' is not a number: to predict categories, use tabular-classification.")
        return list(cells)

    def predict(self, learner: Any, rows: Any) -> list[Any]:
        return [float(value) for value in learner.predict(rows)]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Only the rows that were filled, counted from 1."""
        return [row_values([{"row": number + 1, "value": value} for number, value in raw])]

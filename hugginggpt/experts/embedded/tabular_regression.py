"""Predicts numbers for rows of a table by learning from its other rows."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.table_gaps import Filled, TableGapsExpert
from hugginggpt.experts.rendering import row_values


class TabularRegression(TableGapsExpert):
    """Predicts the number in each row where it is missing."""

    kind = "tabular-regression"
    of_numbers = True

    def estimator(self, trees: int) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(trees, random_state=0)

    def predict(self, learner: Any, rows: Any) -> list[Any]:
        return [float(value) for value in learner.predict(rows)]

    def render(self, raw: Filled, inputs: Inputs) -> Outputs:
        """Only the rows that were filled, by their lines in the file."""
        gaps = raw.gaps
        found = [
            {"row": gaps.table.line_of(number), "column": gaps.column, "value": value} for number, value in raw.found
        ]
        return [row_values(found, gaps.column, gaps.numeric[gaps.at].unit, raw.notes)]

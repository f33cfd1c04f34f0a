"""Regression on the rows of a table with scikit-learn."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.tabular import TabularExpert, table_lines, table_notes
from hugginggpt.experts.rendering import row_values


class TabularRegression(TabularExpert):
    """Predicts a number for each row of a table."""

    kind = "tabular-regression"

    def predict(self, estimator: Any, rows: Any) -> Sequence[Any]:
        if hasattr(estimator, "classes_"):
            raise ExpertError("This model predicts classes, not numbers: choose a regression model.")
        return [float(value) for value in estimator.predict(rows).ravel()]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        found = [{"row": line, "value": value} for line, value in zip(table_lines(inputs), raw, strict=True)]
        return [row_values(found, notes=table_notes(inputs))]

"""Classifies rows of a table by learning from its other rows."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.table_gaps import TableGapsExpert
from hugginggpt.experts.rendering import row_classes


class TabularClassification(TableGapsExpert):
    """Predicts the class of each row where it is empty."""

    kind = "tabular-classification"

    def estimator(self, trees: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(trees, random_state=0)

    def targets(self, cells: Sequence[Any]) -> list[Any]:
        """The classes; whole numbers are written without a decimal point."""
        return [f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in cells]

    def predict(self, learner: Any, rows: Any) -> list[Any]:
        """The likeliest class of each row, and its share of the votes."""
        shares = learner.predict_proba(rows)
        return [(str(learner.classes_[row.argmax()]), float(row.max())) for row in shares]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Only the rows that were filled, counted from 1."""
        found = [{"row": number + 1, "label": label, "score": score} for number, (label, score) in raw]
        return [row_classes(found)]

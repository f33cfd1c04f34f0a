"""Classifies rows of a table by learning from its other rows."""

from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.embedded.table_gaps import Filled, TableGapsExpert
from hugginggpt.experts.rendering import row_classes


class TabularClassification(TableGapsExpert):
    """Predicts the class of each row where it is missing. Classes keep the text of their cells."""

    kind = "tabular-classification"
    of_numbers = False

    def estimator(self, trees: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(trees, random_state=0)

    def predict(self, learner: Any, rows: Any) -> list[Any]:
        """The likeliest class of each row, and its share of the votes."""
        shares = learner.predict_proba(rows)
        return [(str(learner.classes_[row.argmax()]), float(row.max())) for row in shares]

    def render(self, raw: Filled, inputs: Inputs) -> Outputs:
        """Only the rows that were filled, by their lines in the file."""
        gaps = raw.gaps
        found = [
            {"row": gaps.table.line_of(number), "column": gaps.column, "label": label, "score": score}
            for number, (label, score) in raw.found
        ]
        return [row_classes(found, gaps.column, raw.notes)]

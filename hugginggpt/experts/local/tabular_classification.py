"""Classification of the rows of a table with scikit-learn."""

from collections.abc import Sequence
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.runtime.tabular import TabularExpert, table_lines, table_notes
from hugginggpt.experts.rendering import row_classes


class TabularClassification(TabularExpert):
    """Predicts the class of each row of a table."""

    kind = "tabular-classification"

    def predict(self, estimator: Any, rows: Any) -> Sequence[Any]:
        """The label and score of each row; the score is None if the model has no probabilities."""
        if not hasattr(estimator, "classes_"):
            raise ExpertError("This model predicts numbers, not classes: choose a classification model.")
        labels = [str(label) for label in estimator.predict(rows)]
        if not hasattr(estimator, "predict_proba"):
            return [(label, None) for label in labels]
        return list(zip(labels, estimator.predict_proba(rows).max(axis=1).tolist(), strict=True))

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        lines = table_lines(inputs)
        found = [{"row": line, "label": label, "score": score} for line, (label, score) in zip(lines, raw, strict=True)]
        return [row_classes(found, notes=table_notes(inputs))]

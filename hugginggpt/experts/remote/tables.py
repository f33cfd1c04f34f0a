"""The table kinds, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.remote import parsing, payload
from hugginggpt.experts.remote.provider import RemoteExpert
from hugginggpt.experts.rendering import row_classes
from hugginggpt.media import Text


class TableQuestionAnswering(RemoteExpert):
    """Answers a question from a table."""

    kind = "table-question-answering"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"table": payload.table(inputs), "query": payload.text(inputs)}

    def parse(self, answer: Any) -> Any:
        return parsing.words(answer.answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


class TabularClassification(RemoteExpert):
    """Predicts the class of each row of a table."""

    kind = "tabular-classification"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"table": payload.table(inputs)}

    def parse(self, answer: Any) -> Any:
        labels = enumerate(parsing.listed(answer), start=1)
        return [{"row": row, "label": str(label), "score": None} for row, label in labels]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [row_classes(raw)]


# The client also has a method for tabular regression, but no provider supports it.
EXPERTS = (TableQuestionAnswering(), TabularClassification())

"""The table kinds, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import table_with_rows
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
        return [str(label) for label in parsing.listed(answer)]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        rows = range(len(table_with_rows(inputs).rows))
        lines = map(inputs["table"].line_of, rows)
        return [
            row_classes([{"row": line, "label": label, "score": None} for line, label in zip(lines, raw, strict=False)])
        ]


# The client also has a method for tabular regression, but no provider supports it.
EXPERTS = (TableQuestionAnswering(), TabularClassification())

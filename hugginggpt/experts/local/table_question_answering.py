"""Table question answering with TAPAS, through transformers."""

import re
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.inputs import table_with_rows
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.media import Text
from hugginggpt.models.card import ModelCard

_NUMBER = re.compile(r"-?\d[\d\s.,]*")


class TableQuestionAnswering(PipelineExpert):
    """Answers a question from a table. If it does not fit into the model, the last rows are left out."""

    kind = "table-question-answering"
    packages = (*PipelineExpert.packages, "pandas")

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        """Load the pipeline, which can pass a table only to TAPAS.

        Raises:
            ModelLoadError: the model belongs to another family.
        """
        model = super().load(card, context)
        if model.tool.type != "tapas":
            raise ModelLoadError(f"The model {card.id} is not a TAPAS model and cannot read tables: choose another.")
        return model

    def prepare(self, inputs: Inputs) -> Any:
        """The table with every cell as text, which the library expects, and the question."""
        import pandas

        question = inputs["text"].text.strip()
        if not question:
            raise ExpertError("The question about the table is empty: write one.")
        table = table_with_rows(inputs)
        return {"table": pandas.DataFrame(table.rows, columns=list(table.columns), dtype=object), "query": question}

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return model.run(lambda pipeline: pipeline(prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        answer = _reckoned(raw.get("aggregator", "NONE"), raw["cells"])
        if not answer:
            raise ExpertError("The model found no answer in the table: rephrase the question, or choose another model.")
        return [Text(answer)]


def _reckoned(aggregator: str, cells: list[str]) -> str:
    """The count, sum or mean of the cells; the cells themselves if nothing is to be or can be computed."""
    if aggregator == "COUNT":
        return str(len(cells))
    numbers = [_number(cell) for cell in cells]
    if aggregator not in ("SUM", "AVERAGE") or not numbers or None in numbers:
        return ", ".join(cells)
    total = sum(number for number in numbers if number is not None)
    return f"{total if aggregator == 'SUM' else total / len(numbers):.10g}"


def _number(cell: str) -> float | None:
    """The number in a cell, with a decimal point or a decimal comma."""
    found = _NUMBER.search(cell)
    if found is None:
        return None
    digits = re.sub(r"\s", "", found.group()).rstrip(".,")
    point = max(digits.rfind("."), digits.rfind(","))
    # A single separator before three digits separates thousands.
    if point >= 0 and len(digits) - point - 1 == 3 and (digits.count(".") == 0 or digits.count(",") == 0):
        point = -1
    whole = re.sub(r"[.,]", "", digits[:point] if point >= 0 else digits)
    return float(f"{whole}.{digits[point + 1 :]}" if point >= 0 else whole)

"""Table question answering with TAPAS, through transformers."""

import math
from collections.abc import Sequence
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.inputs import table_with_rows
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.media import Table, Text
from hugginggpt.media.numbers import numeric_columns
from hugginggpt.models.card import ModelCard


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
        answer = _reckoned(raw.get("aggregator", "NONE"), raw["cells"], raw["coordinates"], inputs["table"])
        if not answer:
            raise ExpertError("The model found no answer in the table: rephrase the question, or choose another model.")
        return [Text(answer)]


def _reckoned(aggregator: str, cells: Sequence[str], places: Sequence[tuple[int, int]], table: Table) -> str:
    """The count, sum or mean of the cells; the cells themselves if nothing is to be or can be computed.

    Args:
        places: the row and column of each cell.
    """
    if aggregator == "COUNT":
        return str(len(cells))
    if aggregator not in ("SUM", "AVERAGE") or len({column for _, column in places}) != 1:
        return ", ".join(cells)
    numbers = numeric_columns(table).get(places[0][1])
    found = [numbers.values[row] for row, _ in places] if numbers else []
    values = [value for value in found if value is not None]
    if numbers is None or not values:
        return ", ".join(cells)
    # Missing cells count neither in a sum nor in a mean.
    total = math.fsum(values)
    result = f"{total if aggregator == 'SUM' else total / len(values):.15g}"
    return f"{result}. {numbers.note}" if numbers.note else result

"""Table question answering by rule. What no rule understands, the controller answers from the table as a text."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.controller import QuestionAnswering
from hugginggpt.experts.embedded.table_questions.answering import answer
from hugginggpt.experts.inputs import table_with_rows
from hugginggpt.media import Table, Text, tables
from hugginggpt.models.card import Endpoint, ModelCard

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller


class TableQuestionAnswering(Expert):
    """Looks up, compares, counts and adds up cells as a question asks."""

    kind = "table-question-answering"
    endpoint = Endpoint.EMBEDDED
    pool_key = "table rules"
    uses_controller = True

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        """Nothing is loaded: the rules are code."""
        return None

    def for_request(self, model: Any, context: ExpertContext) -> Any:
        """How to get the controller, which most questions do not need."""
        return context.controller

    def prepare(self, inputs: Inputs) -> Any:
        question = inputs["text"].text.strip()
        if not question:
            raise ExpertError("The question about the table is empty: write one.")
        return question, table_with_rows(inputs)

    def run(self, model: "Callable[[], Controller]", prepared: Any, deadline: Deadline) -> Any:
        from hugginggpt.controller.text_tasks import single_questions

        question, table = prepared
        parts = single_questions(question)
        if len(parts) == 1:
            return _by_rule(question, table) or _read(model(), question, table, deadline)
        answers = [_by_rule(part.asked, table) for part in parts]
        if None in answers and not model().knows_little:
            return _read(model(), question, table, deadline)
        return "\n\n".join(
            f"{part.shown}\n{said or _read(model(), part.asked, table, deadline)}"
            for part, said in zip(parts, answers, strict=True)
        )

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


def _by_rule(question: str, table: Table) -> str | None:
    """The answer; None if no rule has one."""
    try:
        return answer(question, table)
    except ExpertError:
        return None


def _read(controller: "Controller", question: str, table: Table, deadline: Deadline) -> str:
    """What the controller, or the reader in its place, answers from the table as a text."""
    texts = QuestionAnswering()
    asked = texts.prepare({"text": Text(question), "context": Text(tables.render(table))})
    return str(texts.run(controller, asked, deadline))

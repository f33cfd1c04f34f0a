"""What patterns can tell in a text: order numbers, amounts of money, dates and e-mail addresses.

An expert that marks them, for a kind of task that is there already, and one that blackens them, for
a kind that comes with it.
"""

import re
from collections.abc import Mapping
from typing import Any

from hugginggpt.capabilities import Capability, Input, ValueType
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.rendering import entities
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard

REDACTION = Capability(
    kind="redaction",
    description="Blacken order numbers, amounts of money, dates and e-mail addresses in a text.",
    inputs=(Input("text", ValueType.TEXT),),
    outputs=(ValueType.TEXT,),
)


def card(kind: str) -> ModelCard:
    """The patterns as a model of a kind."""
    return ModelCard(
        id="acme/patterns",
        kind=kind,
        revision="1.0",  # part of what results are cached on: another one for every change that makes other results
        licence="apache-2.0",
        description="Order numbers (A-1234), amounts of money, dates and e-mail addresses; no names",
        runs_on=(Endpoint.EMBEDDED,),
    )


class Marking(Expert):
    """Says what each match is, and where."""

    kind = "token-classification"
    endpoint = Endpoint.EMBEDDED

    def supports(self, card: ModelCard) -> bool:
        """Only the model of this package: an expert of somebody else may serve this kind here too."""
        return card.id == "acme/patterns"

    def load(self, card: ModelCard, context: ExpertContext) -> Mapping[str, re.Pattern[str]]:
        """What is slow to make and can be used again and again; here it is quick."""
        return {
            "order": re.compile(r"\b[A-Z]-\d{4,}\b"),
            "amount": re.compile(r"\b\d+(?:[.,]\d\d)? ?(?:EUR|USD|€|\$)"),
            "date": re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b"),
            "e-mail": re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w"),
        }

    def prepare(self, inputs: Inputs) -> str:
        """From the kind's typed inputs to what the model takes."""
        return str(inputs["text"].text)

    def run(self, model: Mapping[str, re.Pattern[str]], prepared: str, deadline: Deadline) -> list[dict[str, Any]]:
        """The work. Long work looks at the deadline in between: nobody can interrupt it."""
        found: list[dict[str, Any]] = []
        for label, pattern in model.items():
            deadline.check()
            for match in pattern.finditer(prepared):
                place = {"start": match.start(), "end": match.end()}
                found.append({"label": label, "score": 1.0, "text": match[0], **place})
        return sorted(found, key=lambda entry: entry["start"])

    def render(self, raw: list[dict[str, Any]], inputs: Inputs) -> Outputs:
        """From what the model gave to the kind's typed outputs, one for each."""
        return [entities(raw)]


class Redaction(Marking):
    """Puts a black bar over each match."""

    kind = REDACTION.kind

    def render(self, raw: list[dict[str, Any]], inputs: Inputs) -> Outputs:
        """The text with bars as long as what they hide."""
        text = list(inputs["text"].text)
        for entry in raw:
            text[entry["start"] : entry["end"]] = "█" * (entry["end"] - entry["start"])
        return [Text("".join(text))]


KINDS = (REDACTION,)
EXPERTS = (Marking(), Redaction())
CARDS = (card(Marking.kind), card(REDACTION.kind))

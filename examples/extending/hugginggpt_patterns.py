"""Finds order numbers, amounts of money, dates and e-mail addresses in a text by regular expressions.

One expert marks them, for an existing kind of task. Another redacts them, for a kind that this package adds.
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
    description="Redact order numbers, amounts of money, dates and e-mail addresses in a text.",
    inputs=(Input("text", ValueType.TEXT),),
    outputs=(ValueType.TEXT,),
)


def card(kind: str) -> ModelCard:
    """The patterns, described as a model of a kind."""
    return ModelCard(
        id="acme/patterns",
        kind=kind,
        revision="1.0",  # results are cached by it: change it whenever the results change
        licence="apache-2.0",
        description="Order numbers (A-1234), amounts of money, dates and e-mail addresses; no names",
        runs_on=(Endpoint.EMBEDDED,),
    )


class Marking(Expert):
    """Reports each match with its label and position."""

    kind = "token-classification"
    endpoint = Endpoint.EMBEDDED

    def supports(self, card: ModelCard) -> bool:
        """Only the model of this package, because other experts may serve this kind too."""
        return card.id == "acme/patterns"

    def load(self, card: ModelCard, context: ExpertContext) -> Mapping[str, re.Pattern[str]]:
        """Whatever is slow to load and can be reused; these patterns are not slow."""
        return {
            "order": re.compile(r"\b[A-Z]-\d{4,}\b"),
            "amount": re.compile(r"\b\d+(?:[.,]\d\d)? ?(?:EUR|USD|€|\$)"),
            "date": re.compile(r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b"),
            "e-mail": re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w"),
        }

    def prepare(self, inputs: Inputs) -> str:
        """From the typed inputs of the kind to what the model takes."""
        return str(inputs["text"].text)

    def run(self, model: Mapping[str, re.Pattern[str]], prepared: str, deadline: Deadline) -> list[dict[str, Any]]:
        """The work itself. Long work checks the deadline in between, because nothing can interrupt it."""
        found: list[dict[str, Any]] = []
        for label, pattern in model.items():
            deadline.check()
            for match in pattern.finditer(prepared):
                place = {"start": match.start(), "end": match.end()}
                found.append({"label": label, "score": 1.0, "text": match[0], **place})
        return sorted(found, key=lambda entry: entry["start"])

    def render(self, raw: list[dict[str, Any]], inputs: Inputs) -> Outputs:
        """From the result of the model to the typed outputs of the kind, one value for each."""
        return [entities(raw)]


class Redaction(Marking):
    """Replaces each match with a black bar."""

    kind = REDACTION.kind

    def render(self, raw: list[dict[str, Any]], inputs: Inputs) -> Outputs:
        """The text, with bars as long as the text that they hide."""
        text = list(inputs["text"].text)
        for entry in raw:
            text[entry["start"] : entry["end"]] = "█" * (entry["end"] - entry["start"])
        return [Text("".join(text))]


KINDS = (REDACTION,)
EXPERTS = (Marking(), Redaction())
CARDS = (card(Marking.kind), card(REDACTION.kind))

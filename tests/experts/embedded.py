"""Running embedded experts with the models and hashes of the catalog."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Outputs
from hugginggpt.experts.registry import expert_for
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint
from hugginggpt.settings import Settings
from tests.experts.running import no_controller


class Embedded:
    """The embedded expert of a kind, with its model loaded."""

    def __init__(self, expert: Expert, model: Any) -> None:
        self.expert = expert
        self.model = model

    def __call__(self, *, seconds: float = 300.0, **inputs: Any) -> Outputs:
        raw = self.expert.run(self.model, self.expert.prepare(inputs), Deadline(seconds))
        return self.expert.render(raw, inputs)


@contextmanager
def embedded(kind: str) -> Iterator[Embedded]:
    """Load the model that the catalog names first."""
    card = next(card for card in bundled_cards()[kind] if Endpoint.EMBEDDED in card.runs_on)
    expert = expert_for(card, Endpoint.EMBEDDED)
    assert expert is not None
    model = expert.load(card, ExpertContext(Settings(), no_controller))
    try:
        yield Embedded(expert, model)
    finally:
        if hasattr(model, "close"):
            model.close()

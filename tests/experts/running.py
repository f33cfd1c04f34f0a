"""Running one local expert on one element, as the flow does it, without a flow."""

from typing import Any

from hugginggpt.catalog.card import ModelCard
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Outputs, Surroundings
from hugginggpt.experts.local import EXPERTS
from hugginggpt.settings import Settings
from tests.stand_ins.tiny_models import MODELS


def no_controller() -> Any:
    """What a local expert must never ask for."""
    raise AssertionError("a local expert asked for the controller")


def run(
    settings: Settings,
    kind: str,
    model: str | None = None,
    *,
    revision: str | None = None,
    seconds: float = 300.0,
    **inputs: Any,
) -> Outputs:
    """Load a model (the kind's tiny one when none is given) and run its expert on these inputs."""
    expert = next(e for e in EXPERTS if e.kind == kind)
    card = ModelCard(id=model or MODELS[kind], kind=kind, revision=revision)
    loaded = expert.load(card, Surroundings(settings, no_controller))
    return expert.render(expert.run(loaded, expert.prepare(inputs), Deadline(seconds)), inputs)

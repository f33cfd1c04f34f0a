"""Which runtimes serve each kind of task, and which model to start with."""

from dataclasses import dataclass

from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.catalog.known import known_cards
from hugginggpt.experts.registry import expert_for, experts_for
from hugginggpt.models.card import Endpoint, ModelCard


@dataclass(frozen=True)
class KindSupport:
    """A kind, the endpoints where an installed expert serves it, and its default model.

    Attributes:
        default: the first model known without the Hub that one of these runtimes can load, embedded models
            first; None if only the controller serves the kind.
    """

    capability: Capability
    runtimes: tuple[Endpoint, ...]
    default: ModelCard | None


def supported_kinds() -> list[KindSupport]:
    """Every kind in the table's order, regardless of this machine's keys, packages and memory."""
    supported = []
    for capability in CAPABILITIES.values():
        runtimes = tuple(endpoint for endpoint in Endpoint if experts_for(capability.kind, endpoint))
        supported.append(KindSupport(capability, runtimes, _default(capability.kind, runtimes)))
    return supported


def _default(kind: str, runtimes: tuple[Endpoint, ...]) -> ModelCard | None:
    cards = [card for card in known_cards(kind) if not (card.custom_code or card.gated)]
    by_distance = (
        card
        for runtime in runtimes
        for card in cards
        if runtime in card.runs_on
        and expert_for(card, runtime)
        and not (runtime is Endpoint.LOCAL and (card.safetensors is False or card.needs))
    )
    return next(by_distance, None)

"""Which runtimes serve each kind of task, and with which model one would begin."""

from dataclasses import dataclass

from hugginggpt.capabilities import CAPABILITIES, Capability
from hugginggpt.catalog.bundled import bundled_cards
from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.experts.registry import experts


@dataclass(frozen=True)
class KindSupport:
    """A kind, the endpoints that an installed expert serves it at, and its default model.

    Attributes:
        default: the first model of the bundled list that one of these runtimes can load, embedded ones
            before others; None where only the controller serves the kind.
    """

    capability: Capability
    runtimes: tuple[Endpoint, ...]
    default: ModelCard | None


def supported_kinds() -> list[KindSupport]:
    """Every kind in the table's order, whatever of it this machine has keys, packages or memory for."""
    served = {(expert.kind, expert.endpoint) for expert in experts()}
    supported = []
    for capability in CAPABILITIES.values():
        runtimes = tuple(endpoint for endpoint in Endpoint if (capability.kind, endpoint) in served)
        supported.append(KindSupport(capability, runtimes, _default(capability.kind, runtimes)))
    return supported


def _default(kind: str, runtimes: tuple[Endpoint, ...]) -> ModelCard | None:
    cards = [card for card in bundled_cards().get(kind, ()) if not (card.custom_code or card.gated)]
    by_distance = (
        card
        for runtime in runtimes
        for card in cards
        if runtime in card.runs_on and not (runtime is Endpoint.LOCAL and (card.safetensors is False or card.needs))
    )
    return next(by_distance, None)

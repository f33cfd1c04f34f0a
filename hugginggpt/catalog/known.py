"""The models that are known without the Hub."""

from hugginggpt.experts.registry import plugin_cards
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import ModelCard


def known_cards(kind: str) -> tuple[ModelCard, ...]:
    """The cards of a kind from plugins, then those from the bundled list.

    A plugin's card replaces a bundled card of the same id.
    """
    offered = plugin_cards(kind)
    ids = {card.id for card in offered}
    return (*offered, *(card for card in bundled_cards().get(kind, ()) if card.id not in ids))

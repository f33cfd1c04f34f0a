"""The models that a user has downloaded for a kind. Their cards lie beside the weights, and go with them."""

import logging
from pathlib import Path

from hugginggpt.models.card import Endpoint, ModelCard

logger = logging.getLogger(__name__)

_CARDS = "cards"


def keep_card(card: ModelCard, cache: Path) -> None:
    """Note that a model in the cache of weights is for the kind of its card, at whatever revision is there."""
    folder = cache / f"models--{card.id.replace('/', '--')}" / _CARDS
    folder.mkdir(exist_ok=True)
    kept = card.model_copy(update={"revision": None, "runs_on": (Endpoint.LOCAL,)})
    (folder / f"{card.kind}.json").write_text(kept.model_dump_json(), encoding="utf-8")


def fetched_cards(kind: str, cache: Path) -> list[ModelCard]:
    """The cards of a kind that were kept, by id. What cannot be read counts as none."""
    cards = []
    for path in sorted(cache.glob(f"models--*/{_CARDS}/{kind}.json")):
        try:
            cards.append(ModelCard.model_validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            logger.warning("The card %s cannot be read: %s", path, type(error).__name__)
    return cards

"""How a new lookup of a kind differs from the previous one."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from hugginggpt.models.card import ModelCard


class CatalogChanges(BaseModel):
    """How the Hub's models of a kind differ from those of the previous lookup.

    Attributes:
        models: how many the Hub lists now.
        new: ids that were not listed before; all ids after the first lookup.
        gone: ids that are no longer listed.
        revised: ids that are at another commit.
        moved: ids whose rank by downloads changed among those of both lookups, as "id (3 to 1)".
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    models: int
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()


def changes(kind: str, before: Sequence[ModelCard], after: Sequence[ModelCard]) -> CatalogChanges:
    """Compare two lookups of a kind."""
    old, new = {card.id: card for card in before}, {card.id: card for card in after}
    both = [name for name in new if name in old]
    ranks_before, ranks = _ranks([old[name] for name in both]), _ranks([new[name] for name in both])
    return CatalogChanges(
        kind=kind,
        models=len(new),
        new=tuple(name for name in new if name not in old),
        gone=tuple(name for name in old if name not in new),
        revised=tuple(name for name in both if new[name].revision != old[name].revision),
        moved=tuple(
            f"{name} ({ranks_before[name]} to {ranks[name]})" for name in both if ranks[name] != ranks_before[name]
        ),
    )


def _ranks(cards: Sequence[ModelCard]) -> dict[str, int]:
    by_downloads = sorted(cards, key=lambda card: (-card.downloads, card.id))
    return {card.id: rank for rank, card in enumerate(by_downloads, 1)}

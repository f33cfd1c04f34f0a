"""The installed experts, found through the entry points in `ENTRY_POINT_GROUP`.

The experts of this project are found the same way as those of other packages. If two experts serve the same kind at
the same endpoint, the other package's is asked first, because users who install a plugin want it used.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TypeVar

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.experts.base import Expert
from hugginggpt.models.card import Endpoint, ModelCard

ENTRY_POINT_GROUP = "hugginggpt.experts"
_OURS = "hugginggpt"

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class _Registry:
    """What is installed, with the experts of other packages first."""

    experts: dict[tuple[str, Endpoint], list[Expert]]
    cards: dict[str, list[ModelCard]]


@lru_cache(maxsize=1)
def _registry() -> _Registry:
    """Read once per process, so a newly installed plugin needs a new process."""
    found = _Registry(defaultdict(list), defaultdict(list))
    for entry in sorted(
        entry_points(group=ENTRY_POINT_GROUP),
        key=lambda e: (_distribution(e) == _OURS, _distribution(e), e.name),
    ):
        experts, cards = _offered(entry)
        for expert in experts:
            found.experts[expert.kind, expert.endpoint].append(expert)
        for card in cards:
            found.cards[card.kind].append(card)
    return found


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""


def _offered(entry: EntryPoint) -> tuple[list[Expert], list[ModelCard]]:
    """The usable experts and cards of an entry point. A broken plugin must not affect the others."""
    name = f"{entry.name} of {_distribution(entry) or 'an unknown package'}"
    try:
        module = entry.load()
        experts, cards = list(module.EXPERTS), list(getattr(module, "CARDS", ()))
    except Exception as error:
        logger.warning("The experts plugin %s cannot be used: %s: %s", name, type(error).__name__, error)
        return [], []
    return (
        _usable(name, experts, _is_expert, "an expert for a known kind"),
        _usable(name, cards, _is_card, "the card of a model for a known kind"),
    )


def _usable(name: str, offered: list[T], fits: Callable[[T], bool], what: str) -> list[T]:
    for one in offered:
        if not fits(one):
            logger.warning("The experts plugin %s offers %r, which is not %s.", name, one, what)
    return [one for one in offered if fits(one)]


def _is_expert(offered: object) -> bool:
    return isinstance(offered, Expert) and offered.kind in CAPABILITIES and offered.endpoint in set(Endpoint)


def _is_card(offered: object) -> bool:
    return isinstance(offered, ModelCard) and offered.kind in CAPABILITIES


def experts() -> tuple[Expert, ...]:
    """Every installed expert, even if packages it needs are missing."""
    return tuple(expert for experts in _registry().experts.values() for expert in experts)


def plugin_cards(kind: str) -> tuple[ModelCard, ...]:
    """The cards of models of a kind that come with plugins."""
    return tuple(_registry().cards.get(kind, ()))


def experts_for(kind: str, endpoint: Endpoint) -> tuple[Expert, ...]:
    """The experts that run models of a kind at an endpoint, in the order in which they are asked."""
    return tuple(_registry().experts.get((kind, endpoint), ()))


def expert_for(card: ModelCard, endpoint: Endpoint) -> Expert | None:
    """The expert that runs a model at an endpoint; None if there is none."""
    return next((expert for expert in experts_for(card.kind, endpoint) if expert.supports(card)), None)


def missing_packages(expert: Expert) -> str | None:
    """One sentence on the packages that an expert lacks, with how to get them; None if it lacks none."""
    missing = [name for name in expert.packages if not is_installed(name)]
    if not missing:
        return None
    needs = f"{expert.kind} ({expert.endpoint}) needs {', '.join(missing)}"
    if expert.not_here:
        return f"{needs}, which cannot be installed here: use {expert.not_here}."
    quoted = expert.requirement if expert.requirement.startswith("-") else f'"{expert.requirement}"'
    wanted = quoted if expert.requirement else " ".join(missing)
    return f"{needs}: run `pip install {wanted}`."


_found: set[str] = set()


def is_installed(package: str) -> bool:
    """Whether a package can be imported. What was found once is not looked for again, what was not found is."""
    if package not in _found and find_spec(package) is not None:
        _found.add(package)
    return package in _found

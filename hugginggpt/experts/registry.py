"""Which expert runs a kind at an endpoint: whatever the entry points in `GROUP` offer.

Ours are found the same way as a stranger's. Of two experts for the same kind and endpoint the
stranger's counts: whoever installs a plugin wants it used.
"""

import logging
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.card import Endpoint
from hugginggpt.experts.base import Expert

GROUP = "hugginggpt.experts"
OURS = "hugginggpt"

logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _table() -> dict[tuple[str, Endpoint], Expert]:
    """Read once: installing a plugin takes a new process to show."""
    entries = sorted(entry_points(group=GROUP), key=lambda e: (_distribution(e) != OURS, _distribution(e), e.name))
    return {(e.kind, e.endpoint): e for entry in entries for e in _offered(entry)}


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""


def _offered(entry: EntryPoint) -> list[Expert]:
    """The usable experts behind an entry point. A broken plugin must not take the others with it."""
    name = f"{entry.name} of {_distribution(entry) or 'an unknown package'}"
    try:
        offered = list(entry.load().EXPERTS)
    except Exception as error:
        logger.warning("The experts plugin %s cannot be used: %s: %s", name, type(error).__name__, error)
        return []
    usable = []
    for expert in offered:
        if isinstance(expert, Expert) and expert.kind in CAPABILITIES and expert.endpoint in set(Endpoint):
            usable.append(expert)
        else:
            logger.warning("The experts plugin %s offers %r, which is no expert for a known kind.", name, expert)
    return usable


def experts() -> tuple[Expert, ...]:
    """Every expert that is installed, whether or not what it needs is."""
    return tuple(_table().values())


def expert_for(kind: str, endpoint: Endpoint) -> Expert | None:
    """The expert that runs a kind at an endpoint; None when there is none."""
    return _table().get((kind, endpoint))


def obstacle(expert: Expert) -> str | None:
    """One sentence on the packages an expert lacks, with the command that installs them; None when it lacks none."""
    missing = [name for name in expert.packages if find_spec(name) is None]
    if not missing:
        return None
    wanted = f'"{expert.install}"' if expert.install else " ".join(missing)
    return f"{expert.kind} ({expert.endpoint}) needs {', '.join(missing)}: run pip install {wanted}."

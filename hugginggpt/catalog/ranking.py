"""The order in which candidates are shown and tried."""

from collections.abc import Iterable
from math import inf

from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.settings import InferenceMode

ALLOWED: dict[InferenceMode, frozenset[Endpoint]] = {
    "local": frozenset({Endpoint.EMBEDDED, Endpoint.CONTROLLER, Endpoint.LOCAL}),
    "remote": frozenset({Endpoint.REMOTE, Endpoint.CONTROLLER}),
    "hybrid": frozenset(Endpoint),
}
"""Where experts may run in each mode."""


def ranked(candidates: Iterable[Candidate], mode: InferenceMode, *, small_controller: bool = False) -> list[Candidate]:
    """Candidates in rank order.

    First come those that can run; among these, those that have not mostly failed here lately
    (`Figures.failing`); then the nearest: embedded, controller, installed, to be downloaded, remote
    (in remote mode, remote before the controller). An embedded model that does only a part of its kind comes just
    before what has to be downloaded, and before a small controller. Ties go to more downloads, smaller size, id,
    endpoint.

    Args:
        candidates: of one kind.
        mode: where experts may run.
        small_controller: the controller is the embedded one, so installed models come before it.
    """

    def key(candidate: Candidate) -> tuple[bool, bool, int, int, float, str, str, Endpoint]:
        card = candidate.card
        size = inf if card.bytes is None else card.bytes
        blocked = candidate.obstacle is not None
        failing = candidate.figures is not None and candidate.figures.failing
        same = (card.id, card.revision or "", candidate.endpoint)
        return (blocked, failing, _distance(candidate, mode, small_controller), -card.downloads, size, *same)

    return sorted(candidates, key=key)


def _distance(candidate: Candidate, mode: InferenceMode, small_controller: bool) -> int:
    match candidate.endpoint:
        case Endpoint.EMBEDDED:
            return 3 if candidate.card.narrow else 0
        case Endpoint.CONTROLLER:
            return 4 if small_controller else 1
        case Endpoint.LOCAL:
            return 2 if candidate.installed else 5
        case Endpoint.REMOTE:
            return 0 if mode == "remote" else 6

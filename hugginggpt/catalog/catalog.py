"""Which models can do a kind of task here, and why the others cannot."""

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hugginggpt.capabilities import CAPABILITIES, known_kind
from hugginggpt.catalog.changes import CatalogChanges, changes
from hugginggpt.catalog.hub import LIMIT, Hub
from hugginggpt.catalog.known import known_cards
from hugginggpt.catalog.obstacles import find_obstacle
from hugginggpt.catalog.ranking import ALLOWED, ranked
from hugginggpt.errors import ConfigurationError, DatabaseUnavailableError, HubUnavailableError
from hugginggpt.experts.registry import expert_for, experts_for
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.models.disk import COMMIT, fetched_cards, installed_commit
from hugginggpt.models.figures import Figures, Measurement
from hugginggpt.plan import Plan
from hugginggpt.settings import Settings

logger = logging.getLogger(__name__)

_HERE = frozenset({Endpoint.EMBEDDED, Endpoint.CONTROLLER})


class CatalogStore(Protocol):
    """What the processes of an installation share about models. The trace database implements it."""

    def cards(self, kind: str) -> tuple[list[ModelCard], datetime] | None:
        """The cards of the latest lookup of a kind, and its time; None if there was none."""

    def kinds(self) -> frozenset[str]:
        """The kinds that were looked up."""

    def save_cards(self, kind: str, cards: Sequence[ModelCard]) -> None:
        """Replace the cards of a kind."""

    def measurement(self, max_age: float) -> Measurement:
        """The figures of all models, measured again if they are older than this many seconds."""


class Catalog:
    """The models of every kind: bundled, from plugins, from the Hub, fetched, and the controller itself.

    With the embedded controller and no Hub token, only models that run here without a download are
    offered, and the Hub is not asked. It is asked only if a plan names a kind that neither an embedded model nor the
    controller can do, or if a user asks for a list or a download.

    Args:
        store: shares live lookups, which this process keeps for `settings.catalog_ttl` seconds, and
            measurements of the models' runs, which it keeps for `settings.figures_ttl`.
        controller_model: name of the controller's model, for the kinds that it can do itself.
    """

    def __init__(self, settings: Settings, store: CatalogStore | None = None, controller_model: str = "") -> None:
        self._settings = settings
        self._store = store
        self._controller_model = controller_model
        self._hub = Hub(settings)
        self._stays_here = settings.uses_embedded_controller and settings.hf_token is None
        self._looked_up: dict[str, tuple[list[ModelCard], float]] = {}
        self._measurement: Measurement | None = None
        self._measuring = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def candidates(self, kind: str, live: bool = True, *, ask_hub: bool = False) -> list[Candidate]:
        """Every model of a kind at every endpoint that the settings allow, in rank order.

        Args:
            kind: a name in `CAPABILITIES`.
            live: look the kind up on the Hub if the last lookup is too old.
            ask_hub: ask the Hub even where the embedded controller would not.

        Raises:
            UsageError: there is no such kind.
        """
        return self._found(known_kind(kind), live, may_fetch=True, ask_hub=ask_hub)

    def is_current(self, kind: str) -> bool:
        """Whether `candidates` does not ask the Hub about a kind, because it may not or need not.

        Raises:
            UsageError: there is no such kind.
        """
        if self._settings.hf_hub_offline or self._does_here(self._here(known_kind(kind))):
            return True
        with self._locks[kind]:
            return not self._is_to_be_looked_up(kind, self._last_lookup(kind)[1])

    def downloads(self, kind: str) -> list[Candidate]:
        """Every local model of a kind in rank order, for a user who wants a download.

        For these, it does not matter that the embedded controller downloads nothing on its own.

        Raises:
            UsageError: there is no such kind.
        """
        found = self._found(known_kind(kind), live=True, may_fetch=True, automatic=False)
        return [c for c in found if c.endpoint is Endpoint.LOCAL]

    def card(self, model: str, kind: str | None) -> ModelCard:
        """The card of any model from the Hub, or a card with only its id if the Hub does not answer.

        Args:
            model: its id on the Hub.
            kind: its kind; None to use the Hub's tag.
        """
        found = self._hub.card(model, kind or "") or ModelCard(id=model, kind=kind or "")
        return found if kind or found.tag not in CAPABILITIES else found.model_copy(update={"kind": found.tag})

    def offered_kinds(self) -> tuple[str, ...]:
        """The kinds that some model can do here, in the table's order.

        This looks up no models on the Hub, but probes it if downloads are allowed. With the embedded
        controller and no token they are not, so kinds that would need a download are not offered.
        """
        may_fetch = not self._stays_here
        saved = self._saved()
        return tuple(kind for kind in CAPABILITIES if self._is_offered(kind, may_fetch, saved))

    def why_not(self, kind: str) -> str:
        """One sentence that says what a kind lacks to run here; empty when it can run.

        Raises:
            UsageError: there is no such kind.
        """
        candidates = self.candidates(kind, live=False)
        if any(c.obstacle is None for c in candidates):
            return ""
        # Something that an expert lacks can be fixed; a missing expert is the least helpful reason.
        nearest = next((c for c in candidates if experts_for(kind, c.endpoint)), None)
        if nearest is not None:
            return f"{kind} cannot run here. {nearest.obstacle}"
        others = sorted({e for e in Endpoint if e not in self._allowed and experts_for(kind, e)})
        if others:
            return (
                f"{kind} runs only {' or '.join(others)}, which "
                f"HUGGINGGPT_INFERENCE_MODE={self._settings.inference_mode} rules out: set it to hybrid."
            )
        return f"{kind} cannot run here: no installed expert does it, so install a package that offers one."

    def obstacles(self, plan: Plan, elsewhere: Container[str] = (), *, half: bool = False) -> list[str]:
        """Why tasks of a plan cannot run here, one sentence each.

        Args:
            plan: the plan.
            elsewhere: kinds that other processes can do, so they need not run here.
            half: it is enough that some task can run.
        """
        kinds = {task.task for task in plan.tasks if task.task not in elsewhere}
        reasons = {kind: why for kind in kinds if (why := self.why_not(kind))}
        if half and any(not task.needs and task.task not in reasons for task in plan.tasks):
            return []
        return [f"Task {task.id}: {reasons[task.task]}" for task in plan.tasks if task.task in reasons]

    def refresh(self, kind: str) -> CatalogChanges:
        """Look a kind up on the Hub, however recent the last lookup is. If that fails, the last lookup stays in use.

        Args:
            kind: a kind that the Hub has a tag for.

        Raises:
            ConfigurationError: the Hub may not be asked.
            HubUnavailableError: the Hub cannot be reached, does not answer completely, or suddenly lists no models.
            DatabaseUnavailableError: the answer cannot be saved.
        """
        if self._settings.hf_hub_offline:
            raise ConfigurationError(f"The Hub was not asked for models of {kind} because HF_HUB_OFFLINE is set.")
        with self._locks[kind]:
            known, _ = self._last_lookup(kind)
            found = self._ask_hub(kind)
            if found is None:
                why = self._hub.obstacle() or f"the Hub at {self._hub.url} did not answer in time"
                raise HubUnavailableError(f"The models of {kind} were not looked up: {why}.")
            if known and not found:
                raise HubUnavailableError(
                    f"The Hub at {self._hub.url} suddenly lists no models of {kind}, which is unlikely: "
                    "the last lookup stays in use."
                )
            if self._store is not None:
                self._store.save_cards(kind, found)
            self._looked_up[kind] = (found, time.monotonic())
            return changes(kind, known, found)

    def pin(self, card: ModelCard) -> ModelCard:
        """The card with its revision resolved to a commit, from the cache of weights or the Hub.

        An embedded model's version stays as it is, and so does a revision that cannot be resolved.
        """
        if self.is_pinned(card):
            return card
        commit = installed_commit(card.id, self._settings.models_cache_dir, card.revision, tuple(card.sha256))
        if commit is None:
            live = self._hub.card(card.id, card.kind)
            commit = live.revision if live else None
        return card if commit is None else card.model_copy(update={"revision": commit})

    def is_pinned(self, card: ModelCard) -> bool:
        """Whether `pin` leaves the card as it is, without a look anywhere."""
        return set(card.runs_on) <= _HERE or bool(card.revision and COMMIT.fullmatch(card.revision))

    def with_own_controller(self, candidate: Candidate) -> Candidate:
        """The candidate with this process's controller, if the choice was made with another one."""
        card, model = candidate.card, self._controller_model
        if not model:
            return candidate
        if candidate.endpoint is Endpoint.CONTROLLER:
            card = card.model_copy(update={"id": model})
        elif card.controller is not None:
            card = card.model_copy(update={"revision": card.weights_revision}).answered_by(model)
        return candidate.model_copy(update={"card": card})

    def at_existing_commit(self, candidate: Candidate) -> Candidate:
        """The candidate at a commit that exists: a commit from an earlier lookup may be gone from the Hub.

        If so, the model is used at its latest commit, and its kind is looked up again.
        """
        card = candidate.card
        if candidate.endpoint is not Endpoint.LOCAL or card.hub != self._hub.url or card.revision is None:
            return candidate
        if installed_commit(card.id, self._settings.models_cache_dir, card.revision, tuple(card.sha256)):
            return candidate
        if not self._hub.lacks(card.id, card.revision):
            return candidate
        self._live_cards(card.kind, may_ask=True, anew=True)
        latest = self._hub.card(card.id, card.kind)
        if latest is None or latest.revision is None:
            return candidate
        return candidate.model_copy(update={"card": card.model_copy(update={"revision": latest.revision})})

    @property
    def _allowed(self) -> frozenset[Endpoint]:
        return ALLOWED[self._settings.inference_mode]

    def _found(
        self, kind: str, live: bool, may_fetch: bool, *, ask_hub: bool = False, automatic: bool = True
    ) -> list[Candidate]:
        """The candidates of a kind in rank order.

        Args:
            kind: a name in `CAPABILITIES`.
            live: look the kind up on the Hub if downloads are allowed and the last lookup is too old.
            may_fetch: whether models that are not downloaded yet count as able to run.
            ask_hub: look the kind up even if downloads are not allowed.
            automatic: no user asked for a download; see `Catalog`.
        """
        here = self._here(kind)
        stays_here = automatic and self._does_here(here)
        fetches = may_fetch and not stays_here
        elsewhere = self._elsewhere(kind, self._live_cards(kind, live and (fetches or ask_hub)), fetches)
        figures = self._figures()
        found = [
            c.model_copy(update={"figures": figures.get((kind, c.card.id, c.endpoint))}) for c in (*here, *elsewhere)
        ]
        small = self._settings.uses_embedded_controller
        return ranked(found, self._settings.inference_mode, small_controller=small)

    def _is_offered(self, kind: str, may_fetch: bool, saved: Container[str]) -> bool:
        """Whether some model of a kind can run here.

        Args:
            kind: a name in `CAPABILITIES`.
            may_fetch: whether models that are not downloaded yet count as able to run.
            saved: the kinds whose latest lookup may be in the store.
        """
        here = self._here(kind)
        if any(candidate.obstacle is None for candidate in here):
            return True
        listed = self._live_cards(kind, may_ask=False) if kind in saved or kind in self._looked_up else []
        return any(candidate.obstacle is None for candidate in self._elsewhere(kind, listed, may_fetch))

    def _elsewhere(self, kind: str, listed: Sequence[ModelCard], fetches: bool) -> list[Candidate]:
        """The candidates of a kind that are downloaded, or run somewhere else.

        Args:
            kind: a name in `CAPABILITIES`.
            listed: the Hub's models of the kind.
            fetches: whether models that are not downloaded yet count as able to run.
        """
        known = known_cards(kind)
        gone = _gone(known, listed, self._hub.url)
        return [
            self._candidate(card, endpoint, fetches=fetches, listed=card.id not in gone)
            for card in _merged(known, listed, fetched_cards(kind, self._settings.models_cache_dir))
            for endpoint in card.runs_on
            if endpoint in self._allowed - _HERE
        ]

    def _here(self, kind: str) -> list[Candidate]:
        """The candidates of a kind that need no download."""
        return [
            self._candidate(card, endpoint)
            for card in (*known_cards(kind), *self._controller_cards(kind))
            for endpoint in card.runs_on
            if endpoint in _HERE & self._allowed
        ]

    def _does_here(self, here: Sequence[Candidate]) -> bool:
        """Whether one of these candidates is enough, so that the Hub is not asked for others."""
        return self._stays_here and any(c.obstacle is None for c in here)

    def _controller_cards(self, kind: str) -> list[ModelCard]:
        if not experts_for(kind, Endpoint.CONTROLLER) or not self._controller_model:
            return []
        what = "The language model that also plans and answers."
        return [ModelCard(id=self._controller_model, kind=kind, description=what, runs_on=(Endpoint.CONTROLLER,))]

    def _candidate(
        self, card: ModelCard, endpoint: Endpoint, *, fetches: bool = True, listed: bool = True
    ) -> Candidate:
        commit = None
        expert = expert_for(card, endpoint)
        if endpoint is Endpoint.EMBEDDED and expert is not None and expert.uses_controller and self._controller_model:
            card = card.answered_by(self._controller_model)
        if endpoint is Endpoint.LOCAL:
            commit = installed_commit(card.id, self._settings.models_cache_dir, card.revision, tuple(card.sha256))
        if commit is not None:
            # An installed model is used as it is: a newer commit on the Hub is no reason to download it.
            card = card.model_copy(update={"revision": commit})
        installed = commit is not None or endpoint in _HERE
        obstacle = find_obstacle(
            card, endpoint, self._settings, self._hub, installed=installed, fetches=fetches, listed=listed
        )
        return Candidate(card=card, endpoint=endpoint, installed=installed, obstacle=obstacle)

    def _live_cards(self, kind: str, may_ask: bool, anew: bool = False) -> list[ModelCard]:
        """The latest lookup of a kind; a new one if `may_ask`, the Hub answers, and it is too old or wanted `anew`."""
        with self._locks[kind]:
            cards, age = self._last_lookup(kind)
            if not may_ask or not self._is_to_be_looked_up(kind, math.inf if anew else age):
                return cards
            found = self._ask_hub(kind)
            if found is None:
                return cards
            self._looked_up[kind] = (found, time.monotonic())
            self._keep(kind, found)
            return found

    def _is_to_be_looked_up(self, kind: str, age: float) -> bool:
        """Whether the latest lookup of a kind, of this age in seconds, is too old, and the Hub has such a kind."""
        return age >= self._settings.catalog_ttl and CAPABILITIES[kind].pipeline_tag is not None

    def _ask_hub(self, kind: str) -> list[ModelCard] | None:
        """The Hub's models of a kind; None if its answer is not complete."""
        found = self._hub.cards(kind)
        if found is None or len(found) >= LIMIT:
            return found
        # The Hub listed everything that it has, so known models that it may have under another tag are worth a lookup.
        ids = {card.id for card in found}
        wanted = [c for c in known_cards(kind) if c.id not in ids and not set(c.runs_on) <= _HERE]
        found += [card for c in wanted if (card := self._hub.card(c.id, kind))]
        # If the Hub went down meanwhile, the models it did not answer for would count as gone.
        return None if wanted and self._hub.obstacle() else found

    def _last_lookup(self, kind: str) -> tuple[list[ModelCard], float]:
        """Its cards and its age in seconds; no cards and an infinite age if this Hub was never asked."""
        if kind in self._looked_up:
            cards, at = self._looked_up[kind]
            return cards, time.monotonic() - at
        kept = self._kept(kind)
        if kept is None or not kept[0] or any(card.hub != self._hub.url for card in kept[0]):
            return [], float("inf")
        cards, saved = kept
        return cards, (datetime.now(UTC) - saved).total_seconds()

    def _saved(self) -> Container[str]:
        try:
            return self._store.kinds() if self._store is not None else ()
        except DatabaseUnavailableError as error:
            logger.warning("The last lookups cannot be read: %s", error.message)
            return ()

    def _kept(self, kind: str) -> tuple[list[ModelCard], datetime] | None:
        try:
            return self._store.cards(kind) if self._store is not None else None
        except DatabaseUnavailableError as error:
            logger.warning("The last lookup of %s cannot be read: %s", kind, error.message)
            return None

    def _keep(self, kind: str, cards: Sequence[ModelCard]) -> None:
        try:
            if self._store is not None:
                self._store.save_cards(kind, cards)
        except DatabaseUnavailableError as error:
            logger.warning("The lookup of %s cannot be saved: %s", kind, error.message)

    def _figures(self) -> Mapping[tuple[str, str, str], Figures]:
        """The figures of the models that all processes share."""
        if self._store is None:
            return {}
        with self._measuring:
            oldest = datetime.now(UTC) - timedelta(seconds=self._settings.figures_ttl)
            if self._measurement is None or self._measurement.at <= oldest:
                try:
                    self._measurement = self._store.measurement(self._settings.figures_ttl)
                except DatabaseUnavailableError as error:
                    logger.warning("The measurements of models cannot be read: %s", error.message)
            return self._measurement.figures if self._measurement else {}


def _merged(known: Sequence[ModelCard], listed: Sequence[ModelCard], fetched: Sequence[ModelCard]) -> list[ModelCard]:
    """The known cards updated from the Hub's, then the Hub's other cards, then the other fetched ones.

    Known cards keep their descriptions and endpoints, which were written with care.
    """
    by_id = {card.id: card for card in listed}
    known = [card for card in known if not set(card.runs_on) <= _HERE]
    ids = {card.id for card in known}
    found = [_updated(c, by_id[c.id]) if c.id in by_id else c for c in known] + [c for c in listed if c.id not in ids]
    return found + [c for c in fetched if c.id not in ids | by_id.keys()]


def _updated(card: ModelCard, live: ModelCard) -> ModelCard:
    known = {
        "revision": live.revision,
        "library": live.library,
        "licence": live.licence,
        "bytes": live.bytes,
        "safetensors": live.safetensors,
        "served": live.served,
    }
    certain = {"downloads": live.downloads, "likes": live.likes, "gated": live.gated, "hub": live.hub}
    certain["custom_code"] = live.custom_code
    return card.model_copy(update=certain | {name: value for name, value in known.items() if value is not None})


def _gone(known: Sequence[ModelCard], listed: Sequence[ModelCard], url: str) -> set[str]:
    """The known ids that this Hub does not have, because its list was complete without them."""
    complete = 0 < len(listed) < LIMIT and all(card.hub == url for card in listed)
    return {card.id for card in known} - {card.id for card in listed} if complete else set()

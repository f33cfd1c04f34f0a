"""The pool of loaded models, and its rules.

1. A model is loaded once, however many ask for it at the same time: the others wait for that load.
2. It is brought here first, in a thread of its own and with no room taken, so that whoever waits obeys
   its own deadline. What its files hold says how much memory it takes as which type.
3. Every memory, the processor's and each accelerator's, has a budget. `device.py` says which of them a
   model goes to. One that no memory can hold is refused before anything is loaded.
4. To make room, the least recently used of the idle models goes first.
5. A model in use never goes. If too much is in use, a new one waits; if nobody waits for it any more,
   it is not loaded. A load that has begun is kept for the next who asks.
6. What a loaded model says of its own size counts; what runs elsewhere takes nothing.
7. A failed load is not remembered: all who wait for it are told, the next one tries again.
8. A model that goes is closed, and its memory is given back to the system.
"""

import atexit
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from hugginggpt.deadline import POLL_SECONDS, Deadline
from hugginggpt.errors import ExpertError, HuggingGPTError, ModelLoadError
from hugginggpt.experts.base import Expert, Surroundings
from hugginggpt.experts.device import CPU, Accelerator, Room, Spot, accelerators, choose, dtype_on, possible, spots
from hugginggpt.experts.memory import give_back, loading_weights, memory_budget
from hugginggpt.experts.weights import Weights
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, listening, report
from hugginggpt.settings import Settings

logger = logging.getLogger(__name__)

_Key = tuple[str, str, str | None]

_MEMORIES = {CPU: "in the processor's memory"}


@dataclass
class _Entry:
    """A model on its way or, once `ready`, loaded. Its users include those who wait for it.

    Attributes:
        takes: bytes of each memory; nothing before room was made.
        progress: how far its download is.
    """

    takes: dict[str, int] = field(default_factory=dict)
    progress: Progress | None = None
    model: Any = None
    ready: bool = False
    error: HuggingGPTError | None = None
    users: int = 0
    last_used: int = 0


class ModelPool:
    """Loaded models, shared by all threads of a process; the module says by which rules.

    Args:
        settings: what is allowed.
        on: the accelerators; those of this machine when None, looked for when the first model is loaded.
    """

    def __init__(self, settings: Settings, on: Sequence[Accelerator] | None = None) -> None:
        self._settings = settings
        self._on = on
        self._budgets = {CPU: memory_budget(settings)}
        self._entries: dict[_Key, _Entry] = {}
        self._changed = threading.Condition()
        self._uses = 0
        self._closed = False

    @contextmanager
    def use(self, expert: Expert, card: ModelCard, surroundings: Surroundings, deadline: Deadline) -> Iterator[Any]:
        """The model of a card: loaded if need be, and kept loaded inside the block.

        Raises:
            ModelLoadError: it cannot be found, trusted or loaded, or is too big for this machine.
            DeadlineExceededError: it was not there in time.
            ExpertError: what else its expert raised while loading; or the pool is closed.
        """
        entry = self._acquire(expert, card, surroundings, deadline)
        try:
            yield expert.bind(entry.model, surroundings)
        finally:
            self._release(entry)

    @property
    def budget(self) -> int:
        """Bytes that models in the processor's memory may take."""
        return self._budgets[CPU]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def loaded(self, on: str | None = None) -> tuple[str, ...]:
        """The ids of the loaded models, the least recently used first.

        Args:
            on: only of those whose weights lie in this memory.
        """
        with self._changed:
            ready = [
                (entry.last_used, key[1])
                for key, entry in self._entries.items()
                if entry.ready and (on is None or on == next(iter(entry.takes), None))
            ]
        return tuple(name for _, name in sorted(ready))

    def close(self) -> None:
        """Let every idle model go, and the others once they are idle. Nothing new is loaded."""
        with self._changed:
            self._closed = True
            gone = self._trim()
            self._changed.notify_all()
        _dispose(gone)

    def _acquire(self, expert: Expert, card: ModelCard, surroundings: Surroundings, deadline: Deadline) -> _Entry:
        with self._changed:
            entry = self._find(expert, card, surroundings)
            entry.users += 1
        began = time.monotonic()
        try:
            while not self._ready(entry, deadline):
                deadline.loading = time.monotonic() - began
                deadline.check()
                if (progress := entry.progress) is not None:
                    report(progress)
        except BaseException:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()
            raise
        if deadline.loading is not None:
            deadline.loading = time.monotonic() - began
        return entry

    def _ready(self, entry: _Entry, deadline: Deadline) -> bool:
        """Whether a model is loaded now, after a short wait for it."""
        with self._changed:
            if not entry.ready and entry.error is None:
                self._changed.wait(min(POLL_SECONDS, deadline.remaining()))
            if entry.error is not None:
                # Each thread raises an instance of its own: a shared one would mix their tracebacks.
                raise type(entry.error)(entry.error.message)
            return entry.ready

    def _find(self, expert: Expert, card: ModelCard, surroundings: Surroundings) -> _Entry:
        """The entry of a card; its load is begun if it is new. The lock is held."""
        key = (expert.loads, card.id, card.weights_revision)
        if key not in self._entries:
            if self._closed:
                raise _closed()
            self._entries[key] = _Entry()
            args = (key, self._entries[key], expert, card, surroundings)
            threading.Thread(target=self._bring, args=args, name=f"load {card.id}", daemon=True).start()
        return self._entries[key]

    def _bring(self, key: _Key, entry: _Entry, expert: Expert, card: ModelCard, surroundings: Surroundings) -> None:
        """Fetch and load a model, and tell those who wait: what a thread of its own does."""
        model: Any = None
        error: HuggingGPTError | None = None
        try:
            model = self._load(key, entry, expert, card, surroundings)
        except BaseException as raised:  # whatever it is, those who wait must hear of it
            logger.info("The model %s was not loaded.", card.id, exc_info=True)
            error = _told(raised, card)
        with self._changed:
            if error is None:
                # From here on the entry alone holds it.
                entry.model, entry.ready, model = model, True, None
                self._touch(entry)
                gone = self._trim()
            else:
                entry.error = error
                self._forget(key, entry)
                gone = []
            self._changed.notify_all()
        if error is not None:
            give_back()  # what had been loaded of it
        _dispose(gone)

    def _load(self, key: _Key, entry: _Entry, expert: Expert, card: ModelCard, surroundings: Surroundings) -> Any:
        with listening(lambda progress: setattr(entry, "progress", progress)):
            weights = expert.fetch(card, surroundings)
        entry.progress = None
        found = self._spots(expert, card, weights)
        spot = self._make_room(key, entry, card, found)
        folders = weights.folders if weights is not None else {}
        surroundings = replace(surroundings, device=spot.device, offloaded=spot.offloaded, folders=folders)
        with loading_weights():
            model = expert.load(card, surroundings)
        lies_in = next(iter(spot.takes), None)
        size = getattr(model, "bytes", None)
        if lies_in is not None and size is not None:
            with self._changed:
                entry.takes[lies_in] = size
            if size > self._budgets[lies_in]:
                unwanted = [model]
                del model
                _dispose(unwanted)
                raise self._too_big(card, [Spot(spot.device, {lies_in: size})])
        return model

    def _spots(self, expert: Expert, card: ModelCard, weights: Weights | None) -> list[Spot]:
        """Where a model may go, and what it takes there: by its files, else by its card; nothing while unknown."""
        size = card.bytes or 0
        if expert.endpoint is Endpoint.EMBEDDED:
            return [Spot(CPU, {CPU: size})]
        if expert.endpoint is not Endpoint.LOCAL:
            return [Spot(CPU, {})]
        on = accelerators(self._settings) if self._on is None else self._on
        with self._changed:
            self._on = on
            self._budgets |= {one.memory: one.budget for one in on}
        if weights is None:
            return [Spot(CPU, {CPU: size}), *(Spot(one.name, {one.memory: size}) for one in on)]
        return spots(weights, on, dtype_on(CPU, weights.stored, self._settings), offloads=expert.offloads)

    def _make_room(self, key: _Key, entry: _Entry, card: ModelCard, found: Sequence[Spot]) -> Spot:
        """Take room for a model, as soon as there is any, and let those go that are in its way."""
        fit = possible(found, self._budgets)
        if not fit:
            raise self._too_big(card, found)
        with self._changed:
            while (spot := choose(fit, self._rooms())) is None and entry.users and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _closed()
            if spot is None or not entry.users:
                # Forgotten before the lock is: who asks from now on begins anew.
                self._forget(key, entry)
                raise ExpertError(f"Nobody waits for the model {card.id} any more.")
            entry.takes = dict(spot.takes)
            gone = self._trim()
        _dispose(gone)
        return spot

    def _too_big(self, card: ModelCard, found: Sequence[Spot]) -> ModelLoadError:
        takes = ", ".join(
            f"{_mib(size)} of {_mib(self._budgets[memory])} {_MEMORIES.get(memory, f'on {memory}')}"
            for spot in found
            if not spot.offloaded
            for memory, size in spot.takes.items()
        )
        return ModelLoadError(
            f"The model {card.id} is too big for what models may take here ({takes}): choose a smaller one, or raise "
            "HUGGINGGPT_MODEL_MEMORY or HUGGINGGPT_ACCELERATOR_MEMORY."
        )

    def _release(self, entry: _Entry) -> None:
        with self._changed:
            entry.users -= 1
            self._touch(entry)
            gone = self._trim()
            self._changed.notify_all()
        _dispose(gone)

    def _touch(self, entry: _Entry) -> None:
        self._uses += 1
        entry.last_used = self._uses

    def _forget(self, key: _Key, entry: _Entry) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]

    def _idle(self) -> list[_Key]:
        """Whom eviction would take, in its order."""
        idle = [key for key, entry in self._entries.items() if entry.ready and not entry.users]
        return sorted(idle, key=lambda key: self._entries[key].last_used)

    def _rooms(self) -> dict[str, Room]:
        def taken(entries: Iterable[_Entry], memory: str) -> int:
            return sum(entry.takes.get(memory, 0) for entry in entries)

        idle = [self._entries[key] for key in self._idle()]
        return {
            memory: Room(budget, taken(self._entries.values(), memory), taken(idle, memory))
            for memory, budget in self._budgets.items()
        }

    def _trim(self) -> list[Any]:
        """Take out idle models of memories that are over their budgets; all idle ones once the pool is closed."""
        gone = []
        for key in self._idle():
            over = [memory for memory, room in self._rooms().items() if room.used > room.budget]
            if self._closed or any(self._entries[key].takes.get(memory) for memory in over):
                entry = self._entries.pop(key)
                gone.append(entry.model)
                entry.model = None
        return gone


def _told(raised: BaseException, card: ModelCard) -> HuggingGPTError:
    """What those who wait are told. It holds no traceback, which would hold what had been loaded."""
    if isinstance(raised, HuggingGPTError):
        return type(raised)(raised.message)
    reason = next((line for line in str(raised).splitlines() if line.strip()), type(raised).__name__)[:300]
    return ModelLoadError(f"The model {card.id} could not be loaded: {reason.rstrip('.')}.")


def _closed() -> ExpertError:
    return ExpertError("The pool of models is closed, because the process is ending.")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _dispose(models: list[Any]) -> None:
    """Close models and give their memory back. Empties the list, so that nobody holds them any more."""
    if not models:
        return
    while models:
        model = models.pop()
        if hasattr(model, "close"):
            try:
                model.close()
            except Exception:
                logger.warning("A model could not be closed.", exc_info=True)
        del model
    give_back()


_pool: ModelPool | None = None
_pool_lock = threading.Lock()


def get_pool(settings: Settings) -> ModelPool:
    """The pool of this process, made with these settings if there is none or it was closed."""
    global _pool
    with _pool_lock:
        if _pool is None or _pool.closed:
            _pool = ModelPool(settings)
            atexit.register(_pool.close)
        return _pool

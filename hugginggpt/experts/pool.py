"""The pool of loaded models, and its rules.

1. A model is loaded once, however many requests ask for it at the same time. A thread of its own loads it, and each
   request waits within its own deadline.
2. The files are fetched before any memory is reserved. Their headers say how much memory the model needs.
3. The processor's memory and that of each accelerator have a budget. `device.py` chooses where a model goes. A model
   that fits nowhere is refused before it is loaded.
4. To make room, idle models are evicted, the least recently used first. A model in use is never evicted.
5. If too much is in use, a new model waits, unless no request waits for it any more. A load that has begun is finished.
6. The size that a loaded model reports replaces the estimate. A model that runs elsewhere takes no memory.
7. A failed load is not remembered: every waiting request gets the error, and the next request tries again.
8. An evicted model is closed, and its memory, if that is much, goes back to the system at once.
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
from hugginggpt.experts.base import Expert, ExpertContext
from hugginggpt.experts.device import (
    CPU,
    Accelerator,
    MemoryUse,
    Placement,
    accelerators,
    choose_placement,
    dtype_on,
    feasible,
    placements,
)
from hugginggpt.experts.weights import Weights
from hugginggpt.memory import loading_weights, memory_budget, release_memory
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, listening, report
from hugginggpt.settings import Settings

logger = logging.getLogger(__name__)

_Key = tuple[str, str, str | None]

_MEMORIES = {CPU: "in the processor's memory"}

_MUCH = 16 * 2**20
"""From so many bytes on it is worth looking through all objects of the process, which takes up to half a second."""


@dataclass
class _Entry:
    """A model that is being loaded or, once `ready`, is loaded.

    Attributes:
        takes: bytes in each memory; empty until room was made.
        progress: the progress of the download.
        users: requests that use the model or wait for it.
    """

    takes: dict[str, int] = field(default_factory=dict)
    progress: Progress | None = None
    model: Any = None
    ready: bool = False
    error: HuggingGPTError | None = None
    users: int = 0
    last_used: int = 0

    @property
    def size(self) -> int:
        """Bytes that the model takes in all memories."""
        return sum(self.takes.values())


class ModelPool:
    """Loaded models, shared by all threads of a process. The module's docstring lists the rules.

    Args:
        settings: the memory budgets and devices.
        on: the accelerators; if None, those of this machine, detected when the first model is loaded.
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
    def use(self, expert: Expert, card: ModelCard, context: ExpertContext, deadline: Deadline) -> Iterator[Any]:
        """The model of a card, loaded if necessary and kept loaded inside the block.

        Raises:
            ModelLoadError: the model cannot be found, trusted or loaded, or is too big for this machine.
            DeadlineExceededError: the model was not loaded in time.
            ExpertError: the expert raised it while loading, or the pool is closed.
        """
        entry = self._acquire(expert, card, context, deadline)
        try:
            yield expert.for_request(entry.model, context)
        finally:
            self._release(entry)

    @property
    def budget(self) -> int:
        """Bytes that models may take in the processor's memory."""
        return self._budgets[CPU]

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def loaded(self, on: str | None = None) -> tuple[str, ...]:
        """The ids of the loaded models, the least recently used first.

        Args:
            on: only models whose weights are in this memory.
        """
        with self._changed:
            ready = [
                (entry.last_used, key[1])
                for key, entry in self._entries.items()
                if entry.ready and (on is None or on == next(iter(entry.takes), None))
            ]
        return tuple(name for _, name in sorted(ready))

    def close(self) -> None:
        """Evict every idle model now and the others once they are idle. Load nothing new."""
        with self._changed:
            self._closed = True
            gone = self._trim()
            self._changed.notify_all()
        _dispose(gone)

    def _acquire(self, expert: Expert, card: ModelCard, context: ExpertContext, deadline: Deadline) -> _Entry:
        with self._changed:
            entry = self._find(expert, card, context)
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
        """Wait briefly for a model; return whether it is loaded."""
        with self._changed:
            if not entry.ready and entry.error is None:
                self._changed.wait(min(POLL_SECONDS, deadline.remaining()))
            if entry.error is not None:
                # Each thread raises its own instance, because a shared one would mix their tracebacks.
                raise type(entry.error)(entry.error.message)
            return entry.ready

    def _find(self, expert: Expert, card: ModelCard, context: ExpertContext) -> _Entry:
        """The entry of a card. Starts loading a new one. The caller holds the lock."""
        key = (expert.pool_key, card.id, card.weights_revision)
        if key not in self._entries:
            if self._closed:
                raise _closed()
            self._entries[key] = _Entry()
            args = (key, self._entries[key], expert, card, context)
            threading.Thread(target=self._bring, args=args, name=f"load {card.id}", daemon=True).start()
        return self._entries[key]

    def _bring(self, key: _Key, entry: _Entry, expert: Expert, card: ModelCard, context: ExpertContext) -> None:
        """Fetch and load a model, and notify the waiting threads. Runs in a thread of its own."""
        model: Any = None
        error: HuggingGPTError | None = None
        try:
            model = self._load(key, entry, expert, card, context)
        except BaseException as raised:  # whatever it is, the waiting threads must get it
            logger.info("The model %s was not loaded.", card.id, exc_info=True)
            error = _told(raised, card)
        with self._changed:
            if error is None:
                # From here on only the entry holds the model.
                entry.model, entry.ready, model = model, True, None
                self._touch(entry)
                gone = self._trim()
            else:
                entry.error = error
                self._forget(key, entry)
                gone = []
            self._changed.notify_all()
        if error is not None and entry.size >= _MUCH:
            release_memory()  # of a partial load
        _dispose(gone)

    def _load(self, key: _Key, entry: _Entry, expert: Expert, card: ModelCard, context: ExpertContext) -> Any:
        with listening(lambda progress: setattr(entry, "progress", progress)):
            weights = expert.fetch(card, context)
        entry.progress = None
        found = self._placements(expert, card, weights)
        placement = self._make_room(key, entry, card, found)
        folders = weights.folders if weights is not None else {}
        context = replace(context, device=placement.device, offloaded=placement.offloaded, folders=folders)
        with loading_weights():
            model = expert.load(card, context)
        lies_in = next(iter(placement.takes), None)
        size = getattr(model, "bytes", None)
        if lies_in is not None and size is not None:
            with self._changed:
                entry.takes[lies_in] = size
            if size > self._budgets[lies_in]:
                unwanted = _Entry({lies_in: size}, model=model)
                del model
                _dispose([unwanted])
                raise self._too_big(card, [Placement(placement.device, {lies_in: size})])
        return model

    def _placements(self, expert: Expert, card: ModelCard, weights: Weights | None) -> list[Placement]:
        """Where a model may go and how much it takes there, by its files, else by its card; 0 bytes if unknown."""
        size = card.bytes or 0
        if expert.endpoint is Endpoint.EMBEDDED:
            return [Placement(CPU, {CPU: size})]
        if expert.endpoint is not Endpoint.LOCAL:
            return [Placement(CPU, {})]
        on = accelerators(self._settings) if self._on is None else self._on
        with self._changed:
            self._on = on
            self._budgets |= {one.memory: one.budget for one in on}
        if weights is None:
            return [Placement(CPU, {CPU: size}), *(Placement(one.name, {one.memory: size}) for one in on)]
        return placements(
            weights, on, dtype_on(CPU, weights.stored_dtype, self._settings), offloading=expert.supports_offloading
        )

    def _make_room(self, key: _Key, entry: _Entry, card: ModelCard, found: Sequence[Placement]) -> Placement:
        """Reserve memory for a model as soon as there is enough, and evict models for it."""
        fit = feasible(found, self._budgets)
        if not fit:
            raise self._too_big(card, found)
        with self._changed:
            while (placement := choose_placement(fit, self._rooms())) is None and entry.users and not self._closed:
                self._changed.wait()
            if self._closed:
                raise _closed()
            if placement is None or not entry.users:
                # Forgotten while the lock is held: the next request starts a new load.
                self._forget(key, entry)
                raise ExpertError(f"Nobody is waiting for the model {card.id} any more.")
            entry.takes = dict(placement.takes)
            gone = self._trim()
        _dispose(gone)
        return placement

    def _too_big(self, card: ModelCard, found: Sequence[Placement]) -> ModelLoadError:
        takes = ", or ".join(
            f"{_mib(size)} {_MEMORIES.get(memory, f'on {memory}')}, where {_mib(self._budgets[memory])} are allowed"
            for placement in found
            if not placement.offloaded
            for memory, size in placement.takes.items()
        )
        return ModelLoadError(
            f"The model {card.id} is too big (it needs {takes}): choose a smaller one, or raise "
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
        """The models that may be evicted, in that order."""
        idle = [key for key, entry in self._entries.items() if entry.ready and not entry.users]
        return sorted(idle, key=lambda key: self._entries[key].last_used)

    def _rooms(self) -> dict[str, MemoryUse]:
        def taken(entries: Iterable[_Entry], memory: str) -> int:
            return sum(entry.takes.get(memory, 0) for entry in entries)

        idle = [self._entries[key] for key in self._idle()]
        return {
            memory: MemoryUse(budget, taken(self._entries.values(), memory), taken(idle, memory))
            for memory, budget in self._budgets.items()
        }

    def _trim(self) -> list[_Entry]:
        """Remove idle models from memories over budget, or all idle models once the pool is closed; return them."""
        gone = []
        for key in self._idle():
            over = [memory for memory, room in self._rooms().items() if room.used > room.budget]
            if self._closed or any(self._entries[key].takes.get(memory) for memory in over):
                gone.append(self._entries.pop(key))
        return gone


def _told(raised: BaseException, card: ModelCard) -> HuggingGPTError:
    """The error for the waiting threads. Without a traceback, which would keep a partly loaded model in memory."""
    if isinstance(raised, HuggingGPTError):
        return type(raised)(raised.message)
    reason = next((line for line in str(raised).splitlines() if line.strip()), type(raised).__name__)[:300]
    return ModelLoadError(f"The model {card.id} could not be loaded: {reason.rstrip('.')}.")


def _closed() -> ExpertError:
    return ExpertError("The model pool is closed because the process is ending.")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def _dispose(gone: Sequence[_Entry]) -> None:
    """Close models and release their memory. Afterwards nothing here holds them any more."""
    for entry in gone:
        model, entry.model = entry.model, None
        if hasattr(model, "close"):
            try:
                model.close()
            except Exception:
                logger.warning("A model could not be closed.", exc_info=True)
        del model
    if sum(entry.size for entry in gone) >= _MUCH:
        release_memory()


_pool: ModelPool | None = None
_pool_lock = threading.Lock()


def get_pool(settings: Settings) -> ModelPool:
    """The pool of this process, created with these settings if there is none or it was closed."""
    global _pool
    with _pool_lock:
        if _pool is None or _pool.closed:
            _pool = ModelPool(settings)
            atexit.register(_pool.close)
        return _pool

"""The pool of loaded models, and its rules.

1. A model is loaded once, however many ask for it at the same time: the others wait for that load.
2. Loading goes on in a thread of its own, so that whoever waits obeys its own deadline; a load
   that outlives its askers is kept for the next one.
3. All models together stay within the budget. A model's size is what its card says, and what it
   says of itself once loaded; what runs elsewhere takes nothing.
4. To make room, the least recently used of the idle models goes first.
5. A model in use never goes. If too much is in use, a new one waits until there is room.
6. A model bigger than the whole budget is refused.
7. A failed load is not remembered: all who wait for it are told, the next one tries again.
8. A model that goes is closed, and its memory is given back to the system.
"""

import atexit
import ctypes
import gc
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import GLANCE, Deadline
from hugginggpt.errors import ExpertError, HuggingGPTError, ModelLoadError
from hugginggpt.experts.base import Expert, Surroundings
from hugginggpt.settings import Settings

logger = logging.getLogger(__name__)

_Key = tuple[str, str, str | None]


@dataclass
class _Entry:
    """A model that is loading or, once `ready`, loaded. Its users include those who wait for it."""

    size: int
    model: Any = None
    ready: bool = False
    error: HuggingGPTError | None = None
    users: int = 0
    last_used: int = 0


class ModelPool:
    """Loaded models, shared by all threads of a process; the module says by which rules."""

    def __init__(self, settings: Settings) -> None:
        self.budget = memory_budget(settings)
        self._entries: dict[_Key, _Entry] = {}
        self._changed = threading.Condition()
        self._uses = 0
        self._closed = False

    @contextmanager
    def use(self, expert: Expert, card: ModelCard, surroundings: Surroundings, deadline: Deadline) -> Iterator[Any]:
        """The model of a card: loaded if need be, and kept loaded inside the block.

        Raises:
            ModelLoadError: it cannot be found, trusted or loaded, or is bigger than the budget.
            DeadlineExceededError: it was not there in time.
            ExpertError: what else its expert raised while loading; or the pool is closed.
        """
        entry = self._acquire(expert, card, surroundings, deadline)
        try:
            yield expert.bind(entry.model, surroundings)
        finally:
            self._release(entry)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def loaded(self) -> tuple[str, ...]:
        """The ids of the loaded models, the least recently used first."""
        with self._changed:
            ready = [(entry.last_used, key[1]) for key, entry in self._entries.items() if entry.ready]
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
            while (entry := self._find(expert, card, surroundings)) is None:
                self._wait(deadline)
            entry.users += 1
            try:
                while not entry.ready:
                    if entry.error is not None:
                        # Each thread raises an instance of its own: a shared one would mix their tracebacks.
                        raise type(entry.error)(entry.error.message) from entry.error
                    self._wait(deadline)
            except BaseException:
                entry.users -= 1
                raise
            return entry

    def _wait(self, deadline: Deadline) -> None:
        deadline.check()
        self._changed.wait(min(GLANCE, deadline.remaining()))

    def _find(self, expert: Expert, card: ModelCard, surroundings: Surroundings) -> _Entry | None:
        """The entry of a card, its load begun if it is new; None while there is no room. The lock is held."""
        key = (expert.loads, card.id, card.weights_revision)
        if key in self._entries:
            return self._entries[key]
        if self._closed:
            raise ExpertError("The pool of models is closed, because the process is ending.")
        entry = _Entry(_expected_size(expert, card))
        self._refuse_if_too_big(card, entry.size)
        gone = self._make_room(entry.size)
        if gone is None:
            return None
        self._entries[key] = entry
        args = (key, entry, expert, card, surroundings, gone)
        threading.Thread(target=self._load, args=args, name=f"load {card.id}", daemon=True).start()
        return entry

    def _load(
        self, key: _Key, entry: _Entry, expert: Expert, card: ModelCard, surroundings: Surroundings, gone: list[Any]
    ) -> None:
        """Load a model and tell those who wait: what a thread of its own does."""
        model: Any = None
        error: HuggingGPTError | None = None
        try:
            _dispose(gone)
            model = expert.load(card, surroundings)
            entry.size = getattr(model, "bytes", entry.size)
            self._refuse_if_too_big(card, entry.size)
        except HuggingGPTError as raised:
            error = raised
        except BaseException as raised:  # whatever it is, those who wait must hear of it
            logger.info("Loading %s failed unexpectedly.", card.id, exc_info=True)
            reason = next((line for line in str(raised).splitlines() if line.strip()), type(raised).__name__)[:300]
            error = ModelLoadError(f"The model {card.id} could not be loaded: {reason}")
        with self._changed:
            if error is None:
                entry.model, entry.ready = model, True
                self._touch(entry)
                unwanted = self._trim()
            else:
                entry.error = error
                del self._entries[key]
                unwanted = [] if model is None else [model]
            self._changed.notify_all()
        del model
        _dispose(unwanted)

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

    def _refuse_if_too_big(self, card: ModelCard, size: int) -> None:
        if size > self.budget:
            raise ModelLoadError(
                f"The model {card.id} takes {_mib(size)} where all loaded models may take {_mib(self.budget)}: "
                "choose a smaller one or raise HUGGINGGPT_MODEL_MEMORY."
            )

    def _idle(self) -> list[_Key]:
        """Whom eviction would take, in its order."""
        idle = [key for key, entry in self._entries.items() if entry.ready and not entry.users]
        return sorted(idle, key=lambda key: self._entries[key].last_used)

    def _used(self) -> int:
        return sum(entry.size for entry in self._entries.values())

    def _make_room(self, size: int) -> list[Any] | None:
        """Take out as many idle models as have to go for so many bytes; None, and none goes, if that is not enough."""
        room = self.budget - self._used()
        going: list[_Key] = []
        for key in self._idle():
            if room >= size:
                break
            room += self._entries[key].size
            going.append(key)
        return [self._entries.pop(key).model for key in going] if room >= size else None

    def _trim(self) -> list[Any]:
        """Take out the idle models that are over the budget, all of them once the pool is closed."""
        gone = []
        for key in self._idle():
            if self._closed or self._used() > self.budget:
                gone.append(self._entries.pop(key).model)
        return gone


def _expected_size(expert: Expert, card: ModelCard) -> int:
    """What a card says of the memory its model will take here, in bytes; 0 while unknown."""
    return (card.bytes or 0) if expert.endpoint in (Endpoint.EMBEDDED, Endpoint.LOCAL) else 0


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
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    # glibc keeps freed memory for itself unless told; other C libraries lack the call.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def memory_budget(settings: Settings) -> int:
    """Bytes that all loaded models may take: the setting, else half of the memory this process may have."""
    if settings.model_memory is not None:
        return settings.model_memory
    import psutil  # type: ignore[import-untyped]

    total = int(psutil.virtual_memory().total)
    # In a container, the memory of the machine is not what a process may take.
    with suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total // 2


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

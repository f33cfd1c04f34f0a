"""The long-lived objects of a process, each opened on first use."""

import threading
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Generic, TypeVar

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.home import open_home
from hugginggpt.settings import get_settings

if TYPE_CHECKING:
    from hugginggpt.catalog.catalog import Catalog
    from hugginggpt.controller.client import Controller
    from hugginggpt.trace.store import Trace

T = TypeVar("T")


class _Once(Generic[T]):
    """A function that opens an object on its first call and returns the same one to all threads.

    With `lru_cache`, threads that make the first call at the same time would each open one.
    """

    def __init__(self, open: Callable[[], T]) -> None:
        self._open = open
        self._lock = threading.Lock()
        self._opened: T | None = None
        update_wrapper(self, open)

    def __call__(self) -> T:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def __reduce__(self) -> str:
        # Pickled by name, like a function, because tasks that are sent to expert workers refer to it.
        return self._open.__name__

    def forget(self) -> T | None:
        """Forget the object, so that the next call opens another; return it if it was open."""
        with self._lock:
            opened, self._opened = self._opened, None
            return opened


@_Once
def get_trace() -> "Trace":
    """The trace database, migrated.

    Raises:
        ConfigurationError: the home folder cannot be kept private.
        DatabaseUnavailableError: it cannot be reached.
    """
    from hugginggpt.trace.store import Trace

    open_home(get_settings().home_dir)
    return Trace.open(get_settings())


@_Once
def get_store() -> ArtifactStore:
    """The artifact store.

    Raises:
        ConfigurationError: its URL cannot be used, or the home folder cannot be kept private.
    """
    open_home(get_settings().home_dir)
    return ArtifactStore.from_settings(get_settings())


@_Once
def get_controller() -> "Controller":
    """The controller. Its calls are not recorded; `Controller.recording` returns one whose calls are."""
    from hugginggpt.controller.client import Controller

    return Controller.from_settings(get_settings())


@_Once
def get_catalog() -> "Catalog":
    """The catalog of models, which keeps cards from the Hub in the trace database."""
    from hugginggpt.catalog.catalog import Catalog

    return Catalog(get_settings(), get_trace().models, get_controller().model)


def reset() -> None:
    """Close and forget all of them, and the settings, so that the next use reads the environment again."""
    from hugginggpt.experts.pool import get_pool

    get_pool(get_settings()).close()
    get_catalog.forget()
    get_store.forget()
    if (controller := get_controller.forget()) is not None:
        controller.close()
    if (trace := get_trace.forget()) is not None:
        trace.close()
    get_settings.cache_clear()

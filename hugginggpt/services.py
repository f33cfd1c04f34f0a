"""The long-lived objects of a process, each opened when it is first asked for."""

from functools import lru_cache
from typing import TYPE_CHECKING

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.home import open_home
from hugginggpt.settings import get_settings

if TYPE_CHECKING:
    from hugginggpt.catalog.catalog import Catalog
    from hugginggpt.controller.client import Controller
    from hugginggpt.trace.store import Trace


@lru_cache(maxsize=1)
def get_trace() -> "Trace":
    """The trace database, migrated.

    Raises:
        ConfigurationError: the home folder cannot be kept private.
        DatabaseUnavailableError: it cannot be reached.
    """
    from hugginggpt.trace.store import Trace

    open_home(get_settings().home_dir)
    return Trace.open(get_settings())


@lru_cache(maxsize=1)
def get_store() -> ArtifactStore:
    """The artifact store.

    Raises:
        ConfigurationError: its URL cannot be used, or the home folder cannot be kept private.
    """
    open_home(get_settings().home_dir)
    return ArtifactStore.from_settings(get_settings())


@lru_cache(maxsize=1)
def get_controller() -> "Controller":
    """The controller. Its calls are not recorded; those of the one that `Controller.recording` returns are."""
    from hugginggpt.controller.client import Controller

    return Controller.from_settings(get_settings())


@lru_cache(maxsize=1)
def get_catalog() -> "Catalog":
    """The catalog of models, with live cards kept in the trace database."""
    from hugginggpt.catalog.catalog import Catalog

    return Catalog(get_settings(), get_trace(), get_controller().model)


def reset() -> None:
    """Close and forget all of them, and the settings: the next use reads the environment again."""
    from hugginggpt.experts.pool import get_pool

    get_pool(get_settings()).close()
    if get_controller.cache_info().currsize:
        get_controller().close()
    if get_trace.cache_info().currsize:
        get_trace().close()
    for cached in (get_catalog, get_controller, get_trace, get_store, get_settings):
        cached.cache_clear()

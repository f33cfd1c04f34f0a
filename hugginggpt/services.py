"""The long-lived parts of one process, each opened once, when first asked for."""

from functools import lru_cache
from typing import TYPE_CHECKING

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.settings import get_settings

if TYPE_CHECKING:
    from hugginggpt.catalog.catalog import Catalog
    from hugginggpt.controller.client import Controller
    from hugginggpt.trace.store import Trace


@lru_cache(maxsize=1)
def get_trace() -> "Trace":
    """The trace database, migrated.

    Raises:
        DatabaseUnavailableError: it cannot be reached.
    """
    from hugginggpt.trace.store import Trace

    return Trace.open(get_settings())


@lru_cache(maxsize=1)
def get_store() -> ArtifactStore:
    """The artifact store."""
    return ArtifactStore.from_settings(get_settings())


@lru_cache(maxsize=1)
def get_controller() -> "Controller":
    """The controller; its calls are recorded by whoever asks for `recording(...)` of it."""
    from hugginggpt.controller.client import Controller

    return Controller.from_settings(get_settings())


@lru_cache(maxsize=1)
def get_catalog() -> "Catalog":
    """The catalog of models, with live cards kept in the trace database."""
    from hugginggpt.catalog.catalog import Catalog

    return Catalog(get_settings(), get_trace(), get_controller().model)


def reset() -> None:
    """Forget them all, settings included, so that the next use reads the environment again."""
    from hugginggpt.experts.pool import get_pool

    for service in (get_catalog, get_controller, get_trace):
        if service.cache_info().currsize and service is not get_catalog:
            service().close()  # type: ignore[union-attr]
        service.cache_clear()
    get_store.cache_clear()
    get_pool(get_settings()).close()
    get_settings.cache_clear()

"""What the expert workers of an `up` do, as their Dask scheduler knows it."""

from dataclasses import dataclass

SECONDS = 5
"""How long asking them may take."""


@dataclass(frozen=True)
class ExpertWorker:
    """A process that runs experts.

    Attributes:
        at_work: how many tasks it has.
        models: the models that are loaded in it.
    """

    name: str
    at_work: int
    models: tuple[str, ...]


def expert_workers(address: str) -> list[ExpertWorker] | None:
    """The expert workers of a scheduler; None when it does not answer."""
    from distributed import Client

    try:
        with Client(address, timeout=SECONDS, set_as_default=False) as client:
            tasks = client.processing()
            models = client.run(loaded_models, on_error="ignore")
            return [ExpertWorker(name, len(tasks[name]), models.get(name, ())) for name in sorted(tasks)]
    except (OSError, TimeoutError):
        return None


def loaded_models() -> tuple[str, ...]:
    """The models that are loaded in this process."""
    from hugginggpt.experts.pool import get_pool
    from hugginggpt.settings import get_settings

    return get_pool(get_settings()).loaded()

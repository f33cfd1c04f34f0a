"""Running one local expert, as the flow does it, without a flow."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Outputs
from hugginggpt.experts.local import EXPERTS
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.tiny_models import MODELS


def no_controller() -> Any:
    """What a local expert must never ask for."""
    raise AssertionError("a local expert asked for the controller")


@contextmanager
def hub_of(build: Callable[[Path], object], folder: Path) -> Iterator[Settings]:
    """A Hub with the models that `build` writes into a folder, and the settings that lead there."""
    models = folder / "models"
    models.mkdir()
    build(models)
    with HubServer(models) as hub:
        yield Settings(hf_endpoint=hub.url, models_cache=folder / "cache", hf_token=None, cpu_threads=1)


def loaded(settings: Settings, kind: str, model: str | ModelCard | None = None) -> tuple[Expert, Any]:
    """The local expert of a kind, and a model loaded by it (the kind's tiny one when none is given)."""
    expert = next(e for e in EXPERTS if e.kind == kind)
    card = model if isinstance(model, ModelCard) else ModelCard(id=model or MODELS[kind], kind=kind)
    return expert, expert.load(card, ExpertContext(settings, no_controller))


def run(
    settings: Settings,
    kind: str,
    model: str | ModelCard | None = None,
    *,
    revision: str | None = None,
    within: float = 300.0,
    **inputs: Any,
) -> Outputs:
    """Load a model and run its expert on these inputs."""
    card = model if isinstance(model, ModelCard) else ModelCard(id=model or MODELS[kind], kind=kind, revision=revision)
    expert, tool = loaded(settings, kind, card)
    return expert.render(expert.run(tool, expert.prepare(inputs), Deadline(within)), inputs)


def run_batch(
    settings: Settings, kind: str, model: str | ModelCard | None, elements: Sequence[Mapping[str, Any]]
) -> list[Outputs]:
    """Load a model and run its expert on several elements together."""
    expert, tool = loaded(settings, kind, model)
    raw = expert.run_batch(tool, [expert.prepare(inputs) for inputs in elements], Deadline(300))
    return [expert.render(result, inputs) for result, inputs in zip(raw, elements, strict=True)]

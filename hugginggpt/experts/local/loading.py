"""What loading a model with transformers takes, whatever its class: files, device, options, trust."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hugginggpt.catalog.card import ModelCard
from hugginggpt.errors import ModelLoadError
from hugginggpt.experts.base import Surroundings


@dataclass(frozen=True)
class Place:
    """Where a model is loaded from and to.

    Attributes:
        folder: its files.
        device: torch's name of its device.
        dtype: torch's type of its weights; "auto" for that of the file.
    """

    folder: str
    device: str
    dtype: Any


@contextmanager
def loading(card: ModelCard, surroundings: Surroundings) -> Iterator[Place]:
    """Fetch a model's files and prepare torch; inside the block, turn what transformers raises into sentences.

    Raises:
        ModelLoadError: its files cannot be had, it lacks a package, or it wants code of its own run.
        ExpertUnavailableError: the Hub is busy or out of reach.
    """
    from hugginggpt.experts.device import set_up_torch
    from hugginggpt.experts.local.download import fetch_model, remote_code_refused

    folder = fetch_model(card, surroundings.settings)
    best = set_up_torch(surroundings.settings)
    device = surroundings.device or best
    import torch

    # Half precision is for GPUs; processors compute it slowly where they can at all.
    dtype = torch.float32 if device == "cpu" else "auto"
    try:
        yield Place(str(folder), device, dtype)
    except ImportError as error:
        raise ModelLoadError(f"The model {card.id} needs a package that is not here: {_first_line(error)}") from error
    except ValueError as error:
        if "trust_remote_code" in str(error):
            raise remote_code_refused(card) from error
        raise


def refuse_other_architecture(model: Any, card: ModelCard) -> None:
    """Raise if a model was loaded as another class than it was trained as.

    transformers would fill in what is missing with random numbers, and say so in a log at most.

    Raises:
        ModelLoadError: it was.
    """
    trained_as = model.config.architectures or []
    if trained_as and type(model).__name__ not in trained_as:
        raise ModelLoadError(
            f"The model {card.id} is a {', '.join(trained_as)} and was not trained for {card.kind}: choose another."
        )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]

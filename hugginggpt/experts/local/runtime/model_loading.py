"""Loads models with transformers, diffusers and the like: files, device, type of weights, errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hugginggpt.errors import ModelLoadError
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.weights import most_common_dtype, read_weight_parts
from hugginggpt.models.card import ModelCard
from hugginggpt.redaction import said


@dataclass(frozen=True)
class LoadTarget:
    """Where a model is loaded from and to.

    Attributes:
        folder: the folder with its files.
        device: the device, by torch's name.
        dtype: the type of the weights, a torch.dtype.
        offloaded: the weights stay in the processor's memory and move to the device part by part.
    """

    folder: str
    device: str
    dtype: Any
    offloaded: bool = False


@contextmanager
def model_loading(card: ModelCard, context: ExpertContext) -> Iterator[LoadTarget]:
    """Fetch a model's files and configure torch; inside the block, turn exceptions into errors for users.

    Raises:
        ModelLoadError: its files are not available, a package is missing, or it needs its own code to run.
        ExpertUnavailableError: the Hub is busy or out of reach.
    """
    from hugginggpt.experts.device import LOAD_LOCK, configure_torch, dtype_on
    from hugginggpt.experts.local.runtime.download import fetch_model, remote_code_refused

    settings = context.settings
    folder = context.folders.get(card.id) or fetch_model(card, settings)
    best = configure_torch(settings)
    device = context.device or best
    import torch

    dtype = getattr(torch, dtype_on(device, most_common_dtype(read_weight_parts(folder, tuple(card.sha256))), settings))
    try:
        with LOAD_LOCK:
            yield LoadTarget(str(folder), device, dtype, context.offloaded)
    except ImportError as error:
        raise ModelLoadError(f"The model {card.id} needs a package that is not installed: {said(error)}") from error
    except ValueError as error:
        if "trust_remote_code" in str(error):
            raise remote_code_refused(card) from error
        raise


def refuse_other_architecture(model: Any, card: ModelCard) -> None:
    """Raise if a model was loaded as a different class from the one it was trained as.

    transformers would fill in missing weights with random numbers and at most log it.

    Raises:
        ModelLoadError: the class differs.
    """
    trained_as = model.config.architectures or []
    if trained_as and type(model).__name__ not in trained_as:
        raise ModelLoadError(
            f"The model {card.id} is a {', '.join(trained_as)} and was not trained for {card.kind}: choose another."
        )

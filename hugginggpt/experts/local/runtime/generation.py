"""Generating text with transformers, by the parameters of a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hugginggpt.experts.base import Inputs


def generation_options(inputs: Inputs, usual: int, places: int | None = None) -> dict[str, Any]:
    """The options of `generate` for the length and the sampling.

    Args:
        inputs: `max_new_tokens` and `temperature` are used; a temperature of 0 turns sampling off.
        usual: the default for `max_new_tokens`.
        places: the most tokens that the model has positions for; None if it has no limit.
    """
    most = inputs.get("max_new_tokens") or usual
    options: dict[str, Any] = {"max_new_tokens": max(1, most if places is None else min(most, places))}
    temperature = inputs.get("temperature")
    if temperature is not None:
        sampled = {"do_sample": True, "temperature": float(temperature)}
        options |= sampled if temperature > 0 else {"do_sample": False}
    return options


@contextmanager
def seeded(seed: int | None, device: Any) -> Iterator[None]:
    """Seed torch inside the block and restore its random state afterwards. Does nothing without a seed."""
    import torch

    if seed is None:
        yield
        return
    own = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=own):
        torch.manual_seed(seed)
        yield

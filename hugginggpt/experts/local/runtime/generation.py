"""Generating text with transformers: how a request's parameters are obeyed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hugginggpt.experts.base import Inputs

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def generation_options(inputs: Inputs, usual: int, places: int | None = None) -> dict[str, Any]:
    """What `generate` is told: how many tokens at most, and how much is left to chance.

    Args:
        inputs: `max_new_tokens` and `temperature` are obeyed; a temperature of 0 leaves nothing to chance.
        usual: most tokens where the request does not say.
        places: most tokens that the model has places for, whatever is asked; None where it knows no end.
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
    """Inside the block torch draws from this seed; outside as if nothing had been drawn. Nothing without a seed."""
    import torch

    if seed is None:
        yield
        return
    own = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=own):
        torch.manual_seed(seed)
        yield


def without_thinking(text: str) -> str:
    """The text without what a model says to itself before it answers."""
    return _THINKING.sub("", text).strip()

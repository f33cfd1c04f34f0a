"""Values for slots, drawn from the bank's lists and varied: a small model copies only texts like those it has seen."""

import random

from training.noise import careless
from training.phrases import Bank

LISTS = ("labels", "things", "piclabels")
"""Fills of several values."""

_SENTENCES = ("sentence", "message")
_NAMES = ("lang",)


def drawn(bank: Bank, fill: str, rng: random.Random) -> list[str]:
    """A value from a list of fills; several values if the list is one of `LISTS`."""
    value = rng.choice(bank.fills[fill])
    if fill in _NAMES:
        return [value]
    if fill in LISTS:
        values = value.split(" | ")
        kept = rng.randint(2, len(values)) if len(values) > 2 and rng.random() < 0.4 else len(values)
        return rng.sample(values, kept)
    while fill in _SENTENCES and rng.random() < 0.25:
        value = f"{value} {rng.choice(bank.fills[fill])}"
    return [careless(value, rng) if rng.random() < 0.08 else value]

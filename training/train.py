"""Fine-tune the planner's base model with LoRA: `python -m training.train DATA --out FOLDER`.

An interrupted run continues from its last checkpoint.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from training import base, export
from training.examples import Tokenizer, batches, read
from training.model import Llama
from training.trainer import Recipe, Trainer, arguments, fingerprint, run

log = logging.getLogger("training")


@dataclass(frozen=True)
class LoraRecipe(Recipe):
    """A recipe for a LoRA.

    Attributes:
        scale: its factor, which is its alpha divided by its rank.
    """

    rank: int
    scale: float


RECIPE = LoraRecipe(
    tokens=2048,
    batches=2,
    rate=1.5e-3,
    warmup=0.03,
    floor=0.05,
    clip=1.0,
    epochs=1,
    longest=768,
    seed=0,
    rank=16,
    scale=2.0,
)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--base", type=Path, help="GGUF file of a Llama model; by default the packaged one")
    given, recipe = arguments(parser, RECIPE)
    weights, device = given.base or base.packaged(), torch.device(given.device)
    examples = read(given.data, Tokenizer(weights, base.template(weights)), recipe.longest)
    log.info("%d examples", len(examples))
    torch.manual_seed(recipe.seed)
    model = Llama(base.load(weights), recipe.rank, recipe.scale, recipe.longest).to(device)
    learns = fingerprint(weights, examples)
    trainer = Trainer(recipe, model, partial(batches, examples), learns, device, before_step=model.merge)
    run(trainer, given.out, given.checkpoint_minutes)
    adapter = given.out / "adapter.gguf"
    export.write(model, adapter)
    log.info("wrote %s", adapter.name)


if __name__ == "__main__":
    main()

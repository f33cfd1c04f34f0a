"""Fine-tune the base model with LoRA: `python -m training.train DATA --out FOLDER`.

An interrupted run continues from its last checkpoint. The order of the examples depends only on the
seed, so the run learns from the same examples as an uninterrupted one.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import itertools
import logging
import math
import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training import base, export
from training.examples import Batch, Example, Tokenizer, batches, read
from training.model import Llama

log = logging.getLogger("training")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result.

    Attributes:
        scale: factor of the LoRA, its alpha divided by its rank.
        tokens: most tokens in a step, including padding.
        batches: how many batches they are split into; on a CPU each gets cores of its own.
        rate: highest learning rate.
        warmup: share of the steps in which the rate rises.
        floor: share of the rate that remains at the end.
        clip: largest norm of the gradients.
        epochs: how often every example is used.
        longest: examples with more tokens are left out.
        seed: for the initial LoRA and the order of the examples.
    """

    rank: int = 16
    scale: float = 2.0
    tokens: int = 2048
    batches: int = 2
    rate: float = 1.5e-3
    warmup: float = 0.03
    floor: float = 0.05
    clip: float = 1.0
    epochs: int = 1
    longest: int = 768
    seed: int = 0


class Trainer:
    """The model, its optimiser and its progress."""

    def __init__(self, recipe: Recipe, weights: Path, examples: Sequence[Example], device: torch.device) -> None:
        self.recipe = recipe
        self.examples = examples
        self.device = device
        torch.manual_seed(recipe.seed)
        self.model = Llama(base.load(weights), recipe.rank, recipe.scale, recipe.longest).to(device)
        self.parameters: list[Tensor] = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        # On a CPU, batches run in parallel, because cores that share a batch wait for each other at every operation.
        side_by_side = 1 if device.type == "cuda" else recipe.batches
        threads = max(1, torch.get_num_threads() // side_by_side)
        self._pool = ThreadPoolExecutor(side_by_side, initializer=torch.set_num_threads, initargs=(threads,))
        self.learns = _fingerprint(weights, examples)
        self.step = 0
        self.steps = sum(1 for _ in self._groups())

    def _groups(self) -> Iterator[tuple[Batch, ...]]:
        """The batches of each step."""
        recipe = self.recipe
        for epoch in range(recipe.epochs):
            each = batches(self.examples, recipe.tokens // recipe.batches, f"{recipe.seed}-{epoch}")
            while group := tuple(itertools.islice(each, recipe.batches)):
                yield group

    def run(self) -> Iterator[tuple[float, int, int]]:
        """Make the remaining steps; yield the loss, tokens and learnt tokens of each."""
        for group in itertools.islice(self._groups(), self.step, None):
            yield self._advance([batch.to(self.device) for batch in group])

    def _advance(self, group: list[Batch]) -> tuple[float, int, int]:
        learnt = sum(len(batch.at) for batch in group)
        self.model.merge()
        results = list(self._pool.map(lambda batch: self._gradients(batch, learnt), group))
        for parameter, *gradients in zip(self.parameters, *(gradient for _, gradient in results), strict=True):
            parameter.grad = sum(gradients[1:], gradients[0])
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        for settings in self.optimizer.param_groups:
            settings["lr"] = self.rate()
        self.optimizer.step()
        self.step += 1
        return sum(loss for loss, _ in results), sum(batch.tokens.numel() for batch in group), learnt

    def _gradients(self, batch: Batch, learnt: int) -> tuple[float, tuple[Tensor, ...]]:
        with torch.enable_grad():
            loss = self.model.loss(batch) / learnt
            return loss.item(), torch.autograd.grad(loss, self.parameters)

    def rate(self) -> float:
        """The learning rate of this step: a rise, then half a cosine."""
        recipe, rise = self.recipe, max(1, round(self.steps * self.recipe.warmup))
        if self.step < rise:
            return recipe.rate * (self.step + 1) / rise
        falling = 0.5 * (1 + math.cos(math.pi * (self.step - rise) / max(1, self.steps - rise)))
        return recipe.rate * (recipe.floor + (1 - recipe.floor) * falling)

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs to continue."""
        return {
            "recipe": asdict(self.recipe),
            "learns": self.learns,
            "step": self.step,
            "lora": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def fits(self, state: dict[str, Any]) -> bool:
        """Whether a checkpoint belongs to this recipe, these weights and these examples."""
        return (state["recipe"], state["learns"]) == (asdict(self.recipe), self.learns)

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.model.load_state_dict(state["lora"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def _fingerprint(weights: Path, examples: Sequence[Example]) -> str:
    """A hash of the weights and the examples."""
    digest = hashlib.sha256(weights.read_bytes())
    for example in examples:
        digest.update(repr(example).encode())
    return digest.hexdigest()


def keep_memory() -> None:
    """Keep freed memory for reuse: returning and fetching it again costs a tenth of a step."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mappings for large blocks
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def peak_megabytes(device: torch.device) -> float:
    """Peak memory so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def train(recipe: Recipe, weights: Path, data: Path, out: Path, device: torch.device, minutes: float) -> Path:
    """Train, or continue training, and write the adapter."""
    checkpoint = out / "checkpoint.pt"
    tokenizer = Tokenizer(weights, base.template(weights))
    examples = read(data, tokenizer, recipe.longest)
    del tokenizer
    trainer = Trainer(recipe, weights, examples, device)
    log.info("%d examples, %d steps, %s", len(examples), trainer.steps, recipe)
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        if trainer.fits(state):
            trainer.restore(state)
            log.info("continuing from step %d", trainer.step)
        else:
            log.info("%s belongs to another recipe, other weights or other examples: starting anew", checkpoint.name)

    first, start, saved = trainer.step, time.monotonic(), time.monotonic()
    since, losses, tokens, learnt = start, 0.0, 0, 0
    seen = 0
    for loss, now_tokens, now_learnt in trainer.run():
        losses, tokens, learnt, seen = losses + loss, tokens + now_tokens, learnt + now_learnt, seen + 1
        now = time.monotonic()
        if seen == 20 or trainer.step == trainer.steps:
            left = (now - start) / (trainer.step - first) * (trainer.steps - trainer.step)
            log.info(
                "step %d/%d  loss %.3f  rate %.1e  %.0f tokens/s, %.0f learnt  %.0f min left  peak %.0f MB",
                *(trainer.step, trainer.steps, losses / seen, trainer.rate()),
                *(tokens / (now - since), learnt / (now - since), left / 60, peak_megabytes(device)),
            )
            since, losses, tokens, learnt, seen = now, 0.0, 0, 0, 0
        if now - saved > minutes * 60:
            saved = now
            save(trainer.state(), checkpoint)
    save(trainer.state(), checkpoint)
    adapter = out / "adapter.gguf"
    export.write(trainer.model, adapter)
    log.info("%.0f s; wrote %s", time.monotonic() - start, adapter.name)
    return adapter


def save(state: dict[str, Any], file: Path) -> None:
    """Replace the checkpoint atomically."""
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="JSON lines; training/examples.py says of what")
    parser.add_argument("--base", type=Path, help="GGUF file of a Llama model; by default the packaged one")
    parser.add_argument("--out", type=Path, required=True, help="folder of adapter, checkpoint and log")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0)
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(sys.stdout), logging.FileHandler(arguments.out / "train.log")],
    )
    keep_memory()
    recipe = Recipe(**{name: getattr(arguments, name) for name in asdict(Recipe())})
    device = torch.device(arguments.device)
    train(
        recipe, arguments.base or base.packaged(), arguments.data, arguments.out, device, arguments.checkpoint_minutes
    )


if __name__ == "__main__":
    main()

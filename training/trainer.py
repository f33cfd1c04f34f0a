"""A training run that can be interrupted: `run` continues from its last checkpoint.

The order of the examples depends only on the seed, so the run learns from the same examples as an uninterrupted one.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import itertools
import logging
import math
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

log = logging.getLogger("training")

_POOL = 50  # batches sorted by length together


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result.

    Attributes:
        tokens: most tokens in a step, including padding.
        batches: how many batches they are split into; on a CPU each gets cores of its own.
        rate: highest learning rate.
        warmup: share of the steps in which the rate rises.
        floor: share of the rate that remains at the end.
        clip: largest norm of the gradients.
        epochs: how often every example is used.
        longest: examples with more tokens are left out.
        seed: for the first weights and the order of the examples.
    """

    tokens: int
    batches: int
    rate: float
    warmup: float
    floor: float
    clip: float
    epochs: int
    longest: int
    seed: int


class Batch(Protocol):
    """Examples to learn from at once."""

    @property
    def tokens(self) -> Tensor:
        """All tokens, including padding."""

    @property
    def learnt(self) -> int:
        """How many things are learnt; the loss of a step is the mean over them."""

    def to(self, device: torch.device) -> Self:
        """The batch on a device."""


B = TypeVar("B", bound=Batch)
B_contra = TypeVar("B_contra", bound=Batch, contravariant=True)


class Model(Protocol[B_contra]):
    """What learns."""

    def named_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Its parameters; those that require gradients learn."""

    def loss(self, batch: B_contra) -> Tensor:
        """Sum of the losses of a batch."""


def learning(model: Model[Any]) -> dict[str, nn.Parameter]:
    """What learns of a model, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def fingerprint(weights: Path, examples: Iterable[object]) -> str:
    """A hash of the weights that training begins with and of the examples."""
    digest = hashlib.sha256(weights.read_bytes())
    for example in examples:
        digest.update(repr(example).encode())
    return digest.hexdigest()


class Trainer(Generic[B]):
    """A model, its optimiser and its progress.

    Args:
        recipe: how to train.
        model: on its device.
        batches: every example once, in batches of at most so many tokens, in an order drawn from a seed.
        learns: a hash of all that the model learns from.
        device: where the model is.
        before_step: called before each step.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: Model[B],
        batches: Callable[[int, str], Iterable[B]],
        learns: str,
        device: torch.device,
        before_step: Callable[[], None] = lambda: None,
    ) -> None:
        self.recipe, self.model, self.learns, self.device = recipe, model, learns, device
        self._batches, self._before_step = batches, before_step
        self.learning = learning(model)
        self.parameters: list[Tensor] = list(self.learning.values())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        # On a CPU, batches run in parallel, because cores that share a batch wait for each other at every operation.
        side_by_side = 1 if device.type == "cuda" else recipe.batches
        threads = max(1, torch.get_num_threads() // side_by_side)
        self._pool = ThreadPoolExecutor(side_by_side, initializer=torch.set_num_threads, initargs=(threads,))
        self.step = 0
        self.steps = sum(1 for _ in self._groups())

    def _groups(self) -> Iterator[tuple[B, ...]]:
        """The batches of each step."""
        recipe = self.recipe
        for epoch in range(recipe.epochs):
            each = iter(self._batches(recipe.tokens // recipe.batches, f"{recipe.seed}-{epoch}"))
            while group := tuple(itertools.islice(each, recipe.batches)):
                yield group

    def run(self) -> Iterator[tuple[float, int, int]]:
        """Make the remaining steps; yield the loss, the tokens and how much was learnt of each."""
        for group in itertools.islice(self._groups(), self.step, None):
            yield self._advance([batch.to(self.device) for batch in group])

    def _advance(self, group: list[B]) -> tuple[float, int, int]:
        learnt = sum(batch.learnt for batch in group)
        self._before_step()
        results = list(self._pool.map(lambda batch: self._gradients(batch, learnt), group))
        for parameter, *gradients in zip(self.parameters, *(gradient for _, gradient in results), strict=True):
            parameter.grad = sum(gradients[1:], gradients[0])
        torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip)
        for settings in self.optimizer.param_groups:
            settings["lr"] = self.rate()
        self.optimizer.step()
        self.step += 1
        return sum(loss for loss, _ in results), sum(batch.tokens.numel() for batch in group), learnt

    def _gradients(self, batch: B, learnt: int) -> tuple[float, tuple[Tensor, ...]]:
        with torch.enable_grad():
            loss = self.model.loss(batch) / learnt
            gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
            return loss.item(), gradients

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
            "learnt": {name: parameter.detach() for name, parameter in self.learning.items()},
            "optimizer": self.optimizer.state_dict(),
        }

    def fits(self, state: dict[str, Any]) -> bool:
        """Whether a checkpoint belongs to this recipe, this model and these examples."""
        return (state["recipe"], state["learns"]) == (asdict(self.recipe), self.learns)

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        with torch.no_grad():
            for name, parameter in self.learning.items():
                parameter.copy_(state["learnt"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def run(trainer: Trainer[Any], out: Path, minutes: float) -> None:
    """Train, or continue training.

    Args:
        trainer: at its first step.
        out: the folder of the checkpoint.
        minutes: how often to save it.
    """
    checkpoint = out / "checkpoint.pt"
    log.info("%d steps, %s", trainer.steps, trainer.recipe)
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=trainer.device, weights_only=True)
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
                *(tokens / (now - since), learnt / (now - since), left / 60, _peak_megabytes(trainer.device)),
            )
            since, losses, tokens, learnt, seen = now, 0.0, 0, 0, 0
        if now - saved > minutes * 60:
            saved = now
            _save(trainer.state(), checkpoint)
    _save(trainer.state(), checkpoint)
    log.info("%.0f s", time.monotonic() - start)


def _save(state: dict[str, Any], file: Path) -> None:
    """Replace the checkpoint atomically."""
    partial = file.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, file)


def _peak_megabytes(device: torch.device) -> float:
    """Peak memory so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


S = TypeVar("S", bound=Sized)


def in_batches(examples: Sequence[S], tokens: int, seed: str) -> Iterator[list[S]]:
    """Every example once, in an order drawn from the seed, in groups of at most `tokens` tokens including padding.

    The length of an example is in tokens.
    """
    order = random.Random(seed)
    shuffled = order.sample(examples, len(examples))
    mean = sum(len(example) for example in shuffled) / max(1, len(shuffled))
    pool = max(1, round(_POOL * tokens / max(1.0, mean)))
    for start in range(0, len(shuffled), pool):
        cut = list(_cut(sorted(shuffled[start : start + pool], key=len), tokens))
        order.shuffle(cut)
        yield from cut


def _cut(examples: Iterable[S], tokens: int) -> Iterator[list[S]]:
    group: list[S] = []
    for example in examples:
        if group and len(example) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


R = TypeVar("R", bound=Recipe)


def arguments(parser: argparse.ArgumentParser, usual: R) -> tuple[argparse.Namespace, R]:
    """Read the command line of a training program and the recipe in it, make its folder, and begin its log.

    Args:
        parser: with the arguments of the program alone.
        usual: the recipe, of which every part is an option.
    """
    parser.add_argument("data", type=Path, help="JSON lines")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result, checkpoint and log")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--checkpoint-minutes", type=float, default=3.0)
    for name, value in asdict(usual).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        handlers=[logging.StreamHandler(sys.stdout), logging.FileHandler(given.out / "train.log")],
    )
    _keep_memory()
    return given, type(usual)(**{name: getattr(given, name) for name in asdict(usual)})


def _keep_memory() -> None:
    """Keep freed memory for reuse: returning and fetching it again costs a tenth of a step, and half of a short one."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no mappings for large blocks
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD

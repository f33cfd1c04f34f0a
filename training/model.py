"""A frozen Llama model with LoRA on every matrix of every block."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from training.base import Base
from training.examples import Batch
from training.ops import COMPUTE, Attention, Gate, Linear, Loss, Norm

GROUPS = (("attn_q", "attn_k", "attn_v"), ("attn_output",), ("ffn_gate", "ffn_up"), ("ffn_down",))
"""Matrices of a block that read the same input, and so are applied as one."""


class Adapted(nn.Module):
    """Frozen matrices that read the same input, each with its own LoRA.

    Attributes:
        names: the matrices' names in the file.
        down: the matrices' A below each other.
        up: the matrices' B below each other.
    """

    frozen: Tensor
    merged: Tensor

    def __init__(self, base: Base, names: list[str], rank: int, scale: float) -> None:
        super().__init__()
        self.names = names
        weights = [base.weights[name] for name in names]
        self.parts = [len(weight) for weight in weights]
        self.scale = scale
        inputs = weights[0].shape[1]
        self.down = nn.Parameter(torch.empty(rank * len(weights), inputs).uniform_(-1, 1) / math.sqrt(inputs))
        self.up = nn.Parameter(torch.zeros(sum(self.parts), rank))
        self.register_buffer("frozen", torch.cat(weights).to(COMPUTE), persistent=False)
        self.register_buffer("merged", self.frozen.clone(), persistent=False)

    def lora(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Name, A and B of each matrix."""
        return zip(self.names, self.down.chunk(len(self.parts)), self.up.split(self.parts), strict=True)

    @torch.no_grad()
    def merge(self) -> None:
        """Add the LoRA to the frozen weights, until it changes again."""
        sums = zip(self.merged.split(self.parts), self.frozen.split(self.parts), self.lora(), strict=True)
        for out, frozen, (_, down, up) in sums:
            torch.addmm(frozen, up.to(COMPUTE), down.to(COMPUTE), alpha=self.scale, out=out)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the matrices."""
        result: Tensor = Linear.apply(x, self.merged, self.down, self.up * self.scale, self.parts)
        return result


class Block(nn.Module):
    """One layer: attention, then the gated network."""

    attn_norm: Tensor
    ffn_norm: Tensor

    def __init__(self, base: Base, number: int, rank: int, scale: float) -> None:
        super().__init__()
        self.shape = base.shape
        within = f"blk.{number}."
        self.adapted = nn.ModuleList(Adapted(base, [within + name for name in group], rank, scale) for group in GROUPS)
        for name in ("attn_norm", "ffn_norm"):
            self.register_buffer(name, base.weights[within + name], persistent=False)

    def forward(self, x: Tensor, turn: Tensor, mask: Tensor) -> Tensor:
        """Add the layer's output to the stream."""
        shape, (qkv, output, gate_up, down) = self.shape, self.adapted
        length = turn.shape[1]
        heads = qkv(Norm.apply(x, self.attn_norm, shape.norm_epsilon)).view(len(x) // length, length, -1)
        attended = Attention.apply(heads, turn, mask, shape.heads, shape.kv_heads).flatten(0, 1)
        x = x + output(attended)
        result: Tensor = x + down(Gate.apply(gate_up(Norm.apply(x, self.ffn_norm, shape.norm_epsilon))))
        return result


class Llama(nn.Module):
    """The model."""

    embedding: Tensor
    output_norm: Tensor
    turn: Tensor
    mask: Tensor

    def __init__(self, base: Base, rank: int, scale: float, longest: int) -> None:
        super().__init__()
        self.shape, self.rank, self.scale = base.shape, rank, scale
        self.blocks = nn.ModuleList(Block(base, number, rank, scale) for number in range(base.shape.blocks))
        half = self.shape.head_width // 2
        angles = torch.outer(torch.arange(longest), self.shape.rope_base ** (-torch.arange(half) / half))
        for name, value in {
            "embedding": base.weights["token_embd"].to(COMPUTE),
            "output_norm": base.weights["output_norm"],
            "turn": torch.polar(torch.ones_like(angles), angles)[None, :, None],
            "mask": torch.full((longest, longest), -math.inf, dtype=COMPUTE).triu(1),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def adapted(self) -> Iterator[Adapted]:
        """All modules with a LoRA, block by block."""
        return (module for module in self.modules() if isinstance(module, Adapted))

    def merge(self) -> None:
        """Merge the current LoRA weights."""
        for adapted in self.adapted():
            adapted.merge()

    def forward(self, batch: Batch) -> Tensor:
        """The normalised stream where a batch learns the next token."""
        length = batch.tokens.shape[1]
        turn = self.turn[:, :length]
        mask = self.mask[:length, :length].repeat(self.shape.heads // self.shape.kv_heads, 1)
        x = self.embedding[batch.tokens.flatten()].float()
        for block in self.blocks:
            x = block(x, turn, mask)
        result: Tensor = Norm.apply(x[batch.at], self.output_norm, self.shape.norm_epsilon)
        return result

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the cross-entropies of the tokens that a batch learns."""
        result: Tensor = Loss.apply(self(batch), self.embedding, batch.targets)
        return result

"""The parts of a Llama model with their gradients, written for a CPU that multiplies bfloat16 matrices.

There the multiplications are quick and everything around them is slow. So a step does each pass over
the activations once, in place where it can, and the backward pass computes only what a frozen model
with LoRA needs. The residual stream is float32, what is multiplied is bfloat16.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

COMPUTE = torch.bfloat16


class Linear(Function):
    """Several adapted matrices applied to the same input, as one.

    `weight` is the matrices below each other, each with its `up @ down` already added: one
    multiplication then does the work of base and adapter. `down` is the matrices' A below each other,
    `up` their B. Gradients go to input, `down` and `up`.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: Tensor, up: Tensor, parts: list[int]) -> Tensor:
        """Multiply."""
        ctx.save_for_backward(x, weight, down, up)
        ctx.parts = parts
        return functional.linear(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, Tensor, Tensor, None]:
        """Give the gradients of input, `down` and `up`."""
        (g,) = gradients
        x, weight, down, up = ctx.saved_tensors
        low = functional.linear(x, down.to(x.dtype))
        by_part = zip(g.split(ctx.parts, 1), up.to(x.dtype).split(ctx.parts), low.chunk(len(ctx.parts), 1), strict=True)
        ups, lows = zip(*((gp.t() @ lp, gp @ bp) for gp, bp, lp in by_part), strict=True)
        d_down = torch.cat(lows, 1).t() @ x
        return g @ weight if ctx.needs_input_grad[0] else None, None, d_down, torch.cat(ups), None


class Norm(Function):
    """RMS norm of the float32 stream, in the precision of the next multiplication."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        """Scale each row to length one, then each column by its weight."""
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        y = torch.empty_like(x, dtype=COMPUTE)
        return torch.mul(x * scale, weight, out=y)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Give the input's gradient."""
        x, weight, scale = ctx.saved_tensors
        g = gradients[0] * weight
        along = torch.linalg.vecdot(g, x).unsqueeze_(-1)
        return g.mul_(scale).addcmul_(x, along.mul_(scale**3).div_(-x.shape[-1])), None, None


class Gate(Function):
    """SiLU of the first half times the second."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Gate."""
        gate, up = x.chunk(2, -1)
        active = functional.silu(gate)
        ctx.save_for_backward(x, active)
        return active * up

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Give the input's gradient."""
        (g,) = gradients
        x, active = ctx.saved_tensors
        gate, up = x.chunk(2, -1)
        both = torch.empty_like(x)
        d_gate, d_up = both.chunk(2, -1)
        torch.mul(g, active, out=d_up)
        torch.ops.aten.silu_backward.grad_input(g * up, gate, grad_input=d_gate)
        return both


class Attention(Function):
    """Causal attention with RoPE over sequences that start at position 0 and are padded at the end.

    Heads that share keys are stacked, so that nothing is repeated. On a CPU this takes a tenth of the
    time of `scaled_dot_product_attention` with its gradients, at the lengths of a request.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Tensor, mask: Tensor, heads: int, kv_heads: int) -> Tensor:
        """Attend: [batch, length, (heads + 2 kv_heads) x width] to [batch, length, heads x width]."""
        batch, length, _ = x.shape
        x = x.view(batch, length, heads + 2 * kv_heads, -1)
        turned = _rotate(x[:, :, : heads + kv_heads], turn)
        q = _stack(turned[:, :, :heads], kv_heads)
        k = _stack(turned[:, :, heads:], kv_heads)
        v = _stack(x[:, :, heads + kv_heads :], kv_heads)
        scale = q.shape[-1] ** -0.5
        p = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=scale).softmax(-1)
        ctx.save_for_backward(q, k, v, p, turn)
        ctx.sizes = batch, length, heads, kv_heads
        return _unstack(p @ v, batch, length).reshape(batch, length, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Give the input's gradient."""
        q, k, v, p, turn = ctx.saved_tensors
        batch, length, heads, kv_heads = ctx.sizes
        g = _stack(gradients[0].view(batch, length, heads, -1), kv_heads)
        d_scores = torch.ops.aten._softmax_backward_data(g @ v.transpose(1, 2), p, -1, p.dtype)
        d_scores *= q.shape[-1] ** -0.5
        d = g.new_empty(batch, length, heads + 2 * kv_heads, q.shape[-1])
        d[:, :, :heads] = _unstack(d_scores @ k, batch, length)
        d[:, :, heads:-kv_heads] = _unstack(d_scores.transpose(1, 2) @ q, batch, length)
        d[:, :, -kv_heads:] = _unstack(p.transpose(1, 2) @ g, batch, length)
        turned = d[:, :, : heads + kv_heads]
        turned.copy_(_rotate(turned, turn.conj()))
        return d.view(batch, length, -1), None, None, None, None


def _rotate(x: Tensor, turn: Tensor) -> Tensor:
    """Turn each pair of neighbouring numbers by its position's angle, in float32."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turn).flatten(-2)


def _stack(x: Tensor, kv_heads: int) -> Tensor:
    """Reshape [batch, length, heads, width] to [batch x kv_heads, heads of a key x length, width]."""
    batch, length, heads, width = x.shape
    x = x.reshape(batch, length, kv_heads, heads // kv_heads, width).permute(0, 2, 3, 1, 4)
    return x.to(COMPUTE, memory_format=torch.contiguous_format).reshape(batch * kv_heads, -1, width)


def _unstack(x: Tensor, batch: int, length: int) -> Tensor:
    """The inverse of `_stack`."""
    width = x.shape[-1]
    x = x.view(batch, -1, x.shape[1] // length, length, width).permute(0, 3, 1, 2, 4)
    return x.reshape(batch, length, -1, width)


class Loss(Function):
    """Sum of the cross-entropies of the targets, which computes its gradient on the way.

    The logits of all positions never exist at once: a vocabulary of 49,152 words makes them the
    largest thing in the step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, embedding: Tensor, targets: Tensor, rows: int = 128) -> Tensor:
        """Sum up."""
        gradient = torch.empty_like(x)
        total = x.new_zeros((), dtype=torch.float32)
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            chosen = targets[part, None]
            p = functional.linear(x[part], embedding).softmax(-1, dtype=torch.float32)
            total -= p.gather(1, chosen).log().sum()
            p.scatter_add_(1, chosen, p.new_full(chosen.shape, -1.0))
            gradient[part] = p.to(x.dtype) @ embedding
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Give the input's gradient."""
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None, None

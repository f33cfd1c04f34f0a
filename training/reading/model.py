"""The reader in training: the packaged sentence encoder with two heads.

One head says how likely each token is the first or the last of the answer, as in BERT (arXiv 1810.04805, section 4.2),
where the very first token stands for a text that does not say. The other says whether what is found there means yes or
no. Everything above the embeddings learns, without dropout.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

NO_VERDICT = -1


@dataclass(frozen=True)
class Example:
    """A question on a text.

    Attributes:
        firsts: where the answer may begin: in each place where the text has it.
        lasts: where it may end.
        verdict: 1 for yes, 0 for no, or `NO_VERDICT`.
    """

    tokens: list[int]
    types: list[int]
    firsts: list[int]
    lasts: list[int]
    verdict: int

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Batch:
    """Examples of similar length, padded at the end.

    Attributes:
        tokens: [batch, length].
        types: [batch, length].
        mask: [batch, length], whether there is a token.
        bounds: [2, batch, length], whether a token is a right first, or last, one.
        verdicts: [batch].
    """

    tokens: Tensor
    types: Tensor
    mask: Tensor
    bounds: Tensor
    verdicts: Tensor

    @property
    def learnt(self) -> int:
        """How many answers are learnt."""
        return len(self.tokens)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in ("tokens", "types", "mask", "bounds", "verdicts")))


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch."""
    shape = len(examples), max(map(len, examples))
    tokens, types = (torch.zeros(shape, dtype=torch.long) for _ in range(2))
    mask = torch.zeros(shape, dtype=torch.bool)
    bounds = torch.zeros((2, *shape), dtype=torch.bool)
    for row, example in enumerate(examples):
        tokens[row, : len(example)] = torch.tensor(example.tokens)
        types[row, : len(example)] = torch.tensor(example.types)
        mask[row, : len(example)] = True
        bounds[0, row, example.firsts] = True
        bounds[1, row, example.lasts] = True
    return Batch(tokens, types, mask, bounds, torch.tensor([example.verdict for example in examples]))


class SpanReader(nn.Module):
    """The encoder with its heads.

    Args:
        folder: the encoder, in the format of transformers.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from transformers import BertModel
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity(logging.ERROR)
        transformers_logging.disable_progress_bar()
        self.encoder = BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
        self.encoder.eval()
        width = self.encoder.config.hidden_size
        self.bounds = nn.Linear(width, 2)
        self.verdict = nn.Linear(2 * width, 1)
        for head in (self.bounds, self.verdict):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        self.encoder.embeddings.requires_grad_(False)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Score every token as the first and the last one of the answer, [2, batch, length]; give the vectors, too."""
        with torch.autocast(batch.tokens.device.type, dtype=torch.bfloat16):
            vectors = self.encoder(
                input_ids=batch.tokens, token_type_ids=batch.types, attention_mask=batch.mask.long()
            ).last_hidden_state
            scores = self.bounds(vectors)
        return scores.float().movedim(-1, 0).masked_fill(~batch.mask, -torch.inf), vectors

    def loss(self, batch: Batch) -> Tensor:
        """Sum of the losses of the answers. Of several places where the text has the answer, any is right."""
        scores, vectors = self(batch)
        right = scores.masked_fill(~batch.bounds, -torch.inf)
        loss: Tensor = (scores.logsumexp(-1) - right.logsumexp(-1)).sum() / 2
        rows = torch.nonzero(batch.verdicts != NO_VERDICT).flatten()
        if len(rows):
            first = batch.bounds[0, rows].int().argmax(-1)
            seen = torch.cat([vectors[rows, 0], vectors[rows, first]], -1).float()
            right_ones = batch.verdicts[rows].float()
            loss = loss + functional.binary_cross_entropy_with_logits(
                self.verdict(seen).flatten(), right_ones, reduction="sum"
            )
        return loss

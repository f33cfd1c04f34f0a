"""The planner's training examples: from lines of `{"prompt": [messages], "completion": text}` to batches of tokens.

The server that runs the planner also makes the tokens, so that training and use read a text alike.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
import xllamacpp
from jinja2.sandbox import ImmutableSandboxedEnvironment
from torch import Tensor

from training.trainer import in_batches

END = "<|im_end|>"


@dataclass(frozen=True)
class Example:
    """The tokens of a conversation; those from `answer` on are learnt."""

    tokens: list[int]
    answer: int

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Batch:
    """Examples of similar length, padded at the end.

    Attributes:
        tokens: [batch, length].
        at: positions in the flattened batch whose next token is learnt.
        targets: these next tokens.
    """

    tokens: Tensor
    at: Tensor
    targets: Tensor

    @property
    def learnt(self) -> int:
        """How many tokens are learnt."""
        return len(self.at)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(self.tokens.to(device), self.at.to(device), self.targets.to(device))


class Tokenizer:
    """Template and vocabulary of a GGUF file, as llama.cpp's server applies them."""

    def __init__(self, weights: Path, template: str) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(template)
        params = xllamacpp.CommonParams()
        params.model.path = str(weights)
        params.n_ctx = 64
        params.n_parallel = 1
        params.port = 0
        params.hostnames = ["127.0.0.1"]
        params.ui = False
        params.offline = True
        params.warmup = False
        params.verbosity = 0
        self._server = xllamacpp.Server(params)
        self._connection = http.client.HTTPConnection(urlsplit(self._server.listening_address).netloc)
        (self.end,) = self.tokens(END, special=True)

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text; special tokens count as such, or as the characters they are written with."""
        body = json.dumps({"content": text, "add_special": special, "parse_special": special})
        self._connection.request("POST", "/tokenize", body, {"Content-Type": "application/json"})
        with self._connection.getresponse() as answer:
            tokens: list[int] = json.load(answer)["tokens"]
        return tokens

    def prompt(self, messages: Sequence[dict[str, str]]) -> str:
        """The text that the model reads before it answers."""
        return self._template.render(messages=messages, add_generation_prompt=True)

    def encode(self, row: dict[str, Any]) -> Example:
        """The example of a line."""
        prompt = self.tokens(self.prompt(row["prompt"]), special=True)
        return Example([*prompt, *self.tokens(row["completion"], special=False), self.end], len(prompt))


def read(file: Path, tokenizer: Tokenizer, longest: int) -> list[Example]:
    """The examples of a file of JSON lines, without those of more than `longest` tokens."""
    with file.open(encoding="utf-8") as lines:
        examples = [tokenizer.encode(json.loads(line)) for line in lines]
    return [example for example in examples if len(example) <= longest]


def batches(examples: Sequence[Example], tokens: int, seed: str) -> Iterator[Batch]:
    """Every example once, in an order drawn from the seed, in batches of at most `tokens` tokens including padding."""
    return map(collate, in_batches(examples, tokens, seed))


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch, and collect the tokens to learn."""
    length = max(map(len, examples))
    tokens = torch.zeros(len(examples), length, dtype=torch.long)
    at: list[int] = []
    for row, example in enumerate(examples):
        tokens[row, : len(example)] = torch.tensor(example.tokens)
        at += range(row * length + example.answer - 1, row * length + len(example) - 1)
    positions = torch.tensor(at)
    return Batch(tokens, positions, tokens.flatten()[positions + 1])

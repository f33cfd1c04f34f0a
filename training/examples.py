"""Training examples: from conversations to batches of tokens.

The server that runs the model also makes the tokens, so that training and use read a text alike.

A file for the planner has lines of `{"prompt": [messages], "completion": text}`. A file for the reader has lines of
`{"text": text, "asked": [{"question": text, "answer": text} or {"summary": text}]}`. A text is long and its questions
are short, so one example holds a text once and all its questions, none of which sees another.
"""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
import xllamacpp
from jinja2.sandbox import ImmutableSandboxedEnvironment
from torch import Tensor

from hugginggpt.controller.embedded.reader import question_prompt, summary_prompt
from hugginggpt.controller.embedded.spans import written_answer
from hugginggpt.controller.prompts import Message

END = "<|im_end|>"

_POOL = 50  # batches sorted by length together


@dataclass(frozen=True)
class Part:
    """What follows a prompt; its tokens from `answer` on are learnt."""

    tokens: list[int]
    answer: int


@dataclass(frozen=True)
class Example:
    """The tokens of a prompt and of its parts. Each part follows the prompt at once and sees no other part."""

    prompt: list[int]
    parts: list[Part]

    def __len__(self) -> int:
        return len(self.prompt) + sum(len(part.tokens) for part in self.parts)


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a batch belong.

    Attributes:
        places: [batch, length], the place of each token in its own text, from 0.
        parts: [batch, length], the number of its part; 0 in the prompt.
    """

    places: Tensor
    parts: Tensor


@dataclass(frozen=True)
class Batch:
    """Examples of similar length, padded at the end.

    Attributes:
        tokens: [batch, length].
        at: positions in the flattened batch whose next token is learnt.
        targets: these next tokens.
        packing: None if no example has several parts.
    """

    tokens: Tensor
    at: Tensor
    targets: Tensor
    packing: Packing | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        packing = self.packing and Packing(self.packing.places.to(device), self.packing.parts.to(device))
        return Batch(self.tokens.to(device), self.at.to(device), self.targets.to(device), packing)


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

    def text(self, messages: Sequence[Message], *, asks: bool) -> str:
        """The messages as the model reads them; if it is asked, the beginning of its answer comes after them."""
        return self._template.render(messages=messages, add_generation_prompt=asks)

    def answer(self, text: str) -> list[int]:
        """The tokens of an answer of the model."""
        return [*self.tokens(text, special=False), self.end]

    def planned(self, row: dict[str, Any]) -> Example:
        """The example of a line for the planner."""
        prompt = self.tokens(self.text(row["prompt"], asks=True), special=True)
        return Example(prompt, [Part(self.answer(row["completion"]), 0)])

    def asked(self, row: dict[str, Any], longest: int) -> Iterator[Example]:
        """The examples of a line for the reader: as many as its text, with some of the questions, fits into."""
        before = self.text(summary_prompt(row["text"]).messages[:-1], asks=False)
        prompt = self.tokens(before, special=True)
        parts: list[Part] = []
        for asked in row["asked"]:
            part = self._part(before, row["text"], asked)
            if parts and len(Example(prompt, [*parts, part])) > longest:
                yield Example(prompt, parts)
                parts = []
            parts.append(part)
        yield Example(prompt, parts)

    def _part(self, before: str, text: str, asked: dict[str, str]) -> Part:
        question = asked.get("question")
        prompt = summary_prompt(text) if question is None else question_prompt(text, question)
        # What divides messages is one token, so the tokens before it do not depend on what follows.
        words = self.tokens(self.text(prompt.messages, asks=True).removeprefix(before), special=True)
        answer = asked["summary"] if question is None else written_answer(*said_in(asked["answer"]))
        return Part([*words, *self.answer(answer)], len(words))


def said_in(answer: str) -> tuple[str | None, bool | None]:
    """Span and verdict of an answer in a file: a span, "yes: span", "no: span", or "not said"."""
    for words, verdict in (("yes: ", True), ("no: ", False)):
        if answer.startswith(words):
            return answer.removeprefix(words), verdict
    return (None if answer == "not said" else answer), None


def read(file: Path, tokenizer: Tokenizer, longest: int) -> list[Example]:
    """The examples of a file of JSON lines, without those of more than `longest` tokens."""
    examples: list[Example] = []
    with file.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            examples += tokenizer.asked(row, longest) if "asked" in row else [tokenizer.planned(row)]
    return [example for example in examples if len(example) <= longest]


def batches(examples: Sequence[Example], tokens: int, seed: int | str) -> Iterator[Batch]:
    """Every example once, in an order drawn from the seed, in batches of at most `tokens` tokens including padding."""
    order = random.Random(seed)
    shuffled = order.sample(examples, len(examples))
    mean = sum(len(example) for example in shuffled) / max(1, len(shuffled))
    pool = max(1, round(_POOL * tokens / max(1.0, mean)))
    for start in range(0, len(shuffled), pool):
        cut = list(_cut(sorted(shuffled[start : start + pool], key=len), tokens))
        order.shuffle(cut)
        for group in cut:
            yield collate(group)


def _cut(examples: Iterable[Example], tokens: int) -> Iterator[list[Example]]:
    group: list[Example] = []
    for example in examples:
        if group and len(example) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to a batch, and collect the tokens to learn."""
    shape = len(examples), max(len(example) for example in examples)
    tokens, places, parts = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    at: list[int] = []
    targets: list[int] = []
    for row, example in enumerate(examples):
        end = len(example.prompt)
        tokens[row, :end] = torch.tensor(example.prompt)
        places[row, :end] = torch.arange(end)
        for number, part in enumerate(example.parts, 1):
            start, end = end, end + len(part.tokens)
            tokens[row, start:end] = torch.tensor(part.tokens)
            places[row, start:end] = torch.arange(end - start) + len(example.prompt)
            parts[row, start:end] = number
            # The end of the prompt tells the first token of a part.
            before = [len(example.prompt) - 1, *range(start, end - 1)][part.answer :]
            at += [row * shape[1] + position for position in before]
            targets += part.tokens[part.answer :]
    packed = any(len(example.parts) > 1 for example in examples)
    return Batch(tokens, torch.tensor(at), torch.tensor(targets), Packing(places, parts) if packed else None)

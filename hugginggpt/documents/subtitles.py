"""Subtitles (SRT and WebVTT): what is said, without numbers, times and marks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from hugginggpt.documents.budget import Budget
from hugginggpt.documents.model import Contents, Page
from hugginggpt.media import texts

_TIMES = re.compile(r"\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s*-->\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}.*")
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:\s.*)?")
_TAG = re.compile(r"<[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
_SPEAKER = re.compile(r"<v(?:\.[^\s>]{1,50})?\s+([^<>]{1,100})>")
_END = re.compile(r"[.!?…。！？][\"'»”’)\]]*$")


def read(data: bytes, budget: Budget) -> Contents:
    """The words of subtitles, a sentence on each line.

    Raises:
        ContentProblem: there are too many.
    """
    found = texts.decoded(data, max_chars=budget.limits.characters)
    budget.spend_characters(len(found.text))
    return Contents((Page(_sentences(_said(found.text))),), notes=tuple(filter(None, [found.note])))


def _said(text: str) -> Iterator[str]:
    """The lines of the cues; those that a cue repeats from the one before it, once."""
    before: list[str] = []
    for cue in _cues(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
        lines = [line for line in map(_plain, cue) if line]
        # Live subtitles roll up: a cue begins with the last lines of the one before.
        known = next((n for n in range(min(len(before), len(lines)), 0, -1) if before[-n:] == lines[:n]), 0)
        yield from lines[known:]
        before = lines or before


def _cues(lines: list[str]) -> Iterator[list[str]]:
    """The lines of each cue, without its number or name, which comes before its times."""
    starts = [number for number, line in enumerate(lines) if _TIMES.fullmatch(line)]
    for start, following in zip(starts, [*starts[1:], len(lines) + 1], strict=True):
        cue = lines[start + 1 : following]
        if following <= len(lines) and cue and _is_number(cue):
            cue.pop()
        yield _without_blocks(cue)


def _is_number(cue: list[str]) -> bool:
    """Whether the last line of a cue is the number or the name of the next one: empty lines may be missing."""
    last = cue[-1].strip()
    return bool(last) and (last.isdecimal() or (len(cue) > 1 and not cue[-2].strip()))


def _without_blocks(cue: list[str]) -> list[str]:
    """A cue without the remarks and styles that come after it."""
    kept: list[str] = []
    for number, line in enumerate(cue):
        if _BLOCK.fullmatch(line.strip()) and number and not cue[number - 1].strip():
            break
        kept.append(line)
    return kept


def _plain(line: str) -> str:
    named = _SPEAKER.sub(lambda speaker: f"{speaker[1].strip()}: ", line)
    return " ".join(html.unescape(_TAG.sub("", named)).split())


def _sentences(lines: Iterator[str]) -> str:
    sentences: list[str] = []
    for line in lines:
        goes_on = sentences and not _END.search(sentences[-1]) and not line.startswith(("-", "–", "—"))
        if goes_on:
            sentences[-1] += f" {line}"
        else:
            sentences.append(line)
    return "\n".join(sentences)

"""Texts without their marks, for speaking."""

from __future__ import annotations

import re

from hugginggpt.documents.plain import tidy

_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,}).*$")
_PAGE = re.compile(r"^\[(?:page|slide|sheet|frame) [^\[\]\n]{1,100}\]$")
_RULE = re.compile(r"^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,}|=+)$")
_TABLE_RULE = re.compile(r"^\s*(?=.*\|)\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_BEGIN = re.compile(r"^\s{0,12}(?:>\s?|#{1,6}\s+|[-*+]\s+(?:\[[ xX]\]\s+)?)+")
_HEADING_END = re.compile(r"\s+#+\s*$")
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\](?:\([^()\s]{0,2000}(?:\s+\"[^\"\n]{0,500}\")?\)|\[[^\[\]\n]{0,200}\])")
_DEFINITION = re.compile(r"^ {0,3}\[[^\[\]\n]{1,200}\]:\s+\S.*$")
_ADDRESS = re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,2000})>")
_CODE = re.compile(r"(`+)(.+?)\1")
_STRONG = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])")
_STRONG_LOW = re.compile(r"(?<![\w_])(_{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w_])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~])")

_HIDDEN = 0xE000
_HIDDEN_SIGN = re.compile("[\ue021-\ue07e]")

_MARKS = (_PAGE, _TABLE_RULE, _DEFINITION)
"""Lines that are nothing but marks."""


def words(text: str) -> str:
    """What is to be spoken of a text: its words, without the marks of Markdown, and without those of pages."""
    return tidy(_unmarked(text)).strip()


def _unmarked(text: str) -> str:
    lines: list[str] = []
    in_code = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if _FENCE.match(line):
            in_code = not in_code
        elif in_code:
            lines.append(line)
        elif (
            not _PAGE.match(line)
            and not (_RULE.match(line) and line.strip())
            and not _TABLE_RULE.match(line)
            and not _DEFINITION.match(line)
        ):
            lines.append(_plain(line))
    return "\n".join(lines)


def _plain(line: str) -> str:
    # What is escaped is no mark: it hides among characters of private use meanwhile.
    line = _ESCAPED.sub(lambda sign: chr(_HIDDEN + ord(sign[1])), _BEGIN.sub("", line))
    line = _HEADING_END.sub("", line)
    line = _ADDRESS.sub(r"\1", _LINK.sub(r"\1", line))
    line = _CODE.sub(r"\2", line)
    for mark in (_STRONG, _STRONG_LOW):
        line = mark.sub(r"\2", mark.sub(r"\2", line))
    line = _STRUCK.sub(r"\1", line)
    if line.count("|") > 1 and line.strip().startswith("|"):
        line = ", ".join(cell.strip() for cell in line.strip().strip("|").split("|"))
    return _HIDDEN_SIGN.sub(lambda sign: chr(ord(sign[0]) - _HIDDEN), line)

"""Texts without their marks, for speaking."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hugginggpt.documents.plain import tidy

_HTML_TYPES = ("text/html", "application/xhtml+xml")
_UNSPOKEN = frozenset({"head", "script", "style", "template", "noscript"})
_BREAKS = frozenset(
    ("br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre")
)
_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,}).*$")
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


def words(text: str, mime: str) -> str:
    """What is to be spoken of a text: its words, without the marks of Markdown or HTML.

    Args:
        text: the text.
        mime: its media type. Texts that are neither Markdown nor HTML are returned as they are.
    """
    if mime in _HTML_TYPES:
        speaker = _Speaker()
        speaker.feed(text)
        speaker.close()
        return tidy(re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(speaker.spoken)))
    if mime in ("text/markdown", "text/x-markdown"):
        return tidy(_unmarked(text))
    return text


def _unmarked(text: str) -> str:
    lines: list[str] = []
    in_code = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if _FENCE.match(line):
            in_code = not in_code
        elif in_code:
            lines.append(line)
        elif not (_RULE.match(line) and line.strip()) and not _TABLE_RULE.match(line) and not _DEFINITION.match(line):
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


class _Speaker(HTMLParser):
    """Collects the texts of HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.spoken: list[str] = []
        self._unspoken = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Leave out what is not shown, and begin a new line for a block."""
        if tag in _UNSPOKEN:
            self._unspoken += 1
        elif tag == "body":
            self._unspoken = 0
        if tag in _BREAKS:
            self.spoken.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a line, or a cell."""
        if tag in _UNSPOKEN:
            self._unspoken = max(0, self._unspoken - 1)
        if tag in _BREAKS:
            self.spoken.append("\n")
        elif tag in ("td", "th"):
            self.spoken.append(", ")

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        if not self._unspoken:
            self.spoken.append(re.sub(r"\s+", " ", data))

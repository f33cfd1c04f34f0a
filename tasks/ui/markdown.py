"""Escapes text that others wrote for Markdown, which Prefect's UI renders in artifacts and in the cells of tables.

Whatever the text contains, it adds no picture, link, HTML or table. An address stays readable as code, which no
renderer turns into a link.
"""

import re

from hugginggpt.text import one_line, visible

# Renderers turn these into links without any mark-up.
_LINKED = re.compile(r"//|www\.|@|mailto:|xmpp:", re.IGNORECASE)
_WORD = re.compile(r"[^\s`|]+")
_MARK = re.compile(
    r"""[\\`*\[\]<>&|~$^{}]               # code, emphasis, links, HTML, tables, notes and formulas
      | (?<![^\W_])_|_(?![^\W_])          # emphasis, but not the middle of a name
      | (?<=\S)\.(?=[^\W\d_])             # a domain, for renderers that guess
      | ^[-+=:\#](?=[-+=:\#\s]|$)         # headings, lists, lines
    """,
    re.VERBOSE,
)
_PLAIN = re.compile(r"[^\W_]+(?:[ ._-][^\W_]+)*")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_INDENT = re.compile(r"^\s+")
_NBSP = "\u00a0"


def as_text(written: str) -> str:
    """A text with its line breaks, and with everything escaped that has a meaning in Markdown."""
    return "\n\n".join(
        "\\\n".join(_escaped(line) for line in paragraph.split("\n"))
        for paragraph in re.split(r"\n(?:[^\S\n]*\n)+", visible(written).strip("\n"))
    )


def as_cell(written: str) -> str:
    """The same on one line, for the cell of a table or inside a sentence."""
    return _escaped(one_line(written))


def fence(written: str, language: str = "text") -> str:
    """A block of code that the text cannot end."""
    written = visible(written)
    marks = "`" * max(3, _longest_run(written) + 1)
    return f"{marks}{language}\n{written}\n{marks}"


def as_code(written: str) -> str:
    """A short text as code inside a sentence."""
    line = one_line(written)
    marks = "`" * (_longest_run(line) + 1)
    return f"{marks}{line}{marks}" if len(marks) == 1 else f"{marks} {line} {marks}"


def as_link(written: str, address: str) -> str:
    """A short text that leads to an address of ours. Prefect's older pages show escapes in it, so a name has none."""
    line = one_line(written)
    return f"[{line if _PLAIN.fullmatch(line) else _escaped(line)}]({address})"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _escaped(line: str) -> str:
    line = _INDENT.sub(lambda match: _NBSP * len(match[0].expandtabs(4)), line.rstrip())
    parts = []
    end = 0
    for word in _WORD.finditer(line):
        if _LINKED.search(word[0]):
            parts += [_without_marks(line[end : word.start()]), f"`{word[0]}`"]
            end = word.end()
    return _NUMBERED.sub(r"\1\\\2", "".join([*parts, _without_marks(line[end:])]))


def _without_marks(text: str) -> str:
    return _MARK.sub(r"\\\g<0>", text)

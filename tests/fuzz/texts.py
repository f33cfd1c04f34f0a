"""Words of others on their way to a terminal, a file name, a database, a prompt or Prefect's pages."""

import json
import random
from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

from hugginggpt.redaction import redact, said
from hugginggpt.text import (
    MOST_NAME_BYTES,
    file_name,
    is_storable,
    one_line,
    storable,
    storable_json,
    terminal_json,
    visible,
)
from tasks.ui.markdown import as_cell, as_code, as_text, fence
from tests.fuzz.case import Case
from tests.fuzz.material import CHARACTERS, VALUES, changed, characters, pumped, value
from tests.fuzz.names import BIDI, name

SECRET = "hunter2-hunter2-hunter2"
SCRAPS = (
    *CHARACTERS, " ", "  ", "    ", "a", "1", "1.", "1) ", "# ", "- ", "+ ", "* ", "**", "_", "__", "~~", "> ", "```",
    "``", "`", "---", "===", "| a | b |", "|---|", "[a](http://h/x)", "![x](http://h/x.png)", "[a]: http://h",
    "<http://h>", "<a@h.invalid>", "http://h/x", "www.h.invalid", "//h/x", "mailto:a@h", "<script>", "<!--",
    "<img src=x>", "&lt;", "&#x202e;", "\n", "\n\n", "\\\n", "\t", "sk-abcdef123456", "hf_abcdefgh123", "Bearer ",
    "Basic ", "api_key=", "Authorization: ", "://u:p@h/", "?x=", "password", "eyJ", "AKIA", "==", "\u00a0",
    "\x1b]8;;http://h\x07", "\x1b[", "\x1bP", "\x9d", "\U0001f3f4", "\U000e0067", "\r\n",
)  # fmt: skip
_MARKUP = frozenset(
    (
        *("link_open", "image", "html_inline", "html_block", "table_open", "heading_open", "hr", "bullet_list_open"),
        *("ordered_list_open", "blockquote_open", "em_open", "strong_open", "s_open"),
    )
)


def open_area(folder: Path) -> "Texts":
    """Texts need nothing."""
    return Texts()


class Texts:
    """Makes texts."""

    def __init__(self) -> None:
        self._markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

    def case(self, rng: random.Random) -> Case:
        """A text for one of the places that texts go to."""
        makers: tuple[Callable[[random.Random], Case], ...] = (
            self._plain,
            self._names,
            self._json,
            self._secrets,
            self._pages,
            self._pages,
        )
        return rng.choice(makers)(rng)

    def _plain(self, rng: random.Random) -> Case:
        text = _text(rng, 200_000)

        def run() -> None:
            seen = visible(text)
            assert not any(c in seen for c in f"\0\x07\x1b\x7f\x85\x9b\r{BIDI}"), "a character that acts"
            assert is_storable(seen), "text that cannot be kept"
            assert visible(seen) == seen, "text that is not visible the second time"
            assert "\n" not in one_line(text) and len(one_line(text, 80)) <= 80
            assert is_storable(storable(text)) and (storable(text) == text) == is_storable(text)

        return Case("visible, one_line, storable", text, run, ())

    def _names(self, rng: random.Random) -> Case:
        text, most = rng.choice((name(rng), _text(rng, 20_000))), rng.choice((MOST_NAME_BYTES, 100, 40))

        def run() -> None:
            found = file_name(text, most)
            assert len(found.encode()) <= most and "/" not in found and found not in (".", "..")
            assert file_name(found, most) == found, "another name the second time"

        return Case("file_name", text, run, ())

    def _json(self, rng: random.Random) -> Case:
        text = _text(rng, 100_000)
        data = {"a": [text, {text[:50]: rng.choice((1, None, 0.5))}]}

        def run() -> None:
            written = storable_json(data)
            assert is_storable(written) and is_storable(json.loads(written)["a"][0])
            whole = json.dumps(data, ensure_ascii=False)
            shown = terminal_json(whole)
            # Written as escapes, two halves of a character are that character.
            joined = whole.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
            assert json.loads(shown) == json.loads(joined), "other data than was written"
            assert not any(c in shown for c in f"\0\x1b\x9b{BIDI}"), "a character that acts"

        return Case("storable_json, terminal_json", text, run, ())

    def _secrets(self, rng: random.Random) -> Case:
        text = (
            changed(rng, f"{_text(rng, 100_000)} {SECRET} {_text(rng, 300)}", SCRAPS[:10])
            if rng.random() < 0.3
            else _text(rng, 100_000)
        )

        def run() -> None:
            assert SECRET not in redact(text, SECRET), "a secret"
            line = said(text, SECRET)
            assert SECRET not in line and len(line) <= 300 and "\n" not in line
            said(ValueError(text), SECRET).encode()

        return Case("redact, said", text, run, ())

    def _pages(self, rng: random.Random) -> Case:
        text = _text(rng, 30_000)

        def run() -> None:
            pages = [as_text(text), as_cell(text), as_code(text), fence(text)]
            for page in pages:
                assert is_storable(page), "text that cannot be kept"
            if len(text) < 3000:  # the renderer is not ours to make quick
                self._check(as_text(text), "as_text")
                self._check(as_cell(text), "as_cell")
                self._check(f"| a |\n| --- |\n| {as_cell(text)} |\n", "as_cell", frozenset({"table_open"}))

        return Case("as_text, as_cell, as_code, fence", text, run, ())

    def _check(self, page: str, made_by: str, meant: frozenset[str] = frozenset()) -> None:
        tokens = self._markdown.parse(page)
        found = {token.type for block in tokens for token in (block, *(block.children or ()))}
        assert not (found & _MARKUP) - meant, f"{made_by} lets {', '.join(sorted((found & _MARKUP) - meant))} through"


def _text(rng: random.Random, most: int) -> str:
    match rng.randrange(5):
        case 0 | 1:
            return pumped(rng, SCRAPS, rng.choice((most, 2000)))
        case 2:
            return "".join(rng.choice((*SCRAPS, *VALUES)) for _ in range(rng.randint(1, 60)))[:most]
        case 3:
            return characters(rng, 200)
        case _:
            return changed(rng, value(rng) + characters(rng, 40) + value(rng), SCRAPS)[:most]

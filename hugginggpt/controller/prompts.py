"""Prompts: Jinja templates from `prompts/`, rendered, hashed and cut to a token budget.

A template has one block per message: `system`, `user`, then `assistant` and `user_again` where a
conversation goes on. A template that extends another has its blocks too, and templates whose name
starts with an underscore are parts of others. Those in `prompts/embedded/` are for the embedded
controller alone. Data files of a prompt start with the first word of its name: `planning_demos.json`
belongs to `planning` and `planning_repair`. Hidden characters in the texts of requests, files,
experts and models are made visible.
"""

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import jinja2.nodes

from hugginggpt.errors import ControllerError
from hugginggpt.settings import data_folder
from hugginggpt.text import visible

Message = dict[str, str]

CUT = " […] "
MORE_CONTEXT = "raise HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS if the model takes more"
_BYTES_PER_TOKEN = 3.5
_TOKENS_PER_MESSAGE = 8
_LEAST_CHARS = 60
_BLOCKS = (("system", "system"), ("user", "user"), ("assistant", "assistant"), ("user_again", "user"))


class Room(int):
    """A number of tokens that prompts may take, with what would make it more.

    What is left of it after a subtraction is room too.
    """

    more: str

    def __new__(cls, tokens: int, more: str) -> "Room":
        """Make room.

        Args:
            tokens: how many.
            more: what to do for more, as the end of a sentence.
        """
        room = super().__new__(cls, tokens)
        room.more = more
        return room

    def __sub__(self, taken: int) -> "Room":
        return Room(int(self) - taken, self.more)


class Cuttable(str):
    """A text in a prompt's data that may be shortened to meet the budget."""

    __slots__ = ()


@dataclass(frozen=True)
class Prompt:
    """Messages for the controller.

    Attributes:
        name: name of the template.
        sha256: hash of the template, its parts and its data files.
    """

    name: str
    sha256: str
    messages: tuple[Message, ...]

    @property
    def tokens(self) -> int:
        """Estimated length in tokens."""
        return sum(_TOKENS_PER_MESSAGE + estimate_tokens(message["content"]) for message in self.messages)


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens a text takes, in any language: one per 3.5 bytes of UTF-8."""
    return tokens_of(len(text.encode("utf-8", "replace")))


def tokens_of(size: int) -> int:
    """Roughly how many tokens this many bytes of UTF-8 take."""
    return math.ceil(size / _BYTES_PER_TOKEN)


def render(name: str, **data: Any) -> Prompt:
    """Render the prompt with that name.

    Raises:
        jinja2.UndefinedError: the data lacks something that the template uses.
    """
    context = _environment().get_template(f"{name}.j2").new_context(data)
    blocks = _blocks(f"{name}.j2")
    messages = []
    for block, role in _BLOCKS:
        if block in blocks:
            content = "".join(blocks[block](context)).strip()
            messages.append({"role": role, "content": content})
    return Prompt(name, prompt_hash(name), tuple(messages))


def compile_prompts() -> None:
    """Compile all prompts, which otherwise happens as each is rendered first, in a few milliseconds each."""
    for path in _folder().rglob("[!_]*.j2"):
        file = path.relative_to(_folder()).as_posix()
        _blocks(file)
        prompt_hash(file.removesuffix(".j2"))


@lru_cache(maxsize=64)
def _blocks(file: str) -> dict[str, Callable[..., Iterator[str]]]:
    """The blocks of a template, and those of the template that it extends."""
    environment = _environment()
    tree = environment.parse((_folder() / file).read_text(encoding="utf-8"))
    extended = [_blocks(node.template.as_const()) for node in tree.find_all(jinja2.nodes.Extends)]
    blocks: dict[str, Callable[..., Iterator[str]]] = {}
    for others in (*extended, environment.get_template(file).blocks):
        blocks |= others
    return blocks


def render_within(name: str, budget: int, **data: Any) -> Prompt:
    """Render a prompt of at most `budget` tokens.

    To make it fit, the oldest entries of `history` are left out first, then the middle of the longest
    `Cuttable` texts, with `CUT` in its place.

    Raises:
        ControllerError: the prompt does not fit even so.
    """
    history = list(data.get("history", ()))
    while True:
        if "history" in data:
            data["history"] = history
        prompt = render(name, **data)
        if prompt.tokens <= budget:
            return prompt
        if not history:
            break
        history = history[1:]
    return _cut_texts(name, budget, data)


def _cut_texts(name: str, budget: int, data: dict[str, Any]) -> Prompt:
    """The rendering within the budget that cuts its texts least."""

    def limited(limit: int) -> Prompt:
        return render(name, **_map_cuttable(copy.copy(data), lambda text: shorten(text, limit)))

    fits, low, high = None, _LEAST_CHARS, max((len(text) for text in _cuttables(data)), default=0)
    while low <= high:
        middle = (low + high) // 2
        prompt = limited(middle)
        if prompt.tokens <= budget:
            fits, low = prompt, middle + 1
        else:
            high = middle - 1
    if fits is None:
        more = budget.more if isinstance(budget, Room) else MORE_CONTEXT
        raise ControllerError(f"The request does not fit into the controller's context; shorten it, or {more}.")
    return fits


def shorten(text: str, limit: int) -> str:
    """The beginning and end of a text, `limit` characters in all. The end stays because totals are there."""
    if len(text) <= limit:
        return text
    kept = max(limit - len(CUT), 2)
    head = kept * 2 // 3
    return text[:head].rstrip() + CUT + text[len(text) - (kept - head) :].lstrip()


def cuttable(data: Any) -> Any:
    """The data, with every text in it cuttable."""
    if isinstance(data, dict):
        return {key: cuttable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [cuttable(value) for value in data]
    return Cuttable(data) if isinstance(data, str) else data


def _cuttables(data: Any) -> Iterator[str]:
    if isinstance(data, Cuttable):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from _cuttables(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _cuttables(value)


def _map_cuttable(data: Any, change: Callable[[str], str]) -> Any:
    if isinstance(data, Cuttable):
        return change(data)
    if isinstance(data, dict):
        return {key: _map_cuttable(value, change) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_map_cuttable(value, change) for value in data]
    return data


def prompt_data(name: str) -> Any:
    """The content of a data file such as `planning_demos`."""
    return json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=64)
def prompt_hash(name: str) -> str:
    """SHA-256 over the template, the templates it includes or extends, and its data files."""
    digest = hashlib.sha256()
    data = (path.relative_to(_folder()).as_posix() for path in _folder().glob(f"{name.split('_')[0]}_*.json"))
    files = [*sorted(_with_parts(f"{name}.j2")), *sorted(data)]
    for file in files:
        content = (_folder() / file).read_bytes()
        digest.update(f"{file} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _with_parts(file: str) -> set[str]:
    environment = _environment()
    source = (_folder() / file).read_text(encoding="utf-8")
    parts = {part for part in jinja2.meta.find_referenced_templates(environment.parse(source)) if part}
    return {file}.union(*(_with_parts(part) for part in parts))


def _folder() -> Path:
    return data_folder("prompts")


def _visible(data: Any) -> Any:
    """The data, with hidden characters of every text made visible."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {_visible(key): _visible(value) for key, value in data.items()}
    return [_visible(value) for value in data] if isinstance(data, list | tuple) else data


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_folder()),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Prompts are not markup: escaping would change what the model reads.
        autoescape=False,
        # No value may hide anything from the reader of the prompt.
        finalize=_visible,
    )
    # Jinja's own `tojson` writes < and > as escapes, which would hide <GENERATED>.
    environment.filters["json"] = lambda value: json.dumps(_visible(value), ensure_ascii=False)
    return environment

"""The answer to a request, as a chat application shows it."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from apps.http.addresses import Address, places_named
from hugginggpt.artifacts import Artifact
from hugginggpt.errors import RequestClosedError, rebuilt
from hugginggpt.file_links import FILES
from hugginggpt.results import RequestStatus
from hugginggpt.trace.file_names import named_files
from hugginggpt.trace.story import RequestTrace

_LINK = re.compile(rf"!?\[((?:[^\[\]\\]|\\.){{0,500}})\]\([^()\s]{{0,300}}{re.escape(FILES)}/[^()\s]{{0,900}}\)")
_THOUGHTS = (('<details type="reasoning"', "</details>"), ("<think>", "</think>"))
_MARKS = re.compile(r"[\[\]\\`*_<>]")


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        said: Markdown with links to the files that it names; JSON, if the request has a schema.
        is_refusal: whether the request has a schema, and this is no JSON that keeps to it.
        media: links to pictures, recordings and videos that it does not name.
        prompt_tokens: what the controller has read for it.
        completion_tokens: what the controller has written for it.
    """

    said: str
    media: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_refusal: bool = False

    @property
    def text(self) -> str:
        """The whole answer."""
        return "\n\n".join((self.said, *self.media))

    @property
    def pieces(self) -> list[str]:
        """The whole answer as it is streamed: a line at a time."""
        return self.text.splitlines(keepends=True) or [""]


def answer_of(story: RequestTrace, address: Address) -> Answer:
    """The answer to a request that has ended, which may be partial.

    Args:
        story: the request.
        address: the addresses of its files for the client.

    Raises:
        HuggingGPTError: it failed, or was cancelled.
    """
    if story.status is RequestStatus.CANCELLED:
        raise RequestClosedError(story.error or "The request was cancelled.")
    if story.status is RequestStatus.FAILED:
        why = places_named(story, address)
        raise rebuilt(story.error_type, " ".join(filter(None, (story.error or "The request failed.", why))))
    text = places_named(story, address)
    unnamed: list[str] = []
    for name, file in () if story.response_source == "form" else named_files(story):
        artifact = file.artifact
        name += artifact.ending
        place = address(artifact.sha256, name)
        link, path = _link(name, place, artifact), re.escape(place)
        named = re.sub(rf"(?P<written>(?<=\]\(){path}(?=\)))|`?{path}`?", _put(place, link), text)
        if named == text and artifact.preview is None:
            unnamed.append(link)
        text = named
    totals, has_schema = story.totals, story.options.get("answer_schema") is not None
    is_refusal = has_schema and story.response_source != "form"
    return Answer(text, tuple(unnamed), totals.prompt_tokens, totals.completion_tokens, is_refusal)


def _put(address: str, link: str) -> Callable[[re.Match[str]], str]:
    """What takes the place of a file's path: its address where there is a link already, else a link."""
    return lambda match: link if match["written"] is None else address


def _link(name: str, address: str, artifact: Artifact) -> str:
    shown = _MARKS.sub(lambda match: f"\\{match[0]}", name)
    return f"{'!' if artifact.mime.startswith('image/') else ''}[{shown}]({address})"


def without_links(text: str) -> str:
    """An answer that a client quotes, with the names of our files in the place of links, and without its thoughts."""
    for opening, closing in _THOUGHTS:
        text = _without(text, opening, closing)
    return _LINK.sub(r"\1", text).strip()


def _without(text: str, opening: str, closing: str) -> str:
    """The text without what is from an opening to the next closing."""
    kept, at = [], 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start)) >= 0:
        kept.append(text[at:start])
        at = end + len(closing)
    return "".join((*kept, text[at:]))

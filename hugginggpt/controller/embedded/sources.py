"""The sources that a request's plan may name: its files, the names and URLs in its text, its long passages.

The embedded planner copies short texts well and long ones badly, so a name replaces every long
passage in the request that it reads.
"""

import itertools
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from urllib.parse import urlsplit

from hugginggpt.capabilities import ValueType
from hugginggpt.media.input_formats import by_ending

_IN_URL = r"[^\s\"'<>()\[\]{}|`“”‘’]"
_URL = re.compile(rf"https?://(?:{_IN_URL}|\({_IN_URL}*\))*(?:{_IN_URL}(?<![.,;:!?])|\({_IN_URL}*\))", re.IGNORECASE)
_QUOTED_NAME = re.compile(r"[\"'“‘`«(\[]([^\"'“”‘’`«»()\[\]\n]{1,80}?\.\w{2,8})[\"'”’`»)\]]")
# Possessive quantifiers: the name of a folder is never matched in a second way.
_NAME = re.compile(
    r"(?<![\w@/.+~%#-])(?:~?[\w.+-]*+/)*+[\w+~%@#-][\w.+~%@#-]*\.(?:[a-z0-9]{2,8}|[A-Z][a-z0-9]{2,7}|[A-Z0-9]{2,8})(?!\w)"
)

PASSAGE_CHARS = 120
"""A quoted or announced text of at least this length is a passage."""
_WISH_CHARS = 300
"""The longest wish about a text that is set apart from it."""
_APART_CHARS = 800
"""What a blank line sets apart is a text from this length on; no wish is as long."""
_RUN_ON_CHARS = 1500
"""The same if only the end of a sentence sets it apart, or if it names files."""

_QUOTE = re.compile(r'(?<![^\s(\[:,;>–—-])(?P<open>")(?=\S)|(?<=\S)(?P<close>")(?!\w)|(?P<mark>[“”„«»])')
_OPENED_BY = {'"': '"', "”": "“", "»": "«", "“": "„"}
_WISH = (
    r"(?:(?:and|then|also|next|please|finally|afterwards|after that),? )+(?:translate|summari[sz]e|"
    r"read (?:it|that|the|out)|say (?:it|that)|speak|shorten|tell me|turn it|"
    r"convert|rewrite|draw|list|classify|give me|let me|make)\b"
)
# On the line of its announcement, a text begins like a sentence: "do this: read a.png, then ..." announces wishes.
# A question is not a passage.
_ANNOUNCED = re.compile(
    r"(?i:\b(?:text|paragraph|passage|article|message|e-?mail|letter|review|note|post|report|story|abstract|comment|"
    r"speech|transcript|minutes|statement|complaint|description|following|below|this|it)\b)"
    r"(?![^\n:]{0,30}\bquestions?\b)[^\n:.!?]{0,30}:"
    rf"(?:[^\S\n]*\n\s*|\s*(?=[^\Wa-z_]))([^\s\"“«](?:(?!\n\s*\n|(?<=[.!?] )(?i:{_WISH})).){{{PASSAGE_CHARS},}})",
    re.DOTALL,
)
# A wish about a text that is set apart from it says so: "Summarise this mail.", "Can you translate it?"
_ASKS = (
    r"(?:please|(?:can|could|would|will) you|i need|i want|i'd like|translat\w*|summari\w*|sum|read|say|speak|shorten|"
    r"rewrite|rephrase|classify|convert|turn|make|give|tell|list|find|extract|check|put|is|are|does|do|"
    r"what|who|when|where|which|why|how)\b"
)
_ASKS_FIRST = re.compile(rf"(?:(?:and|then|also|next|now|finally|afterwards),? )*{_ASKS}", re.IGNORECASE)
_ASKS_SOMEWHERE = re.compile(rf"\b{_ASKS}", re.IGNORECASE)
_POINTS = re.compile(
    r"\b(?:this|these|it|its|that|them|above|below|following|here|text|paragraphs?|passage|article|message|e-?mail|mail|"
    r"letter|note|post|report|story|review|abstract|transcript|minutes|statement|complaint|speech)\b",
    re.IGNORECASE,
)
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…][\"”’)]*\s+")
_LIST_ITEM = re.compile(r"^[^\S\n]*+(?:\d+[.)]|[-*•]|(?i:step) \d+:)\s", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """Something that a plan may name.

    Attributes:
        types: the types of value that it may hold; several if only its content can tell, or for a document.
        shown_as: the type that the prompt shows; None if its types tell.
    """

    name: str
    types: frozenset[ValueType]
    shown_as: ValueType | None = None

    @property
    def label(self) -> str:
        """Its type, as the prompt shows it."""
        if self.shown_as is not None:
            return self.shown_as.value
        return next(iter(self.types)).value if len(self.types) == 1 else "document"


@dataclass(frozen=True)
class ReadRequest:
    """A request as the embedded planner sees it.

    Attributes:
        text: its text, with a name in the place of each passage.
        passages: name to passage.
    """

    text: str
    passages: dict[str, str]


def take_passages(text: str, others: Sequence[str] = ()) -> ReadRequest:
    """Replace every long text in a request with a name, which is neither in the request nor in other texts."""
    spans = sorted(_passages(text), key=lambda span: (span[0], -span[1]))
    passages: dict[str, str] = {}
    shown, end = [], 0
    free = passage_names(text, *others)
    for start, stop in spans:
        if start < end:
            continue
        name = next(free)
        passages[name] = text[start:stop]
        shown += [text[end:start], name]
        end = stop
    return ReadRequest("".join([*shown, text[end:]]), passages)


def passage_names(*texts: str) -> Iterator[str]:
    """Names for passages that are in none of the texts."""
    names = (f"passage-{n}" for n in itertools.count(1))
    return (name for name in names if not any(name in text for text in texts))


def _passages(text: str) -> Iterator[tuple[int, int]]:
    quotes = sorted(_quoted(text))
    if not quotes and (apart := _apart(text)):
        yield apart
        return
    yield from quotes
    for match in _ANNOUNCED.finditer(text):
        start, stop = match.span(1)
        stop = start + len(text[start:stop].rstrip())
        inside = text[start:stop]
        # Lists of wishes, and sentences about files or before a quotation, are not passages.
        if _LIST_ITEM.search(inside) or any(named_in(inside)) or _holds(quotes, start, stop):
            continue
        yield start, stop


def _holds(quotes: Sequence[tuple[int, int]], start: int, stop: int) -> bool:
    """Whether one of the sorted quotations begins between these positions."""
    first = bisect_right(quotes, start, key=lambda quote: quote[0])
    return first < len(quotes) and quotes[first][0] < stop


def _apart(text: str) -> tuple[int, int] | None:
    """Where a text is that a blank line sets apart from the wish about it, or that the wish follows."""
    start, stop = 0, len(text.rstrip())
    blanks = [match.span() for match in _BLANK_LINES.finditer(text, 0, stop) if match.start()]
    if blanks and _is_wish(first := text[: blanks[0][0]]) and _ASKS_SOMEWHERE.search(first):
        start = blanks[0][1]
    # The wish after it is the last block, or the last sentence if there is only one block.
    ends = blanks or [match.span() for match in _SENTENCE_END.finditer(text, 0, stop)]
    if ends and _is_wish(last := text[ends[-1][1] : stop]) and _ASKS_FIRST.match(last):
        stop = ends[-1][0] if blanks else len(text[: ends[-1][1]].rstrip())
    inside = text[start:stop]
    long = _RUN_ON_CHARS if not blanks or any(named_in(inside)) else _APART_CHARS
    return (start, stop) if long <= len(inside) < len(text.rstrip()) else None


def _is_wish(text: str) -> bool:
    return len(text) <= _WISH_CHARS and _POINTS.search(text) is not None


def _quoted(text: str) -> Iterator[tuple[int, int]]:
    """Where long quotations are, without their quotes, including those inside each other."""
    opened: list[re.Match[str]] = []
    places: dict[str, list[int]] = defaultdict(list)  # in `opened`, for each kind of quote
    for mark in _QUOTE.finditer(text):
        opener = _OPENED_BY.get(mark.group()) if mark.lastgroup != "open" else None
        begun = places[opener] if opener else []
        if begun:
            start, first = opened[begun[-1]].end(), begun[-1]
            for other in opened[first:]:
                places[other.group()].pop()
            del opened[first:]
            if mark.start() - start >= PASSAGE_CHARS:
                yield start, mark.start()
        elif mark.group() in "“„«" or mark.lastgroup == "open":
            places[mark.group()].append(len(opened))
            opened.append(mark)


def named_in(text: str) -> Iterator[str]:
    """The file names and URLs in a text, in order, each once."""
    seen: set[str] = set()
    found: list[tuple[int, str]] = [(m.start(), m.group()) for m in _URL.finditer(text)]
    free = _URL.sub(lambda m: " " * len(m.group()), text)
    characters = list(free)
    for match in _QUOTED_NAME.finditer(free):
        if _known(match.group(1)):
            found.append((match.start(1), match.group(1)))
            characters[match.start(1) : match.end(1)] = " " * len(match.group(1))
    free = "".join(characters)
    found += [(m.start(), m.group()) for m in _NAME.finditer(free) if _known(m.group())]
    for _, name in sorted(found):
        if name not in seen:
            seen.add(name)
            yield name


def _known(name: str) -> bool:
    return by_ending(PurePosixPath(name).suffix) is not None


def sources_of(
    request: ReadRequest,
    resources: Iterable[tuple[str, ValueType]],
    wording: Sequence[str] = (),
    documents: Mapping[str, frozenset[ValueType]] = MappingProxyType({}),
) -> list[Source]:
    """Everything that the plan may name.

    Args:
        request: the request without its passages.
        resources: name and type of attached files and earlier results.
        wording: more texts whose names and URLs count, such as earlier turns.
        documents: all types that each document can be used as, by name.
    """
    found = {name: Source(name, documents.get(name, frozenset()) | {type}, type) for name, type in resources}
    # A name with spaces may end like another name.
    spaced = [re.escape(name) for name in sorted(found, key=len, reverse=True) if " " in name]
    known = re.compile(rf"(?<!\w)(?:{'|'.join(spaced)})(?!\w)") if spaced else None
    for text in (request.text, *wording):
        for name in named_in(known.sub(" ", text) if known else text):
            # The last part of a path may be the name of an attached file.
            if name not in found and ("://" in name or PurePosixPath(name).name not in found):
                found[name] = Source(name, _types(name))
    found |= {name: Source(name, frozenset({ValueType.TEXT})) for name in request.passages}
    return list(found.values())


def _types(name: str) -> frozenset[ValueType]:
    """The types that a file with that name may hold."""
    path = urlsplit(name).path if "://" in name else name
    format = by_ending(PurePosixPath(path).suffix)
    if format is None:
        return frozenset(ValueType) - {ValueType.STRUCTURED}
    if format.type is not None:
        return frozenset({format.type})
    named = format.mime.split("/")[0]
    if named in ("image", "audio", "video"):
        return frozenset({ValueType(named)})
    return frozenset({ValueType.IMAGE, ValueType.TEXT, ValueType.TABLE})

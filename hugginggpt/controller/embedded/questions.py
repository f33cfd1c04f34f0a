"""The questions of a request, and the words that a question is about."""

import re
from collections.abc import Iterable

from hugginggpt.controller.embedded.question_words import (
    AUXILIARY,
    INTERROGATIVE,
    MODAL,
    PREPOSITION,
    plain_apostrophes,
)
from hugginggpt.controller.embedded.sentences import list_items, sentences

_BEGINNING = r"(?:(?:please|hi|hello|hey|ok|okay|and|but|so|also|then|now|well|oh)\b[,.!]?\s+){0,4}"
# "Can I have it in French?" is a wish, "Can I bring my dog?" and "Can I get a refund?" are questions.
_HAVE = (
    r"(?:(?:please|also|maybe)\s+)*(?:have|get|see|hear|listen|ask|trouble)\b"
    r"(?!\s+(?:(?:a|an|any|my|the|our|some)\s+)?(?:full\s+)?(?:refund|money|discount|reduction|deposit|replacement)\b)"
)
_WISH = re.compile(
    rf"{_BEGINNING}(?:(?:can|could|would|will|won't|might)\s+(?:you|someone|somebody)(?!\s+else)|"
    rf"(?:can|could|may|might)\s+(?:i|we)\s+{_HAVE}|shall\s+(?:i|we)|"
    r"(?:do|would) you mind|how about|why (?:not|don't you)|would it be (?:possible|okay?|all right|too much)|"
    r"(?:is there )?(?:any|a) (?:chance|way)(?: that)? "
    rf"(?:you|(?:i|we)\s+(?:(?:can|could|may|might)\s+)?{_HAVE})|"
    r"(?:kannst|könntest|würdest|magst) du|(?:können|könnten|würden) (?:sie|wir))\b",
    re.IGNORECASE,
)
_CHATTER = re.compile(rf"{_BEGINNING}(?:guess what|you know {INTERROGATIVE}|did you know)\b", re.IGNORECASE)
_ASKS = re.compile(
    rf"{_BEGINNING}(?:{INTERROGATIVE}(?:'s|'re|s)?|{AUXILIARY}(?:n't)? "
    r"(?:it|he|she|they|there|this|that|the|a|an|any|my|our|i|we|you|someone|anyone|all|each|\w+ed))\b",
    re.IGNORECASE,
)
_ASKS_WITH_A_MARK = re.compile(
    rf"{_BEGINNING}(?:(?:(?:{AUXILIARY}|{MODAL}|had)(?:n't)?|can't|won't)\s|"
    rf"any\s+(?:chance|way)\b|{PREPOSITION}\s+{INTERROGATIVE}\b)",
    re.IGNORECASE,
)
_INDIRECT = re.compile(
    rf"\b(?:tell (?:me|us)|say|know|wonder(?:ing)?|find out|check|see|explain|look up|figure out|work out)\b"
    rf"[^.?!\n]{{0,40}}\b(?:{INTERROGATIVE}|whether|if)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"{_BEGINNING}(?:tell (?:me|us)|let (?:me|us) know)\s+(?:the|its|his|her|their)\s+"
    r"(?P<what>\w+(?:\s\w+){0,6})[.!]?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w{2,}|\d")
_MADE = frozenset(
    _WORD.findall(
        "answer caption description emotion gist language mood result sentiment story summary text topic transcript "
        "transcription translation words"
    )
)
"""What a task makes of a file, rather than what a file says."""
_LITTLE_WORDS = frozenset(
    _WORD.findall(
        "a an the of on in at to for from by with about and or is are was were am be been do does did has have had can "
        "could must should will would it its this that these those there here my our your me us i we you he she they "
        "who whom whose what which when where why how much many any please tell give say know text "
        # What an apostrophe leaves: "don't", "they're".
        "don doesn didn isn aren wasn weren re ll ve"
    )
)


def questions_in(request: str) -> list[str]:
    """The sentences of a request that end with a question mark and ask for information; a polite wish does not."""
    return [sentence for sentence in _sentences(request) if sentence.endswith("?") and _asks(sentence)]


def asked_in(request: str) -> list[str]:
    """The sentences that ask for information, with a question mark or without."""
    return [
        sentence
        for sentence in _sentences(request)
        if not _is_wish(sentence) and (sentence.endswith("?") or _asks(sentence))
    ]


def unplanned_questions(request: str, planned: Iterable[str]) -> list[str]:
    """The questions of a request that no task was planned for.

    Args:
        request: the request.
        planned: the questions of the tasks. Each stands for one of the request that shares half of its words; one that
            is left then stands for a question of little words only, such as "How much is it?".
    """
    questions, left = [*questions_in(request), *_told(request)], list(planned)
    unplanned = [question for question in questions if not _take(question, left)]
    wordless = [question for question in unplanned if not content_words(question)][: len(left)]
    return [question for question in unplanned if question not in wordless]


def _told(request: str) -> list[str]:
    """The sentences of a request that want to be told something in particular: "Tell me the date."."""
    found = ((sentence, _TOLD.match(sentence)) for sentence in _sentences(request))
    return [
        sentence
        for sentence, match in found
        if match is not None and not {word.lower() for word in match["what"].split()} & _MADE
    ]


def _take(question: str, planned: list[str]) -> bool:
    """Remove the planned question that a question is; False if there is none."""
    words = content_words(question)
    for other in planned:
        others = content_words(other)
        if (shared := len(words & others)) and 2 * shared >= min(len(words), len(others)):
            planned.remove(other)
            return True
    return False


def content_words(text: str) -> set[str]:
    """The words of a question that tell what it is about, in lower case."""
    return set(_WORD.findall(text.lower())) - _LITTLE_WORDS


def _sentences(request: str) -> list[str]:
    """The sentences of a request, without the marks of a list. A line ends a sentence, too."""
    lines = [line for item in list_items(plain_apostrophes(request)) for line in item.splitlines()]
    return [sentence for line in lines for sentence in sentences(line) if sentence]


def _asks(sentence: str) -> bool:
    """Whether a sentence asks for information by its words."""
    patterns = (_ASKS, _ASKS_WITH_A_MARK) if sentence.endswith("?") else (_ASKS,)
    found = any(pattern.match(sentence) for pattern in patterns) or _INDIRECT.search(sentence) is not None
    return found and not _is_wish(sentence)


def _is_wish(sentence: str) -> bool:
    """Whether a sentence only looks like a question: a polite wish, or words to begin a talk with."""
    if _CHATTER.match(sentence):
        return True
    return _WISH.match(sentence) is not None and _INDIRECT.search(sentence) is None

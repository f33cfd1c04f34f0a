"""A question with several parts, as single questions: "Who has to pay, and by when?" is two."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hugginggpt.controller.embedded.answer_types import CARDINAL
from hugginggpt.controller.embedded.question_words import (
    ASKS_TO_BE_TOLD,
    AUXILIARY,
    BEGINS_AS_QUESTION,
    INTERROGATIVE,
    MODAL,
    PREPOSITION,
    SUBJECT,
    plain_apostrophes,
)
from hugginggpt.controller.embedded.sentences import list_items, sentences

_THINGS = "(?:time|day|date|month|year|room|place|address|price|cost|floor|gate|platform|colour|size)"
_COUNTED = "(?:minutes|hours|days|weeks|months|years|times|people|money|time)"
_ASKED = (
    rf"(?:how (?:much|many) {_COUNTED}|how (?:much|many|long|often|far|old|big|soon|late)|(?:what|which) {_THINGS}|\w+)"
)
_WORD = rf"(?:{PREPOSITION} )?(?={INTERROGATIVE}\b){_ASKED}"
_VERB = rf"(?:{AUXILIARY}|{MODAL}) (?:{SUBJECT}|any)\b"
_NEXT = re.compile(rf",? and (?:also )?(?={_WORD}\b|{_VERB})|, (?={_WORD}\b)", re.IGNORECASE)
_BEGINS_AS_QUESTION = re.compile(rf"(?:^|, ){BEGINS_AS_QUESTION}", re.IGNORECASE)
# "Is it open on Monday, when the school is closed?", "the deposit, which is due": no question of its own. But in "how
# much it is, when it starts" all are worded as clauses.
_RELATIVE = re.compile(
    rf"(?:{PREPOSITION} )?(?:which|when|where|whose|whom) {SUBJECT}\b|in which case\b|"
    rf"which (?:{AUXILIARY}|{MODAL})\b(?! {SUBJECT}\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(rf"(?:{PREPOSITION} )?{INTERROGATIVE}(?: \w+)? (?:i|we|you|he|she|it|they)\b", re.IGNORECASE)
_YES_OR_NO = re.compile(rf"(?:{AUXILIARY}|{MODAL})\b", re.IGNORECASE)
_TO_BE_TOLD = re.compile(rf"\A(?:(?:and|also|please) )*(?:{ASKS_TO_BE_TOLD} )+", re.IGNORECASE)
_QUESTION_WORD = re.compile(rf"\b{_WORD}", re.IGNORECASE)
_FRAGMENT = re.compile(rf"(?P<asks>{_WORD})(?: (?:then|exactly|please))?", re.IGNORECASE)
_TWO_THINGS = re.compile(
    r"(?P<asks>what(?: is| are|'s)|when is|who is) (?P<first>the (?!\w+ between\b)(?:(?! of )[\w '-]){2,40}?),? "
    r"and (?P<second>the (?:(?! of )[\w '-]){2,40})",
    re.IGNORECASE,
)
_REQUEST = re.compile(
    r"(?:please |also |and |then )*(?:give|tell|find|name|list|show|state|quote)\b(?!:| attached| enclosed)",
    re.IGNORECASE,
)
# "My son is 8." decides what the answer to the next question is.
_TELLS_A_NUMBER = re.compile(rf"{SUBJECT}\b.*(?:\d|\b(?!one\b){CARDINAL}\b)", re.IGNORECASE)
_MOST_CONTEXT_CHARS = 100


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        shown: as the user put it.
        asked: as it can be understood alone.
    """

    shown: str
    asked: str


def single_questions(text: str) -> list[Question]:
    """The questions in a text, one by one.

    What tells without asking is left out, except for a number that the next or last question may depend on.

    Args:
        text: a question, a request, or only what is to be found.
    """
    text = plain_apostrophes(text).strip()
    said = [" ".join(sentence.split()) for item in list_items(text) for sentence in sentences(item)]
    questions = [(context, part) for context, sentence in _asked(said) for part in _parts(sentence.rstrip("?. "))]
    return [Question(part.shown, f"{context}{part.asked}") for context, part in questions] or [Question(text, text)]


def _asked(said: Sequence[str]) -> list[tuple[str, str]]:
    """The sentences that ask, each after the statement that it may depend on; the whole if none is told apart."""
    is_marked = any(sentence.endswith("?") for sentence in said)
    asked: list[tuple[str, str]] = []
    context = ""
    for sentence in said:
        begins = _REQUEST.match(sentence) or (not is_marked and _BEGINS_AS_QUESTION.match(sentence))
        if sentence.endswith("?") or begins:
            asked.append((context, sentence))
            context = ""
        elif _TELLS_A_NUMBER.match(sentence) and len(sentence) <= _MOST_CONTEXT_CHARS:
            context = f"{sentence} "
    if asked and context:
        asked[-1] = (context, asked[-1][1])
    # Without question marks, one question may go on where a full stop seems to end it: "how often to take Syp. Azee".
    return asked if is_marked or len(asked) > 1 else [("", " ".join(said))]


def _parts(sentence: str) -> Iterator[Question]:
    parts = [part for part in _divided(sentence) if part]
    if len(parts) == 1:
        things = _TWO_THINGS.fullmatch(sentence)
        asks = [f"{things['asks']} {things[name]}" for name in ("first", "second")] if things else parts
        yield from (_question(part, part) for part in asks)
        return
    # A fragment is only a question word: "by when".
    fragments = {part: match["asks"] for part in parts if (match := _FRAGMENT.fullmatch(part))}
    rest = _rest([part for part in parts if part not in fragments])
    for part in parts:
        yield _question(part, f"{fragments[part]} {rest}".strip() if part in fragments else part)


def _divided(sentence: str) -> Iterator[str]:
    """The sentence, divided where another question begins."""
    start = seen = 0
    is_question = False
    for match in _NEXT.finditer(sentence):
        if match.group() == ", " and _RELATIVE.match(sentence, match.end()) and not _CLAUSE.match(sentence, start):
            continue
        is_question = is_question or _BEGINS_AS_QUESTION.search(sentence[seen : match.start()]) is not None
        seen = match.start()
        # After a comma alone the question may only begin: "If I cancel, how much do I get back?"
        if is_question or match.group() != ", ":
            yield sentence[start:seen]
            start = seen = match.end()
            is_question = False
    yield sentence[start:]


def _rest(whole: Sequence[str]) -> str:
    """What the first of the other questions asks about: "has to pay" of "Who has to pay", "is it" of "Is it"."""
    if not whole:
        return ""
    asks = _TO_BE_TOLD.sub("", whole[0])
    match = None if _YES_OR_NO.match(asks) else _QUESTION_WORD.search(asks)
    return asks[match.end() :].strip() if match else f"{asks[:1].lower()}{asks[1:]}"


def _question(shown: str, asked: str) -> Question:
    return Question(*(f"{part[:1].upper()}{part[1:]}?" for part in (shown, asked)))

"""What the answer to a question has to be: a number for "how many", a day or a time for "when", or yes or no."""

import re
from dataclasses import dataclass

_MONTHS = "jan feb mar apr may jun jul aug sept? oct nov dec"
_LONG_MONTHS = "january february march april may june july august september october november december"
_DAYS = "mon tue tues wed thu thurs fri sat sun"
_NUMBERS = (
    "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million "
    "dozen half quarter third once twice single double both no none nothing zero nil free unlimited all"
)
_TIMES = (
    "(?:mon|tues|wednes|thurs|fri|satur|sun)days? today tomorrow tonight yesterday noon midday midnight mornings? "
    "afternoons? evenings? nights? dawn dusk sunrise sunset daily weekly monthly quarterly yearly annual(?:ly)? hourly "
    "nightly every each spring summer autumn winter christmas easter seconds? minutes? hours? days? weeks? weekends? "
    "months? years? fortnights? now immediately always never before after during until when(?:ever)? while once twice "
    "arrival departure receipt request one two three four five six seven eight nine ten eleven twelve half"
)

_DIGIT = r".*\d.*"


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join([_DIGIT, *" ".join(words).split()]), re.IGNORECASE)


_NUMBER = _any_of(_NUMBERS)
_TIME = _any_of(_TIMES, _MONTHS, _LONG_MONTHS, _DAYS)

_THE = r"(?:(?:the|my|our|your|his|her|its|their|this|a) )?(?:[\w'-]+ ){0,2}?"
_ASKS = rf"\A(?:and )?(?:only |just )?(?:what(?:'s| is| are| was| were)|which is|give me|tell me)?\s*{_THE}"
_ASKED_FOR = (
    (re.compile(r"\A(?:and )?(?:(?:for|at|by|in|of|to|within) )?how (?:many|much)\b", re.IGNORECASE), _NUMBER),
    (
        re.compile(
            r"\A(?:and )?(?:(?:by|until|till|since|from|on|at|in|for) )?(?:when\b|how (?:long|often|soon|late|early)\b|"
            r"(?:what|which) (?:[\w'-]+ )?(?:time|date|day|month|year)s?\b)",
            re.IGNORECASE,
        ),
        _TIME,
    ),
    (re.compile(rf"{_ASKS}(?:due date|date|deadline|expiry date)s?\W*\Z", re.IGNORECASE), _TIME),
    (
        re.compile(
            rf"{_ASKS}(?:total|amount|price|cost|fee|balance|deposit|(?:phone|telephone|invoice|order|account) number)"
            r"(?: (?:due|to pay|owed))?\W*\Z",
            re.IGNORECASE,
        ),
        _NUMBER,
    ),
)


_PLACED = r"(?:(?:and|so|also) )?(?:(?:by|until|till|since|from|on|at|in|for|to|with|about|under|of|within) )?"
_WORDED = re.compile(rf"\A{_PLACED}(?:who|whom|whose|what|which|when|where|why|how)\b", re.IGNORECASE)
_YES_OR_NO = re.compile(
    r"\A(?:(?:and|so|also) )?(?!(?:can|could|will|would) you\b)"
    r"(?:(?:is|are|was|were|do|does|did|has|have|had|can|could|must|should|need)(?:n't)?|"
    r"am|will|would|may|shall|won't|can't)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wanted:
    """What an answer has to be.

    Attributes:
        word: what one of its words has to match as a whole; None if they may be any.
        verdict: whether it is yes or no with what shows it; None if that is not certain.
    """

    word: re.Pattern[str] | None = None
    verdict: bool | None = None


def wanted(question: str) -> Wanted:
    """What the answer to a question has to be.

    Args:
        question: one question, or only what is to be found, such as "the due date".
    """
    question = question.strip()
    word = next((words for asks, words in _ASKED_FOR if asks.search(question)), None)
    verdict = False if word or _WORDED.search(question) else True if _YES_OR_NO.search(question) else None
    return Wanted(word, verdict)

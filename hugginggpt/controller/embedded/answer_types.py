"""What the answer to a question has to be: a number for "how many", a day or a time for "when", or yes or no."""

import re
from dataclasses import dataclass

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
from hugginggpt.controller.embedded.sentences import sentences

CARDINAL = (
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundreds?|thousands?|millions?|dozens?)"
)
"""A number in one word."""

# Either word lists begin with these: "a tenth off", "on the third try", "a week", "twice a day".
_AMOUNTS = (
    f"{CARDINAL} first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth last "
    "half halves quarters? thirds once twice seconds? minutes? hours? days? weeks? weekends? months? years? "
    "fortnights? hourly daily weekly monthly quarterly yearly annual(?:ly)? fortnightly"
)
_NUMBERS = (
    "single double triple both no none nothing zero nil free unlimited all some several few couple pairs? many little "
    "enough full entire whole tenths tenner fiver (?:two|three|four|six)pence penny "
    "lit(?:re|er)s? gallons? pints? cups? glass(?:es)? bottles? cans? bunch(?:es)? pinch(?:es)? handfuls? drops? "
    "slices? spoons? (?:tea|table)spoons? tsp tbsp grams? kilos? pounds? inch(?:es)? foot feet miles? met(?:re|er)s?"
)
_TIMES = (
    "jan feb mar apr may jun jul aug sept? oct nov dec january february march april june july august september october "
    "november december mon tue tues wed thu thurs fri sat sun (?:mon|tues|wednes|thurs|fri|satur|sun)days? "
    "today tomorrow tonight yesterday overnight noon midday midnight daytime mornings? afternoons? evenings? nights? "
    "nightly nightfall dawn dusk sunrise sunset bedtime breakfast lunch(?:time)? dinner supper meals? "
    "spring summers? autumn winters? christmas easter holidays? terms? season breaks? life lifelong lifetime "
    "birth death arrival departure receipt request collection delivery enrolment payment start beginning end eve "
    "every each now immediately always never before after during until till since when(?:ever)? while as if"
)

_DIGIT = r".*[\d¼-¾⅐-⅞].*"


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile("|".join([_DIGIT, *" ".join(words).split()]), re.IGNORECASE)


_NUMBER = _any_of(_AMOUNTS, _NUMBERS)
_TIME = _any_of(_AMOUNTS, _TIMES)

_DETERMINER = r"(?:the|an?|my|our|your|his|her|its|their|this)"
# Up to two words may stand before what is asked for, "the monthly fee", but not those of a sentence: "Why the fee?"
_NAMED = rf"(?:{_DETERMINER} )?(?:(?!(?:{_DETERMINER}|{INTERROGATIVE}|{AUXILIARY}|{MODAL})\b)[\w'-]+ ){{0,2}}?"
_ASKS = rf"\A(?:only |just )?(?:what(?:'s| is| are| was| were)?\s+|which is\s+)?{_NAMED}"
_OTHER_DAYS = r"(?:trip|tour|group|care|pass|ticket|zone|nursery|school|return|rate|room|clinic|job)s?"
_PHONE_DIGITS = 6
"""Fewest digits of a phone number, but for those of emergencies and inside a house."""

_ASKED_FOR = tuple(
    (re.compile(asks, re.IGNORECASE), unit, digits)
    for asks, unit, digits in (
        (r"\Ahow much(?: more)? (?:time|notice|longer|sooner|earlier|later)\b", _TIME, 0),
        (rf"\A(?:{PREPOSITION} )?how (?:many|much)\b", _NUMBER, 0),
        (
            # "When I cancel, any money back?" asks for no time.
            rf"\A(?:{PREPOSITION} )?(?:when\b(?! {SUBJECT}\b[^,]*,)|how (?:long|often|soon|late|early)\b|"
            rf"(?:what|which) (?:[\w'-]+ )?(?:time|date|day|month|year)s?\b(?! {_OTHER_DAYS}\b))",
            _TIME,
            0,
        ),
        (rf"{_ASKS}(?:date|deadline)s?\W*\Z", _TIME, 0),
        (
            rf"{_ASKS}(?<!emergency )(?<!internal )(?:(?:tele|mobile |cell)?phone|mobile|cell|fax) numbers?\W*\Z",
            _NUMBER,
            _PHONE_DIGITS,
        ),
        (
            rf"{_ASKS}(?:total|amount|price|cost|fee|balance|deposit|"
            r"(?:emergency|internal|invoice|order|account)(?: phone)? number)(?: (?:due|to pay|owed))?\W*\Z",
            _NUMBER,
            0,
        ),
    )
)

_POLITE = re.compile(r"\A(?:(?:and|so|also|but|hi|hello|hey|please|ok|okay)\b[,.!]? )+", re.IGNORECASE)
_TO_BE_TOLD = re.compile(rf"\A(?:{ASKS_TO_BE_TOLD} )+", re.IGNORECASE)
_WHETHER = re.compile(r"\A(?:if|whether)\b", re.IGNORECASE)
# "If I cancel, is there a refund?", "In the letter: who pays?"
_CLAUSE_BEFORE = re.compile(rf"\A(?!{BEGINS_AS_QUESTION}).*?(?:[,:;]| [-–]) (?={BEGINS_AS_QUESTION})", re.IGNORECASE)
_YES_OR_NO = re.compile(rf"\A(?:(?:{AUXILIARY}|{MODAL}|had|need)(?:n't)?|am|shall|won't|can't)\b", re.IGNORECASE)
# "Is it a boy or a girl?" and "Is it collected or how?" want one of the two.
_EITHER_OR = re.compile(
    rf"\A(?:is|are|was|were)\b(?! there\b).* or (?!not?\b)| or (?:{INTERROGATIVE}|only)\b", re.IGNORECASE
)
_ABOUT = re.compile(
    rf"\A(?:is|are|was|were)(?:n't)? {SUBJECT}\b(?: [\w'-]+){{0,2}}? about (?P<topic>[^,;]+?)\W*\Z", re.IGNORECASE
)


@dataclass(frozen=True)
class AnswerType:
    """What an answer has to be.

    Attributes:
        unit: what one of its words or numbers has to match as a whole; None if they may be any.
        digits: how many digits it has at least.
        verdict: whether it is yes or no, with the place that shows it.
        topic: what the question asks whether the text is about. A place that names it means yes.
    """

    unit: re.Pattern[str] | None = None
    digits: int = 0
    verdict: bool = False
    topic: str = ""


def answer_type(question: str) -> AnswerType:
    """What the answer to a question has to be.

    Args:
        question: one question, perhaps beside a statement, or only what is to be found, such as "the due date".
    """
    said = sentences(plain_apostrophes(question))
    direct, asks_whether = _direct(next((one for one in reversed(said) if one.endswith("?")), said[-1]))
    unit, digits = next(((unit, digits) for asks, unit, digits in _ASKED_FOR if asks.search(direct)), (None, 0))
    is_verdict = asks_whether or (_YES_OR_NO.search(direct) is not None and _EITHER_OR.search(direct) is None)
    about = _ABOUT.match(direct) if is_verdict else None
    return AnswerType(unit, digits, verdict=unit is None and is_verdict, topic=about["topic"] if about else "")


def _direct(question: str) -> tuple[str, bool]:
    """A question without what comes before it, as "how much is it" of "Do you know how much it is"; if it asks whether.

    Only a question that is indirect asks whether: "If I cancel" does not.
    """
    question = _POLITE.sub("", question)
    direct = _TO_BE_TOLD.sub("", question)
    if direct != question and _WHETHER.match(direct):
        return direct, True
    return _CLAUSE_BEFORE.sub("", direct), False

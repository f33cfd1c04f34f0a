"""Common wishes in German, French, Spanish and Italian, in the English that the planner was trained on."""

import re

from hugginggpt.controller.embedded.question_words import plain_apostrophes
from hugginggpt.controller.embedded.sources import named_in

_MOST_CHARS = 120
"""The longest request that is one of these wishes and nothing else."""

_ENGLISH = re.compile(
    r"\b(?:the|this|these|that|please|my|your|and|of|it|its|is|are|what|who|with|you|read|say|summari[sz]e|translate)\b",
    re.IGNORECASE,
)

_SUMMARISE = re.compile(
    r"\bfass(?:e|t|en)?\b(?=.*\bzusammen\b)|\bzusammen(?:zu)?fass\w+|\bkurzfassung\b|\brésum(?:e|er|ez|é)\b|"
    r"\bresum(?:e|ir|en|a|elo|irlo)\b|\bresúm\w+|\briassum\w+|\briassunto\b",
    re.IGNORECASE,
)
_TRANSLATE = re.compile(r"\bübersetz\w*|\btrad[uú][icz]\w+|\btraduction\b", re.IGNORECASE)
_READ_ALOUD = re.compile(
    r"\bl(?:ies|esen|est)\b(?=.*\bvor\b)|\bvor(?:zu)?lesen\b|\banhören\b|\blis(?:ez)?[- ](?:le |la |les )?[- ]?moi\b|"
    r"\bli(?:s|sez|re)\b(?=.*\bà (?:haute voix|voix haute)\b)|\bl[ée](?:eme|emelo|emela|érmelo|erme)\b|"
    r"\bl[ée](?:e|a|er|elo)\b(?=.*\ben voz alta\b)|\bleggi(?:mi|melo|mela)\b|\blegg(?:i|ere)\b(?=.*\bad alta voce\b)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"\bwas (?:steht|da steht)\b|\bqu'est-ce qui est écrit\b|\bqué (?:pone|dice)\b|\bcosa (?:c'è scritto|dice)\b",
    re.IGNORECASE,
)
_LANGUAGES = {
    "English": r"englische?s?n?|anglais|ingl[eé]s|inglese",
    "German": r"deutsche?s?n?|allemand|alem[aá]n|tedesco",
    "French": r"französische?s?n?|français|franc[eé]s|francese",
    "Spanish": r"spanische?s?n?|espagnol|español|spagnolo",
    "Italian": r"italienische?s?n?|italien|italiano",
}
_PAGE = re.compile(r"\b(?:seiten?|pages?|p[aá]ginas?|pagine)\s+(\d+)(?:\s*(?:-|–|bis|à|a)\s*(\d+))?", re.IGNORECASE)


def in_english(text: str) -> str | None:
    """A short wish to hear, read, summarise or translate a file, in English; None for any other request.

    Args:
        text: the request.
    """
    text = plain_apostrophes(text).strip()
    names = list(named_in(text))
    words = text
    for name in names:
        words = words.replace(name, " ")
    if len(words) > _MOST_CHARS or _ENGLISH.search(words):
        return None
    what = " and ".join(names) or "it"
    if page := _PAGE.search(words):
        what = f"{'pages' if page[2] else 'page'} {'-'.join(filter(None, page.groups()))} of {what}"
    wishes: list[tuple[int, str]] = []
    if found := _SUMMARISE.search(words):
        wishes.append((found.start(), "summarise"))
    if (found := _TRANSLATE.search(words)) and (language := _language_in(words)):
        wishes.append((found.start(), f"translate into {language}"))
    steps = [wish for _, wish in sorted(wishes)]
    if _READ_ALOUD.search(words):
        steps.append("read aloud")
    elif not steps and _COPY.search(words):
        steps.append("read the text in")
    if not steps:
        return None
    said = [_said(step, what if n == 0 else "it") for n, step in enumerate(steps)]
    wish = f"{', then '.join(said)}."
    return f"{wish[0].upper()}{wish[1:]}"


def _said(step: str, what: str) -> str:
    verb, _, rest = step.partition(" ")
    return f"{step} {what}" if step == "read the text in" else f"{verb} {what} {rest}".strip()


def _language_in(words: str) -> str | None:
    found = [name for name, forms in _LANGUAGES.items() if re.search(rf"\b(?:{forms})\b", words, re.IGNORECASE)]
    return found[-1] if found else None

"""The form of answers from one text, and its grammar in llama.cpp's GBNF.

An answer is a span of the text, word for word and on one line, with " = yes" or " = no" after it if the question is to
be answered so; or "not said". So the model cannot change a number or a name. The verdict comes last, because it is
easier to tell from the span than from the whole text.
"""

import json
import re

NOT_SAID = "not said"

_VERDICTS = {" = yes": True, " = no": False}
VERDICT_TOKENS = 3
"""How many tokens a verdict has, with the end."""

# Numbers are whole: no span ends inside "1,593.96" or "14:05".
_UNIT = re.compile(r"\d+(?:[.,:]\d+)+\w*|\w+|[^\w\s]")


def written_answer(span: str | None, verdict: bool | None = None) -> str:
    """The form of an answer.

    Args:
        span: None if the text does not say.
        verdict: whether the span means yes; None if it is the answer itself.
    """
    if span is None:
        return NOT_SAID
    return span + next((words for words, means in _VERDICTS.items() if means is verdict), "")


def answer_in(written: str) -> tuple[str | None, bool | None]:
    """Span and verdict of an answer in its form."""
    for words, verdict in _VERDICTS.items():
        if written.endswith(words):
            return written.removesuffix(words), verdict
    return (None if written == NOT_SAID else written), None


def answer_grammar(text: str) -> str:
    """The grammar of the possible answers from a text.

    Args:
        text: as the model reads it.
    """
    units = list(_UNIT.finditer(text))
    rules = [f"root ::= {json.dumps(NOT_SAID)}"]
    if units:
        rules = [f"{rules[0]} | span ({' | '.join(map(json.dumps, _VERDICTS))})?"]
        rules.append("span ::= " + " | ".join(f"w{number}" for number in range(len(units))))
    for number, unit in enumerate(units):
        rule = json.dumps(unit.group(), ensure_ascii=False)
        if number + 1 < len(units):
            gap = '" " ' if unit.end() < units[number + 1].start() else ""
            rule += f" ({gap}w{number + 1})?"
        rules.append(f"w{number} ::= {rule}")
    return "\n".join([*rules, ""])

"""The grammar of answers from one text, in llama.cpp's GBNF.

An answer is a span of the text, word for word and on one line, after "yes: " or "no: " if the question is to be
answered so; or "not said". So the model cannot change a number or a name.
"""

import json
import re

NOT_SAID = "not said"
YES, NO = "yes: ", "no: "

# Numbers are whole: no span ends inside "1,593.96" or "14:05".
_UNIT = re.compile(r"\d+(?:[.,:]\d+)+\w*|\w+|[^\w\s]")


def answer_grammar(text: str) -> str:
    """The grammar of the possible answers from a text.

    Args:
        text: as the model reads it.
    """
    units = list(_UNIT.finditer(text))
    rules = [f"root ::= {json.dumps(NOT_SAID)}"]
    if units:
        rules = [f"{rules[0]} | ({json.dumps(YES)} | {json.dumps(NO)})? span"]
        rules.append("span ::= " + " | ".join(f"w{number}" for number in range(len(units))))
    for number, unit in enumerate(units):
        rule = json.dumps(unit.group(), ensure_ascii=False)
        if number + 1 < len(units):
            gap = '" " ' if unit.end() < units[number + 1].start() else ""
            rule += f" ({gap}w{number + 1})?"
        rules.append(f"w{number} ::= {rule}")
    return "\n".join([*rules, ""])

"""What is said where there is nothing to run: fixed texts, because a small model knows next to nothing."""

import re
from collections.abc import Sequence

from hugginggpt.controller.embedded.question_words import plain_apostrophes
from hugginggpt.controller.embedded.questions import asked_in
from hugginggpt.resource import Resource

_MOST_CHARS = 120
"""The longest clause of small talk."""

WHO = (
    "I am HuggingGPT, a program. I plan a request as AI tasks, have an expert model do each of them, and put their "
    "results together. Without a key, a small model on this machine plans."
)
CAN = (
    "I can read the text in pictures, answer questions about documents, summarise, read texts aloud, write down what "
    "is said in recordings and clean them, sort texts by labels or mood, draw the edges in pictures, and more. "
    "`hugginggpt kinds` lists every kind of task and where it runs, and `hugginggpt models fetch --kind KIND` gets a "
    "model for another kind."
)
HOW = (
    "I turn your request into a plan of AI tasks, choose an expert model for each, run each as soon as its inputs are "
    "there, and put the answer together from the results. `hugginggpt trace show` shows every step of a request."
)
USE = (
    "Attach a picture, a recording, a text or a table with --file, and say what to do with it or ask about it, for "
    'example: hugginggpt ask "Read this aloud." --file letter.png'
)
GREETING = (
    "Hello! Attach a picture, a recording, a text or a table, and tell me what to do with it or ask me something about "
    "it."
)
WELCOME = "You're welcome."
GOODBYE = "Goodbye."

_ABOUT = (
    (r"\b(?:who|what) are you$|\b(?:your name|what is hugginggpt)$", WHO),
    (r"\bare you (?:an? )?(?:real |actual )?(?:human|robot|bot|ai|person|machine|program|chatgpt|gpt)$", WHO),
    (
        r"\bwhat (?:all )?(?:(?:can|could|do) you|you can)(?: all)? do(?: for me| here)?$|\bhow can you help(?: me)?$",
        CAN,
    ),
    (r"^(?:please )?help(?: me)?$|\bwhat (?:can i ask(?: you)?|are your (?:abilities|capabilities|features))$", CAN),
    (r"\bhow (?:does|do) (?:this|it|that|you|hugginggpt)(?: all)? work$", HOW),
    (r"\bhow (?:do|can) i use (?:this|it|you|hugginggpt)$", USE),
)
"""What a clause about this program ends with, and what is said to it."""

_NAMED = re.compile(r"\byou\b|\byour\b|\bhugginggpt\b|^(?:please )?help(?: me)?$", re.IGNORECASE)
"""What a clause about this program has where it could be about a file, too."""

_ENDING = (
    r"(?: (?:a lot|so much|very much|again|everyone|there|all|for (?:now|today|your help|everything|that|this)|"
    r"i needed|then|you|friend))*"
)
_TALK = (
    (r"(?:many )?(?:thanks?(?: you)?|thx|cheers|danke|merci|gracias)" + _ENDING, WELCOME),
    (
        r"(?:(?:that|this|it|you)(?:'s| is| was|'re| are| were)? )?(?:(?:a|an|really|very|so|just|all) )*"
        r"(?:ok(?:ay)?|great|good|perfect|nice|cool|wow|super|fine|excellent|wonderful|brilliant|awesome|helpful|kind|"
        r"got it|well done|good job|all|enough|yes)" + _ENDING,
        WELCOME,
    ),
    (r"(?:good ?bye|bye(?: bye)?|see you(?: later| soon)?|good night)" + _ENDING, GOODBYE),
    (r"(?:hi|hello|hey|howdy|greetings|hallo|bonjour|hola|good (?:morning|afternoon|evening|day))" + _ENDING, GREETING),
    (r"(?:and )?how are you(?: doing)?(?: today)?", GREETING),
)
"""What a whole clause of small talk may be, and what is said to it."""

_CLAUSE = re.compile(
    # An emoticon with a letter: ":D".
    r"(?:[:;=]-?[DPp]\b|<3|"
    # Any mark or emoji, but for those inside words: "that's", "follow-up".
    r"[^\w\s'-]|(?<!\w)['-]|['-](?!\w)|\n)+\s*"
)
"""What stands between clauses."""


def small_talk(text: str, *, has_files: bool = False) -> str | None:
    """What to say to a request that is only small talk, or about this program; None for any other.

    Args:
        text: the request.
        has_files: files came with it, so that "it" means one of them, and not this program.
    """
    text = plain_apostrophes(text)
    said = [_said_to(clause.strip(), has_files) for clause in _CLAUSE.split(text) if clause.strip()]
    if not said or None in said:
        return None
    order = [answer for _, answer in (*_ABOUT, *_TALK)]
    return min((answer for answer in said if answer is not None), key=order.index)


def direct_answer(text: str, resources: Sequence[Resource]) -> str:
    """The answer to a request without a plan.

    Args:
        text: the request.
        resources: the request's files and the results of earlier turns.
    """
    said = small_talk(text, has_files=any(not resource.earlier for resource in resources))
    if said is not None:
        return said
    if asked_in(text):
        return (
            "Without a file to look in or a larger model I cannot know this: attach a file, or set OPENAI_API_KEY or "
            "OPENAI_BASE_URL."
        )
    files = " and ".join(resource.name for resource in resources if not resource.earlier)
    todo = f"what to do with {files}" if files else "what to do"
    return (
        f"I did not understand {todo}: say it in other words, in English, or set OPENAI_API_KEY or OPENAI_BASE_URL for "
        "a larger model."
    )


def _said_to(clause: str, has_files: bool) -> str | None:
    if len(clause) > _MOST_CHARS:
        return None
    about = None
    if not has_files or _NAMED.search(clause):
        about = next((answer for words, answer in _ABOUT if re.search(words, clause, re.IGNORECASE)), None)
    return about or next((answer for words, answer in _TALK if re.fullmatch(words, clause, re.IGNORECASE)), None)

"""The words that English questions begin with, as parts of regular expressions."""

INTERROGATIVE = "(?:who|whom|whose|what|which|when|where|why|how)"
AUXILIARY = "(?:is|are|was|were|do|does|did|has|have)"
MODAL = "(?:can|could|must|should|will|would|may|might)"

PREPOSITION = "(?:about|after|as of|at|before|by|for|from|in|of|on|since|till|to|under|until|up to|with|within)"
"""What may stand before an interrogative: "by when"."""

SUBJECT = "(?:i|we|you|he|she|it|they|there|this|that|these|those|the|an?|my|our|your|his|her|their)"
"""What a clause begins with. After "when" it makes a subordinate clause: "when I arrive", but not "when is it"."""

BEGINS_AS_QUESTION = (
    rf"(?:(?:{PREPOSITION} )?(?:(?:who|whom|whose|what|which|why|how)\b|(?:when|where)\b(?! {SUBJECT}\b))|"
    rf"(?:am|(?:{AUXILIARY}|{MODAL}|had)(?:n't)?|can't|won't)\b)"
)
"""How a question begins, unlike a statement or a clause such as "when I arrive"."""

ASKS_TO_BE_TOLD = (
    r"(?:(?:(?:can|could|would|will) you )?(?:please )?"
    r"(?:tell|give|show|find|name|list|say|explain|check|find out|look up)\b(?: me| us)?[:,]?|"
    r"do you know[:,]?|(?:i|we)(?:'d| would) (?:like|love) to know[:,]?|(?:i|we) (?:want|need) to know[:,]?|"
    rf"does (?:it|this|(?:the|this) \w+) (?:say|state|mention)(?= {INTERROGATIVE}\b| if\b| whether\b))"
)
"""What only makes a question indirect: "Can you tell me"."""


def plain_apostrophes(text: str) -> str:
    """The text with typewriter apostrophes in place of the curly ones that phones write."""
    return text.replace("’", "'")

"""The sentiment of English texts with VADER, a lexicon with rules (Hutto and Gilbert, ICWSM 2014)."""

import re
from statistics import fmean
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.rendering import classification
from hugginggpt.models.card import Endpoint, ModelCard

# VADER sums up the words; the sum of a whole page would always be extreme.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")

_NEUTRAL = 0.05
"""As far from zero as VADER's authors still call a text neutral."""

_STEEPNESS = 5.0
"""Of the scores around that border."""

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_FREQUENT = """
about all and are as at be been but by can did do for from get good got had has have he her his how i if it
its just like me more my never no not now of on one or our out she than that the their them there they this to too up us
very was we were what when which who will with would you your"""
_ENGLISH = frozenset(_FREQUENT.split())
_ENOUGH_ENGLISH = 0.15
"""As a share of the words. In other languages, a few words are spelt like English ones."""


class TextClassification(Expert):
    """Says whether an English text is positive, negative or neutral, as the mean over its sentences."""

    kind = "text-classification"
    endpoint = Endpoint.EMBEDDED
    packages = ("vaderSentiment",)
    requirement = "hugginggpt[embedded]"
    pool_key = "vader"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        packaged_files(card, "vaderSentiment")
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        return SentimentIntensityAnalyzer()

    def prepare(self, inputs: Inputs) -> Any:
        return inputs["text"].text

    def run(self, model: Any, prepared: str, deadline: Deadline) -> Any:
        sentences = [part for part in _SENTENCE_END.split(prepared) if part.strip()]
        if not _is_english(prepared, model.lexicon):
            raise ExpertError("The lexicon knows too few words of the text: it is for English sentences.")
        moods = []
        for sentence in sentences:
            with computing(deadline):
                deadline.check()
                moods.append(model.polarity_scores(sentence)["compound"])
        return fmean(moods)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        import numpy as np

        weights = np.exp(_STEEPNESS * np.array([raw, _NEUTRAL, -raw]))
        shares = (weights / weights.sum()).tolist()
        found = [{"label": n, "score": s} for n, s in zip(("positive", "neutral", "negative"), shares, strict=True)]
        return [classification(sorted(found, key=lambda entry: -entry["score"]))]


def _is_english(text: str, lexicon: dict[str, float]) -> bool:
    """Whether enough of the words are frequent English ones or in the lexicon, which knows emojis, too."""
    words = [word.lower() for word in _WORD.findall(text)]
    known = sum(word in _ENGLISH or word in lexicon for word in words)
    return known > _ENOUGH_ENGLISH * len(words) or (not words and bool(text.strip()))

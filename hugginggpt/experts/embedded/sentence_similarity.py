"""Sentence similarity with all-MiniLM-L6-v2."""

from hugginggpt.experts.embedded.minilm import MiniLMExpert
from hugginggpt.experts.sentence_vectors import SimilarityExpert


class SentenceSimilarity(MiniLMExpert, SimilarityExpert):
    """Compares two texts with all-MiniLM-L6-v2."""

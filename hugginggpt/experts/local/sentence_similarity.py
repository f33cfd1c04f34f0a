"""Sentence similarity through sentence-transformers."""

from hugginggpt.experts.local.runtime.sentence_encoder import EncoderExpert
from hugginggpt.experts.sentence_vectors import SimilarityExpert


class SentenceSimilarity(EncoderExpert, SimilarityExpert):
    """Compares two texts with an encoder from the Hub."""

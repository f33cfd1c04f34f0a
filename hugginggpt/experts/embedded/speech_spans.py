"""Where there is speech in a recording, and where to cut it without cutting a word."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from hugginggpt.experts.embedded.voice_activity import SPEECH

_SHORTEST_SPEECH = 0.1
_MARGIN = 0.25
_LONGEST_PAUSE = 2.0

Span = tuple[int, int]
"""Start and end, in frames."""


def speech_spans(probabilities: Any) -> list[Span]:
    """Where there is speech.

    Args:
        probabilities: of speech in each frame; shape (frames,).
    """
    import numpy as np

    speech = np.concatenate([[0], probabilities > SPEECH, [0]]).astype(int)
    return [(int(start), int(end)) for start, end in np.flatnonzero(np.diff(speech)).reshape(-1, 2)]


def best_cut(probabilities: Any) -> int:
    """The frame in the second half where a cut harms least: in the longest pause, else where speech is least likely."""
    half, length = len(probabilities) // 2, len(probabilities)
    edges = [0, *(edge for span in speech_spans(probabilities) for edge in span), length]
    pauses = [(max(start, half), end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > half]
    start, end = max(pauses, key=lambda pause: pause[1] - pause[0], default=(half, half))
    return (start + end) // 2 if end > start else half + int(probabilities[half:].argmin())


def utterances(spans: Sequence[Span], length: int, second: float) -> Iterator[Span]:
    """The pieces to transcribe: spans with the pauses between them, unless these are long, and a margin around.

    Args:
        spans: as `speech_spans` returns them.
        length: the end of the recording, in frames.
        second: frames per second.
    """
    edges = [0, *(edge for span in spans for edge in span), length]
    pauses = list(zip(edges[::2], edges[1::2], strict=True))
    long = [pauses[0], *(pause for pause in pauses[1:-1] if pause[1] - pause[0] > _LONGEST_PAUSE * second), pauses[-1]]
    margin = int(_MARGIN * second)
    for (before, start), (end, after) in pairwise(long):
        if sum(min(b, end) - max(a, start) for a, b in spans if a < end and b > start) >= _SHORTEST_SPEECH * second:
            # Half of each pause at most, so that no sound is heard twice.
            yield (
                max(start - margin, (before + start) // 2 if before else 0),
                min(end + margin, (end + after) // 2 if after < length else length),
            )

"""Parses answers of `InferenceClient`. An invalid answer raises a ValueError or ContentProblem."""

import math
from collections.abc import Iterable
from typing import Any

from PIL import Image as PILImage
from PIL import ImageOps

from hugginggpt.errors import ExpertError
from hugginggpt.media import Audio, Video
from hugginggpt.redaction import redact
from hugginggpt.spoken import spoken_in, without_thoughts
from hugginggpt.text import one_line

_MOST_PIXELS = 64_000_000
_MOST_BYTES = 512 * 2**20
"""The most memory that decoding an answer may take."""
_MOST_REFUSAL = 300


def number(given: Any) -> float:
    """A finite number."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"{given!r:.40} is not a number")
    return float(given)


def words(given: Any) -> str:
    """A text, without surrounding white space.

    Raises:
        ExpertError: the text is empty.
    """
    if not isinstance(given, str):
        raise ValueError(f"{given!r:.40} is not text")
    if not given.strip():
        raise ExpertError("The model gave an empty answer: rephrase the request, or choose another model.")
    return given.strip()


def name(given: Any) -> str:
    """A label."""
    if not isinstance(given, str):
        raise ValueError(f"{given!r:.40} is not a label")
    return given


def listed(given: Any) -> list[Any]:
    """A list that is not empty."""
    if not isinstance(given, list) or not given:
        raise ValueError(f"{given!r:.40} is not a list of results")
    return given


def labels(answer: Iterable[Any]) -> list[dict[str, Any]]:
    """`[{"label", "score"}]`, best first."""
    found = [{"label": name(element.label), "score": number(element.score)} for element in answer]
    return sorted(found, key=lambda entry: -float(entry["score"]))


def best_answer(answer: Iterable[Any]) -> str:
    """The likeliest of several answers to a question.

    Raises:
        ExpertError: there is no answer.
    """
    found = [(number(element.score), words(element.answer)) for element in answer]
    if not found:
        raise ExpertError("The model found no answer to the question: rephrase it, or choose another model.")
    return max(found)[1]


def picture(answer: PILImage.Image) -> PILImage.Image:
    """The decoded picture: upright, in RGB, RGBA or L."""
    from hugginggpt.media.pictures import plain

    if answer.width * answer.height > _MOST_PIXELS:
        raise ValueError(f"a picture of {answer.width} x {answer.height} pixels")
    answer.load()
    return plain(ImageOps.exif_transpose(answer))


def sound(answer: bytes) -> Audio:
    """The decoded recording."""
    from hugginggpt.media.sound import check, read

    check(answer, math.inf, _MOST_BYTES)
    return read(answer)


def video(answer: bytes) -> Video:
    """The video, after checking that it can be played."""
    from hugginggpt.capabilities import ValueType
    from hugginggpt.media import videos
    from hugginggpt.media.recognition import recognise

    found = recognise(answer)
    if found is None or found.type is not ValueType.VIDEO:
        raise ValueError(f"{found.name if found else 'something'} instead of a video")
    videos.check(answer, found, _MOST_PIXELS, _MOST_BYTES)
    return Video(answer, found.mime)


def mask(answer: PILImage.Image) -> Any:
    """A mask as a boolean array, shape (height, width)."""
    import numpy as np

    return np.asarray(picture(answer).convert("L")) > 127


def reply(answer: Any) -> str:
    """The reply of a chat model, without its thoughts.

    Raises:
        ExpertError: the model declined, or the reply is empty.
    """
    spoken = spoken_in(vars(answer.choices[0].message))
    if spoken.refusal and not spoken.said:
        raise ExpertError(f'The model declined to answer: "{one_line(redact(spoken.refusal), _MOST_REFUSAL)}"')
    return words(spoken.said)


def text(answer: Any) -> str:
    """A generated text, without the model's thoughts.

    Raises:
        ExpertError: there is nothing else.
    """
    return words(without_thoughts(name(answer)).said)


def unit_vector(answer: Any) -> list[float]:
    """One vector of length 1: the mean of the token vectors if there are several."""
    import numpy as np

    numbers = np.asarray(answer, np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError("not a vector of numbers")
    mean = numbers.reshape(-1, numbers.shape[-1]).mean(axis=0)
    found: list[float] = (mean / max(float(np.linalg.norm(mean)), 1e-12)).tolist()
    return found

"""Answers of `InferenceClient` as plain data and values. What makes no sense raises a ValueError or ContentProblem."""

import math
import re
from collections.abc import Iterable
from typing import Any

from PIL import Image as PILImage
from PIL import ImageOps

from hugginggpt.errors import ExpertError
from hugginggpt.media import Audio, Video

_MOST_PIXELS = 64_000_000
_MOST_BYTES = 512 * 2**20
"""What decoding an answer may take of memory."""
_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def number(given: Any) -> float:
    """A finite number."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"{given!r:.40} is no number")
    return float(given)


def words(given: Any) -> str:
    """A text, without the white space around it.

    Raises:
        ExpertError: there is nothing in it.
    """
    if not isinstance(given, str):
        raise ValueError(f"{given!r:.40} is no text")
    if not given.strip():
        raise ExpertError("The model gave an empty answer: ask in other words, or choose another model.")
    return given.strip()


def name(given: Any) -> str:
    """A label."""
    if not isinstance(given, str):
        raise ValueError(f"{given!r:.40} is no label")
    return given


def listed(given: Any) -> list[Any]:
    """A list that holds something."""
    if not isinstance(given, list) or not given:
        raise ValueError(f"{given!r:.40} is no list of results")
    return given


def labels(answer: Iterable[Any]) -> list[dict[str, Any]]:
    """`[{"label", "score"}]`, best first."""
    found = [{"label": name(element.label), "score": number(element.score)} for element in answer]
    return sorted(found, key=lambda entry: -float(entry["score"]))


def best_answer(answer: Iterable[Any]) -> str:
    """The likeliest of several answers to a question.

    Raises:
        ExpertError: there is none.
    """
    found = [(number(element.score), words(element.answer)) for element in answer]
    if not found:
        raise ExpertError("The model found no answer to the question: ask in other words, or choose another model.")
    return max(found)[1]


def picture(answer: PILImage.Image) -> PILImage.Image:
    """The picture, decoded: upright, in RGB, or RGBA or L."""
    if answer.width * answer.height > _MOST_PIXELS:
        raise ValueError(f"a picture of {answer.width} x {answer.height} pixels")
    answer.load()
    upright = ImageOps.exif_transpose(answer)
    if upright.mode in ("L", "RGB", "RGBA"):
        return upright
    return upright.convert("RGBA" if upright.has_transparency_data else "RGB")


def sound(answer: bytes) -> Audio:
    """The recording, decoded."""
    from hugginggpt.media.sound import check, read

    check(answer, math.inf, _MOST_BYTES)
    return read(answer)


def video(answer: bytes) -> Video:
    """The video, checked to be one that can be played."""
    from hugginggpt.capabilities import ValueType
    from hugginggpt.media import formats, videos

    found = formats.recognise(answer)
    if found is None or found.type is not ValueType.VIDEO:
        raise ValueError(f"{found.name if found else 'something'} instead of a video")
    videos.check(answer, found, _MOST_PIXELS, _MOST_BYTES)
    return Video(answer, found.mime)


def mask(answer: PILImage.Image) -> Any:
    """A mask as a boolean array, shape (height, width)."""
    import numpy as np

    return np.asarray(picture(answer).convert("L")) > 127


def reply(answer: Any) -> str:
    """What a chat model replies, without what it thought before.

    Raises:
        ExpertError: it says nothing.
    """
    return words(_THINKING.sub("", name(answer.choices[0].message.content)))


def unit_vector(answer: Any) -> list[float]:
    """One vector of length 1: the mean over tokens where there is one for each."""
    import numpy as np

    numbers = np.asarray(answer, np.float64)
    if not numbers.size or not np.isfinite(numbers).all():
        raise ValueError("no vector of numbers")
    mean = numbers.reshape(-1, numbers.shape[-1]).mean(axis=0)
    found: list[float] = (mean / max(float(np.linalg.norm(mean)), 1e-12)).tolist()
    return found

"""Audio as models take it: one channel, at their sampling rate, in pieces they can process."""

from collections.abc import Iterator
from typing import Any

from hugginggpt.media import Audio

_SEARCHED = 5.0
_QUIET = 0.1
_SHORTEST = 0.1
_CANCELLED = 0.1
_ROUNDED = 0.5


def mono(audio: Audio) -> Any:
    """The mean of all channels, or the loudest one if they cancel each other: float32, shape (frames,)."""
    import numpy as np

    samples = np.asarray(audio.samples, np.float32)
    if samples.ndim == 1:
        return samples
    mean = samples.mean(axis=1)
    energies = np.square(samples, dtype=np.float64).sum(axis=0)
    if np.square(mean, dtype=np.float64).sum() < _CANCELLED * energies.max(initial=0.0):
        mean = samples[:, energies.argmax()]
    return np.ascontiguousarray(mean)


def amplified(samples: Any, volume: float) -> Any:
    """Samples in [-1, 1] times a volume. Peaks that would leave that range are rounded off instead of cut off."""
    if volume == 1.0:
        return samples
    import numpy as np

    louder = samples * np.float32(volume)
    size = np.abs(louder)
    peaks = size > _ROUNDED
    if volume > 1.0 and peaks.any():
        room = np.float32(1.0 - _ROUNDED)
        rounded = np.float32(_ROUNDED) + room * np.tanh((size[peaks] - np.float32(_ROUNDED)) / room)
        louder[peaks] = np.copysign(rounded, louder[peaks])
    return louder


def resample(samples: Any, rate: int, wanted: int) -> Any:
    """Resample one channel from one rate in Hz to another."""
    if rate == wanted:
        return samples
    import soxr

    return soxr.resample(samples, rate, wanted)


def split_at_pauses(samples: Any, rate: int, longest: float) -> Iterator[Any]:
    """Cut one channel into pieces of at most this many seconds, each where it is quietest near the end."""
    import numpy as np

    most, searched, quiet = int(longest * rate), int(_SEARCHED * rate), max(1, int(_QUIET * rate))
    while len(samples) > most:
        window = samples[most - searched : most].astype(np.float64) ** 2
        loudness = np.convolve(window, np.ones(quiet), mode="valid")
        cut = most - searched + int(loudness.argmin()) + quiet // 2
        yield samples[:cut]
        samples = samples[cut:]
    # The first layers of some models need a minimum length.
    missing = int(_SHORTEST * rate) - len(samples)
    yield np.pad(samples, (0, missing)) if missing > 0 else samples

"""DeepFilterNet 3 (Schröter et al., Interspeech 2023): what it computes around its three networks.

The encoder reads the loudness of 32 bands and the lower frequencies of a spectrogram. One decoder answers with a gain
for each band, the other with a filter over five frames for each of the lower frequencies.
"""

import tarfile
from pathlib import Path
from typing import Any

from hugginggpt.experts.embedded.onnx import onnx_session

RATE = 48_000
_SIZE, _HOP = 960, 480
_BANDS, _NARROWEST = 32, 2
_LOWER = 96
_ORDER, _AHEAD = 5, 2

_DECAY = 0.99
"""Of running means, per frame."""

# Where the running means begin, at the lowest and at the highest band or frequency.
_LOUDNESS = (-60.0, -90.0)
_MAGNITUDE = (0.001, 0.0001)


class DeepFilter:
    """The networks, which remove everything but speech.

    Args:
        archive: the tar file with the networks.
        threads: how many they may use.
    """

    def __init__(self, archive: Path, threads: int) -> None:
        with tarfile.open(archive) as tar:
            self._encoder = _network(tar, "enc", threads)
            self._gains = _network(tar, "erb_dec", threads)
            self._filters = _network(tar, "df_dec", threads)
        self._widths = _band_widths()

    def __call__(self, samples: Any) -> Any:
        """The speech in some seconds of one channel at `RATE`: float32, as long as the samples."""
        import numpy as np

        padded = np.pad(samples, (_HOP, -len(samples) % _HOP + _HOP))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE)[::_HOP]
        spectrum = (np.fft.rfft(frames * _window()) / _SIZE).astype(np.complex64)
        gains, filters = self._decoded(spectrum)
        cleaned = spectrum * np.repeat(gains, self._widths, axis=1)
        # The filter looks at as many frames before as after.
        lower = np.pad(spectrum[:, :_LOWER], ((_ORDER - 1 - _AHEAD, _AHEAD), (0, 0)))
        cleaned[:, :_LOWER] = sum(lower[k : k + len(spectrum)] * filters[:, :, k] for k in range(_ORDER))
        sound = np.fft.irfft(cleaned) * _SIZE * _window()
        overlapping = sound[:-1, _HOP:] + sound[1:, :_HOP]
        return overlapping.reshape(-1)[: len(samples)].astype(np.float32)

    def _decoded(self, spectrum: Any) -> tuple[Any, Any]:
        """The gains, shape (frames, bands), and the complex filters, shape (frames, lower frequencies, order)."""
        import numpy as np

        starts = np.concatenate([[0], np.cumsum(self._widths)[:-1]])
        powers = np.add.reduceat(np.abs(spectrum) ** 2, starts, axis=1) / self._widths
        loudness = 10 * np.log10(powers + 1e-10)
        loudness = (loudness - _running_mean(loudness, _LOUDNESS)) / 40
        lower = spectrum[:, :_LOWER]
        lower = lower / np.sqrt(_running_mean(np.abs(lower), _MAGNITUDE))
        # The encoder's convolutions look ahead.
        shifted = [np.concatenate([part[_AHEAD:], np.zeros_like(part[:_AHEAD])]) for part in (loudness, lower)]
        levels, low = shifted
        e0, e1, e2, e3, emb, c0 = self._encoder.run(
            ["e0", "e1", "e2", "e3", "emb", "c0"],
            {
                "feat_erb": levels[None, None].astype(np.float32),
                "feat_spec": np.stack([low.real, low.imag])[None].astype(np.float32),
            },
        )
        (gains,) = self._gains.run(["m"], {"emb": emb, "e3": e3, "e2": e2, "e1": e1, "e0": e0})
        (filters,) = self._filters.run(["coefs"], {"emb": emb, "c0": c0})
        parts = filters[0].reshape(len(spectrum), _LOWER, _ORDER, 2)
        return gains[0, 0], parts[..., 0] + 1j * parts[..., 1]


def _network(tar: tarfile.TarFile, name: str, threads: int) -> Any:
    file = tar.extractfile(f"tmp/export/{name}.onnx")
    assert file is not None  # the archive has the hash that the catalog expects
    return onnx_session(file.read(), threads)


def _window() -> Any:
    """Vorbis's window. The squares of two that overlap by half add up to one."""
    import numpy as np

    return np.sin(np.pi / 2 * np.sin(np.pi / 2 * (np.arange(_SIZE) + 0.5) / _HOP) ** 2).astype(np.float32)


def _running_mean(values: Any, first: tuple[float, float]) -> Any:
    """The mean up to each frame, with exponentially falling weights.

    Args:
        values: shape (frames, n).
        first: the means before the first frame, at both ends of the n values.
    """
    import numpy as np
    from scipy.signal import lfilter

    before = _DECAY * np.linspace(*first, values.shape[1])[None]
    return lfilter([1 - _DECAY], [1, -_DECAY], values, axis=0, zi=before)[0]


def _band_widths() -> Any:
    """How many frequencies each band has: as many as the ear combines there (ERB), and no fewer than two."""
    import numpy as np

    def scale(hertz: float) -> float:
        return 9.265 * float(np.log1p(hertz / (24.7 * 9.265)))

    widths, edge, owed = [], 0, 0
    for band in range(1, _BANDS + 1):
        hertz = 24.7 * 9.265 * float(np.expm1(band * scale(RATE / 2) / _BANDS / 9.265))
        end = round(hertz * _SIZE / RATE)
        wanted = end - edge - owed
        widths.append(max(wanted, _NARROWEST))
        owed, edge = max(0, _NARROWEST - wanted), end
    widths[-1] += _SIZE // 2 + 1 - sum(widths)
    return np.array(widths)

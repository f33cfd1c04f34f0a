"""Where there is speech, by Silero VAD."""

from pathlib import Path
from typing import Any

from hugginggpt.experts.embedded.onnx import onnx_session

RATE = 16_000
FRAME = 512
"""In samples."""

SPEECH = 0.5
"""The probability from which a frame counts as speech."""

# What each frame is judged with of the frame before.
_CONTEXT = 64

_LOUDEST = 0.7


def even_loudness(samples: Any) -> Any:
    """Samples with the loudest at the same height, because quiet speech goes unnoticed."""
    import numpy as np

    return samples * np.float32(_LOUDEST / max(float(np.abs(samples).max(initial=0.0)), 1e-6))


class VoiceActivity:
    """Finds speech.

    Args:
        file: the model.
    """

    def __init__(self, file: Path) -> None:
        self._session = onnx_session(file, 1)  # one frame is too little work for more threads

    def __call__(self, samples: Any) -> Any:
        """The probability of speech in each frame; shape (frames,).

        Args:
            samples: float32, of one channel at `RATE`, as `even_loudness` returns them.
        """
        import numpy as np

        padded = np.pad(samples, (_CONTEXT, -len(samples) % FRAME))
        state = np.zeros((2, 1, 128), np.float32)
        found = []
        for start in range(_CONTEXT, len(padded), FRAME):
            frame = padded[None, start - _CONTEXT : start + FRAME]
            probability, state = self._session.run(None, {"input": frame, "state": state, "sr": np.array(RATE)})
            found.append(probability.item())
        return np.array(found)

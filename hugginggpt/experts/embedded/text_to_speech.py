"""Text to speech by eSpeak NG."""

from typing import Any

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, Inputs, Outputs, Surroundings
from hugginggpt.experts.child import Child
from hugginggpt.experts.embedded.packaged import packaged_files
from hugginggpt.experts.embedded.voices import voice_for
from hugginggpt.media import Audio

START_SECONDS = 60.0


class TextToSpeech(Expert):
    """Says a text aloud: English, or the main language of the script that the text is written in.

    eSpeak NG is under the GPL: it stays an optional package, and runs in a process of its own.
    """

    kind = "text-to-speech"
    endpoint = Endpoint.EMBEDDED
    packages = ("espeakng_loader", "numpy")
    install = "hugginggpt[embedded]"
    loads = "espeak-ng"

    def load(self, card: ModelCard, surroundings: Surroundings) -> Any:
        """Start the speaker."""
        packaged_files("espeakng_loader", card)
        settings = surroundings.settings
        arguments = {"max_seconds": settings.max_audio_seconds}
        speaker = Child("hugginggpt.experts.embedded.speaking:make_speaker", arguments, threads=settings.cpu_threads)
        speaker.start(Deadline(START_SECONDS))
        return speaker

    def prepare(self, inputs: Inputs) -> Any:
        """The text, and the voice for it."""
        text = inputs["text"].text.strip()
        if not text:
            raise ExpertError("There is no text to say.")
        return {"text": text, "voice": voice_for(text)}

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        """Say it: 16-bit samples and their rate."""
        with computing(deadline):
            answer, samples = model.call(prepared, deadline=deadline)
        return samples, answer["rate"]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """Mono sound at the library's rate."""
        import numpy as np

        samples, rate = raw
        return [Audio((np.frombuffer(samples, np.int16).astype(np.float32) / 32768.0)[:, None], rate)]

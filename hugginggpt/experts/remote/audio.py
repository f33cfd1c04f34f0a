"""The audio kinds, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.documents import words
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import amplified
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.remote import parsing, payload
from hugginggpt.experts.remote.provider import RemoteExpert
from hugginggpt.experts.rendering import classification
from hugginggpt.media import Audio, Text


class _Hearing(RemoteExpert):
    """A kind whose only input is a recording."""

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"audio": payload.sound(inputs)}


class AutomaticSpeechRecognition(_Hearing):
    """Transcribes speech."""

    kind = "automatic-speech-recognition"

    def parse(self, answer: Any) -> Any:
        """The text may be empty."""
        return parsing.name(answer.text).strip()

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        if not raw:
            raise ExpertError("No speech was recognised in the recording.")
        return [Text(raw)]


class AudioClassification(_Hearing):
    """Says what a recording sounds like."""

    kind = "audio-classification"

    def parse(self, answer: Any) -> Any:
        return parsing.labels(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


class AudioToAudio(_Hearing):
    """Cleans, separates or converts a recording. If there are several results, the first is used."""

    kind = "audio-to-audio"

    def parse(self, answer: Any) -> Any:
        return parsing.sound(answer[0].blob)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [raw]


class TextToSpeech(RemoteExpert):
    """Speaks a text. Providers take no rate."""

    kind = "text-to-speech"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": words(payload.text(inputs))}

    def parse(self, answer: Any) -> Any:
        return parsing.sound(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Audio(amplified(raw.samples, inputs.get("volume", 1.0)), raw.rate)]


EXPERTS = (AutomaticSpeechRecognition(), AudioClassification(), AudioToAudio(), TextToSpeech())

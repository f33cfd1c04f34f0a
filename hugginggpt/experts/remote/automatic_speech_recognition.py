"""Speech recognition at an inference provider."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.remote.provider import RemoteExpert, RemoteModel, upload
from hugginggpt.media import Text


class AutomaticSpeechRecognition(RemoteExpert):
    """Writes down speech."""

    kind = "automatic-speech-recognition"

    def prepare(self, inputs: Inputs) -> Any:
        """The recording as one channel of FLAC: small, and without loss."""
        import io

        import soundfile

        from hugginggpt.experts.sound import mono

        audio = inputs["audio"]
        buffer = io.BytesIO()
        soundfile.write(buffer, mono(audio), audio.rate, format="FLAC", subtype="PCM_16")
        return upload(buffer.getvalue(), "audio/flac")

    def run(self, model: RemoteModel, prepared: Any, deadline: Deadline) -> Any:
        """The text."""
        return model.ask("automatic_speech_recognition", prepared, deadline).text

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The text."""
        if not raw.strip():
            raise ExpertError("No speech was recognised in the recording.")
        return [Text(raw.strip())]

"""Speech recognition through transformers."""

from functools import partial
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.local.loaded import LoadedModel
from hugginggpt.experts.local.pipeline import PipelineExpert
from hugginggpt.experts.sound import at_rate, mono, pieces
from hugginggpt.media import Text

# What Whisper was trained on; the memory of other models grows with the square of the length.
_LONGEST_PIECE = 30.0


class AutomaticSpeechRecognition(PipelineExpert):
    """Writes down speech. A long recording is cut where it is quiet, and read piece by piece."""

    kind = "automatic-speech-recognition"
    packages = (*PipelineExpert.packages, "soxr")

    def prepare(self, inputs: Inputs) -> Any:
        """One channel, and its rate."""
        return mono(inputs["audio"]), inputs["audio"].rate

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        """The pieces' texts, joined."""
        rate = model.tool.feature_extractor.sampling_rate
        samples, recorded_rate = prepared
        texts = []
        for piece in pieces(at_rate(samples, recorded_rate, rate), rate, _LONGEST_PIECE):
            deadline.check()
            if piece.any():  # some models make words up for silence
                texts.append(model.run(partial(_transcribe, piece), deadline))
        return " ".join(text.strip() for text in texts)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The text."""
        if not raw.strip():
            raise ExpertError("No speech was recognised in the recording.")
        return [Text(raw.strip())]


def _transcribe(piece: Any, pipeline: Any) -> str:
    return str(pipeline(piece)["text"])

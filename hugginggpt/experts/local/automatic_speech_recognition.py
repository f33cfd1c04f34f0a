"""Speech recognition through transformers."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.audio import mono, resample, split_at_pauses
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import BATCH, PipelineExpert
from hugginggpt.media import Text

# The input length of Whisper; the memory of other models grows with the square of the length.
_LONGEST_PIECE = 30.0


class AutomaticSpeechRecognition(PipelineExpert):
    """Transcribes speech. A long recording is cut into pieces where it is quiet."""

    kind = "automatic-speech-recognition"
    packages = (*PipelineExpert.packages, "soxr")
    supports_batching = True

    def prepare(self, inputs: Inputs) -> Any:
        return mono(inputs["audio"]), inputs["audio"].rate

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        return self.run_batch(model, [prepared], deadline)[0]

    def run_batch(self, model: LoadedModel[Any], prepared: Sequence[Any], deadline: Deadline) -> Sequence[Any]:
        rate = model.tool.feature_extractor.sampling_rate
        texts: dict[tuple[int, int], str] = {}
        together: dict[int, list[tuple[tuple[int, int], Any]]] = {}
        for recording, (samples, recorded) in enumerate(prepared):
            for number, piece in enumerate(split_at_pauses(resample(samples, recorded, rate), rate, _LONGEST_PIECE)):
                if piece.any():  # some models invent words for silence
                    # Whisper pads every piece to one length; padding would change the results of other models.
                    length = _LONGEST_PIECE if model.tool.type == "seq2seq_whisper" else len(piece)
                    together.setdefault(int(length), []).append(((recording, number), piece))
        for alike in together.values():
            for start in range(0, len(alike), BATCH):
                batch = alike[start : start + BATCH]
                said = model.run(partial(_transcribe, [piece for _, piece in batch]), deadline)
                texts |= zip((place for place, _ in batch), said, strict=True)
        return [" ".join(texts[place] for place in sorted(texts) if place[0] == i) for i in range(len(prepared))]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        if not raw.strip():
            raise ExpertError("No speech was recognised in the recording.")
        return [Text(raw.strip())]


def _transcribe(alike: Sequence[Any], pipeline: Any) -> list[str]:
    return [result["text"].strip() for result in pipeline(list(alike), batch_size=len(alike))]

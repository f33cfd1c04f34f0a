"""Audio classification through transformers."""

from functools import partial
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.audio import mono, resample, split_at_pauses
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import recording
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.pipeline import PipelineExpert
from hugginggpt.experts.rendering import classification

# The input length of AudioSet models; the memory of others grows with the square of the length.
_LONGEST_PIECE = 10.0
_LABELS = 5


class AudioClassification(PipelineExpert):
    """Classifies a recording. A long one is cut into pieces, and their scores are averaged."""

    kind = "audio-classification"
    packages = (*PipelineExpert.packages, "soxr")

    def prepare(self, inputs: Inputs) -> Any:
        audio = recording(inputs)
        return mono(audio), audio.rate

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        rate = model.tool.feature_extractor.sampling_rate
        samples, recorded_rate = prepared
        scores: dict[str, float] = {}
        total = 0
        for piece in split_at_pauses(resample(samples, recorded_rate, rate), rate, _LONGEST_PIECE):
            for entry in model.run(partial(_heard, piece), deadline):
                # A short last piece must not count as much as a full one.
                scores[entry["label"]] = scores.get(entry["label"], 0.0) + entry["score"] * len(piece)
            total += len(piece)
        found = [{"label": label, "score": score / total} for label, score in scores.items()]
        return sorted(found, key=lambda entry: -float(str(entry["score"])))[:_LABELS]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


def _heard(piece: Any, pipeline: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pipeline(piece, top_k=None)
    return found

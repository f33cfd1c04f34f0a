"""Voice conversion with SpeechT5, through transformers."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.audio import mono, resample, split_at_pauses
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.inputs import recording
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.generation import seeded
from hugginggpt.experts.local.runtime.model_class import Network, load_network, load_processor
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.experts.local.runtime.speech import load_vocoder, neutral_voice
from hugginggpt.media import Audio
from hugginggpt.models.card import ModelCard

_LONGEST_PIECE = 15.0


@dataclass(frozen=True)
class _Converter:
    """A speech-to-speech model and its vocoder."""

    network: Network
    vocoder: Any


class AudioToAudio(LocalExpert):
    """Repeats the speech of a recording in a neutral voice, piece by piece if it is long."""

    kind = "audio-to-audio"
    packages = (*LocalExpert.packages, "soxr")

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[_Converter]:
        with model_loading(card, context) as target:
            model = load_network(card, target, "SpeechT5ForSpeechToSpeech", load_processor(target, "AutoProcessor"))
        vocoder = load_vocoder(card, context)
        return LoadedModel(_Converter(model.tool, vocoder), [model.tool.model, vocoder])

    def prepare(self, inputs: Inputs) -> Any:
        audio = recording(inputs)
        return mono(audio), audio.rate

    def run(self, model: LoadedModel[_Converter], prepared: Any, deadline: Deadline) -> Any:
        import numpy as np

        rate = model.tool.network.processor.feature_extractor.sampling_rate
        samples, recorded_rate = prepared
        spoken = [
            model.run(partial(_converted, piece, rate), deadline)
            for piece in split_at_pauses(resample(samples, recorded_rate, rate), rate, _LONGEST_PIECE)
        ]
        return np.concatenate(spoken), int(model.tool.vocoder.config.sampling_rate)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        samples, rate = raw
        return [Audio(samples[:, None], rate)]


def _converted(piece: Any, rate: int, converter: _Converter) -> Any:
    import numpy as np
    import torch

    model, processor = converter.network.model, converter.network.processor
    given = processor(audio=piece, sampling_rate=rate, return_tensors="pt")["input_values"]
    # Its decoder uses random dropout even at inference. With a seed, the same speech gives the same audio.
    with torch.inference_mode(), seeded(0, model.device):
        made = model.generate_speech(
            given.to(model.device, model.dtype), neutral_voice(model), vocoder=converter.vocoder
        )
    return np.clip(made.flatten().float().cpu().numpy(), -1.0, 1.0)

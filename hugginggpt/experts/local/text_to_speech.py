"""Text to speech through transformers: VITS (and MMS), SpeechT5 with a vocoder, Bark."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.documents import words
from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.audio import amplified
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.generation import seeded
from hugginggpt.experts.local.runtime.model_class import Network, load_network, load_processor
from hugginggpt.experts.local.runtime.model_loading import LoadTarget, model_loading
from hugginggpt.experts.local.runtime.speech import load_vocoder, neutral_voice, sentences
from hugginggpt.media import Audio
from hugginggpt.models.card import ModelCard

_PAUSE = 0.2
"""The pause between two sentences, in seconds."""

# The auto classes of the model and the processor of each family.
_FAMILIES = {
    "vits": ("AutoModelForTextToWaveform", "AutoTokenizer"),
    "bark": ("AutoModelForTextToWaveform", "AutoProcessor"),
    "speecht5": ("AutoModelForTextToSpectrogram", "AutoProcessor"),
}


@dataclass(frozen=True)
class _Speaker:
    """A speech model, and the vocoder that SpeechT5 needs."""

    network: Network
    vocoder: Any = None


class TextToSpeech(LocalExpert):
    """Speaks a text, sentence by sentence. Only VITS models can speak faster or slower."""

    kind = "text-to-speech"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[_Speaker]:
        with model_loading(card, context) as target:
            family = _family(card, target)
            model_class, processor_class = _FAMILIES[family]
            model = load_network(card, target, model_class, load_processor(target, processor_class))
        if family != "speecht5":
            return LoadedModel(_Speaker(model.tool), [model.tool.model])
        vocoder = load_vocoder(card, context)
        return LoadedModel(_Speaker(model.tool, vocoder), [model.tool.model, vocoder])

    def prepare(self, inputs: Inputs) -> Any:
        said = list(sentences(words(inputs["text"].text)))
        if not said:
            raise ExpertError("There is no text to speak.")
        return said, inputs.get("seed"), inputs.get("rate", 1.0)

    def run(self, model: LoadedModel[_Speaker], prepared: Any, deadline: Deadline) -> Any:
        import numpy as np

        said, seed, speed = prepared
        rate = _rate(model.tool)
        pause = np.zeros(int(_PAUSE * rate), np.float32)
        sound: list[Any] = []
        for sentence in said:
            sound += [model.run(partial(_spoken, sentence, seed, speed), deadline), pause]
        return np.concatenate(sound[:-1]), rate

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        samples, rate = raw
        return [Audio(amplified(samples, inputs.get("volume", 1.0))[:, None], rate)]


def _family(card: ModelCard, target: LoadTarget) -> str:
    config = json.loads(Path(target.folder, "config.json").read_text(encoding="utf-8"))
    family = str(config.get("model_type"))
    if family not in _FAMILIES:
        raise ModelLoadError(
            f"Speech with {card.id}, a {family} model, is not supported: choose a VITS, SpeechT5 or Bark model."
        )
    return family


def _rate(speaker: _Speaker) -> int:
    """The sampling rate of its audio."""
    if speaker.vocoder is not None:
        return int(speaker.vocoder.config.sampling_rate)
    model = speaker.network.model
    return int(getattr(model.config, "sampling_rate", None) or model.generation_config.sample_rate)


def _spoken(sentence: str, seed: int | None, speed: float, speaker: _Speaker) -> Any:
    """One sentence as samples: float32 in [-1, 1], shape (frames,)."""
    import numpy as np
    import torch

    model, processor = speaker.network.model, speaker.network.processor
    if getattr(processor, "is_uroman", False):
        raise ExpertError("This model reads only romanised text (uroman): choose another.")
    given = processor(text=sentence, return_tensors="pt")
    if not given["input_ids"].shape[1]:
        raise ExpertError("The model knows none of the letters in the text: choose a model for its language.")
    with torch.inference_mode(), seeded(seed, model.device):
        if speaker.vocoder is not None:
            tokens = given["input_ids"].to(model.device)
            made = model.generate_speech(tokens, neutral_voice(model), vocoder=speaker.vocoder)
        elif model.can_generate():
            made = model.generate(**given.to(model.device))
        else:
            made = model(**given.to(model.device), speaking_rate=speed * model.speaking_rate).waveform
    samples = made.flatten().float().cpu().numpy()
    return np.clip(samples, -1.0, 1.0)

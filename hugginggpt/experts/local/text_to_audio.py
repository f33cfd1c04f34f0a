"""Music and sounds from a text: MusicGen and Bark through transformers, AudioLDM and Stable Audio through diffusers."""

from pathlib import Path
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.diffusion import Diffuser, DiffusionExpert, load_pipeline, on_device
from hugginggpt.experts.local.runtime.generation import seeded
from hugginggpt.experts.local.runtime.model_class import Network, load_network, load_processor
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.media import Audio
from hugginggpt.models.card import ModelCard

_SECONDS = 8.0
_LONGEST = 120.0


class TextToAudio(DiffusionExpert):
    """Generates music or sounds from a text."""

    kind = "text-to-audio"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        with model_loading(card, context) as target:
            if Path(target.folder, "model_index.json").is_file():
                return on_device(load_pipeline(card, target, self.auto_class), card, target)
            return load_network(card, target, "AutoModelForTextToWaveform", load_processor(target, "AutoProcessor"))

    def prepare(self, inputs: Inputs) -> Any:
        seconds = inputs.get("seconds")
        if seconds is not None and not 0 < seconds <= _LONGEST:
            raise ExpertError(f"A sound of {seconds:g} seconds cannot be generated: ask for at most {_LONGEST:g}.")
        return super().prepare(inputs)

    def run(self, model: LoadedModel[Any], prepared: Inputs, deadline: Deadline) -> Any:
        if isinstance(model.tool, Network):
            return model.run(lambda network: _composed(network, prepared), deadline)
        return super().run(model, prepared, deadline)

    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        import numpy as np

        seconds = inputs.get("seconds") or _SECONDS
        length = {"audio_length_in_s": seconds, "audio_end_in_s": seconds}
        made = np.asarray(diffuser(inputs, prompt=inputs["text"].text, output_type="np", **length).audios[0])
        parts = diffuser.pipeline.components
        vocoder = parts.get("vocoder")
        rate = vocoder.config.sampling_rate if vocoder is not None else parts["vae"].sampling_rate
        return _frames(made), int(rate)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        samples, rate = raw
        return [Audio(samples, rate)]


def _composed(network: Network, inputs: Inputs) -> tuple[Any, int]:
    """The audio and its rate, from a model of transformers."""
    import torch

    model = network.model
    given = network.processor(text=[inputs["text"].text], return_tensors="pt")
    codec = getattr(model.config, "audio_encoder", None)
    options = {}
    if codec is not None:
        options["max_new_tokens"] = max(1, round((inputs.get("seconds") or _SECONDS) * codec.frame_rate))
    with torch.inference_mode(), seeded(inputs.get("seed"), model.device):
        made = model.generate(**given.to(model.device), **options)[0]
    rate = codec.sampling_rate if codec is not None else model.generation_config.sample_rate
    return _frames(made.float().cpu().numpy()), int(rate)


def _frames(samples: Any) -> Any:
    """Samples of one or several channels as float32, shape (frames, channels)."""
    import numpy as np

    channels = np.atleast_2d(np.asarray(samples, np.float32))
    return np.clip(np.ascontiguousarray(channels.T), -1.0, 1.0)

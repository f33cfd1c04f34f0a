"""Pipelines of diffusers: loading them, and calling each with the arguments that it supports."""

import re
from abc import abstractmethod
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.base import ExpertContext, Inputs
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.model_loading import LoadTarget, model_loading
from hugginggpt.models.card import ModelCard
from hugginggpt.progress import Progress, report

# Distilled models need few steps, and most of them no guidance.
_FEW_STEPS = re.compile(r"turbo|lightning|schnell|\blcm\b|hyper", re.IGNORECASE)
_UNGUIDED = re.compile(r"turbo|lightning|schnell", re.IGNORECASE)
_STEPS_DISTILLED = 4
_STEPS_ON_PROCESSOR = 20
_STEPS = 30


@dataclass(frozen=True)
class Diffuser:
    """A pipeline with its default parameters.

    Attributes:
        pipeline: from diffusers.
        steps: the number of denoising steps.
        guidance: the guidance scale; None for the pipeline's default.
    """

    pipeline: Any
    steps: int
    guidance: float | None

    def takes(self, argument: str) -> bool:
        """Whether the pipeline has this argument."""
        return argument in signature(self.pipeline.__call__).parameters

    def __call__(self, inputs: Inputs, **arguments: Any) -> Any:
        """Run the pipeline with the parameters of the request and those arguments that it supports.

        Raises:
            ExpertError: the safety checker of the model withheld the picture.
        """
        steps = inputs.get("steps") or self.steps
        guidance = inputs.get("guidance_scale")
        wanted = {
            **arguments,
            "num_inference_steps": steps,
            "guidance_scale": self.guidance if guidance is None else guidance,
            "generator": _generator(inputs.get("seed")),
            "callback_on_step_end": _reporter(steps),
            # The older name, which some pipelines still use.
            "callback": lambda step, timestep, latents: report(Progress(step + 1, steps)),
        }
        made = self.pipeline(**{k: v for k, v in wanted.items() if v is not None and self.takes(k)})
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise ExpertError("The model's safety checker withheld the picture: ask for something else.")
        return made


def _generator(seed: int | None) -> Any:
    """The source of noise. It is on the processor, so that a seed gives the same noise on every device."""
    import torch

    return None if seed is None else torch.Generator("cpu").manual_seed(seed)


def _reporter(steps: int) -> Any:
    def ended(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        report(Progress(step + 1, getattr(pipeline, "num_timesteps", steps)))
        return tensors

    return ended


class DiffusionExpert(LocalExpert):
    """Runs a pipeline of diffusers. Its models are `LoadedModel`s whose tool is a `Diffuser`.

    Attributes:
        auto_class: the class of diffusers that finds a model's pipeline for this kind.
    """

    supports_offloading = True
    packages: ClassVar[tuple[str, ...]] = ("diffusers", "transformers", "torch", "safetensors", "accelerate")
    auto_class: ClassVar[str] = "DiffusionPipeline"

    @property
    def pool_key(self) -> str:
        """Kinds with the same auto class share a loaded model."""
        return f"diffusers {self.auto_class}"

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Diffuser]:
        with model_loading(card, context) as target:
            pipeline = self.pipeline(card, target, context)
        return on_device(pipeline, card, target)

    def pipeline(self, card: ModelCard, target: LoadTarget, context: ExpertContext) -> Any:
        return load_pipeline(card, target, self.auto_class)

    def prepare(self, inputs: Inputs) -> Any:
        if (text := inputs.get("text")) is not None and not text.text.strip():
            raise ExpertError(f"The text for {self.kind} is empty: describe what to generate.")
        return inputs

    def run(self, model: LoadedModel[Diffuser], prepared: Inputs, deadline: Deadline) -> Any:
        return model.run(lambda diffuser: self.make(diffuser, prepared), deadline)

    @abstractmethod
    def make(self, diffuser: Diffuser, inputs: Inputs) -> Any:
        """Run the pipeline on the inputs."""


def load_pipeline(card: ModelCard, target: LoadTarget, auto_class: str, **parts: Any) -> Any:
    """A pipeline of diffusers, found by an auto class, or else the one that the model names.

    Args:
        card: the model.
        target: where it is loaded from and to.
        auto_class: the name of a class in diffusers, such as `AutoPipelineForText2Image`.
        parts: loaded parts to use, such as a ControlNet.

    Raises:
        ModelLoadError: the model is not a pipeline.
    """
    library: Any = import_module("diffusers")
    library.utils.logging.disable_progress_bar()
    if not Path(target.folder, "model_index.json").is_file():
        raise ModelLoadError(f"The model {card.id} is not a diffusers pipeline: choose another for {card.kind}.")
    options: dict[str, Any] = {
        "dtype": target.dtype,
        "use_safetensors": True,
        "local_files_only": True,
        **parts,
    }
    # A download has half-precision files only if the model has no others.
    if any(Path(target.folder).rglob("*.fp16.safetensors")):
        options["variant"] = "fp16"
    try:
        return getattr(library, auto_class).from_pretrained(target.folder, **options)
    except ValueError as error:
        if "AutoPipeline can't find" not in str(error):
            raise
    return library.DiffusionPipeline.from_pretrained(target.folder, **options)


def on_device(pipeline: Any, card: ModelCard, target: LoadTarget) -> LoadedModel[Diffuser]:
    """A loaded pipeline on its device, with suitable default parameters."""
    from torch import nn

    pipeline.set_progress_bar_config(disable=True)
    if target.offloaded:
        pipeline.enable_model_cpu_offload(device=target.device)
    else:
        pipeline.to(target.device)
    steps = _STEPS_ON_PROCESSOR if target.device == "cpu" else _STEPS
    diffuser = Diffuser(
        pipeline,
        steps=_STEPS_DISTILLED if _FEW_STEPS.search(card.id) else steps,
        guidance=0.0 if _UNGUIDED.search(card.id) else None,
    )
    return LoadedModel(diffuser, [part for part in pipeline.components.values() if isinstance(part, nn.Module)])

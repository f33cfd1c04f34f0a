"""Tiny diffusion pipelines in the real formats: real architectures, random weights from a fixed seed, no download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.stand_ins.tiny_models import card, repeatable

_SIDE = 64
_CROSS = 16


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(33, 127)]
    pieces = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=[], model_max_length=77)


def _text_encoder(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=_CROSS,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=77,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=[8, 16],
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=_SIDE,
    )


def _unet(channels: int = 4, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=_SIDE // 2,
        in_channels=channels,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=_CROSS,
        attention_head_dim=2,
        norm_num_groups=4,
        **more,
    )


def _scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _safety_checker(sure: bool) -> Any:
    """The real checker with random weights; a `sure` one holds back every picture."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16
    )
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision.to_dict(), projection_dim=8))
    checker.concept_embeds_weights.data.fill_(-2.0 if sure else 2.0)
    checker.special_care_embeds_weights.data.fill_(2.0)
    return checker


def _stable_diffusion(pipeline: str, folder: Path, unet: Any, task: str, *, held_back: bool = False) -> None:
    import diffusers
    from transformers import CLIPImageProcessorPil

    tokenizer = _tokenizer()
    parts = {
        "vae": _vae(),
        "text_encoder": _text_encoder(tokenizer),
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": _scheduler(),
        "safety_checker": _safety_checker(held_back),
        "feature_extractor": CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    }
    getattr(diffusers, pipeline)(**parts).save_pretrained(folder)
    card(folder, task, library="diffusers")


def build_painter(folder: Path) -> None:
    """Stable Diffusion, from text to picture and from picture to picture."""
    with repeatable():
        _stable_diffusion("StableDiffusionPipeline", folder, _unet(), "text-to-image")


def build_prude(folder: Path) -> None:
    """A Stable Diffusion whose safety checker holds back every picture."""
    with repeatable():
        _stable_diffusion("StableDiffusionPipeline", folder, _unet(), "text-to-image", held_back=True)


MODELS = {
    "text-to-image": "tiny/painter",
}
PRUDE = "tiny/prude"

BUILDERS: dict[str, Callable[[Path], None]] = {
    "tiny/painter": build_painter,
    "tiny/prude": build_prude,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

"""Tiny diffusion pipelines in the real formats: real architectures, random weights from a fixed seed, no download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.stand_ins.tiny_models import card, repeatable

_SIDE = 64
_CROSS = 16


def clip_tokenizer() -> Any:
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


def vae() -> Any:
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


def scheduler() -> Any:
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

    tokenizer = clip_tokenizer()
    parts = {
        "vae": vae(),
        "text_encoder": _text_encoder(tokenizer),
        "tokenizer": tokenizer,
        "unet": unet,
        "scheduler": scheduler(),
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


def build_editor(folder: Path) -> None:
    """InstructPix2Pix: edits a picture as a text says."""
    with repeatable():
        _stable_diffusion("StableDiffusionInstructPix2PixPipeline", folder, _unet(channels=8), "image-to-image")


def build_enlarger(folder: Path) -> None:
    """Swin2SR: enlarges a picture twofold."""
    from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution, Swin2SRImageProcessorPil

    config = Swin2SRConfig(
        image_size=16, embed_dim=12, depths=[1], num_heads=[2], window_size=8, mlp_ratio=1.0, upscale=2
    )
    with repeatable():
        Swin2SRForImageSuperResolution(config).save_pretrained(folder)
    Swin2SRImageProcessorPil().save_pretrained(folder)
    card(folder, "image-to-image")


def build_controlnet(folder: Path) -> None:
    """A ControlNet for the painter, that has learnt something: an untrained one changes nothing."""
    import torch
    from diffusers import ControlNetModel

    with repeatable():
        controlnet = ControlNetModel.from_unet(_unet(), conditioning_embedding_out_channels=(8, 16))
        for zeroed in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
            torch.nn.init.normal_(zeroed.weight, std=0.5)
        torch.nn.init.normal_(controlnet.controlnet_cond_embedding.conv_out.weight, std=0.5)
    controlnet.save_pretrained(folder)
    card(folder, "image-to-image", library="diffusers", tags=("controlnet",))


def build_filmer(folder: Path) -> None:
    """The first openly published text-to-video model, by ModelScope: a UNet over space and time."""
    from diffusers import TextToVideoSDPipeline, UNet3DConditionModel

    with repeatable():
        tokenizer = clip_tokenizer()
        unet = UNet3DConditionModel(
            block_out_channels=(8, 16),
            layers_per_block=1,
            sample_size=_SIDE // 2,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            cross_attention_dim=_CROSS,
            attention_head_dim=4,
            norm_num_groups=4,
        )
        text_encoder = _text_encoder(tokenizer)
        parts = {"vae": vae(), "text_encoder": text_encoder, "tokenizer": tokenizer, "unet": unet}
        TextToVideoSDPipeline(**parts, scheduler=scheduler()).save_pretrained(folder)
    card(folder, "text-to-video", library="diffusers")


def build_animator(folder: Path) -> None:
    """Stable Video Diffusion: moves a picture."""
    from diffusers import (
        AutoencoderKLTemporalDecoder,
        EulerDiscreteScheduler,
        StableVideoDiffusionPipeline,
        UNetSpatioTemporalConditionModel,
    )
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

    with repeatable():
        unet = UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 64),
            layers_per_block=1,
            sample_size=_SIDE // 2,
            num_frames=3,
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            cross_attention_dim=_CROSS,
            num_attention_heads=(2, 4),
            projection_class_embeddings_input_dim=96,
            addition_time_embed_dim=32,
        )
        vae = AutoencoderKLTemporalDecoder(
            block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D"] * 2, latent_channels=4
        )
        vision = CLIPVisionConfig(
            hidden_size=16,
            projection_dim=_CROSS,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=224,
            intermediate_size=16,
            patch_size=56,
        )
        scheduler = EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            interpolation_type="linear",
            prediction_type="v_prediction",
            use_karras_sigmas=True,
            timestep_type="continuous",
            sigma_min=0.002,
            sigma_max=700.0,
            steps_offset=1,
        )
        StableVideoDiffusionPipeline(
            vae=vae,
            image_encoder=CLIPVisionModelWithProjection(vision),
            unet=unet,
            scheduler=scheduler,
            feature_extractor=CLIPImageProcessorPil(),
        ).save_pretrained(folder)
    card(folder, "image-to-video", library="diffusers")


PAINTER, PRUDE = "tiny/painter", "tiny/prude"
CONTROLNET = "tiny/controlnet"
FILMER, ANIMATOR = "tiny/filmer", "tiny/animator"
EDITOR, ENLARGER = "tiny/editor", "tiny/enlarger"

BUILDERS: dict[str, Callable[[Path], None]] = {
    PAINTER: build_painter,
    PRUDE: build_prude,
    CONTROLNET: build_controlnet,
    FILMER: build_filmer,
    ANIMATOR: build_animator,
    EDITOR: build_editor,
    ENLARGER: build_enlarger,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

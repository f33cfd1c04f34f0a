"""Tiny pipelines of the families of diffusers beyond Stable Diffusion: diffusion transformers, SDXL, films, sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.stand_ins.tiny_diffusion import clip_tokenizer
from tests.stand_ins.tiny_models import card, repeatable
from tests.stand_ins.tiny_text import byte_bpe, t5_tokenizer

_WIDTH = 32


def _t5(folder: Path) -> dict[str, Any]:
    """A T5 encoder and its tokenizer."""
    from transformers import T5Config, T5EncoderModel

    tokenizer = t5_tokenizer(folder)
    config = T5Config(vocab_size=len(tokenizer), d_model=_WIDTH, d_kv=8, d_ff=32, num_layers=1, num_heads=4)
    return {"text_encoder": T5EncoderModel(config), "tokenizer": tokenizer}


def _clip(*, projection: bool = False) -> Any:
    """CLIP's text encoder."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = clip_tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=_WIDTH,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def _flow() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(shift=7.0)


def _save(folder: Path, pipeline: Any, task: str) -> None:
    pipeline.save_pretrained(folder)
    card(folder, task, library="diffusers")


def build_flux(folder: Path) -> None:
    """Flux: pictures by a transformer."""
    from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel

    with repeatable():
        t5 = _t5(folder)
        FluxPipeline(
            scheduler=_flow(),
            vae=AutoencoderKL(
                sample_size=32,
                block_out_channels=(4,),
                layers_per_block=1,
                latent_channels=1,
                norm_num_groups=1,
                use_quant_conv=False,
                use_post_quant_conv=False,
                shift_factor=0.06,
                scaling_factor=1.5,
            ),
            text_encoder=_clip(),
            tokenizer=clip_tokenizer(),
            text_encoder_2=t5["text_encoder"],
            tokenizer_2=t5["tokenizer"],
            transformer=FluxTransformer2DModel(
                in_channels=4,
                num_layers=1,
                num_single_layers=1,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=_WIDTH,
                pooled_projection_dim=_WIDTH,
                axes_dims_rope=(4, 4, 8),
            ),
        ).save_pretrained(folder)
    card(folder, "text-to-image", library="diffusers")


def _unet_xl() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=6 * 8 + _WIDTH,
        cross_attention_dim=2 * _WIDTH,
    )


def build_painter_xl(folder: Path) -> None:
    """Stable Diffusion XL, with its two text encoders."""
    from diffusers import StableDiffusionXLPipeline

    from tests.stand_ins.tiny_diffusion import scheduler, vae

    with repeatable():
        StableDiffusionXLPipeline(
            vae=vae(),
            text_encoder=_clip(),
            text_encoder_2=_clip(projection=True),
            tokenizer=clip_tokenizer(),
            tokenizer_2=clip_tokenizer(),
            unet=_unet_xl(),
            scheduler=scheduler(),
        ).save_pretrained(folder)
    card(folder, "text-to-image", library="diffusers")


def build_controlnet_xl(folder: Path) -> None:
    """A ControlNet for Stable Diffusion XL, that has learnt something."""
    import torch
    from diffusers import ControlNetModel

    with repeatable():
        controlnet = ControlNetModel.from_unet(_unet_xl(), conditioning_embedding_out_channels=(8, 16))
        for zeroed in (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block):
            torch.nn.init.normal_(zeroed.weight, std=0.5)
        torch.nn.init.normal_(controlnet.controlnet_cond_embedding.conv_out.weight, std=0.5)
    controlnet.save_pretrained(folder)
    card(folder, "image-to-image", library="diffusers", tags=("controlnet",))


def _wan(folder: Path) -> dict[str, Any]:
    from diffusers import AutoencoderKLWan

    vae = AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    return {"vae": vae, "scheduler": _flow(), **_t5(folder)}


def _wan_transformer(channels: int = 16, **more: Any) -> Any:
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=channels,
        out_channels=16,
        text_dim=_WIDTH,
        freq_dim=32,
        ffn_dim=32,
        num_layers=1,
        rope_max_seq_len=32,
        **more,
    )


def build_wan(folder: Path) -> None:
    """Wan: films from texts."""
    from diffusers import WanPipeline

    with repeatable():
        WanPipeline(transformer=_wan_transformer(), **_wan(folder)).save_pretrained(folder)
    card(folder, "text-to-video", library="diffusers")


def build_wan_animator(folder: Path) -> None:
    """Wan: films from a picture and a text."""
    from diffusers import WanImageToVideoPipeline
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModelWithProjection

    with repeatable():
        vision = CLIPVisionConfig(
            hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2, image_size=32,
            intermediate_size=16, patch_size=16,
        )  # fmt: skip
        WanImageToVideoPipeline(
            transformer=_wan_transformer(36, image_dim=4, added_kv_proj_dim=24),
            image_encoder=CLIPVisionModelWithProjection(vision),
            image_processor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
            **_wan(folder),
        ).save_pretrained(folder)
    card(folder, "image-to-video", library="diffusers")


def build_ltx(folder: Path) -> None:
    """LTX: films from texts and pictures."""
    from diffusers import AutoencoderKLLTXVideo, LTXPipeline, LTXVideoTransformer3DModel

    with repeatable():
        vae = AutoencoderKLLTXVideo(
            latent_channels=8,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
            spatio_temporal_scaling=(True, True, True, False),
            decoder_spatio_temporal_scaling=(True, True, True, False),
        )
        transformer = LTXVideoTransformer3DModel(
            in_channels=8,
            out_channels=8,
            num_attention_heads=4,
            attention_head_dim=8,
            cross_attention_dim=_WIDTH,
            num_layers=1,
            caption_channels=_WIDTH,
        )
        LTXPipeline(scheduler=_flow(), vae=vae, transformer=transformer, **_t5(folder)).save_pretrained(folder)
    card(folder, "text-to-video", library="diffusers")


def build_cogvideo(folder: Path) -> None:
    """CogVideoX: films from texts."""
    from diffusers import AutoencoderKLCogVideoX, CogVideoXPipeline, CogVideoXTransformer3DModel

    from tests.stand_ins.tiny_diffusion import scheduler

    with repeatable():
        vae = AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            temporal_compression_ratio=4,
        )
        transformer = CogVideoXTransformer3DModel(
            num_attention_heads=4,
            attention_head_dim=8,
            in_channels=4,
            out_channels=4,
            time_embed_dim=2,
            text_embed_dim=_WIDTH,
            num_layers=1,
            sample_width=8,
            sample_height=8,
            sample_frames=9,
            max_text_seq_length=226,
        )
        CogVideoXPipeline(scheduler=scheduler(), vae=vae, transformer=transformer, **_t5(folder)).save_pretrained(
            folder
        )
    card(folder, "text-to-video", library="diffusers")


def build_audioldm(folder: Path) -> None:
    """AudioLDM 2: sounds from texts, by two text encoders, a language model and a vocoder."""
    from diffusers import (
        AudioLDM2Pipeline,
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
        AutoencoderKL,
    )
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        GPT2Config,
        GPT2LMHeadModel,
        RobertaTokenizer,
        SpeechT5HifiGan,
        SpeechT5HifiGanConfig,
    )

    from tests.stand_ins.tiny_diffusion import scheduler

    vocabulary, merges = byte_bpe()
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    hearing = {
        "spec_size": 64,
        "window_size": 4,
        "num_mel_bins": 64,
        "depths": [1, 1],
        "num_attention_heads": [1, 1],
        "hidden_size": 192,
        "projection_dim": 16,
        "patch_size": 2,
        "patch_stride": 2,
        "patch_embed_input_channels": 4,
        "patch_embeds_hidden_size": 8,
    }
    reading = {**size, "vocab_size": len(tokenizer), "max_position_embeddings": 80, "projection_dim": 16}
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    with repeatable():
        t5 = _t5(folder)
        language = GPT2LMHeadModel(GPT2Config(n_embd=16, n_head=2, n_layer=1, vocab_size=100, n_positions=99, **ends))
        language.config.max_new_tokens = 8
        vocoder = SpeechT5HifiGan(
            SpeechT5HifiGanConfig(
                model_in_dim=8,
                sampling_rate=16_000,
                upsample_initial_channel=16,
                upsample_rates=[2, 2],
                upsample_kernel_sizes=[4, 4],
                resblock_kernel_sizes=[3],
                resblock_dilation_sizes=[[1]],
                normalize_before=False,
                initializer_range=1.0,
            )
        )
        pipeline = AudioLDM2Pipeline(
            vae=AutoencoderKL(
                block_out_channels=(8, 16),
                in_channels=1,
                out_channels=1,
                norm_num_groups=8,
                down_block_types=["DownEncoderBlock2D"] * 2,
                up_block_types=["UpDecoderBlock2D"] * 2,
                latent_channels=4,
            ),
            text_encoder=ClapModel(ClapConfig(text_config=reading, audio_config=hearing, projection_dim=16)),
            text_encoder_2=t5["text_encoder"],
            projection_model=AudioLDM2ProjectionModel(
                text_encoder_dim=16, text_encoder_1_dim=_WIDTH, langauge_model_dim=16
            ),
            language_model=language,
            tokenizer=tokenizer,
            tokenizer_2=t5["tokenizer"],
            feature_extractor=ClapFeatureExtractor(hop_length=7900),
            unet=AudioLDM2UNet2DConditionModel(
                block_out_channels=(8, 16),
                layers_per_block=1,
                norm_num_groups=8,
                sample_size=32,
                in_channels=4,
                out_channels=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=(8, 16),
            ),
            scheduler=scheduler(),
            vocoder=vocoder,
        )
    _save(folder, pipeline, "text-to-audio")


def build_stable_audio(folder: Path) -> None:
    """Stable Audio: sounds in stereo from texts, by a transformer."""
    from diffusers import (
        AutoencoderOobleck,
        EDMDPMSolverMultistepScheduler,
        StableAudioDiTModel,
        StableAudioPipeline,
        StableAudioProjectionModel,
    )
    from transformers import T5Config, T5EncoderModel

    tokenizer = t5_tokenizer(folder)
    with repeatable():
        pipeline = StableAudioPipeline(
            vae=AutoencoderOobleck(
                encoder_hidden_size=6,
                downsampling_ratios=[1, 2],
                decoder_channels=3,
                decoder_input_channels=3,
                audio_channels=2,
                channel_multiples=[2, 4],
                sampling_rate=100,
            ),
            text_encoder=T5EncoderModel(
                T5Config(vocab_size=len(tokenizer), d_model=4, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
            ),
            tokenizer=tokenizer,
            transformer=StableAudioDiTModel(
                sample_size=100,
                in_channels=3,
                num_layers=2,
                attention_head_dim=4,
                num_key_value_attention_heads=2,
                out_channels=3,
                cross_attention_dim=4,
                time_proj_dim=8,
                global_states_input_dim=8,
                cross_attention_input_dim=4,
            ),
            projection_model=StableAudioProjectionModel(
                text_encoder_dim=4, conditioning_dim=4, min_value=0, max_value=32
            ),
            scheduler=EDMDPMSolverMultistepScheduler(
                solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
            ),
        )
    _save(folder, pipeline, "text-to-audio")


FLUX, PAINTER_XL, CONTROLNET_XL = "tiny/flux", "tiny/painter-xl", "tiny/controlnet-xl"
WAN, WAN_ANIMATOR, LTX, COGVIDEO = "tiny/wan", "tiny/wan-animator", "tiny/ltx", "tiny/cogvideo"
AUDIOLDM, STABLE_AUDIO = "tiny/audioldm", "tiny/stable-audio"

BUILDERS: dict[str, Callable[[Path], None]] = {
    FLUX: build_flux,
    PAINTER_XL: build_painter_xl,
    CONTROLNET_XL: build_controlnet_xl,
    WAN: build_wan,
    WAN_ANIMATOR: build_wan_animator,
    LTX: build_ltx,
    COGVIDEO: build_cogvideo,
    AUDIOLDM: build_audioldm,
    STABLE_AUDIO: build_stable_audio,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

"""The families of diffusers beyond Stable Diffusion: what they make here is what the library makes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from hugginggpt.experts.video import encode_video
from hugginggpt.media import Audio, Image, Text, Value
from hugginggpt.models.card import ModelCard
from hugginggpt.progress import Progress, listening
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, run
from tests.experts.test_local_diffusion import photo, pixels
from tests.stand_ins import tiny_families
from tests.stand_ins.tiny_families import (
    AUDIOLDM,
    COGVIDEO,
    CONTROLNET_XL,
    FLUX,
    LTX,
    PAINTER_XL,
    STABLE_AUDIO,
    WAN,
    WAN_ANIMATOR,
)

FEW = {"steps": 2, "seed": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    with hub_of(tiny_families.build_all, folder) as settings:
        yield settings


def direct(folder: Path, model: str, pipeline: str, **arguments: Any) -> Any:
    """What the library makes of the same."""
    import diffusers

    made = getattr(diffusers, pipeline).from_pretrained(folder / "models" / model)
    made.set_progress_bar_config(disable=True)
    return made(num_inference_steps=2, generator=torch.Generator("cpu").manual_seed(7), **arguments)


def made(settings: Settings, kind: str, model: str | ModelCard, **inputs: Any) -> Value:
    """What an expert makes, having told of each step."""
    told: list[Progress] = []
    with listening(told.append):
        (value,) = run(settings, kind, model, **FEW, **inputs)
    assert [(progress.done, progress.total) for progress in told if not progress.downloaded] == [(1, 2), (2, 2)]
    return value


@pytest.mark.parametrize(("model", "pipeline"), [(FLUX, "FluxPipeline"), (PAINTER_XL, "StableDiffusionXLPipeline")])
def test_pictures_from_texts(settings: Settings, folder: Path, model: str, pipeline: str) -> None:
    picture = made(settings, "text-to-image", model, text=Text("a red house"), width=64, height=96)
    wanted = direct(folder, model, pipeline, prompt="a red house", width=64, height=96).images[0]
    assert isinstance(picture, Image) and picture.image.size == (64, 96)
    assert np.array_equal(pixels(picture.image), pixels(wanted))


def test_pictures_under_control(settings: Settings, folder: Path) -> None:
    from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline

    card = ModelCard(id=CONTROLNET_XL, kind="canny-text-to-image", companions=(PAINTER_XL,))
    picture = made(settings, card.kind, card, image=Image(photo((64, 32))), text=Text("a red house"))
    controlnet = ControlNetModel.from_pretrained(folder / "models" / CONTROLNET_XL)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(
        folder / "models" / PAINTER_XL, controlnet=controlnet
    )
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = pipeline("a red house", image=photo((64, 32)), num_inference_steps=2, generator=noise).images[0]
    assert isinstance(picture, Image)
    assert np.array_equal(pixels(picture.image), pixels(wanted))


@pytest.mark.parametrize(
    ("model", "pipeline", "tempo"),
    [(WAN, "WanPipeline", 16), (LTX, "LTXPipeline", 25), (COGVIDEO, "CogVideoXPipeline", 8)],
)
def test_films_from_texts(settings: Settings, folder: Path, model: str, pipeline: str, tempo: int) -> None:
    shown = made(settings, "text-to-video", model, text=Text("waves"), width=64, height=64)
    wanted = direct(folder, model, pipeline, prompt="waves", width=64, height=64, output_type="pil").frames[0]
    assert len(wanted) > 8 and isinstance(wanted[0], PILImage.Image)
    assert shown == encode_video(wanted, tempo)


@pytest.mark.parametrize(
    ("model", "pipeline", "tempo"),
    [(WAN_ANIMATOR, "WanImageToVideoPipeline", 16), (LTX, "LTXImageToVideoPipeline", 25)],
)
def test_films_from_pictures(settings: Settings, folder: Path, model: str, pipeline: str, tempo: int) -> None:
    given = photo((64, 64))
    shown = made(settings, "image-to-video", model, image=Image(given), text=Text("waves"), width=64, height=64)
    size = {"width": 64, "height": 64, "output_type": "pil"}
    wanted = direct(folder, model, pipeline, image=given, prompt="waves", **size).frames[0]
    assert shown == encode_video(wanted, tempo)


@pytest.mark.parametrize(
    ("model", "pipeline", "length", "rate", "channels"),
    [
        (AUDIOLDM, "AudioLDM2Pipeline", "audio_length_in_s", 16_000, 1),
        (STABLE_AUDIO, "StableAudioPipeline", "audio_end_in_s", 100, 2),
    ],
)
def test_sounds_from_texts(
    settings: Settings, folder: Path, model: str, pipeline: str, length: str, rate: int, channels: int
) -> None:
    sound = made(settings, "text-to-audio", model, text=Text("a storm"), seconds=0.5)
    wanted = direct(folder, model, pipeline, prompt="a storm", output_type="np", **{length: 0.5}).audios[0]
    assert isinstance(sound, Audio) and sound.rate == rate and sound.samples.shape == (rate // 2, channels)
    assert np.array_equal(sound.samples, np.atleast_2d(wanted).T) and sound.samples.any()

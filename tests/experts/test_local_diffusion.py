"""Local experts on diffusers: what they make is what the library makes, and their parameters do what they say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ModelLoadError
from hugginggpt.media import Image, Text
from hugginggpt.progress import listening
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, loaded, run
from tests.stand_ins import tiny_diffusion
from tests.stand_ins.tiny_diffusion import MODELS, PRUDE

FEW = {"steps": 2, "seed": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("diffusion")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    with hub_of(tiny_diffusion.build_all, folder) as settings:
        yield settings


def pixels(picture: PILImage.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB"))


def test_a_text_becomes_the_picture_that_the_library_makes(settings: Settings, folder: Path) -> None:
    (made,) = run(settings, "text-to-image", MODELS["text-to-image"], text=Text("a red house"), **FEW)
    direct = StableDiffusionPipeline.from_pretrained(folder / "models" / MODELS["text-to-image"])
    wanted = direct("a red house", num_inference_steps=2, generator=torch.Generator("cpu").manual_seed(7)).images[0]
    assert isinstance(made, Image)
    assert np.array_equal(pixels(made.image), pixels(wanted))
    assert made.image.size == (64, 64)


def test_seed_text_size_and_guidance_count(settings: Settings) -> None:
    def picture(text: str = "a red house", **parameters: float) -> bytes:
        inputs = {**FEW, "text": Text(text), **parameters}
        return run(settings, "text-to-image", MODELS["text-to-image"], **inputs)[0].image.tobytes()  # type: ignore[union-attr]

    first = picture()
    assert picture() == first
    assert len({first, picture(seed=8), picture("a blue sea"), picture(guidance_scale=1.5), picture(steps=3)}) == 5
    (wide,) = run(settings, "text-to-image", MODELS["text-to-image"], text=Text("x"), width=130, height=64, **FEW)
    assert wide.image.size == (128, 64)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [{"width": 1}, {"height": 100_000}])
def test_a_size_that_cannot_be_made_is_one_sentence(settings: Settings, size: dict[str, int]) -> None:
    with pytest.raises(ExpertError, match="pixels cannot be made"):
        run(settings, "text-to-image", MODELS["text-to-image"], text=Text("x"), **FEW, **size)


def test_an_empty_text_makes_no_picture(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="empty"):
        run(settings, "text-to-image", MODELS["text-to-image"], text=Text("  "), **FEW)


def test_what_the_safety_checker_holds_back_is_an_error_and_no_black_picture(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="safety checker"):
        run(settings, "text-to-image", PRUDE, text=Text("a red house"), **FEW)


def test_every_step_is_reported(settings: Settings) -> None:
    told: list[tuple[int, int]] = []
    with listening(lambda done, steps: told.append((done, steps))):
        run(settings, "text-to-image", MODELS["text-to-image"], text=Text("x"), steps=3, seed=1)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_deadline_stops_it_between_its_steps(settings: Settings) -> None:
    expert, model = loaded(settings, "text-to-image", MODELS["text-to-image"])
    deadline = Deadline(300)
    done: list[int] = []

    def stop(step: int, steps: int) -> None:
        done.append(step)
        deadline.cancel()

    with listening(stop), pytest.raises(DeadlineExceededError):
        expert.run(model, expert.prepare({"text": Text("x"), "steps": 900}), deadline)
    assert done == [1]
    assert expert.run(model, expert.prepare({"text": Text("x"), "steps": 1}), Deadline(60))


def test_a_model_of_transformers_is_no_pipeline(settings: Settings, folder: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(folder / "models" / "tiny" / "no-pipeline")
    with pytest.raises(ModelLoadError, match="no pipeline of diffusers"):
        run(settings, "text-to-image", "tiny/no-pipeline", text=Text("x"))

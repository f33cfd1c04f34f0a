"""Local experts on diffusers: what they make is what the library makes, and their parameters do what they say."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ModelLoadError
from hugginggpt.experts.video import encode_video
from hugginggpt.media import Image, Text, Video
from hugginggpt.models.card import ModelCard
from hugginggpt.progress import Progress, listening
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, loaded, run
from tests.stand_ins import tiny_diffusion
from tests.stand_ins.tiny_diffusion import ANIMATOR, CONTROLNET, EDITOR, ENLARGER, FILMER, PAINTER, PRUDE

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
    from diffusers import StableDiffusionPipeline

    (made,) = run(settings, "text-to-image", PAINTER, text=Text("a red house"), **FEW)
    direct = StableDiffusionPipeline.from_pretrained(folder / "models" / PAINTER)
    wanted = direct("a red house", num_inference_steps=2, generator=torch.Generator("cpu").manual_seed(7)).images[0]
    assert isinstance(made, Image)
    assert np.array_equal(pixels(made.image), pixels(wanted))
    assert made.image.size == (64, 64)


def test_seed_text_size_and_guidance_count(settings: Settings) -> None:
    def picture(text: str = "a red house", **parameters: float) -> bytes:
        inputs = {**FEW, "text": Text(text), **parameters}
        return run(settings, "text-to-image", PAINTER, **inputs)[0].image.tobytes()  # type: ignore[union-attr]

    first = picture()
    assert picture() == first
    assert len({first, picture(seed=8), picture("a blue sea"), picture(guidance_scale=1.5), picture(steps=3)}) == 5
    (wide,) = run(settings, "text-to-image", PAINTER, text=Text("x"), width=130, height=64, **FEW)
    assert wide.image.size == (128, 64)  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [{"width": 1}, {"height": 100_000}])
def test_a_size_that_cannot_be_made_is_one_sentence(settings: Settings, size: dict[str, int]) -> None:
    with pytest.raises(ExpertError, match="pixels cannot be generated"):
        run(settings, "text-to-image", PAINTER, text=Text("x"), **FEW, **size)


def test_an_empty_text_makes_no_picture(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="empty"):
        run(settings, "text-to-image", PAINTER, text=Text("  "), **FEW)


def test_what_the_safety_checker_holds_back_is_an_error_and_no_black_picture(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="safety checker"):
        run(settings, "text-to-image", PRUDE, text=Text("a red house"), **FEW)


def test_every_step_is_reported(settings: Settings) -> None:
    told: list[tuple[int, int]] = []
    with listening(lambda progress: told.append((progress.done, progress.total))):
        run(settings, "text-to-image", PAINTER, text=Text("x"), steps=3, seed=1)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_deadline_stops_it_between_its_steps(settings: Settings) -> None:
    expert, model = loaded(settings, "text-to-image", PAINTER)
    deadline = Deadline(300)
    done: list[int] = []

    def stop(progress: Progress) -> None:
        done.append(progress.done)
        deadline.cancel()

    with listening(stop), pytest.raises(DeadlineExceededError):
        expert.run(model, expert.prepare({"text": Text("x"), "steps": 900}), deadline)
    assert done == [1]
    assert expert.run(model, expert.prepare({"text": Text("x"), "steps": 1}), Deadline(60))


def test_a_model_of_transformers_is_no_pipeline(settings: Settings, folder: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(folder / "models" / "tiny" / "no-pipeline")
    with pytest.raises(ModelLoadError, match="not a diffusers pipeline"):
        run(settings, "text-to-image", "tiny/no-pipeline", text=Text("x"))


def photo(size: tuple[int, int] = (48, 24), mode: str = "RGB") -> PILImage.Image:
    random = np.random.default_rng(0)
    return PILImage.fromarray(random.integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).convert(mode)


def test_a_picture_is_varied_as_the_library_varies_it(settings: Settings, folder: Path) -> None:
    from diffusers import AutoPipelineForImage2Image

    (made,) = run(settings, "image-to-image", PAINTER, image=Image(photo()), steps=4, seed=7)
    direct = AutoPipelineForImage2Image.from_pretrained(folder / "models" / PAINTER)
    given = photo().resize((64, 32), PILImage.Resampling.LANCZOS)
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = direct("", image=given, strength=0.5, num_inference_steps=4, generator=noise).images[0]
    assert np.array_equal(pixels(made.image), pixels(wanted))  # type: ignore[union-attr]
    (other,) = run(settings, "image-to-image", PAINTER, image=Image(photo()), text=Text("winter"), steps=4, seed=7)
    assert not np.array_equal(pixels(made.image), pixels(other.image))  # type: ignore[union-attr]


def test_a_picture_is_edited_as_the_library_edits_it(settings: Settings, folder: Path) -> None:
    from diffusers import StableDiffusionInstructPix2PixPipeline

    (made,) = run(settings, "image-to-image", EDITOR, image=Image(photo((64, 64))), text=Text("winter"), **FEW)
    direct = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder / "models" / EDITOR)
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = direct("winter", image=photo((64, 64)), num_inference_steps=2, generator=noise).images[0]
    assert np.array_equal(pixels(made.image), pixels(wanted))  # type: ignore[union-attr]
    with pytest.raises(ExpertError, match="say what to change"):
        run(settings, "image-to-image", EDITOR, image=Image(photo((64, 64))), **FEW)


def test_a_picture_is_enlarged_as_the_library_enlarges_it(settings: Settings, folder: Path) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageToImage

    given = photo((22, 13))
    (made,) = run(settings, "image-to-image", ENLARGER, image=Image(given), text=Text("Upscale this picture"))
    assert made.image.size == (44, 26)  # type: ignore[union-attr]
    at = folder / "models" / ENLARGER
    model, processor = AutoModelForImageToImage.from_pretrained(at), AutoImageProcessor.from_pretrained(at)
    with torch.inference_mode():
        wanted = model(**processor(given, return_tensors="pt")).reconstruction[0, :, :26, :44]
    wanted = (wanted.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(pixels(made.image), wanted)  # type: ignore[union-attr]


def test_what_enlarges_does_not_edit(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="choose one that edits"):
        run(settings, "image-to-image", ENLARGER, image=Image(photo()), text=Text("make it winter"))
    with pytest.raises(ExpertError, match="too large"):
        run(settings, "image-to-image", ENLARGER, image=Image(photo((3000, 10))))


@pytest.mark.parametrize(("size", "mode"), [((1, 1), "RGB"), ((300, 2), "L"), ((20, 40), "RGBA"), ((20, 20), "P")])
@pytest.mark.parametrize("model", [PAINTER, ENLARGER])
def test_odd_pictures_are_taken(settings: Settings, model: str, size: tuple[int, int], mode: str) -> None:
    (made,) = run(settings, "image-to-image", model, image=Image(photo(size, mode)), **FEW)
    assert made.image.mode == "RGB"  # type: ignore[union-attr]


CONTROLLED = ModelCard(id=CONTROLNET, kind="canny-text-to-image", companions=(PAINTER,))


def test_a_control_picture_is_followed_as_the_library_follows_it(settings: Settings, folder: Path) -> None:
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    inputs = {"image": Image(photo((64, 32))), "text": Text("a red house"), **FEW}
    (made,) = run(settings, "canny-text-to-image", CONTROLLED, **inputs)
    controlnet = ControlNetModel.from_pretrained(folder / "models" / CONTROLNET)
    direct = StableDiffusionControlNetPipeline.from_pretrained(folder / "models" / PAINTER, controlnet=controlnet)
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = direct("a red house", image=photo((64, 32)), num_inference_steps=2, generator=noise).images[0]
    assert np.array_equal(pixels(made.image), pixels(wanted))  # type: ignore[union-attr]
    (without,) = run(settings, "text-to-image", PAINTER, text=Text("a red house"), width=64, height=64, **FEW)
    (other,) = run(settings, "canny-text-to-image", CONTROLLED, **{**inputs, "image": Image(photo((65, 33)))})
    assert made.image.size == (64, 32)  # type: ignore[union-attr]
    assert len({picture.image.tobytes() for picture in (made, without, other)}) == 3  # type: ignore[union-attr]


def test_every_kind_of_control_has_its_expert(settings: Settings) -> None:
    kinds = [row.kind for row in CAPABILITIES.values() if row.control]
    assert len(kinds) == 8
    for kind in kinds:
        inputs = {"image": Image(photo((64, 64))), "text": Text("a red house"), "steps": 1, "seed": 1}
        (made,) = run(settings, kind, CONTROLLED.model_copy(update={"kind": kind}), **inputs)
        assert made.image.size == (64, 64)  # type: ignore[union-attr]


def test_a_controlnet_of_an_unknown_shape_needs_its_companion_named(settings: Settings) -> None:
    with pytest.raises(ModelLoadError, match="base model of the ControlNet"):
        run(settings, "canny-text-to-image", CONTROLNET, image=Image(photo()), text=Text("x"))


def frames(video: object) -> list[PILImage.Image]:
    import io

    import av

    assert isinstance(video, Video)
    with av.open(io.BytesIO(video.data)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def like(first: PILImage.Image, second: PILImage.Image) -> bool:
    """Whether two pictures are the same but for what a video codec loses."""
    return float(np.abs(pixels(first).astype(float) - pixels(second).astype(float)).mean()) < 4.0


def test_a_text_becomes_the_video_that_the_library_makes(settings: Settings, folder: Path) -> None:
    from diffusers import TextToVideoSDPipeline

    inputs = {"text": Text("waves"), "width": 64, "height": 64, **FEW}
    (made,) = run(settings, "text-to-video", FILMER, **inputs)
    direct = TextToVideoSDPipeline.from_pretrained(folder / "models" / FILMER)
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = direct("waves", width=64, height=64, num_inference_steps=2, generator=noise, output_type="pil").frames[0]
    assert encode_video(wanted, 8) == made
    assert len(frames(made)) == len(wanted) == 16


def test_a_picture_becomes_the_video_that_the_library_makes(settings: Settings, folder: Path) -> None:
    from diffusers import StableVideoDiffusionPipeline

    inputs = {"image": Image(photo((64, 64))), "width": 64, **FEW}
    (made,) = run(settings, "image-to-video", ANIMATOR, **inputs)
    direct = StableVideoDiffusionPipeline.from_pretrained(folder / "models" / ANIMATOR)
    noise = torch.Generator("cpu").manual_seed(7)
    wanted = direct(photo((64, 64)), width=64, height=64, num_inference_steps=2, generator=noise).frames[0]
    assert encode_video(wanted, 7) == made
    assert len(frames(made)) == 3


@pytest.mark.parametrize("size", [(1, 1), (33, 17), (64, 48)])
def test_a_film_shows_its_frames(size: tuple[int, int]) -> None:
    given = [PILImage.new("RGB", size, colour) for colour in ("red", "green", "blue")]
    shown = frames(encode_video(given, 5))
    assert len(shown) == 3
    assert all(abs(a - b) <= 1 for frame in shown for a, b in zip(frame.size, size, strict=True))
    assert all(like(first.resize((8, 8)), second.resize((8, 8))) for first, second in zip(given, shown, strict=True))

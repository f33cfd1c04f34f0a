"""Local experts for pictures: what they see is what the library sees on the same weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from transformers import (
    AutoImageProcessor,
    AutoModelForDepthEstimation,
    AutoModelForImageTextToText,
    AutoModelForSemanticSegmentation,
    AutoModelForVisualQuestionAnswering,
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    AutoTokenizer,
    pipeline,
)

from hugginggpt.errors import ExpertError
from hugginggpt.experts.drawing import with_regions
from hugginggpt.experts.local.mask_generation import _apart
from hugginggpt.experts.local.normal_control import NormalControl
from hugginggpt.experts.local.openpose_control import _joints
from hugginggpt.experts.local.runtime.ade20k_palette import COLOURS
from hugginggpt.experts.local.zero_shot_object_detection import _named
from hugginggpt.experts.openpose import drawn_people
from hugginggpt.experts.rendering import regions
from hugginggpt.media import Image, Structured, Text
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, run, run_batch
from tests.stand_ins import tiny_vision
from tests.stand_ins.tiny_models import MODELS, build_squares, draw_square
from tests.stand_ins.tiny_vision import (
    BLIP,
    BLIP_ANSWERS,
    CAPTIONER,
    CLIP,
    COLOUR_ASKED,
    DEPTH,
    DIGITS,
    DINO,
    DONUT,
    GIT,
    LAYOUTLM,
    LLAVA,
    MASK2FORMER,
    MASKFORMER,
    OWL,
    RELATIVE_DEPTH,
    SAM,
    SCENES,
    SEGFORMER,
    SMOLVLM,
    UPERNET,
    VILT,
    VITPOSE,
    VITPOSE_PLUS,
    digit,
)

SQUARES = MODELS["object-detection"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vision")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    def build(root: Path) -> None:
        tiny_vision.build_all(root)
        build_squares(root / SQUARES)

    with hub_of(build, folder) as settings:
        yield settings


@pytest.fixture(scope="module")
def at(folder: Path) -> Any:
    return lambda model: str(folder / "models" / model)


def photo(size: tuple[int, int] = (48, 40), mode: str = "RGB") -> PILImage.Image:
    random = np.random.default_rng(0)
    return PILImage.fromarray(random.integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).convert(mode)


def data(settings: Settings, kind: str, model: str, **inputs: Any) -> Any:
    result = run(settings, kind, model, **inputs)[0]
    assert isinstance(result, Structured)
    return result.data


def picture(settings: Settings, kind: str, model: str | ModelCard, **inputs: Any) -> PILImage.Image:
    result = run(settings, kind, model, **inputs)[-1]
    assert isinstance(result, Image)
    return result.image


def said(settings: Settings, kind: str, model: str, **inputs: Any) -> str:
    (result,) = run(settings, kind, model, **inputs)
    assert isinstance(result, Text)
    return result.text


# Classification


@pytest.mark.parametrize("number", [1600, 1602, 1701])
def test_a_digit_is_read_as_the_library_reads_it(settings: Settings, at: Any, number: int) -> None:
    from sklearn.datasets import load_digits

    found = data(settings, "image-classification", DIGITS, image=Image(digit(number)))
    direct = pipeline("image-classification", model=at(DIGITS))(digit(number), top_k=5)
    assert found == direct
    assert found[0]["label"] == f"digit {load_digits().target[number]}"


def test_many_pictures_together_are_those_of_each_alone(settings: Settings) -> None:
    inputs = [{"image": Image(digit(number))} for number in range(1600, 1611)]
    together = run_batch(settings, "image-classification", DIGITS, inputs)
    for given, (result,) in zip(inputs, together, strict=True):
        alone = data(settings, "image-classification", DIGITS, **given)
        assert [e["label"] for e in result.data] == [e["label"] for e in alone]  # type: ignore[union-attr]
        assert [e["score"] for e in result.data] == pytest.approx([e["score"] for e in alone], abs=1e-5)  # type: ignore[union-attr]


def test_a_picture_is_sorted_as_the_library_sorts_it(settings: Settings, at: Any) -> None:
    labels = ["cat", "house", "sea"]
    found = data(settings, "zero-shot-image-classification", CLIP, image=Image(photo()), labels=[*map(Text, labels)])
    direct = pipeline("zero-shot-image-classification", model=at(CLIP))(
        photo(), candidate_labels=labels, hypothesis_template="This is a photo of {}."
    )
    assert found == direct
    assert {entry["label"] for entry in found} == set(labels)
    with pytest.raises(ExpertError, match="no labels"):
        run(settings, "zero-shot-image-classification", CLIP, image=Image(photo()), labels=[])


# Detection


@pytest.mark.parametrize("name", [OWL, DINO])
def test_what_is_named_is_found_as_the_library_finds_it(settings: Settings, at: Any, name: str) -> None:
    labels = ["cat", "house"]
    boxes, drawn = run(settings, "zero-shot-object-detection", name, image=Image(photo()), labels=[*map(Text, labels)])
    model, processor = (auto.from_pretrained(at(name)) for auto in (AutoModelForZeroShotObjectDetection, AutoProcessor))
    given = processor(text=[labels], images=photo(), return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**given)
    marked = {"input_ids": given["input_ids"]} if name == DINO else {}
    (direct,) = processor.post_process_grounded_object_detection(
        outputs, **marked, target_sizes=[(40, 48)], text_labels=[labels]
    )
    found = boxes.data  # type: ignore[union-attr]
    # Grounding DINO marks any of its tokens; OWL-ViT knows labels alone.
    named = [any(label in said for label in labels) for said in direct["text_labels"]]
    wanted = [score for score, is_named in zip(direct["scores"].tolist(), named, strict=True) if is_named]
    assert [e["score"] for e in found] == pytest.approx(sorted(wanted, reverse=True))
    assert 0 < len(found) <= len(named) and (name == DINO or all(named))
    assert {e["label"] for e in found} <= set(labels)
    assert all(0 <= e["box"]["xmin"] <= 48 and 0 <= e["box"]["ymax"] <= 40 for e in found)
    assert drawn.image.size == (48, 40)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("traffic light", "traffic light"),
        ("traffic", "traffic light"),
        ("Cat. traffic light", "traffic light"),
        ("a CAT.", "cat"),
        ("[SEP]", None),
        ("", None),
    ],
)
def test_marked_tokens_mean_one_of_the_labels(said: str, meant: str | None) -> None:
    assert _named(said, ["cat", "traffic light"]) == meant


# Depth


def depth_of(at: Any, model: str, given: PILImage.Image) -> Any:
    network, processor = (auto.from_pretrained(at(model)) for auto in (AutoModelForDepthEstimation, AutoImageProcessor))
    with torch.inference_mode():
        outputs = network(**processor(images=given, return_tensors="pt"))
    (estimated,) = processor.post_process_depth_estimation(outputs, [given.size[::-1]])
    return estimated["predicted_depth"].numpy()


@pytest.mark.parametrize(("model", "nearer"), [(DEPTH, -1), (RELATIVE_DEPTH, 1)])
def test_depth_is_the_librarys_with_the_near_bright(settings: Settings, at: Any, model: str, nearer: int) -> None:
    made = np.asarray(picture(settings, "depth-estimation", model, image=Image(photo((64, 64)))))
    depth = nearer * depth_of(at, model, photo((64, 64)))
    wanted = (255 * (depth - depth.min()) / (depth.max() - depth.min())).round().astype(np.uint8)
    assert made.shape == (64, 64) and made.dtype == np.uint8
    assert np.abs(made.astype(int) - wanted).max() <= 1
    assert made.min() == 0 and made.max() == 255


def test_depth_as_a_control_picture_is_the_same_in_rgb(settings: Settings) -> None:
    grey = picture(settings, "depth-estimation", RELATIVE_DEPTH, image=Image(photo()))
    control = picture(settings, "depth-control", RELATIVE_DEPTH, image=Image(photo()))
    assert control.mode == "RGB"
    assert np.array_equal(np.asarray(control)[..., 0], np.asarray(grey))


def test_normals_point_where_surfaces_face() -> None:
    slope = np.tile(np.linspace(0.5, 1.0, 512, dtype=np.float32), (512, 1))
    (towards_the_right,) = NormalControl().render(slope, {})
    middle = np.asarray(towards_the_right.image)[256, 256]  # type: ignore[union-attr]
    assert middle[0] > 140 and abs(int(middle[1]) - 127) <= 1 and middle[2] > 200
    (background,) = NormalControl().render(np.full((64, 64), 0.1, np.float32), {})
    assert np.array_equal(np.asarray(background.image)[32, 32], [127, 127, 255])  # type: ignore[union-attr]


def test_normals_come_from_a_real_model(settings: Settings) -> None:
    assert picture(settings, "normal-control", RELATIVE_DEPTH, image=Image(photo())).size == (48, 40)


# Regions


@pytest.mark.parametrize("model", [SEGFORMER, MASKFORMER, MASK2FORMER])
def test_regions_are_those_that_the_library_finds(settings: Settings, at: Any, model: str) -> None:
    found = data(settings, "image-segmentation", model, image=Image(photo()))
    direct = pipeline("image-segmentation", model=at(model))(photo())
    wanted = sorted(direct, key=lambda entry: -int((np.asarray(entry["mask"]) > 0).sum()))
    assert [e["label"] for e in found] == [e["label"] for e in wanted] != []
    shares = [float((np.asarray(e["mask"]) > 0).mean()) for e in wanted]
    assert [e["share"] for e in found] == pytest.approx(shares)
    assert picture(settings, "image-segmentation", model, image=Image(photo())).size == (48, 40)


def test_a_region_is_told_with_its_share_and_box() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:60, 50:150] = True
    told, drawn = regions([{"label": "sea", "score": 0.9, "mask": mask}], PILImage.new("RGB", (200, 100)))
    assert told.data == [  # type: ignore[union-attr]
        {"label": "sea", "score": 0.9, "share": 0.2, "box": {"xmin": 50, "ymin": 20, "xmax": 150, "ymax": 60}}
    ]
    assert told.text == "1 region found: sea (20%)."  # type: ignore[union-attr]
    coloured = np.asarray(drawn.image).any(axis=2)  # type: ignore[union-attr]
    assert np.array_equal(coloured, mask)


def test_regions_of_one_name_have_one_colour() -> None:
    left, right = np.zeros((2, 40, 80), bool)
    left[:, :30], right[:, 50:] = True, True
    pixels = np.asarray(with_regions(PILImage.new("RGB", (80, 40)), [("sea", left), ("sea", right)]))
    assert np.array_equal(pixels[0, 0], pixels[0, 79]) and pixels[0, 0].any()
    pixels = np.asarray(with_regions(PILImage.new("RGB", (80, 40)), [("", left), ("", right)]))
    assert not np.array_equal(pixels[0, 0], pixels[0, 79])


@pytest.mark.parametrize("model", [SCENES, UPERNET])
def test_the_segmentation_map_has_the_colours_of_ade20k(settings: Settings, at: Any, model: str) -> None:
    made = np.asarray(picture(settings, "seg-control", model, image=Image(photo())))
    network, processor = (
        auto.from_pretrained(at(model)) for auto in (AutoModelForSemanticSegmentation, AutoImageProcessor)
    )
    with torch.inference_mode():
        outputs = network(**processor(images=photo(), return_tensors="pt"))
    (classes,) = processor.post_process_semantic_segmentation(outputs, [(40, 48)])
    assert np.array_equal(made, np.array(COLOURS, np.uint8)[classes.numpy()])
    assert len(COLOURS) == 150 and len(np.unique(classes)) > 1
    with pytest.raises(ExpertError, match="ADE20K"):
        run(settings, "seg-control", SEGFORMER, image=Image(photo()))


def test_masks_are_apart_and_as_large_as_the_picture(settings: Settings) -> None:
    found, drawn = run(settings, "mask-generation", SAM, image=Image(photo((80, 50))))
    assert len(found.data) > 1  # type: ignore[union-attr]
    assert all(0 < e["share"] <= 1 and e["score"] > 0.88 for e in found.data)  # type: ignore[union-attr]
    assert all(e["box"]["xmax"] <= 80 and e["box"]["ymax"] <= 50 for e in found.data)  # type: ignore[union-attr]
    assert drawn.image.size == (80, 50)  # type: ignore[union-attr]


def test_of_masks_that_overlap_the_surest_stays() -> None:
    masks = torch.zeros(4, 10, 10, dtype=torch.bool)
    masks[0, :5], masks[1, :6], masks[2, 6:] = True, True, True
    assert _apart(masks, torch.tensor([0.9, 0.95, 0.92, 0.99])) == [1, 2]


# Words about pictures


@pytest.mark.parametrize("model", [CAPTIONER, BLIP, GIT])
def test_a_caption_is_what_the_library_writes(settings: Settings, at: Any, model: str) -> None:
    network, images, words = (
        auto.from_pretrained(at(model)) for auto in (AutoModelForImageTextToText, AutoImageProcessor, AutoTokenizer)
    )
    given = images(photo(), return_tensors="pt")["pixel_values"]
    wanted = words.decode(network.generate(pixel_values=given, max_new_tokens=128)[0], skip_special_tokens=True)
    assert said(settings, "image-to-text", model, image=Image(photo())) == wanted.strip() != ""


def chatted(at: Any, model: str, text: str, tokens: int) -> str:
    network, processor = (auto.from_pretrained(at(model)) for auto in (AutoModelForImageTextToText, AutoProcessor))
    content = [{"type": "image", "image": photo()}, {"type": "text", "text": text}]
    given = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    made = network.generate(**given, max_new_tokens=tokens, do_sample=False)[0, given["input_ids"].shape[1] :]
    return str(processor.decode(made, skip_special_tokens=True)).strip()


@pytest.mark.parametrize("model", [LLAVA, SMOLVLM])
def test_a_chat_model_that_sees_says_what_the_library_says(settings: Settings, at: Any, model: str) -> None:
    inputs = {"image": Image(photo()), "text": Text("What is in it?"), "max_new_tokens": 12, "temperature": 0.0}
    assert said(settings, "image-text-to-text", model, **inputs) == chatted(at, model, "What is in it?", 12) != ""


def test_a_chat_model_that_sees_serves_other_kinds(settings: Settings) -> None:
    assert said(settings, "image-to-text", LLAVA, image=Image(photo()))
    assert said(settings, "visual-question-answering", LLAVA, image=Image(photo()), text=Text("Who?"))


def test_a_captioner_follows_no_instruction(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="follows no instructions"):
        run(settings, "image-text-to-text", CAPTIONER, image=Image(photo()), text=Text("Who is it?"))


def test_a_question_is_answered_by_choice(settings: Settings, at: Any) -> None:
    network, processor = (
        auto.from_pretrained(at(VILT)) for auto in (AutoModelForVisualQuestionAnswering, AutoProcessor)
    )
    with torch.inference_mode():
        logits = network(**processor(images=photo(), text="What is it?", return_tensors="pt")).logits
    wanted = network.config.id2label[int(logits[0].argmax())]
    assert said(settings, "visual-question-answering", VILT, image=Image(photo()), text=Text("What is it?")) == wanted


def test_a_question_is_answered_in_words(settings: Settings, at: Any) -> None:
    network, processor = (
        auto.from_pretrained(at(BLIP_ANSWERS)) for auto in (AutoModelForVisualQuestionAnswering, AutoProcessor)
    )
    given = processor(images=photo(), text="What is it?", return_tensors="pt")
    wanted = processor.decode(network.generate(**given, max_new_tokens=64)[0], skip_special_tokens=True).strip()
    answer = said(settings, "visual-question-answering", BLIP_ANSWERS, image=Image(photo()), text=Text("What is it?"))
    assert answer == wanted


@pytest.mark.parametrize("kind", ["visual-question-answering", "image-text-to-text", "document-question-answering"])
def test_an_empty_question_is_refused(settings: Settings, kind: str) -> None:
    model = {"visual-question-answering": VILT, "image-text-to-text": LLAVA}.get(kind, LAYOUTLM)
    with pytest.raises(ExpertError, match="is empty"):
        run(settings, kind, model, image=Image(photo()), text=Text(" "))


def page(*lines: str) -> PILImage.Image:
    paper = PILImage.new("RGB", (420, 60 * len(lines) + 40), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(30)
    for number, line in enumerate(lines):
        draw.text((30, 25 + 60 * number), line, fill="black", font=font)
    return paper


def test_a_document_is_asked_by_the_words_that_stand_on_it(settings: Settings, at: Any) -> None:
    from hugginggpt.deadline import Deadline
    from hugginggpt.experts.base import ExpertContext
    from hugginggpt.experts.embedded.ocr import OcrReader
    from hugginggpt.models.bundled import bundled_cards
    from tests.experts.running import no_controller

    paper = page("the hotel", "room in London")
    answer = said(settings, "document-question-answering", LAYOUTLM, image=Image(paper), text=Text("Where is it?"))
    reader = OcrReader(bundled_cards()["image-to-text"][0], ExpertContext(settings, no_controller))
    words = reader.words(paper, Deadline(60))
    reader.close()
    assert [word for word, _ in words] == ["the", "hotel", "room", "in", "London"]
    lefts = [box[0] for _, box in words]
    assert lefts[0] < lefts[1] and lefts[2] < lefts[3] < lefts[4] and abs(lefts[0] - lefts[2]) < 10
    assert words[2][1][1] > words[0][1][3]
    boxes = [
        [word, [round(1000 * at_ / side) for at_, side in zip(box, paper.size * 2, strict=True)]] for word, box in words
    ]
    asked = {"image": paper, "question": "Where is it?", "word_boxes": boxes}
    direct = pipeline("document-question-answering", model=at(LAYOUTLM))(asked)
    assert answer == direct[0]["answer"]
    assert set(answer.split()) <= {word for word, _ in words}


@pytest.mark.parametrize("colour", ["red", "blue"])
def test_a_document_is_asked_by_its_picture(settings: Settings, at: Any, colour: str) -> None:
    paper = PILImage.new("RGB", (60, 40), colour)
    answer = said(settings, "document-question-answering", DONUT, image=Image(paper), text=Text(COLOUR_ASKED))
    direct = pipeline("document-question-answering", model=at(DONUT))
    assert answer == direct(image=paper, question=COLOUR_ASKED)[0]["answer"] == colour


def test_a_question_longer_than_the_model_that_sees_the_page_takes(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="too long for the model"):
        run(
            settings,
            "document-question-answering",
            DONUT,
            image=Image(photo()),
            text=Text("What colour is it? " * 30),
        )


def test_a_page_without_words_has_no_answer(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="No text was found"):
        run(
            settings,
            "document-question-answering",
            LAYOUTLM,
            image=Image(PILImage.new("RGB", (200, 100), "white")),
            text=Text("Where?"),
        )


# Poses


@pytest.mark.parametrize("model", [VITPOSE, VITPOSE_PLUS])
def test_joints_are_drawn_where_the_library_finds_them(settings: Settings, at: Any, model: str) -> None:
    from transformers import VitPoseForPoseEstimation

    made = np.asarray(picture(settings, "openpose-control", model, image=Image(photo((90, 120)))))
    network = VitPoseForPoseEstimation.from_pretrained(at(model))
    processor = AutoImageProcessor.from_pretrained(at(model))
    box = [[0.0, 0.0, 90.0, 120.0]]
    expert = {"dataset_index": torch.tensor([0])} if model == VITPOSE_PLUS else {}
    with torch.inference_mode():
        outputs = network(**processor(photo((90, 120)), boxes=[box], return_tensors="pt"), **expert)
    ((person,),) = processor.post_process_pose_estimation(outputs, boxes=[box])
    inside = [
        (x, y)
        for (x, y), score in zip(person["keypoints"].tolist(), person["scores"].tolist(), strict=True)
        if score >= 0.3 and 0 <= round(x) < 90 and 0 <= round(y) < 120
    ]
    assert inside
    assert all(made[round(y), round(x)].any() for x, y in inside)
    assert made.shape == (120, 90, 3)


def test_a_picture_without_people_has_no_poses(settings: Settings) -> None:
    card = ModelCard(id=VITPOSE, kind="openpose-control", companions=(SQUARES,))
    with pytest.raises(ExpertError, match="no people"):
        run(settings, "openpose-control", card, image=Image(draw_square("red square", (10, 10, 40, 40))))


def test_the_neck_stands_between_the_shoulders_and_what_is_not_seen_is_not_drawn() -> None:
    points = [[float(n), 10.0 + n] for n in range(17)]
    joints = _joints(points, [0.9] * 17)
    assert joints[1] == (5.5, 15.5) and joints[0] == (0.0, 10.0) and joints[2] == (6.0, 16.0)
    unseen = _joints(points, [0.9] * 5 + [0.1] * 12)
    assert unseen[1] is None and sum(joint is not None for joint in unseen) == 5
    assert not np.asarray(drawn_people([[None] * 18], (20, 20))).any()


# Odd pictures


@pytest.mark.parametrize(("size", "mode"), [((1, 1), "RGB"), ((200, 3), "L"), ((33, 20), "RGBA"), ((20, 20), "P")])
@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("image-classification", DIGITS),
        ("depth-estimation", RELATIVE_DEPTH),
        ("image-segmentation", SEGFORMER),
        ("seg-control", SCENES),
    ],
)
def test_odd_pictures_are_taken(settings: Settings, kind: str, model: str, size: tuple[int, int], mode: str) -> None:
    outputs = run(settings, kind, model, image=Image(photo(size, mode)))
    assert all(value.image.size == size for value in outputs if isinstance(value, Image))


@pytest.mark.parametrize("size", [(1, 1), (800, 1), (1, 800)])
@pytest.mark.parametrize("kind", ["depth-estimation", "depth-control", "normal-control"])
@pytest.mark.parametrize("model", [DEPTH, RELATIVE_DEPTH])
def test_the_depth_of_the_thinnest_picture(settings: Settings, model: str, kind: str, size: tuple[int, int]) -> None:
    assert picture(settings, kind, model, image=Image(photo(size))).size == size


def test_a_picture_too_small_for_a_pose_says_so(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="too small for poses"):
        run(settings, "openpose-control", VITPOSE, image=Image(photo((200, 3))))

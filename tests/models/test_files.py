"""Which files of a repository a model is loaded from."""

import json
from pathlib import Path

import pytest

from hugginggpt.models.files import needed_files

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "safety_checker": [None, None],
}
PARTS = [
    "model_index.json",
    "unet/config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "scheduler/scheduler_config.json",
]


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).write_text(json.dumps(content), encoding="utf-8")


def test_a_model_of_transformers_takes_its_descriptions_and_weights(tmp_path: Path) -> None:
    names = ["README.md", "config.json", "vocab.txt", "source.spm", "model.safetensors", "pytorch_model.bin", "code.py"]
    names += ["onnx/model.onnx", "onnx/config.json", "model.fp16.safetensors"]
    assert needed_files(tmp_path, names) == ["config.json", "model.safetensors", "source.spm", "vocab.txt"]


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["config.json"],
        ["config.json", "pytorch_model.bin"],
        ["model.safetensors"],
        ["config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json"],
    ],
)
def test_without_a_config_and_all_of_safe_weights_there_is_nothing_to_load(tmp_path: Path, names: list[str]) -> None:
    assert needed_files(tmp_path, names) is None


def test_shards_belong_together_as_their_index_says(tmp_path: Path) -> None:
    shards = [f"model-{number:05}-of-00002.safetensors" for number in (1, 2)]
    write(tmp_path, "model.safetensors.index.json", {"weight_map": {"a": shards[0], "b": shards[1]}})
    names = ["config.json", "model.safetensors.index.json", *shards]
    assert needed_files(tmp_path, names) == sorted(names)
    assert needed_files(tmp_path, names[:-1]) is None


def test_a_pipeline_takes_the_parts_that_its_index_names(tmp_path: Path) -> None:
    write(tmp_path, "model_index.json", INDEX)
    names = [*PARTS, "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"]
    strange = ["v1-5-pruned.safetensors", "unet/diffusion_pytorch_model.bin", "safety_checker/config.json", "code.py"]
    assert needed_files(tmp_path, [*names, *strange]) == sorted(names[:-1])


def test_a_pipeline_that_comes_only_in_half_precision_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "model_index.json", INDEX)
    names = [*PARTS, "unet/diffusion_pytorch_model.fp16.safetensors"]
    assert needed_files(tmp_path, names) == sorted(names)


def test_a_pipeline_whose_part_has_only_pickles_or_is_not_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "model_index.json", INDEX)
    assert needed_files(tmp_path, [*PARTS, "unet/diffusion_pytorch_model.bin"]) is None
    without = [name for name in PARTS if not name.startswith("scheduler/")]
    assert needed_files(tmp_path, [*without, "unet/diffusion_pytorch_model.safetensors"]) is None


def test_a_part_in_shards_takes_all_of_them(tmp_path: Path) -> None:
    write(tmp_path, "model_index.json", INDEX)
    shards = [f"unet/diffusion_pytorch_model-{number:05}-of-00002.safetensors" for number in (1, 2)]
    names = [*PARTS, "unet/diffusion_pytorch_model.safetensors.index.json", *shards]
    assert needed_files(tmp_path, names) == sorted(names)
    assert needed_files(tmp_path, names[:-1]) is None


def test_a_sentence_encoder_takes_the_folders_of_its_modules(tmp_path: Path) -> None:
    modules = [{"path": "", "type": "Transformer"}, {"path": "1_Pooling"}, {"path": "2_Dense"}]
    write(tmp_path, "modules.json", modules)
    names = ["modules.json", "config.json", "model.safetensors", "1_Pooling/config.json"]
    names += ["2_Dense/config.json", "2_Dense/model.safetensors"]
    assert needed_files(tmp_path, [*names, "onnx/model.onnx", "openvino/config.json"]) == sorted(names)


def test_a_table_model_takes_its_skops_file_and_never_its_pickle(tmp_path: Path) -> None:
    names = ["config.json", "model.pkl", "model.skops"]
    assert needed_files(tmp_path, names) == ["config.json", "model.skops"]
    assert needed_files(tmp_path, names[:2]) is None


def test_files_that_the_card_names_are_all_that_is_taken(tmp_path: Path) -> None:
    assert needed_files(tmp_path, ["a.pth", "b.pth", "config.json"], exactly=["a.pth"]) == ["a.pth"]
    assert needed_files(tmp_path, ["b.pth"], exactly=["a.pth"]) is None


@pytest.mark.parametrize("content", ["[1]", "{", '"text"'])
def test_a_damaged_index_is_a_value_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "model_index.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError):
        needed_files(tmp_path, ["model_index.json", "unet/config.json"])

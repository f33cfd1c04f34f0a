"""What the headers of real files say of the memory that a model takes."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import DistilBertConfig, DistilBertModel

from hugginggpt.experts.weights import Part, Weights, most_common_dtype, read_weight_parts


def test_a_model_takes_what_its_header_says(tmp_path: Path) -> None:
    model = DistilBertModel(DistilBertConfig(vocab_size=50, dim=16, hidden_dim=32, n_layers=1, n_heads=2)).to(
        torch.float16
    )
    model.save_pretrained(tmp_path)
    (part,) = read_weight_parts(tmp_path)
    assert part.bytes_as("float16") == sum(weight.nbytes for weight in model.parameters())
    assert part.bytes_as("float32") == sum(weight.nbytes for weight in model.float().parameters())
    assert most_common_dtype([part]) == "float16"


def test_shards_are_one_part_and_the_folders_of_a_pipeline_several(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"unet": ["diffusers", "U"], "text": ["transformers", "T"]}')
    for folder, names in (
        ("unet", ["diffusion_pytorch_model"]),
        ("text", ["model-00001-of-00002", "model-00002-of-00002"]),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text("{}")
        for name in names:
            tensors = {name: torch.zeros(3, 5, dtype=torch.bfloat16), f"{name} ids": torch.zeros(7, dtype=torch.int64)}
            save_file(tensors, tmp_path / folder / f"{name}.safetensors", metadata={"format": "pt"})
    index = '{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'
    (tmp_path / "text" / "model.safetensors.index.json").write_text(index)
    weights = Weights(read_weight_parts(tmp_path))
    assert sorted(weights.parts, key=lambda part: part.others) == [
        Part({"bfloat16": 15}, others=56),
        Part({"bfloat16": 30}, others=112),
    ]
    assert weights.stored_dtype == "bfloat16"
    assert weights.bytes_as("float32") == 45 * 4 + 168
    assert weights.largest_as("bfloat16") == 30 * 2 + 112


def test_files_in_other_formats_are_as_large_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "detector.pth").write_bytes(bytes(400))
    assert read_weight_parts(tmp_path, ("detector.pth",)) == [Part({"float32": 100})]
    (tmp_path / "table.skops").write_bytes(bytes(30))
    assert read_weight_parts(tmp_path) == [Part({}, others=30)]


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors is not a safetensors file"):
        read_weight_parts(tmp_path)

"""The training itself: a model of two small blocks, really trained, interrupted, exported and served."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from hugginggpt.controller.embedded import server as embedded
from hugginggpt.settings import Settings
from training import base

WIDTH, HEADS, KV_HEADS, FORWARD, BLOCKS, WORDS = 64, 4, 2, 128, 2, 1000
ANSWERS = {"cat": "photo.jpg > recognize", "invoice": "scan.png > read", "joke": "none"}
TIMES = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights with the shortest words of the packaged model's vocabulary."""
    packaged = GGUFReader(base.packaged())
    file = tmp_path_factory.mktemp("base") / "tiny.gguf"
    writer = GGUFWriter(file, "llama")
    tokens, merges = (packaged.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    first = tokens.index(merges[0].replace(" ", ""))
    for name, field in packaged.fields.items():
        if name.startswith("tokenizer."):
            kind, *inner = field.types
            value = field.contents()
            if kind == GGUFValueType.ARRAY:
                # Words are in the order of the merges that make them.
                value = value[: WORDS - first if name.endswith("merges") else WORDS]
            writer.add_key_value(name, value, kind, inner[0] if inner else None)
    writer.add_block_count(BLOCKS)
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    random = np.random.default_rng(0)
    keys = WIDTH // HEADS * KV_HEADS
    shapes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (keys, WIDTH),
        "attn_v": (keys, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (FORWARD, WIDTH),
        "ffn_up": (FORWARD, WIDTH),
        "ffn_down": (WIDTH, FORWARD),
    }

    def add(name: str, *shape: int) -> None:
        matrix = random.normal(0, shape[-1] ** -0.5, shape) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(f"{name}.weight", matrix.astype(np.float32))

    add("token_embd", WORDS, WIDTH)
    add("output_norm", WIDTH)
    for block in range(BLOCKS):
        for norm in ("attn_norm", "ffn_norm"):
            add(f"blk.{block}.{norm}", WIDTH)
        for name, shape in shapes.items():
            add(f"blk.{block}.{name}", *shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three requests and their plans, many times."""
    file = tmp_path_factory.mktemp("data") / "train.jsonl"
    rows = [{"prompt": asked(request), "completion": plan} for request, plan in ANSWERS.items()] * TIMES
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def asked(request: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Plan."}, {"role": "user", "content": request}]


def training(weights: Path, data: Path, out: Path) -> subprocess.Popen[str]:
    """A run in small steps, saved after each."""
    command = [sys.executable, "-m", "training.train", str(data), "--base", str(weights), "--out", str(out)]
    recipe = {"tokens": 220, "rate": 0.02, "checkpoint-minutes": 0, "device": "cpu"}
    options = [str(word) for name, value in recipe.items() for word in (f"--{name}", value)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(run: subprocess.Popen[str]) -> str:
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def trained(weights: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The adapter of a run that nothing interrupts, and what the run said."""
    out = tmp_path_factory.mktemp("out")
    said = finished(training(weights, data, out))
    return out / "adapter.gguf", said


def test_the_loss_falls(trained: tuple[Path, str]) -> None:
    _, said = trained
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", said)]
    assert losses[-1] < losses[0] / 4


def test_a_run_that_was_killed_goes_on_to_the_same_adapter(
    trained: tuple[Path, str], weights: Path, data: Path, tmp_path: Path
) -> None:
    run, end = training(weights, data, tmp_path), time.monotonic() + 100
    while not (tmp_path / "checkpoint.pt").exists() and time.monotonic() < end:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert not (tmp_path / "adapter.gguf").exists()
    reached = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"]
    said = finished(training(weights, data, tmp_path))
    assert f"continuing from step {reached}" in said
    assert (tmp_path / "adapter.gguf").read_bytes() == trained[0].read_bytes()


def test_other_examples_begin_anew(trained: tuple[Path, str], weights: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").symlink_to(trained[0].with_name("checkpoint.pt"))
    other = tmp_path / "other.jsonl"
    other.write_text(data.read_text(encoding="utf-8").replace("joke", "song"), encoding="utf-8")
    said = finished(training(weights, other, tmp_path))
    assert "belongs to another recipe, other weights or other examples: starting anew" in said
    assert (tmp_path / "adapter.gguf").read_bytes() != trained[0].read_bytes()


def test_the_server_plans_with_it(trained: tuple[Path, str], weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF", str(weights))
    monkeypatch.setenv("HUGGINGGPT_EMBEDDED_PLANNER", str(trained[0]))
    address = embedded.start(Settings())

    def answer(request: str, scale: float) -> Any:
        body = {
            "messages": asked(request),
            "temperature": 0,
            "max_tokens": 20,
            "cache_prompt": False,
            "lora": [{"id": 0, "scale": scale}],
        }
        headers = {"Authorization": f"Bearer {address.key}"}
        reply = httpx.post(f"{address.base_url}/chat/completions", json=body, headers=headers, timeout=60)
        return reply.raise_for_status().json()["choices"][0]["message"]["content"]

    for request, plan in ANSWERS.items():
        assert answer(request, 1.0) == plan
        assert answer(request, 0.0) != plan

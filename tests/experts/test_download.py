"""Downloading a model: once, in one piece, and only what can be trusted and stored."""

import hashlib
import json
import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from hugginggpt.errors import ExpertUnavailableError, ModelDiskFullError, ModelLoadError
from hugginggpt.experts.local.runtime.download import fetch_model
from hugginggpt.models.card import ModelCard
from hugginggpt.progress import Progress, listening
from hugginggpt.settings import Settings
from tests.stand_ins.hub_server import HubServer

MODEL = "some/model"
WEIGHTS = "model.safetensors"
TEN = 10
CHUNK = 10 * 2**20  # what huggingface_hub writes at a time


def make_model(folder: Path, *, weights: int = 4000, config: dict[str, Any] | None = None) -> None:
    """A repository that looks like a model of transformers."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "distilbert", **(config or {})}), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    numbers = np.random.default_rng(0).integers(0, 255, weights, dtype=np.uint8)
    save_file({"weight": numbers}, folder / WEIGHTS)


def facts(folder: Path, **told: Any) -> None:
    """What only the Hub says of a model."""
    (folder / ".hub.json").write_text(json.dumps(told), encoding="utf-8")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    make_model(tmp_path / "models" / MODEL)
    return tmp_path / "models"


@pytest.fixture
def hub(models: Path) -> Iterator[HubServer]:
    with HubServer(models) as hub:
        yield hub


@pytest.fixture
def settings(hub: HubServer, tmp_path: Path) -> Settings:
    return Settings(hf_endpoint=hub.url, models_cache=tmp_path / "cache", hf_token=None)


def card(revision: str | None = None, **more: Any) -> ModelCard:
    return ModelCard(id=MODEL, kind="text-classification", revision=revision, **more)


def downloads(hub: HubServer) -> Counter[str]:
    """How often the contents of each file were asked for."""
    return Counter(Path(path).name for path in hub.paths("GET") if "/resolve/" in path)


def _fetch(url: str, cache: Path, ready: Any, folders: Any) -> None:
    """What each of the ten processes does."""
    settings = Settings(hf_endpoint=url, models_cache=cache, hf_token=None)
    ready.wait()
    folders.put(str(fetch_model(card(), settings)))


def test_ten_processes_download_each_file_once(hub: HubServer, settings: Settings, models: Path) -> None:
    large = models / MODEL
    (large / WEIGHTS).unlink()
    save_file({"weight": np.zeros(8 * 2**20, np.uint8)}, large / WEIGHTS)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["huggingface_hub", "hugginggpt.experts.local.runtime.download", __name__])
    ready, folders = context.Barrier(TEN), context.Queue()
    processes = [
        context.Process(target=_fetch, args=(hub.url, settings.models_cache_dir, ready, folders)) for _ in range(TEN)
    ]
    for process in processes:
        process.start()
    found = {folders.get() for _ in processes}
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * TEN
    assert len(found) == 1
    print(downloads(hub))
    assert downloads(hub) == {"config.json": 1, "tokenizer.json": 1, WEIGHTS: 1}
    assert (Path(found.pop()) / WEIGHTS).read_bytes() == (large / WEIGHTS).read_bytes()


def test_a_download_that_breaks_is_resumed_where_it_broke(hub: HubServer, settings: Settings, models: Path) -> None:
    whole = models / MODEL / WEIGHTS
    whole.unlink()
    save_file({"weight": np.random.default_rng(1).integers(0, 255, 3 * CHUNK, dtype=np.uint8)}, whole)
    hub.breaks[WEIGHTS] = 2 * CHUNK + 1000
    folder = fetch_model(card(), settings)
    asked = [request.range for request in hub.requests if request.method == "GET" and request.path.endswith(WEIGHTS)]
    assert asked == ["", f"bytes={2 * CHUNK}-"]
    assert (folder / WEIGHTS).read_bytes() == whole.read_bytes()


def test_how_far_it_is_is_told(hub: HubServer, settings: Settings, models: Path) -> None:
    size = (models / MODEL / WEIGHTS).stat().st_size
    told: list[Progress] = []
    before = set(threading.enumerate())
    with listening(told.append):
        fetch_model(card(), settings)
        begun = [thread.name for thread in threading.enumerate() if thread not in before]
        assert sum("tqdm" in name for name in begun) <= 1, "none but that of the Hub's client"
        first = len(told)
        fetch_model(card(), settings)
    assert told[first - 1].done == told[first - 1].total >= size and told[0].downloaded
    assert len(told) == first, "nothing is told of what is here"
    assert str(Progress(1_250_000, 4_000_000_000, downloaded=True)) == "1.2 of 4,000.0 MB downloaded"


def test_files_that_are_there_are_not_downloaded_again(hub: HubServer, settings: Settings) -> None:
    first = fetch_model(card(), settings)
    assert fetch_model(card(), settings) == first
    assert set(downloads(hub).values()) == {1}


def test_a_download_that_failed_goes_on_with_what_is_missing(hub: HubServer, settings: Settings) -> None:
    fetch_model(card(), settings)
    weights = next(settings.models_cache_dir.rglob(f"snapshots/*/{WEIGHTS}"))
    weights.resolve().unlink()
    weights.unlink()
    fetch_model(card(), settings)
    assert downloads(hub) == {"config.json": 1, "tokenizer.json": 1, WEIGHTS: 2}


def test_what_does_not_fit_on_the_disk_is_not_begun(hub: HubServer, settings: Settings, models: Path) -> None:
    facts(models / MODEL, sizes={WEIGHTS: 2**60})
    with pytest.raises(ModelLoadError, match=r"no space for the model some/model in .*needs 1,099,511,627,776 MiB"):
        fetch_model(card(), settings)
    assert WEIGHTS not in downloads(hub)


def test_a_disk_that_is_full_now_is_a_cause_that_passes(
    hub: HubServer, settings: Settings, models: Path, small_disk: Path
) -> None:
    cramped = settings.model_copy(update={"models_cache": small_disk / "models"})
    size = (models / MODEL / WEIGHTS).stat().st_size
    facts(models / MODEL, sizes={WEIGHTS: 900_000})  # fits on the empty disk
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    with pytest.raises(ModelDiskFullError, match="no space for the model some/model"):
        fetch_model(card(), cramped)
    ballast.unlink()
    facts(models / MODEL, sizes={WEIGHTS: size})


def test_offline_asks_nobody(hub: HubServer, settings: Settings, tmp_path: Path) -> None:
    offline = settings.model_copy(update={"hf_hub_offline": True})
    with pytest.raises(ModelLoadError, match="HF_HUB_OFFLINE"):
        fetch_model(card(), offline)
    assert not hub.requests
    folder = fetch_model(card(), settings)
    asked = len(hub.requests)
    assert fetch_model(card(), offline) == folder
    assert len(hub.requests) == asked
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelLoadError, match="HF_HUB_OFFLINE"):
        fetch_model(card(), offline)
    assert len(hub.requests) == asked


def test_a_revision_that_vanished(models: Path, tmp_path: Path) -> None:
    with HubServer(models) as hub:
        before = hub.commit(MODEL)
        cached = Settings(hf_endpoint=hub.url, models_cache=tmp_path / "cache", hf_token=None)
        folder = fetch_model(card(before), cached)
    (models / MODEL / "tokenizer.json").write_text('{"new": true}', encoding="utf-8")
    with HubServer(models) as hub:
        assert hub.commit(MODEL) != before
        elsewhere = Settings(hf_endpoint=hub.url, models_cache=tmp_path / "empty", hf_token=None)
        with pytest.raises(ModelLoadError, match=f"no revision {before}"):
            fetch_model(card(before), elsewhere)
        # Who has it keeps it.
        here = cached.model_copy(update={"hf_endpoint": hub.url})
        assert fetch_model(card(before), here) == folder


def test_a_gated_model_is_downloaded_with_the_token_alone(hub: HubServer, settings: Settings, models: Path) -> None:
    facts(models / MODEL, gated="manual")
    with pytest.raises(ModelLoadError, match="is gated: accept its terms at"):
        fetch_model(card(), settings)
    assert not list(settings.models_cache_dir.rglob(WEIGHTS))
    with_token = Settings(hf_endpoint=hub.url, models_cache=settings.models_cache, hf_token=hub.token)
    assert (fetch_model(card(), with_token) / WEIGHTS).is_file()


def test_pickles_alone_are_refused_before_they_are_downloaded(hub: HubServer, settings: Settings, models: Path) -> None:
    (models / MODEL / WEIGHTS).rename(models / MODEL / "pytorch_model.bin")
    with pytest.raises(ModelLoadError, match="because they can run code"):
        fetch_model(card(), settings)
    assert "pytorch_model.bin" not in downloads(hub)


def test_code_of_a_repository_is_refused_before_its_weights_are_downloaded(
    hub: HubServer, settings: Settings, models: Path
) -> None:
    config = {"model_type": "stranger", "auto_map": {"AutoModel": "stranger.Stranger"}}
    (models / MODEL / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (models / MODEL / "stranger.py").write_text("raise SystemExit", encoding="utf-8")
    with pytest.raises(ModelLoadError, match="code from its own repo"):
        fetch_model(card(), settings)
    assert not {"stranger.py", WEIGHTS} & downloads(hub).keys()


def test_a_hub_that_is_busy_can_pass(hub: HubServer, settings: Settings) -> None:
    hub.mode = "unavailable"
    with pytest.raises(ExpertUnavailableError, match="busy"):
        fetch_model(card(), settings)
    hub.mode = "up"
    assert fetch_model(card(), settings)


# Single files that the catalog knows by their hash


@pytest.fixture
def single(models: Path) -> Path:
    """A repository with nothing but a file in another format."""
    folder = models / "some" / "detector"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("A detector.", encoding="utf-8")
    (folder / "detector.pth").write_bytes(b"weights" * 1000)
    (folder / "other.pth").write_bytes(b"others" * 1000)
    return folder


def single_card(digest: str, name: str = "detector.pth") -> ModelCard:
    return ModelCard(id="some/detector", kind="hed-control", sha256={name: digest})


def test_a_file_with_the_hash_that_the_catalog_names(hub: HubServer, settings: Settings, single: Path) -> None:
    file = single / "detector.pth"
    folder = fetch_model(single_card(hashlib.sha256(file.read_bytes()).hexdigest()), settings)
    assert (folder / file.name).read_bytes() == file.read_bytes()
    assert "other.pth" not in downloads(hub)


def test_a_file_with_another_hash_is_refused(hub: HubServer, settings: Settings, single: Path) -> None:
    expected = hashlib.sha256(b"what the catalog saw").hexdigest()
    for _ in range(2):  # the file that lies in the cache by now is refused as well
        with pytest.raises(ModelLoadError, match=rf"SHA-256 \w{{12}}… instead of {expected[:12]}…"):
            fetch_model(single_card(expected), settings)


def test_a_file_that_is_gone(hub: HubServer, settings: Settings, single: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"no longer has the file old\.pth"):
        fetch_model(single_card("0" * 64, "old.pth"), settings)

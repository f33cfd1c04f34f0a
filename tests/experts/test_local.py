"""Local experts: what they say is what the library says, and nothing untrusted is loaded."""

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr
from PIL import Image as PILImage
from transformers import pipeline

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ExpertUnavailableError, ModelLoadError
from hugginggpt.experts.audio import split_at_pauses
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local import EXPERTS
from hugginggpt.experts.pool import ModelPool
from hugginggpt.experts.rendering import detections
from hugginggpt.media import Audio, Image, Structured, Text
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings
from tests.experts.running import no_controller, run, run_batch
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.tiny_models import GATED, MODELS, PICKLED, REMOTE_CODE, SPEECH_RATE, draw_square, speak


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.build_all(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def hub(models: Path) -> Iterator[HubServer]:
    with HubServer(models) as hub:
        yield hub


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def settings(hub: HubServer, cache: Path) -> Settings:
    return Settings(hf_endpoint=hub.url, models_cache=cache, hf_token=None, cpu_threads=1)


def test_text_classification_says_what_the_library_says(settings: Settings, models: Path) -> None:
    text = "the food was great and the staff friendly"
    (result,) = run(settings, "text-classification", text=Text(text))
    assert isinstance(result, Structured)
    direct = pipeline("text-classification", model=str(models / MODELS["text-classification"]), device="cpu")
    assert result.data == direct(text, top_k=None)
    assert result.data[0]["label"] == "POSITIVE"
    assert result.text.startswith("POSITIVE (")


def test_the_end_of_a_long_text_counts_too(settings: Settings) -> None:
    (result,) = run(settings, "text-classification", text=Text("the food was great. " * 50 + "it was awful. " * 400))
    assert result.data[0]["label"] == "NEGATIVE"
    assert sum(entry["score"] for entry in result.data) == pytest.approx(1.0, abs=1e-3)


def test_many_texts_together_are_those_of_each_alone(settings: Settings) -> None:
    texts = ["the food was great", "awful", "the food was great. " * 50 + "it was awful. " * 100, "good"]
    together = run_batch(settings, "text-classification", None, [{"text": Text(text)} for text in texts])
    for text, (result,) in zip(texts, together, strict=True):
        (alone,) = run(settings, "text-classification", text=Text(text))
        assert [e["label"] for e in result.data] == [e["label"] for e in alone.data]  # type: ignore[union-attr]
        assert [e["score"] for e in result.data] == pytest.approx([e["score"] for e in alone.data], abs=1e-5)  # type: ignore[union-attr]


def test_object_detection_says_what_the_library_says_and_draws_it(settings: Settings, models: Path) -> None:
    picture = draw_square("red square", (10, 12, 40, 42))
    structured, drawn = run(settings, "object-detection", image=Image(picture))
    assert isinstance(structured, Structured) and isinstance(drawn, Image)
    direct = pipeline("object-detection", model=str(models / MODELS["object-detection"]), device="cpu")
    assert structured.data == direct(picture)
    assert [entry["label"] for entry in structured.data] == ["red square"]
    assert structured.text.startswith("1 found: 1 × red square (")
    assert drawn.image.size == picture.size
    assert np.asarray(drawn.image).tolist() != np.asarray(picture).tolist()
    assert picture.getpixel((10, 12)) == (220, 30, 30)  # the request's own picture is left alone


def test_nothing_found_is_a_result_too() -> None:
    picture = PILImage.new("L", (64, 64), 255)
    structured, drawn = detections([], picture)
    assert structured == Structured([], "No objects were found.")
    assert isinstance(drawn, Image) and drawn.image.getcolors() == [(64 * 64, (255, 255, 255))]


def test_several_of_a_kind_are_counted_and_boxes_at_the_rim_are_drawn() -> None:
    rim = {"xmin": -5, "ymin": 0, "xmax": 70, "ymax": 64}
    found = [{"label": label, "score": 0.9, "box": rim} for label in ("cat", "cat", "a thing with a very long name")]
    structured, drawn = detections(found, PILImage.new("RGBA", (64, 64)))
    assert isinstance(structured, Structured) and isinstance(drawn, Image)
    assert structured.text == "3 found: 2 × cat (0.90, 0.90), 1 × a thing with a very long name (0.90)."
    assert drawn.image.size == (64, 64)


def test_speech_recognition_says_what_the_library_says(settings: Settings, models: Path) -> None:
    samples = speak("HELLO WORLD")
    (text,) = run(settings, "automatic-speech-recognition", audio=Audio(samples[:, None], SPEECH_RATE))
    direct = pipeline(
        "automatic-speech-recognition", model=str(models / MODELS["automatic-speech-recognition"]), device="cpu"
    )
    assert text == Text(direct(samples)["text"]) == Text("HELLO WORLD")


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_any_rate_and_stereo_are_understood(settings: Settings, rate: int) -> None:
    samples = soxr.resample(speak("HELLO WORLD"), SPEECH_RATE, rate)
    stereo = np.stack([samples * 1.2, samples * 0.8], axis=1)
    assert run(settings, "automatic-speech-recognition", audio=Audio(stereo, rate)) == [Text("HELLO WORLD")]


def test_a_long_recording_is_read_piece_by_piece(settings: Settings, models: Path) -> None:
    spoken = np.concatenate([np.pad(speak("HELLO WORLD"), (0, SPEECH_RATE // 2))] * 14)
    assert len(spoken) > 30 * SPEECH_RATE
    (text,) = run(settings, "automatic-speech-recognition", audio=Audio(spoken[:, None], SPEECH_RATE))
    direct = pipeline(
        "automatic-speech-recognition", model=str(models / MODELS["automatic-speech-recognition"]), device="cpu"
    )
    assert text.text == " ".join(direct(piece)["text"] for piece in split_at_pauses(spoken, SPEECH_RATE, 30.0))


def test_pieces_are_short_enough_cut_where_it_is_quiet_and_complete() -> None:
    rate = 1000
    sound = np.sin(np.arange(100 * rate, dtype=np.float32)).astype(np.float32)
    quiet = slice(27 * rate, 27 * rate + 200)
    sound[quiet] = 0.0
    cut = list(split_at_pauses(sound, rate, 30.0))
    assert all(len(piece) <= 30 * rate for piece in cut)
    assert np.array_equal(np.concatenate(cut), sound)
    assert quiet.start <= len(cut[0]) <= quiet.stop


def test_silence_holds_no_speech(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="No speech"):
        run(settings, "automatic-speech-recognition", audio=Audio(np.zeros((800, 1), np.float32), SPEECH_RATE))


def test_only_what_loading_needs_is_downloaded(settings: Settings, models: Path, tmp_path: Path) -> None:
    crowded = models / "tiny" / "crowded"
    shutil.copytree(models / MODELS["text-classification"], crowded)
    (crowded / "pytorch_model.bin").write_bytes(b"pickle")
    shutil.copy(crowded / "model.safetensors", crowded / "model.fp16.safetensors")
    (crowded / "modeling.py").write_text("raise SystemExit", encoding="utf-8")
    (crowded / "onnx").mkdir()
    (crowded / "onnx" / "model.onnx").write_bytes(b"other runtime")
    (crowded / "onnx" / "config.json").write_text("{}", encoding="utf-8")
    own_cache = settings.model_copy(update={"models_cache": tmp_path})
    assert run(own_cache, "text-classification", "tiny/crowded", text=Text("good"))
    downloaded = {path.name for path in tmp_path.rglob("snapshots/*/**/*") if not path.is_dir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= downloaded
    assert not downloaded & {"pytorch_model.bin", "model.fp16.safetensors", "modeling.py", "model.onnx"}
    assert not list(tmp_path.rglob("onnx"))


def test_a_sharded_model_is_loaded_whole(settings: Settings, models: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification

    whole, sharded = models / MODELS["text-classification"], models / "tiny" / "sharded"
    shutil.copytree(whole, sharded)
    (sharded / "model.safetensors").unlink()
    AutoModelForSequenceClassification.from_pretrained(whole).save_pretrained(sharded, max_shard_size="20KB")
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    text = Text("the food was great")
    assert run(settings, "text-classification", "tiny/sharded", text=text) == run(
        settings, "text-classification", text=text
    )


def test_the_revision_asked_for_is_the_one_loaded(settings: Settings, hub: HubServer, models: Path) -> None:
    changing = models / "tiny" / "changing"
    shutil.copytree(models / MODELS["text-classification"], changing)
    first = hub.commit("tiny/changing")
    config = json.loads((changing / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "BAD", "1": "GOOD"}
    config["label2id"] = {"BAD": 0, "GOOD": 1}
    (changing / "config.json").write_text(json.dumps(config), encoding="utf-8")
    second = hub.commit("tiny/changing")
    labels = [
        run(settings, "text-classification", "tiny/changing", revision=revision, text=Text("great"))[0].data[0]["label"]  # type: ignore[union-attr]
        for revision in (first, second, None)
    ]
    assert labels == ["POSITIVE", "GOOD", "GOOD"]


def test_pickled_weights_are_refused_before_they_are_downloaded(settings: Settings, hub: HubServer) -> None:
    with pytest.raises(ModelLoadError, match="safetensors"):
        run(settings, "text-classification", PICKLED, text=Text("good"))
    assert not any("pytorch_model.bin" in path for path in hub.paths())


def test_code_of_a_repo_is_never_run(
    settings: Settings, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelLoadError, match="code from its own repo"):
        run(settings, "text-classification", REMOTE_CODE, text=Text("good"))
    assert not (tmp_path / "remote-code-ran").exists()
    assert not any(path.endswith(".py") for path in hub.paths())


def test_a_gated_model_takes_a_token(settings: Settings, hub: HubServer) -> None:
    with pytest.raises(ModelLoadError, match=r"gated: accept its terms at .*, and set HF_TOKEN"):
        run(settings, "text-classification", GATED, text=Text("good"))
    with_token = Settings(hf_endpoint=hub.url, models_cache=settings.models_cache, hf_token=hub.token, cpu_threads=1)
    assert run(with_token, "text-classification", GATED, text=Text("good"))


def test_no_token_that_lies_around_is_sent(settings: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    before = len(hub.requests)
    without = Settings(hf_endpoint=hub.url, models_cache=settings.models_cache, hf_token=None)
    run(without, "text-classification", text=Text("good"))
    assert not any(request.with_token for request in hub.requests[before:])


@pytest.mark.parametrize(
    ("name", "said"), [("tiny/nobody", "There is no model tiny/nobody"), ("not a name//", "is not the name of a model")]
)
def test_a_model_that_does_not_exist(settings: Settings, name: str, said: str) -> None:
    with pytest.raises(ModelLoadError, match=said):
        run(settings, "text-classification", name, text=Text("good"))


def test_a_revision_that_does_not_exist(settings: Settings) -> None:
    with pytest.raises(ModelLoadError, match=r"no revision v9|no model"):
        run(settings, "text-classification", revision="v9", text=Text("good"))


def test_offline_uses_the_cache_and_asks_nobody(settings: Settings, hub: HubServer) -> None:
    online = run(settings, "text-classification", text=Text("good"))
    before = len(hub.requests)
    offline = settings.model_copy(update={"hf_hub_offline": True})
    assert run(offline, "text-classification", text=Text("good")) == online
    with pytest.raises(ModelLoadError, match="HF_HUB_OFFLINE"):
        run(offline, "text-classification", "tiny/never-downloaded", text=Text("good"))
    assert len(hub.requests) == before


def test_a_hub_in_trouble_can_pass(settings: Settings, hub: HubServer, tmp_path: Path) -> None:
    empty = settings.model_copy(update={"models_cache": tmp_path})
    hub.mode = "unavailable"
    try:
        with pytest.raises(ExpertUnavailableError):
            run(empty, "text-classification", text=Text("good"))
    finally:
        hub.mode = "up"
    assert run(empty, "text-classification", text=Text("good"))


def test_a_model_made_for_something_else_is_refused(settings: Settings, models: Path) -> None:
    headless = models / "tiny" / "headless"
    from transformers import AutoModel

    shutil.copytree(models / MODELS["text-classification"], headless)
    AutoModel.from_pretrained(headless).save_pretrained(headless)
    with pytest.raises(ModelLoadError, match="was not trained for text-classification"):
        run(settings, "text-classification", "tiny/headless", text=Text("good"))


def test_a_damaged_model_is_one_sentence(settings: Settings, models: Path, hub: HubServer) -> None:
    damaged = models / "tiny" / "damaged"
    shutil.copytree(models / MODELS["text-classification"], damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    expert = next(e for e in EXPERTS if e.kind == "text-classification")
    pool, card = ModelPool(settings), ModelCard(id="tiny/damaged", kind=expert.kind)
    with (
        pytest.raises(ModelLoadError, match=r"^The model tiny/damaged could not be loaded: [^\n]+$"),
        pool.use(expert, card, ExpertContext(settings, no_controller), Deadline(60)),
    ):
        pass


def test_the_deadline_stops_a_model_between_its_steps(settings: Settings) -> None:
    expert = next(e for e in EXPERTS if e.kind == "text-classification")
    loaded = expert.load(ModelCard(id=MODELS[expert.kind], kind=expert.kind), ExpertContext(settings, no_controller))
    with pytest.raises(DeadlineExceededError):
        expert.run(loaded, "the food was great. " * 50_000, Deadline(0.05))


def test_cancelling_stops_a_model(settings: Settings) -> None:
    expert = next(e for e in EXPERTS if e.kind == "text-classification")
    loaded = expert.load(ModelCard(id=MODELS[expert.kind], kind=expert.kind), ExpertContext(settings, no_controller))
    deadline = Deadline(600)
    threading.Timer(0.3, deadline.cancel).start()
    with pytest.raises(DeadlineExceededError, match="cancelled"):
        expert.run(loaded, "the food was great. " * 50_000, deadline)
    assert expert.run(loaded, "great", Deadline(60))[0]["label"] == "POSITIVE"


def test_a_loaded_model_tells_its_size(settings: Settings, models: Path) -> None:
    expert = next(e for e in EXPERTS if e.kind == "object-detection")
    loaded = expert.load(ModelCard(id=MODELS[expert.kind], kind=expert.kind), ExpertContext(settings, no_controller))
    file = (models / MODELS[expert.kind] / "model.safetensors").stat().st_size
    assert 0.5 * file < loaded.bytes < 2 * file


def test_the_deadline_stops_a_generating_model_between_its_tokens(models: Path) -> None:
    from transformers import (
        AutomaticSpeechRecognitionPipeline,
        AutoTokenizer,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    config = WhisperConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        vocab_size=64,
        max_target_positions=100_000,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    whisper = WhisperForConditionalGeneration(config)
    whisper.generation_config.max_new_tokens = whisper.generation_config.min_new_tokens = 90_000
    loaded = LoadedModel(
        AutomaticSpeechRecognitionPipeline(
            model=whisper,
            feature_extractor=WhisperFeatureExtractor(),
            tokenizer=AutoTokenizer.from_pretrained(models / MODELS["automatic-speech-recognition"]),
        ),
        [whisper],
    )
    deadline = Deadline(1.0)
    with pytest.raises(DeadlineExceededError):
        loaded.run(lambda made: made(speak("HELLO")), deadline)

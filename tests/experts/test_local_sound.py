"""Local experts for sound and moving pictures: what they hear, say and see is what the library does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch
from PIL import Image as PILImage
from transformers import (
    AutoImageProcessor,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoTokenizer,
    BarkModel,
    MusicgenForConditionalGeneration,
    SpeechT5ForSpeechToSpeech,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    VitsModel,
    pipeline,
)

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError
from hugginggpt.experts.embedded.audio_to_audio import AudioToAudio as SpectralGate
from hugginggpt.experts.local.runtime.speech import sentences
from hugginggpt.experts.video import encode_video, sample_frames
from hugginggpt.media import Audio, Structured, Text, Video
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, run, run_batch
from tests.stand_ins import tiny_sound
from tests.stand_ins.tiny_sound import (
    BARK,
    CONVERTER,
    MUSICIAN,
    PITCH,
    RATE,
    SPEECHT5,
    VITS,
    VOCODER,
    WATCHER,
    WHISPER,
    tone,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sound")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    with hub_of(tiny_sound.build_all, folder) as settings:
        yield settings


@pytest.fixture(scope="module")
def at(folder: Path) -> Any:
    return lambda model: str(folder / "models" / model)


def recorded(samples: np.ndarray, rate: int = RATE) -> Audio:
    return Audio(samples[:, None] if samples.ndim == 1 else samples, rate)


def heard(settings: Settings, audio: Audio) -> Any:
    (result,) = run(settings, "audio-classification", PITCH, audio=audio)
    assert isinstance(result, Structured)
    return result.data


def sound(settings: Settings, kind: str, model: str | ModelCard, **inputs: Any) -> Audio:
    (result,) = run(settings, kind, model, **inputs)
    assert isinstance(result, Audio)
    assert result.samples.dtype == np.float32 and result.samples.ndim == 2
    assert np.abs(result.samples).max() <= 1.0
    return result


# Hearing


@pytest.mark.parametrize(("pitch", "label"), [(200.0, "low"), (3000.0, "high")])
def test_a_sound_is_heard_as_the_library_hears_it(settings: Settings, at: Any, pitch: float, label: str) -> None:
    found = heard(settings, recorded(tone(pitch)))
    direct = pipeline("audio-classification", model=at(PITCH))(tone(pitch))
    assert [e["label"] for e in found] == [e["label"] for e in direct]
    assert [e["score"] for e in found] == pytest.approx([e["score"] for e in direct])
    assert found[0]["label"] == label


def test_channels_that_cancel_each_other_are_heard(settings: Settings) -> None:
    left, right = tone(3000.0), tone(200.0)
    assert heard(settings, recorded(np.stack([left, -left], axis=1))) == heard(settings, recorded(left))
    mixed = heard(settings, recorded(np.stack([left, right], axis=1)))
    assert mixed == heard(settings, recorded((left + right) / 2))


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_is_heard_at_the_models(settings: Settings, rate: int) -> None:
    assert heard(settings, recorded(tone(2000.0, rate=rate), rate))[0]["label"] == "high"


def test_stereo_is_heard_as_the_mean_of_its_channels(settings: Settings) -> None:
    both = np.stack([tone(200.0), tone(200.0)], axis=1)
    assert heard(settings, Audio(both, RATE)) == heard(settings, recorded(tone(200.0)))


def test_most_of_a_long_recording_decides(settings: Settings) -> None:
    long = np.concatenate([tone(3000.0, 3.0), tone(200.0, 22.0)])
    found = heard(settings, recorded(long))
    assert found[0]["label"] == "low"
    assert sum(entry["score"] for entry in found) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("kind", ["audio-classification", "audio-to-audio"])
def test_an_empty_recording_is_refused(settings: Settings, kind: str) -> None:
    model: Any = PITCH if kind == "audio-classification" else ModelCard(id=CONVERTER, kind=kind, companions=(VOCODER,))
    with pytest.raises(ExpertError, match="recording is empty"):
        run(settings, kind, model, audio=Audio(np.zeros((0, 1), np.float32), RATE))


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_whisper_writes_what_the_library_writes(settings: Settings, at: Any, rate: int) -> None:
    given = tone(440.0, 1.0, rate)
    (text,) = run(settings, "automatic-speech-recognition", WHISPER, audio=recorded(given, rate))
    resampled = given if rate == RATE else soxr.resample(given, rate, RATE)
    direct = pipeline("automatic-speech-recognition", model=at(WHISPER))(resampled)
    assert text.text == direct["text"].strip() != ""  # type: ignore[union-attr]


def test_many_recordings_together_are_those_of_each_alone(settings: Settings) -> None:
    given = [recorded(tone(pitch, seconds, rate), rate) for pitch, seconds, rate in _RECORDINGS]
    together = run_batch(settings, "automatic-speech-recognition", WHISPER, [{"audio": audio} for audio in given])
    for audio, (text,) in zip(given, together, strict=True):
        assert [text] == run(settings, "automatic-speech-recognition", WHISPER, audio=audio)


_RECORDINGS = ((440.0, 1.0, RATE), (300.0, 2.0, 8_000), (900.0, 65.0, RATE), (200.0, 0.5, 48_000))


# Speaking


def test_vits_says_what_the_library_says(settings: Settings, at: Any) -> None:
    made = sound(settings, "text-to-speech", VITS, text=Text("hello world"), seed=3)
    model, tokenizer = VitsModel.from_pretrained(at(VITS)), AutoTokenizer.from_pretrained(at(VITS))
    torch.manual_seed(3)
    with torch.inference_mode():
        wanted = model(**tokenizer("hello world", return_tensors="pt")).waveform[0].clamp(-1, 1).numpy()
    assert made.rate == RATE
    assert np.allclose(made.samples[:, 0], wanted, atol=1e-5)
    again = sound(settings, "text-to-speech", VITS, text=Text("hello world"), seed=3)
    assert np.array_equal(again.samples, made.samples)


def test_vits_takes_rate_and_volume(settings: Settings) -> None:
    def spoken(**how: float) -> np.ndarray:
        return sound(settings, "text-to-speech", VITS, text=Text("hello world"), seed=3, **how).samples

    usual = spoken()
    assert np.array_equal(spoken(rate=1.0, volume=1.0), usual)
    assert np.allclose(spoken(volume=0.5), usual / 2)
    assert len(spoken(rate=0.5)) > 1.5 * len(usual) and len(spoken(rate=2.0)) < 0.75 * len(usual)


def test_speecht5_says_what_the_library_says(settings: Settings, at: Any) -> None:
    card = ModelCard(id=SPEECHT5, kind="text-to-speech", companions=(VOCODER,))
    made = sound(settings, "text-to-speech", card, text=Text("The food was good"), seed=3)
    model = SpeechT5ForTextToSpeech.from_pretrained(at(SPEECHT5))
    given = AutoProcessor.from_pretrained(at(SPEECHT5))(text="The food was good", return_tensors="pt")
    vocoder = SpeechT5HifiGan.from_pretrained(at(VOCODER))
    torch.manual_seed(3)
    wanted = model.generate_speech(given["input_ids"], torch.zeros(1, 512), vocoder=vocoder)
    assert np.allclose(made.samples[:, 0], wanted.detach().clamp(-1, 1).numpy(), atol=1e-5)
    assert len(made.samples) > 0


def test_a_text_is_said_sentence_by_sentence(settings: Settings) -> None:
    one, two = (sound(settings, "text-to-speech", VITS, text=Text(text), seed=1) for text in ("hello", "hello. hello."))
    assert len(two.samples) == 2 * len(one.samples) + int(0.2 * RATE)


def test_sentences_end_where_they_do_and_long_ones_between_words() -> None:
    assert list(sentences("One. Two!  Three\nFour")) == ["One.", "Two!", "Three", "Four"]
    assert list(sentences(" \n ")) == []
    long = list(sentences("word " * 200))
    assert all(len(part) <= 250 for part in long) and " ".join(long).split() == ["word"] * 200


@pytest.mark.parametrize(("text", "problem"), [(" ", "no text to speak"), ("你好", "none of the letters")])
def test_what_cannot_be_said(settings: Settings, text: str, problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        run(settings, "text-to-speech", VITS, text=Text(text))


@pytest.mark.parametrize("kind", ["text-to-speech", "text-to-audio"])
def test_bark_says_what_the_library_lets_it_say(settings: Settings, at: Any, kind: str) -> None:
    made = sound(settings, kind, BARK, text=Text("a long day"), seed=5)
    given = AutoProcessor.from_pretrained(at(BARK))(text=["a long day"], return_tensors="pt")
    torch.manual_seed(5)
    wanted = BarkModel.from_pretrained(at(BARK)).generate(**given)[0].clamp(-1, 1).numpy()
    assert made.rate == 24_000 and made.samples.any()
    assert np.allclose(made.samples[:, 0], wanted, atol=1e-5)


def test_music_lasts_as_long_as_asked_for_and_is_the_librarys(settings: Settings, at: Any) -> None:
    made = sound(settings, "text-to-audio", MUSICIAN, text=Text("a long day"), seconds=0.25, seed=5)
    model = MusicgenForConditionalGeneration.from_pretrained(at(MUSICIAN))
    given = AutoProcessor.from_pretrained(at(MUSICIAN))(text=["a long day"], padding=True, return_tensors="pt")
    torch.manual_seed(5)
    tokens = round(0.25 * model.config.audio_encoder.frame_rate)
    wanted = model.generate(**given, max_new_tokens=tokens)[0, 0].detach().clamp(-1, 1).numpy()
    assert made.rate == 8000
    assert np.allclose(made.samples[:, 0], wanted, atol=1e-5)
    assert 0.15 < len(made.samples) / made.rate < 0.3


@pytest.mark.parametrize("seconds", [0.0, -1.0, 10_000.0])
def test_a_length_that_cannot_be_made(settings: Settings, seconds: float) -> None:
    with pytest.raises(ExpertError, match="cannot be generated"):
        run(settings, "text-to-audio", MUSICIAN, text=Text("a long day"), seconds=seconds)


def test_a_voice_is_converted_as_the_library_converts_it(settings: Settings, at: Any) -> None:
    card = ModelCard(id=CONVERTER, kind="audio-to-audio", companions=(VOCODER,))
    made = sound(settings, "audio-to-audio", card, audio=recorded(tone(300.0, 1.0)))
    model = SpeechT5ForSpeechToSpeech.from_pretrained(at(CONVERTER))
    processor = AutoProcessor.from_pretrained(at(CONVERTER))
    given = processor(audio=tone(300.0, 1.0), sampling_rate=RATE, return_tensors="pt")["input_values"]
    torch.manual_seed(0)
    vocoder = SpeechT5HifiGan.from_pretrained(at(VOCODER))
    wanted = model.generate_speech(given, torch.zeros(1, 512), vocoder=vocoder).detach().clamp(-1, 1).numpy()
    assert np.allclose(made.samples[:, 0], wanted, atol=1e-5)


# Cleaning


def cleaned(audio: Audio) -> np.ndarray:
    expert = SpectralGate()
    (result,) = expert.render(expert.run(None, expert.prepare({"audio": audio}), Deadline(60)), {"audio": audio})
    assert isinstance(result, Audio) and result.rate == audio.rate
    assert result.samples.shape == audio.samples.shape
    return result.samples


@pytest.mark.parametrize("noise", ["hiss", "hum"])
def test_steady_noise_is_taken_out_and_speech_stays(noise: str) -> None:
    times = np.arange(4 * RATE) / RATE
    # Speech comes and goes: four syllables a second, between them nothing.
    speech = 0.4 * np.sin(2 * np.pi * 440 * times) * (np.sin(2 * np.pi * 2 * times) > 0.2)
    random = np.random.default_rng(0)
    added = 0.05 * random.standard_normal(len(times)) if noise == "hiss" else 0.1 * np.sin(2 * np.pi * 100 * times)
    made = cleaned(recorded((speech + added).astype(np.float32)))[:, 0]
    before, after = np.mean(added**2), np.mean((made - speech) ** 2)
    assert 10 * np.log10(before / after) > 3.0
    pauses = speech == 0
    assert np.mean(made[pauses] ** 2) < 0.2 * np.mean(added[pauses] ** 2)


@pytest.mark.parametrize("frames_", [1, 7, 500])
def test_the_shortest_recordings_are_cleaned_too(frames_: int) -> None:
    assert np.isfinite(cleaned(Audio(np.full((frames_, 2), 0.1, np.float32), 8000))).all()


# Watching


def colours(*names: str, size: tuple[int, int] = (48, 32)) -> list[PILImage.Image]:
    return [PILImage.new("RGB", size, name) for name in names]


def nearest(picture: PILImage.Image) -> str:
    pixel = np.asarray(picture)[8, 8].astype(int)
    known = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
    return min(known, key=lambda name: int(np.abs(pixel - known[name]).sum()))


@pytest.mark.parametrize(
    ("count", "seen"),
    [
        (4, ["red", "lime", "blue", "white"]),
        (2, ["lime", "white"]),
        (8, ["red", "red", "lime", "lime", "blue", "blue", "white", "white"]),
    ],
)
def test_frames_come_from_all_of_a_video(count: int, seen: list[str]) -> None:
    video = encode_video(colours("red", "lime", "blue", "white"), 4)
    assert [nearest(frame) for frame in sample_frames(video, count, Deadline(60))] == seen


def test_a_video_is_classified_as_the_library_classifies_it(settings: Settings, at: Any) -> None:
    video = encode_video(colours("red", "lime", "blue", "white"), 4)
    (result,) = run(settings, "video-classification", WATCHER, video=video)
    model, processor = (
        auto.from_pretrained(at(WATCHER)) for auto in (AutoModelForVideoClassification, AutoImageProcessor)
    )
    shown = sample_frames(video, 4, Deadline(60))
    with torch.inference_mode():
        scores = model(**processor(shown, return_tensors="pt")).logits[0].softmax(-1)
    assert [e["label"] for e in result.data] == [model.config.id2label[int(i)] for i in scores.argsort(descending=True)]  # type: ignore[union-attr]
    assert [e["score"] for e in result.data] == pytest.approx(scores.sort(descending=True).values.tolist())  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"", b"no video at all", b"\x00\x00\x00\x18ftypisom" + bytes(400)])
def test_a_broken_video_is_one_sentence(settings: Settings, data: bytes) -> None:
    with pytest.raises(ExpertError, match=r"^The video cannot be decoded: save it again as MP4\.$"):
        run(settings, "video-classification", WATCHER, video=Video(data))


def test_a_cut_off_video_is_decoded_as_far_as_it_goes_or_refused() -> None:
    whole = encode_video(colours(*["red", "lime", "blue", "white"] * 10), 8)
    try:
        assert len(sample_frames(Video(whole.data[: len(whole.data) // 2]), 4, Deadline(60))) == 4
    except ExpertError as error:
        assert "save it again" in error.message


def test_equal_frames_give_equal_bytes() -> None:
    noise = np.random.default_rng(0)

    def blurred() -> PILImage.Image:
        spots = np.kron(noise.normal(128, 30, (8, 8, 3)), np.ones((8, 8, 1))) + noise.normal(0, 3, (64, 64, 3))
        return PILImage.fromarray(spots.clip(0, 255).astype(np.uint8))

    shown = [blurred() for _ in range(81)]
    assert len({encode_video(shown, 8).data for _ in range(12)}) == 1


def test_decoding_obeys_its_deadline() -> None:
    with pytest.raises(DeadlineExceededError):
        sample_frames(encode_video(colours("red", "blue"), 2), 2, Deadline(0))

"""Recordings as recorders, phones and browsers write them."""

import io
import os
import struct
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, MediaError
from hugginggpt.media import Audio, LoadedFile, check_file, decode
from hugginggpt.resources import artifact_reference, load_resources
from hugginggpt.settings import Settings

LIMITS = Settings()
RATE = 16_000


def wave(seconds: float = 1.0, rate: int = RATE, loudness: float = 0.5) -> Any:
    return (loudness * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def recorded(
    format: str, codec: str, rate: int = RATE, pictures: str = "", seconds: float = 1.0, loudness: float = 0.5
) -> bytes:
    """A tone, and moving pictures if they have a codec, as PyAV writes them."""
    buffer, frame_type, video_type = io.BytesIO(), av.AudioFrame, av.VideoFrame
    with av.open(buffer, "w", format=format) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = "mono", 64_000 if codec != "libopencore_amrnb" else 12_200
        if codec == "wavpack":
            stream.codec_context.format = "s32p"
        if pictures:
            shown: Any = container.add_stream(pictures, rate=10)
            shown.width, shown.height, shown.pix_fmt = 64, 48, "yuv420p"
            for shade in range(10):
                frame = video_type.from_ndarray(np.full((48, 64, 3), shade * 20, np.uint8), format="rgb24")
                container.mux(shown.encode(frame))
            container.mux(shown.encode(None))
        sound = frame_type.from_ndarray(wave(seconds, rate, loudness).reshape(1, -1), format="flt", layout="mono")
        sound.sample_rate = rate
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", rate, frame_size=stream.codec_context.frame_size or 1024
        )
        for part in (*resampler.resample(sound), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    # As root, SVT-AV1 makes this a real-time thread, and so would all be that it starts from now on.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return buffer.getvalue()


def written(samples: Any, subtype: str = "PCM_16", format: str = "WAV", rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=format)
    return buffer.getvalue()


def heard(found: LoadedFile) -> Audio:
    value = decode(found.type, found.data, found.mime)
    assert isinstance(value, Audio)
    return value


# What only PyAV reads


@pytest.mark.parametrize(
    ("name", "format", "codec", "rate"),
    [
        ("a.m4a", "ipod", "aac", RATE),
        ("a.m4a", "ipod", "alac", RATE),
        ("a.m4b", "ipod", "aac", RATE),
        ("a.mp4", "mp4", "aac", RATE),
        ("a.mp4", "mp4", "libopus", 48_000),
        ("a.mov", "mov", "aac", RATE),
        ("a.3gp", "3gp", "libopencore_amrnb", 8_000),
        ("a.aac", "adts", "aac", RATE),
        ("a.mka", "matroska", "aac", RATE),
        ("a.mkv", "matroska", "aac", RATE),
        ("a.webm", "webm", "libopus", 48_000),
        ("a.weba", "webm", "libopus", 48_000),
        ("a.amr", "amr", "libopencore_amrnb", 8_000),
        ("a.wma", "asf", "wmav2", 44_100),
        ("a.ac3", "ac3", "ac3", 48_000),
        ("a.wv", "wv", "wavpack", RATE),
        ("a.tta", "tta", "tta", RATE),
        ("a.caf", "caf", "alac", RATE),
        ("a.flv", "flv", "aac", 44_100),
        ("a.avi", "avi", "libmp3lame", RATE),
        ("a.wav", "wav", "libmp3lame", RATE),
        ("a", "ipod", "aac", RATE),
    ],
)
def test_sound_in_every_container_is_a_recording(name: str, format: str, codec: str, rate: int) -> None:
    found = check_file(name, recorded(format, codec, rate), LIMITS)
    assert (found.type, found.mime, found.notes) == (ValueType.AUDIO, "audio/flac", ())
    assert found.name == (name if "." in name else "a.flac")
    value = heard(found)
    assert value.rate == rate
    assert len(value.samples) / rate == pytest.approx(1.0, abs=0.12)
    middle = value.samples[rate // 4 : rate * 3 // 4]
    # AMR is for voices, not for tones.
    assert np.square(middle).mean() == pytest.approx(0.125, rel=0.35 if rate == 8_000 else 0.2)


@pytest.mark.parametrize(
    ("name", "format", "subtype"),
    [("a.aiff", "AIFF", "PCM_16"), ("a.aif", "AIFF", "PCM_24"), ("a.au", "AU", "PCM_16"), ("a.caf", "CAF", "PCM_16"),
     ("a.w64", "W64", "PCM_16"), ("a.wav", "RF64", "PCM_16"), ("a.wav", "WAV", "MS_ADPCM"), ("a.wav", "WAV", "ULAW")],
)  # fmt: skip
def test_what_libsndfile_reads_keeps_its_bytes(name: str, format: str, subtype: str) -> None:
    data = written(wave(), subtype, format)
    found = check_file(name, data, LIMITS)
    assert (found.type, found.data, found.notes) == (ValueType.AUDIO, data, ())
    assert np.square(heard(found).samples).mean() == pytest.approx(0.125, rel=0.05)


@pytest.mark.parametrize(
    ("name", "format", "pictures", "sound", "rate"),
    [
        ("a.mp4", "mp4", "libx264", "aac", RATE),
        ("a.mp4", "mp4", "libsvtav1", "aac", RATE),
        ("a.mkv", "matroska", "libx265", "aac", RATE),
        ("a.webm", "webm", "libvpx-vp9", "libopus", 48_000),
        ("a.3gp", "3gp", "mpeg4", "aac", RATE),
        ("a.wmv", "asf", "wmv2", "wmav2", 44_100),
        ("a.flv", "flv", "flv", "aac", 44_100),
        ("a.mpg", "mpeg", "mpeg2video", "mp2", 48_000),
        ("a.mts", "mpegts", "mpeg2video", "aac", RATE),
    ],
)
def test_whatever_the_decoder_plays_is_a_video(name: str, format: str, pictures: str, sound: str, rate: int) -> None:
    data = recorded(format, sound, rate, pictures)
    found = check_file(name, data, LIMITS)
    assert (found.type, found.data, found.notes) == (ValueType.VIDEO, data, ())
    with pytest.raises(MediaError, match="pixels"):
        check_file(name, data, LIMITS.model_copy(update={"max_image_pixels": 100}))


def test_a_recording_under_the_name_of_another_is_noted() -> None:
    found = check_file("memo.mp3", recorded("ipod", "aac"), LIMITS)
    assert found.notes == ("memo.mp3 is an M4A recording; its ending says MP3.",)


def test_a_converted_recording_stays_what_it_is_when_it_is_submitted(settings: Settings, tmp_path: Path) -> None:
    store = ArtifactStore.from_settings(settings)
    (tmp_path / "memo.m4a").write_bytes(recorded("ipod", "aac"))
    (asked,) = load_resources([str(tmp_path / "memo.m4a")], settings, store)
    (submitted,) = load_resources([artifact_reference(asked)], settings, store)
    assert (submitted.artifact, submitted.name, submitted.notes) == (asked.artifact, "memo.m4a", ())


def test_fine_samples_stay_fine() -> None:
    data = recorded("wv", "wavpack")
    found = check_file("a.wv", data, LIMITS)
    assert np.abs(heard(found).samples[:, 0] - wave()).max() < 1e-6


def test_without_pyav_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hugginggpt.media.sound.find_spec", lambda name: None)
    with pytest.raises(MediaError, match=r'is an M4A recording, which only PyAV .* pip install "hugginggpt\[local\]"'):
        check_file("a.m4a", recorded("ipod", "aac"), LIMITS)
    assert check_file("a.wav", written(wave()), LIMITS).type is ValueType.AUDIO


def test_the_limits_hold_for_what_is_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = recorded("ipod", "aac", seconds=3)
    for changes, part in (
        ({"max_audio_seconds": 1.0}, "1 seconds"),
        ({"max_decoded_bytes": 50_000}, "bytes of memory"),
    ):
        with pytest.raises(MediaError, match=part):
            check_file("a.m4a", data, LIMITS.model_copy(update=changes))
    for broken in (data[:3000], data[:100], b"\x00\x00\x00\x18ftypM4A " + bytes(100)):
        with pytest.raises(MediaError, match=r"damaged|no sound"):
            check_file("a.m4a", broken, LIMITS)
    with pytest.raises(DeadlineExceededError):
        check_file("a.m4a", data, LIMITS, deadline=Deadline(0.001))
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = tmp_path / "stuck.py"
    stuck.write_text("import time; time.sleep(99)")
    monkeypatch.setattr("hugginggpt.media.sound._CONVERTER", stuck)
    with pytest.raises(DeadlineExceededError):
        check_file("a.m4a", recorded("ipod", "aac"), LIMITS, deadline=Deadline(0.3))


def test_pyav_is_imported_only_where_it_is_used() -> None:
    assert "av" in sys.modules
    source = Path(__file__).parent.parent / "hugginggpt" / "media" / "sound.py"
    assert "import av" not in source.read_text()


# Samples beyond 1


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "CAF", "W64"])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_beyond_one_are_scaled_with_a_note(format: str, subtype: str) -> None:
    name = f"loud.{format.lower()}"
    found = check_file(name, written(wave(loudness=2.5), subtype, format), LIMITS)
    (note,) = found.notes
    assert note == f"{name} has samples up to 2.5, beyond full scale, and was made quieter so that none is clipped."
    samples = heard(found).samples[:, 0]
    assert np.abs(samples).max() == pytest.approx(1.0)
    assert np.abs(samples - wave(loudness=1.0)).max() < 1e-3


def test_what_is_converted_is_scaled_too() -> None:
    found = check_file("a.mka", recorded("matroska", "pcm_f32le", loudness=2.5), LIMITS)
    (note,) = found.notes
    assert "has samples up to 2.5, beyond full scale" in note
    assert np.abs(heard(found).samples[:, 0] - wave(loudness=1.0)).max() < 1e-3


def test_the_loudest_sample_counts_wherever_it_is() -> None:
    quiet = wave(seconds=1_100, rate=16_000, loudness=0.25)
    quiet[5] = 4.0
    found = check_file("a.wav", written(quiet, "FLOAT"), LIMITS)
    assert len(found.notes) == 1
    samples = heard(found).samples[:, 0]
    assert samples[5] == 1.0
    assert np.abs(samples[6:] - quiet[6:] / 4).max() < 1e-6


def test_samples_within_one_are_not_scaled() -> None:
    samples = np.array([0.5, -1.0, 1.0, 0.25], np.float32)
    found = check_file("a.wav", written(samples, "FLOAT"), LIMITS)
    assert (found.notes, heard(found).samples[:, 0].tolist()) == ((), samples.tolist())


# Headers that were never finished


def with_length(data: bytes, riff: int, samples: int) -> bytes:
    at = data.index(b"data")
    return data[:4] + struct.pack("<I", riff) + data[8 : at + 4] + struct.pack("<I", samples) + data[at + 8 :]


WHOLE = written(wave(2.0))


@pytest.mark.parametrize("more", [b"", b"\x01"])
@pytest.mark.parametrize(
    ("data", "seconds", "noted"),
    [
        (with_length(WHOLE, 0, 0), 2.0, False),
        (with_length(WHOLE, 36, 0), 2.0, False),
        (with_length(WHOLE, 0xFFFFFFFF, 0xFFFFFFFF), 2.0, False),
        (with_length(WHOLE, len(WHOLE) - 8, 0xFFFFFFFF), 2.0, False),
        (with_length(WHOLE, 0x7FFFFFFF, 0x7FFFFFFF), 2.0, True),
        (WHOLE[: len(WHOLE) // 2], 1.0, True),
        (with_length(WHOLE, 36 + 16_000, 16_000), 2.0, True),
        (with_length(WHOLE, 36 + 32_001, 32_001), 2.0, True),
    ],
)
def test_a_wav_is_read_to_its_end_whatever_its_header_says(
    data: bytes, seconds: float, noted: bool, more: bytes
) -> None:
    found = check_file("memo.wav", data + more, LIMITS)
    sentence = "memo.wav does not have the length that its header says, and was read to its end."
    assert found.notes == ((sentence,) if noted else ())
    samples = heard(found).samples[:, 0]
    assert len(samples) == pytest.approx(seconds * RATE, abs=25)
    assert np.abs(samples - wave(2.0)[: len(samples)]).max() < 1 / 16_384


def test_what_follows_the_samples_is_not_sound() -> None:
    chunk = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.29.100\x00"
    for after in (chunk, chunk * 500, b"id3 " + struct.pack("<I", 3) + b"abc\x00", b"TAG" + bytes(125), bytes(100)):
        found = check_file("a.wav", WHOLE + after, LIMITS)
        assert (len(heard(found).samples), found.notes) == (2 * RATE, ())


def test_stereo_of_a_crashed_recorder_keeps_its_channels() -> None:
    both = np.stack([wave(), -wave()], axis=1)
    whole = written(both, "PCM_24")
    found = check_file("a.wav", with_length(whole, 0, 0)[:-2], LIMITS)
    samples = heard(found).samples
    assert samples.shape == (RATE - 1, 2)
    assert np.abs(samples - both[:-1]).max() < 1e-5


def test_a_header_without_samples_is_silent() -> None:
    for data in (WHOLE[:44], with_length(WHOLE[:44], 0, 0), with_length(WHOLE[:44], 0xFFFFFFFF, 0xFFFFFFFF)):
        with pytest.raises(MediaError, match="no sound"):
            check_file("a.wav", data, LIMITS)
    with pytest.raises(MediaError, match="damaged"):
        check_file("a.wav", WHOLE[:30], LIMITS)


def test_an_mp3_of_frames_of_different_lengths_is_read_to_its_end_without_an_index() -> None:
    whole = written(wave(2.0, 44_100), "MPEG_LAYER_III", "MP3", 44_100)
    without = whole[whole.index(b"\xff\xfb", 4) :]
    tag = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)
    for data in (without, tag + without, without[9:]):
        found = check_file("a.mp3", data, LIMITS)
        assert found.mime == "audio/mpeg"
        audio = decode(ValueType.AUDIO, found.data, found.mime)
        assert isinstance(audio, Audio) and len(audio.samples) / 44_100 == pytest.approx(2.0, abs=0.1)
        assert check_file("a.mp3", found.data, LIMITS).data == found.data

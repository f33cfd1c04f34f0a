"""Encodings, and the checks that every input file goes through."""

import base64
import io
import json
import math
import os
import socket
import string
import struct
import threading
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image as PILImage
from pillow_heif import register_heif_opener

from hugginggpt.capabilities import ValueType
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, MediaError, TaskCancelledError
from hugginggpt.media import (
    EXTENSIONS,
    Audio,
    Image,
    LoadedFile,
    Structured,
    Table,
    Text,
    Value,
    Video,
    check_file,
    decode,
    encode,
    load_file,
    text_of,
)
from hugginggpt.settings import Settings

register_heif_opener()


def again(value: Value) -> Value:
    """The value after it was written and read."""
    data, mime = encode(value)
    return decode(value.type, data, mime)


def picture(format: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (16, 12), **options: object) -> bytes:
    buffer = io.BytesIO()
    PILImage.new(mode, size, 90).save(buffer, format, **options)
    return buffer.getvalue()


def recording(format: str = "WAV", seconds: float = 0.5, rate: int = 16000, subtype: str | None = None) -> bytes:
    wave = 0.5 * np.sin(np.linspace(0, 440 * 2 * math.pi * seconds, int(seconds * rate)))
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, rate, format=format, subtype=subtype)
    return buffer.getvalue()


def video(path: Path, codec: str) -> bytes:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))  # type: ignore[attr-defined]
    for shade in range(10):
        writer.write(np.full((48, 64, 3), shade * 20, np.uint8))
    writer.release()
    return path.read_bytes()


def settings_with(**limits: object) -> Settings:
    return Settings(**limits)  # type: ignore[arg-type]


def load(folder: Path, name: str, data: bytes, **limits: object) -> LoadedFile:
    path = folder / name
    path.write_bytes(data)
    return load_file(str(path), settings_with(**limits))


def refusal(source: str, **limits: object) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(MediaError) as refused:
        load_file(source, settings_with(**limits))
    message = refused.value.message
    assert "\n" not in message
    assert message.endswith(".")
    return message


def refused(folder: Path, name: str, data: bytes, **limits: object) -> str:
    path = folder / name
    path.write_bytes(data)
    message = refusal(str(path), **limits)
    assert str(path) in message
    return message


# Encodings

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
readable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"))


@given(readable)
def test_text_survives(text: str) -> None:
    assert again(Text(text)) == Text(text)


@given(st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1)))
def test_table_survives_whatever_its_cells_hold(rows: list[list[str]]) -> None:
    columns, *body = (tuple(row) for row in rows)
    assert again(Table(columns, tuple(body))) == Table(columns, tuple(body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | readable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(readable, inner, max_size=4),
)


@given(json_values, readable)
def test_structured_result_survives(data: object, text: str) -> None:
    assert again(Structured(data, text)) == Structured(data, text)


@given(
    st_numpy.arrays(
        np.float32,
        st.tuples(st.integers(0, 200), st.integers(1, 3)),
        elements=st.floats(-1.5, 1.5, width=32),
    ),
    st.sampled_from([8000, 16000, 22050, 48000]),
)
def test_audio_survives_within_16_bits_and_never_drifts(samples: np.ndarray, rate: int) -> None:
    data, mime = encode(Audio(samples, rate))
    read = decode(ValueType.AUDIO, data, mime)
    assert isinstance(read, Audio)
    assert (mime, read.rate, read.samples.shape, read.samples.dtype) == ("audio/wav", rate, samples.shape, np.float32)
    assert np.abs(read.samples - np.clip(samples, -1, 1)).max(initial=0) <= 1 / 32768
    assert encode(read) == (data, mime)


@given(
    st.sampled_from([("L", 1), ("RGB", 3), ("RGBA", 4)]).flatmap(
        lambda mode: st.tuples(
            st.just(mode[0]),
            st_numpy.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(mode[1]))),
        )
    )
)
def test_image_survives_pixel_by_pixel(drawn: tuple[str, np.ndarray]) -> None:
    mode, pixels = drawn
    image = PILImage.fromarray(pixels.squeeze(2) if mode == "L" else pixels, mode)
    read = again(Image(image))
    assert isinstance(read, Image)
    assert read.image.mode == mode
    assert np.array_equal(np.asarray(read.image), np.asarray(image))


def test_audio_longer_than_a_minute_becomes_flac() -> None:
    data, mime = encode(Audio(np.zeros((8000 * 61, 1), np.float32), 8000))
    assert mime == "audio/flac"
    assert data.startswith(b"fLaC")
    read = decode(ValueType.AUDIO, data, mime)
    assert isinstance(read, Audio)
    assert len(read.samples) == 8000 * 61


def test_a_long_recording_is_encoded_only_as_long_as_it_is_wanted() -> None:
    asked: list[int] = []

    def check_deadline() -> None:
        asked.append(len(asked))
        if len(asked) == 3:
            raise TaskCancelledError("The task was cancelled.")

    with pytest.raises(TaskCancelledError):
        encode(Audio(np.zeros((8000 * 600, 1), np.float32), 8000), check_deadline)
    assert asked == [0, 1, 2]


def test_equal_pixels_have_equal_bytes_whatever_metadata_they_came_with() -> None:
    plain, tagged = PILImage.new("RGB", (4, 4), "red"), PILImage.new("RGB", (4, 4), "red")
    tagged.info.update(icc_profile=b"a profile", dpi=(300, 300), comment="taken at home")
    assert encode(Image(plain)) == encode(Image(tagged))


def test_video_keeps_its_bytes() -> None:
    assert encode(Video(b"moving", "video/webm")) == (b"moving", "video/webm")
    assert decode(ValueType.VIDEO, b"moving", "video/webm") == Video(b"moving", "video/webm")


def test_lone_surrogates_of_language_models_do_not_stop_a_text() -> None:
    assert encode(Text("smile \ud83d!"))[0] == b"smile ?!"


def test_structured_result_takes_numpy_numbers_and_refuses_nan() -> None:
    scores = {"score": np.float32(0.5), "box": np.array([1, 2])}
    assert json.loads(encode(Structured(scores))[0])["data"] == {"score": 0.5, "box": [1, 2]}
    with pytest.raises(MediaError, match="JSON"):
        encode(Structured({"score": math.nan}))


def test_every_encoding_has_a_file_ending() -> None:
    values: list[Value] = [
        Text("a"),
        Image(PILImage.new("RGB", (1, 1))),
        Audio(np.zeros((1, 1), np.float32), 8000),
        Video(b""),
        Table(("a",), ()),
        Structured([]),
    ]
    endings = [EXTENSIONS[encode(value)[1]] for value in values]
    assert endings == [".txt", ".png", ".wav", ".mp4", ".csv", ".json"]


def test_text_renderings() -> None:
    assert text_of(Text("a")) == "a"
    assert text_of(Table(("a", "b"), (("1", "x, y"),))) == 'a,b\n1,"x, y"\n'
    assert text_of(Structured([1], "one")) == "one"
    assert text_of(Structured({"a": 1})) == '{"a":1}'
    assert text_of(Image(PILImage.new("L", (1, 1)))) is None
    assert text_of(Video(b"")) is None


def test_damaged_stored_value_is_said_to_be_damaged() -> None:
    with pytest.raises(MediaError, match="image/png"):
        decode(ValueType.IMAGE, picture()[:40], "image/png")
    with pytest.raises(MediaError, match="audio/wav"):
        decode(ValueType.AUDIO, b"RIFF", "audio/wav")
    with pytest.raises(MediaError, match="application/json"):
        decode(ValueType.STRUCTURED, b"{", "application/json")


# Pictures


@pytest.mark.parametrize(
    ("format", "name", "mime"),
    [
        ("PNG", "a.png", "image/png"),
        ("JPEG", "a.jpg", "image/jpeg"),
        ("JPEG", "a.JPEG", "image/jpeg"),
        ("WEBP", "a.webp", "image/webp"),
        ("GIF", "a.gif", "image/gif"),
        ("BMP", "a.bmp", "image/bmp"),
        ("TIFF", "a.tif", "image/tiff"),
        ("HEIF", "a.heic", "image/heic"),
        ("HEIF", "a.HEIF", "image/heic"),
        ("AVIF", "a.avif", "image/avif"),
        ("JPEG2000", "a.jp2", "image/jp2"),
    ],
)
def test_picture_formats(tmp_path: Path, format: str, name: str, mime: str) -> None:
    data = picture(format)
    loaded = load(tmp_path, name, data)
    assert loaded == LoadedFile(name, data, ValueType.IMAGE, mime)
    read = decode(loaded.type, loaded.data, loaded.mime)
    assert isinstance(read, Image)
    assert (read.image.size, read.image.mode) == ((16, 12), "RGB")


@pytest.mark.parametrize(
    ("mode", "format", "expected"),
    [
        ("1", "PNG", "L"),
        ("L", "PNG", "L"),
        ("LA", "PNG", "RGBA"),
        ("P", "PNG", "RGB"),
        ("CMYK", "JPEG", "RGB"),
        ("CMYK", "TIFF", "RGB"),
        ("I;16", "PNG", "L"),
        ("I", "TIFF", "L"),
        ("F", "TIFF", "L"),
    ],
)
def test_pictures_become_eight_bit_grey_or_rgb(mode: str, format: str, expected: str) -> None:
    read = decode(ValueType.IMAGE, picture(format, mode), "image/any")
    assert isinstance(read, Image)
    assert read.image.mode == expected


def test_sixteen_bit_grey_keeps_its_scale() -> None:
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    buffer = io.BytesIO()
    PILImage.fromarray(values).save(buffer, "PNG")
    read = decode(ValueType.IMAGE, buffer.getvalue(), "image/png")
    assert isinstance(read, Image)
    assert np.asarray(read.image).tolist() == [[0, 100, 255]]


def grey_of(values: np.ndarray, format: str) -> list[int]:
    buffer = io.BytesIO()
    PILImage.fromarray(values).save(buffer, format)
    read = decode(ValueType.IMAGE, buffer.getvalue(), "image/any")
    assert isinstance(read, Image)
    return np.asarray(read.image).ravel().tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1, 0], [0, 255, 255, 0]),  # a mask
        ([0, 2048, 4095], [0, 128, 255]),  # twelve bits of a camera
        ([30000, 30100, 30200], [0, 128, 255]),  # a narrow band, as of a thermal camera
        ([0, 257 * 100, 65535], [0, 100, 255]),
        ([257 * 20, 257 * 100, 257 * 120], [20, 100, 120]),
        ([65535, 65535], [255, 255]),
        ([0, 0], [0, 0]),
    ],
)
def test_sixteen_bits_of_which_few_are_used_have_their_own_range(
    format: str, values: list[int], expected: list[int]
) -> None:
    assert grey_of(np.array([values], np.uint16), format) == expected


def deep_png(values: np.ndarray) -> bytes:
    """A PNG image with sixteen bits for each of two, three or four channels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_tiff(values: np.ndarray, order: str = "<", deflated: bool = False) -> bytes:
    """A TIFF image with sixteen bits for each of three or four channels."""
    height, width, channels = values.shape
    pixels = values.astype(f"{order}u2").tobytes()
    pixels = zlib.compress(pixels) if deflated else pixels
    pixels += bytes(len(pixels) % 2)
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    tags: dict[int, tuple[int, int, int]] = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, channels, 8), 259: (4, 1, 8 if deflated else 1),
        262: (4, 1, 2), 273: (4, 1, 16), 277: (4, 1, channels), 278: (4, 1, height), 279: (4, 1, len(pixels)),
    }  # fmt: skip
    if channels == 4:
        tags[338] = (4, 1, 2)
    entries = b"".join(struct.pack(f"{order}HHII", tag, *content) for tag, content in sorted(tags.items()))
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, 16 + len(pixels)) + bits
    body = head.ljust(16, b"\0")[:16] + pixels
    return body + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


DEEP = {
    "PNG": deep_png,
    "TIFF": deep_tiff,
    "TIFF of a Mac": lambda values: deep_tiff(values, ">"),
    "deflated TIFF": lambda values: deep_tiff(values, deflated=True),
    "deflated TIFF of a Mac": lambda values: deep_tiff(values, ">", deflated=True),
}


@pytest.mark.parametrize("format", DEEP)
@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ([(0, 100, 4095), (4095, 2048, 0)], [(0, 6, 255), (255, 128, 0)]),  # twelve bits of a camera
        ([(0, 1, 1), (0, 0, 1)], [(0, 255, 255), (0, 0, 255)]),
        ([(30000, 30100, 30200), (30200, 30100, 30000)], [(0, 128, 255), (255, 128, 0)]),
        ([(0, 257 * 100, 65535), (10, 20, 30)], [(0, 100, 255), (0, 0, 0)]),
        ([(100, 200, 4095), (100, 200, 4095)], [(0, 0, 15), (0, 0, 15)]),  # one colour
    ],
)
@pytest.mark.parametrize("alpha", [(), (65535,)], ids=["opaque", "alpha"])
def test_colours_of_sixteen_bits_of_which_few_are_used_have_their_own_range(
    format: str, colours: list[tuple[int, ...]], expected: list[tuple[int, ...]], alpha: tuple[int, ...]
) -> None:
    read = decode(ValueType.IMAGE, DEEP[format](np.array([[(*colour, *alpha) for colour in colours]])), "image/any")
    assert isinstance(read, Image)
    opaque = (255,) if alpha else ()
    assert [read.image.getpixel((x, 0)) for x in range(len(colours))] == [(*colour, *opaque) for colour in expected]


def test_grey_of_sixteen_bits_beside_transparency_has_its_own_range() -> None:
    read = decode(ValueType.IMAGE, deep_png(np.array([[(0, 65535), (2048, 32768), (4095, 0)]])), "image/png")
    assert isinstance(read, Image)
    pixels = [read.image.getpixel((x, 0)) for x in range(3)]
    assert pixels == [(0, 0, 0, 255), (128, 128, 128, 128), (255, 255, 255, 0)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 1, 0], [0, 255, 255, 0]),
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 0.25, 0.5], [0, 128, 255]),
        ([0, 100, 255], [0, 100, 255]),
        ([20, 100, 120], [20, 100, 120]),
        ([-1, 0, 1], [0, 128, 255]),
        ([0, 2048, 4095], [0, 128, 255]),
        ([1000, 1500, 2000, np.nan, np.inf, -3.4e38], [0, 128, 255, 0, 0, 0]),
        ([0.5, 0.5], [128, 128]),
        ([1, 1], [1, 1]),
        ([np.nan, np.nan], [0, 0]),
    ],
)
def test_floats_have_their_own_range(values: list[float], expected: list[int]) -> None:
    assert grey_of(np.array([values], np.float32), "TIFF") == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 1], [0, 255]), ([0, 100, 255], [0, 100, 255]), ([-5, 0, 5], [0, 128, 255])]
)
def test_whole_numbers_have_their_own_range(values: list[int], expected: list[int]) -> None:
    assert grey_of(np.array([values], np.int32), "TIFF") == expected


def test_transparent_palette_keeps_its_transparency() -> None:
    image = PILImage.new("P", (2, 2), 0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    read = decode(ValueType.IMAGE, buffer.getvalue(), "image/png")
    assert isinstance(read, Image)
    assert read.image.getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_sideways_photo_is_put_upright() -> None:
    image = PILImage.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    read = decode(ValueType.IMAGE, buffer.getvalue(), "image/jpeg")
    assert isinstance(read, Image)
    assert read.image.size == (20, 40)
    assert read.image.convert("L").getpixel((10, 5)) < 50  # type: ignore[operator]
    assert read.image.convert("L").getpixel((10, 35)) > 200  # type: ignore[operator]


def test_first_frame_of_an_animation_counts() -> None:
    buffer = io.BytesIO()
    frames = [PILImage.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    read = decode(ValueType.IMAGE, buffer.getvalue(), "image/gif")
    assert isinstance(read, Image)
    assert read.image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_picture_over_the_pixel_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    assert "16 x 12 pixels" in refused(tmp_path, "a.png", picture(), max_image_pixels=100)


def test_decompression_bomb_is_refused(tmp_path: Path) -> None:
    # A header that promises 60000 x 60000 pixels, and next to no data.
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bomb = bytearray(picture())
    bomb[16:29] = header
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    assert "pixels" in refused(tmp_path, "a.png", bytes(bomb))
    assert "pixels" in refused(tmp_path, "a.png", bytes(bomb), max_image_pixels=10**12)


def test_cut_off_pictures_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    for format, name in (("PNG", "a.png"), ("JPEG", "a.jpg"), ("WEBP", "a.webp"), ("BMP", "a.bmp"), ("HEIF", "a.heic")):
        buffer = io.BytesIO()
        PILImage.fromarray(noise).save(buffer, format)
        whole = buffer.getvalue()
        assert "damaged" in refused(tmp_path, name, whole[: len(whole) // 2])


@given(st.data())
def test_damage_never_raises_anything_else(data: st.DataObject) -> None:
    whole = bytearray(
        picture(data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000"])))
    )
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MediaError):
        decode(ValueType.IMAGE, bytes(whole), "image/any")


# Recordings


@pytest.mark.parametrize(
    ("format", "subtype", "name", "mime"),
    [
        ("WAV", None, "a.wav", "audio/wav"),
        ("WAV", "FLOAT", "a.wav", "audio/wav"),
        ("WAV", "PCM_24", "a.wav", "audio/wav"),
        ("FLAC", None, "a.flac", "audio/flac"),
        ("OGG", "VORBIS", "a.ogg", "audio/ogg"),
        ("OGG", "OPUS", "a.opus", "audio/ogg"),
        ("MP3", None, "a.mp3", "audio/mpeg"),
    ],
)
def test_recording_formats(tmp_path: Path, format: str, subtype: str | None, name: str, mime: str) -> None:
    loaded = load(tmp_path, name, recording(format, subtype=subtype))
    assert (loaded.type, loaded.mime) == (ValueType.AUDIO, mime)
    read = decode(loaded.type, loaded.data, loaded.mime)
    assert isinstance(read, Audio)
    assert read.samples.dtype == np.float32
    assert read.samples.shape[1] == 1
    assert len(read.samples) / read.rate == pytest.approx(0.5, abs=0.1)
    # Lossy formats overshoot at the ends; the sine's power is half the square of its amplitude.
    assert np.square(read.samples).mean() == pytest.approx(0.125, rel=0.2)


def test_recording_over_the_time_limit_is_refused(tmp_path: Path) -> None:
    for format, name in (("WAV", "a.wav"), ("FLAC", "a.flac"), ("OGG", "a.ogg"), ("MP3", "a.mp3")):
        assert "seconds" in refused(tmp_path, name, recording(format, seconds=2), max_audio_seconds=1)


def test_cut_off_recordings_are_refused(tmp_path: Path) -> None:
    whole = recording("FLAC", seconds=2)
    assert "damaged" in refused(tmp_path, "a.flac", whole[: len(whole) // 2])


def test_of_long_recordings_the_end_is_looked_at(tmp_path: Path) -> None:
    for format, name in (("WAV", "a.wav"), ("FLAC", "a.flac")):
        whole = recording(format, seconds=1_100)
        (tmp_path / name).write_bytes(whole)
        assert load_file(str(tmp_path / name), settings_with()).data == whole
    assert "damaged" in refused(tmp_path, name, whole[:-100])
    assert "damaged" in refused(tmp_path, name, whole[: len(whole) // 2])


def test_samples_that_are_no_numbers_are_silence() -> None:
    buffer = io.BytesIO()
    samples = np.array([0.5, np.nan, -0.5, np.inf, -np.inf, 0.25], np.float32)
    soundfile.write(buffer, samples, 16000, format="WAV", subtype="FLOAT")
    read = decode(ValueType.AUDIO, buffer.getvalue(), "audio/wav")
    assert isinstance(read, Audio)
    assert read.samples[:, 0].tolist() == [0.5, 0.0, -0.5, 0.0, 0.0, 0.25]


def test_silent_header_is_refused(tmp_path: Path) -> None:
    assert "no sound" in refused(tmp_path, "a.wav", recording(seconds=0))


# Videos


@pytest.mark.parametrize(
    ("codec", "name", "mime"),
    [("mp4v", "a.mp4", "video/mp4"), ("mp4v", "a.mov", "video/quicktime"), ("MJPG", "a.avi", "video/x-msvideo"),
     ("VP80", "a.webm", "video/webm")],
)  # fmt: skip
def test_video_formats(tmp_path: Path, codec: str, name: str, mime: str) -> None:
    data = video(tmp_path / name, codec)
    loaded = load_file(str(tmp_path / name), settings_with())
    assert loaded == LoadedFile(name, data, ValueType.VIDEO, mime)
    assert "pixels" in refusal(str(tmp_path / name), max_image_pixels=100)


def test_cut_off_videos_are_refused(tmp_path: Path) -> None:
    for name, codec in (("a.mp4", "mp4v"), ("a.avi", "MJPG")):
        whole = video(tmp_path / name, codec)
        assert "damaged" in refused(tmp_path, name, whole[: len(whole) * 2 // 3])


def test_a_video_is_looked_at_no_longer_than_somebody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "a.mp4", "mp4v")
    data = (tmp_path / "a.mp4").read_bytes()
    pid = tmp_path / "pid"
    stuck = tmp_path / "stuck.py"
    stuck.write_text(
        f"import os, pathlib, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(99)"
    )
    monkeypatch.setattr("hugginggpt.media.videos._FIRST_FRAME", stuck)
    deadline = Deadline(60)

    def cancel() -> None:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        deadline.cancel()

    threading.Thread(target=cancel).start()
    with pytest.raises(TaskCancelledError):
        check_file("a.mp4", data, settings_with(), deadline=deadline)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    pid.unlink()
    with pytest.raises(DeadlineExceededError):
        check_file("a.mp4", data, settings_with(), deadline=Deadline(0.3))


def test_a_machine_that_starts_no_process_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "a.mp4", "mp4v")
    monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
    with pytest.raises(MediaError, match="no process could be started"):
        load_file(str(tmp_path / "a.mp4"), settings_with())


# Tables and texts


@pytest.mark.parametrize("empty", ["\n", "\r\n", "\r"])
def test_empty_lines_of_a_table_are_passed_over_and_those_in_a_cell_kept(empty: str) -> None:
    many = empty * 300_000
    data = f'{many}name;note{many}"a;{many}";b{many}'.encode()
    with pytest.raises(MediaError, match="field larger"):
        decode(ValueType.TABLE, data, "text/csv")
    few = empty * 3
    for after in (few, many):
        found = decode(ValueType.TABLE, f'{many}name;note{after}"a;{few}";b{after}c;d'.encode(), "text/csv")
        assert found == Table(("name", "note"), ((f"a;{few}", "b"), ("c", "d")))


def test_the_separator_of_a_long_table_is_found_from_its_beginning() -> None:
    rows = [("name", "note"), *((f"x,{n}" * 20_000, "y") for n in range(9))]
    content = "\n".join(f"{name};{note}" for name, note in rows)
    found = decode(ValueType.TABLE, content.encode(), "text/csv")
    assert found == Table(rows[0], tuple(rows[1:]))


@pytest.mark.parametrize(
    "content",
    [
        "name,price\nlamp,58\ndesk,349\n",
        "name;price\r\nlamp;58\r\ndesk;349\r\n",
        "name\tprice\nlamp\t58\ndesk\t349",
        "name|price\nlamp|58\ndesk|349\n\n",
        '"name","price"\n"lamp","58"\n"desk","349"\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_separator_and_encoding_of_a_table_are_found(tmp_path: Path, content: str, encoding: str) -> None:
    data = content.replace("lamp", "lämp").encode(encoding)
    loaded = load(tmp_path, "a.csv", data)
    assert (loaded.type, loaded.mime) == (ValueType.TABLE, "text/csv")
    expected = Table(("name", "price"), (("lämp", "58"), ("desk", "349")))
    assert decode(loaded.type, loaded.data, loaded.mime) == expected


def test_decimal_commas_do_not_hide_the_semicolon() -> None:
    read = decode(ValueType.TABLE, b"name;price\nlamp;58,50\ndesk;349,00\n", "text/csv")
    assert read == Table(("name", "price"), (("lamp", "58,50"), ("desk", "349,00")))


def test_table_of_one_column() -> None:
    assert decode(ValueType.TABLE, b"name\nlamp\ndesk\n", "text/csv") == Table(("name",), (("lamp",), ("desk",)))


def test_uneven_table_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 3" in refused(tmp_path, "a.csv", b"a,b\n1,2\n1,2,3\n")
    assert "line 2" in refused(tmp_path, "a.csv", b"a;b;c\n1;2\n")


def test_huge_cell_is_refused(tmp_path: Path) -> None:
    assert "CSV" in refused(tmp_path, "a.csv", b"a,b\n" + b"x" * 200_000 + b",1\n")


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("a.txt", "text/plain"),
        ("a.md", "text/markdown"),
        ("a.json", "application/json"),
        ("a.py", "text/plain"),
        ("notes", "text/plain"),
    ],
)
def test_text_formats(tmp_path: Path, name: str, mime: str) -> None:
    loaded = load(tmp_path, name, "Grüße".encode())
    assert (loaded.type, loaded.mime) == (ValueType.TEXT, mime)
    assert decode(loaded.type, loaded.data, loaded.mime) == Text("Grüße")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings_of_texts(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    assert decode(ValueType.TEXT, mark + "Grüße – €".encode(encoding), "text/plain") == Text("Grüße – €")


def test_text_over_the_limit_is_refused(tmp_path: Path) -> None:
    assert "10 characters" in refused(tmp_path, "a.txt", b"hello world", max_text_chars=10)


# What a file is, and what it says


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("a.gz", b"\x1f\x8b\x08\x00", "gzip"),
        ("a.heic", b"\x00\x00\x00\x18ftypheic", "damaged"),
        ("a.bin", bytes(range(256)), "neither text nor a known media format"),
        ("a", b"\x00\x01\x02", "neither text nor a known media format"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n", "is empty"),
        ("a.png", b"", "is empty"),
    ],
)
def test_files_that_are_not_what_they_say_or_cannot_be_used(tmp_path: Path, name: str, data: bytes, part: str) -> None:
    assert part in refused(tmp_path, name, data)


def test_office_documents_are_named(tmp_path: Path) -> None:
    for part, name, said in (("word/document.xml", "a.docx", "DOCX"), ("xl/workbook.xml", "a.xlsx", "XLSX")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(part, "<xml/>")
        assert said in refusal(str(tmp_path / name))


def test_file_without_an_ending_gets_the_one_of_its_content(tmp_path: Path) -> None:
    assert load(tmp_path, "photo", picture("JPEG")).name == "photo.jpg"


def test_text_that_starts_like_a_media_file_stays_text(tmp_path: Path) -> None:
    for text in (b"BMW sells cars", b"ID3 is a tag format", b"RIFFs are short melodies", b"MThis is text"):
        assert load(tmp_path, "a.txt", text).type is ValueType.TEXT


# Where files come from


def test_file_over_the_size_limit_is_refused(tmp_path: Path) -> None:
    assert "100 bytes" in refused(tmp_path, "a.txt", b"x" * 101, max_file_bytes=100)
    assert load(tmp_path, "a.txt", b"x" * 100, max_file_bytes=100).data == b"x" * 100


def test_missing_folder_and_special_files_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(str(tmp_path / "none.png"))
    assert "is a folder" in refusal(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in refusal(str(tmp_path / "pipe"))
    assert "is a device" in refusal("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "sock"))
        assert "is a socket" in refusal(str(tmp_path / "sock"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("secret")
    path.chmod(0)
    assert "permissions" in refusal(str(path))


def test_unusable_paths_are_refused() -> None:
    assert "name" in refusal("")
    refusal("a\x00b.png")
    refusal("x" * 5000)
    refusal("~nobody-of-that-name/a.png")
    assert "s3://" in refusal("s3://bucket/a.png")
    assert "another machine" in refusal("file://elsewhere/a.png")


def test_home_and_file_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my note.txt").write_text("hello")
    assert load_file("~/my note.txt", settings_with()).data == b"hello"
    assert load_file((tmp_path / "my note.txt").as_uri(), settings_with()).name == "my note.txt"


def test_data_uris() -> None:
    packed = base64.b64encode(picture()).decode()
    loaded = load_file(f"data:image/png;base64,{packed}", settings_with())
    assert loaded == LoadedFile("data.png", picture(), ValueType.IMAGE, "image/png")
    assert load_file(f"DATA:image/png;base64,{packed.rstrip('=')}", settings_with()).data == picture()
    assert load_file("data:,hello%20there", settings_with()).data == b"hello there"
    assert load_file("data:text/csv,a,b%0A1,2", settings_with()).type is ValueType.TABLE


def test_bad_data_uris_are_refused_in_a_short_sentence() -> None:
    for source in (
        "data:image/png;base64",
        "data:image/png;base64,!!!!",
        "data:image/png,",
        "data:text/plain," + "x" * 2000,
    ):
        assert len(refusal(source, max_file_bytes=1000)) < 200


@given(st.text(string.printable))
def test_any_data_uri_is_read_or_refused(rest: str) -> None:
    with suppress(MediaError):
        load_file(f"data:{rest}", settings_with())

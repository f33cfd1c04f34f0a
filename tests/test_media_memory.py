"""What small files take of memory when they are decoded, each in a process of its own."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image as PILImage
from pillow_heif import register_heif_opener

from hugginggpt.errors import DiskFullError, MediaError
from hugginggpt.media import load_file
from hugginggpt.settings import Settings

MOST_MB = 500

register_heif_opener()

pytestmark = pytest.mark.slow

PROGRAM = """
import json, os, resource, sys
import soundfile
from PIL import Image
from hugginggpt.errors import MediaError
from hugginggpt.media import decode, load_file, pictures, sound
from hugginggpt.settings import Settings

def look_at(path):
    error = None
    try:
        loaded = load_file(path, Settings())
        decode(loaded.type, loaded.data, loaded.mime)
    except MediaError as refused:
        error = refused.message
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    mb = max(resource.getrusage(one).ru_maxrss for one in who) / 1024
    print(json.dumps({"error": error, "mb": mb}), flush=True)

Image.init()
for line in sys.stdin:
    if os.fork() == 0:
        look_at(json.loads(line))
        os._exit(0)
    if os.wait()[1]:
        print(flush=True)
"""

Look = Callable[[Path], dict[str, Any]]


@pytest.fixture(scope="module")
def looked_at() -> Iterator[Look]:
    """What loading and decoding a file comes to.

    It happens in a fork of a process that has imported what that takes and nothing else, for what it holds counts.
    """
    # A small process starts it: what `fork` copies of this one would count as its own.
    shell = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, PROGRAM]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUGGINGGPT_")}
    with subprocess.Popen(shell, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        told, answers = process.stdin, process.stdout

        def look_at(path: Path) -> dict[str, Any]:
            print(json.dumps(str(path)), file=told, flush=True)
            found: dict[str, Any] = json.loads(answers.readline())
            return found

        yield look_at
        told.close()


def saved(image: PILImage.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def deflated(data: bytes, times: int) -> bytes:
    """What zlib makes of data many times over, in the time that it takes for once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    once = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 1
    for _ in range(times):
        check = zlib.adler32(data, check)
    return b"\x78\xda" + once * times + b"\x03\x00" + pack(">I", check)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = (*chunks, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        pack(">I", len(data)) + name + data + pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def png_header(side: int, bits: int, colour: int) -> tuple[bytes, bytes]:
    return b"IHDR", pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)


def deep_png(side: int) -> bytes:
    return png(png_header(side, 16, 0), (b"IDAT", deflated(bytes(1 + 2 * side), side)))


def plain_png(side: int) -> bytes:
    return png(png_header(side, 8, 2), (b"IDAT", deflated(bytes(1 + 3 * side), side)))


def png_of_frames(count: int) -> bytes:
    side = 2000
    pixels = deflated(bytes(1 + 3 * side), side)
    frames = [(b"fcTL", pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, 0, 0)), (b"IDAT", pixels)]
    for number in range(1, 2 * count - 1, 2):
        frames.append((b"fcTL", pack(">IIIIIHHBB", number, side, side, 0, 0, 1, 10, 0, 0)))
        frames.append((b"fdAT", pack(">I", number + 1) + pixels))
    return png(png_header(side, 8, 2), (b"acTL", pack(">II", count, 0)), *frames)


def grey_tiff(side: int) -> bytes:
    return saved(PILImage.new("F", (side, side), 0.5), "TIFF", compression="tiff_adobe_deflate")


def turned_jpeg(side: int) -> bytes:
    image = PILImage.new("RGB", (side, side), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    return saved(image, "JPEG", exif=exif)


def clear_png(side: int) -> bytes:
    return saved(PILImage.new("P", (side, side)), "PNG", transparency=0)


def silence(seconds: int, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 16000, channels, format="FLAC", subtype="PCM_16") as recording:
        for _ in range(seconds // 60):
            recording.write(np.zeros((60 * 16000, channels), np.int16))
    return buffer.getvalue()


def lossless(seconds: int) -> bytes:
    """Silence that only PyAV reads."""
    import av

    buffer, frame = io.BytesIO(), av.AudioFrame
    with av.open(buffer, "w", format="ipod") as container:
        stream: Any = container.add_stream("alac", rate=16000)
        stream.layout = "mono"
        for _ in range(seconds * 16000 // 4096):
            part = frame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16p", layout="mono")
            part.sample_rate = 16000
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def floats(seconds: int) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 16000, 1, format="WAV", subtype="FLOAT") as recording:
        for _ in range(seconds):
            recording.write(np.full(16000, 3.0, np.float32))
    return buffer.getvalue()


def heic(width: int, height: int) -> bytes:
    return saved(PILImage.new("RGB", (width, height)), "HEIF", enc_params={"preset": "ultrafast"})


def frames(format: str, count: int, **options: Any) -> bytes:
    shades = [PILImage.new("RGB", (2000, 2000), (n, n, n)) for n in range(count)]
    return saved(shades[0], format, save_all=True, append_images=shades[1:], **options)


def gif_of_frames(count: int) -> bytes:
    data = saved(PILImage.new("L", (2000, 2000)), "GIF")
    first = data.index(b",", 13)
    return data[:first] + data[first:-1] * count + data[-1:]


def tiff_of_one_strip(side: int) -> bytes:
    return saved(PILImage.new("RGB", (side, side)), "TIFF", compression="tiff_lzw", tiffinfo={278: side})


def tiff_of_one_tile(side: int) -> bytes:
    """16 x 16 pixels in one tile of `side` x `side`: all of the tile is decoded."""
    tile = deflated(bytes(side), side)
    tags = [(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, side), (323, side), (324, 200)]
    tags.append((325, len(tile)))
    entries = b"".join(pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return (pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + pack("<I", 0)).ljust(200, b"\0") + tile


def png_of_chunks(profile: int, text: int) -> bytes:
    """A small picture with a colour profile and comments that are large when they are unpacked."""
    line = b"x" * 10_000
    comment = b"\0\0" + deflated(line, text // len(line))
    colours = b"profile\0\0" + deflated(bytes(10_000), profile // 10_000)
    comments = ((b"zTXt", b"comment %d" % number + comment) for number in range(20))
    pixels = deflated(bytes(1 + 3 * 8), 8)
    return png(png_header(8, 8, 2), (b"iCCP", colours), *comments, (b"IDAT", pixels))


def jpeg_of_scans(count: int) -> bytes:
    data = saved(PILImage.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def video(width: int, height: int, path: Path) -> bytes:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (width, height))  # type: ignore[attr-defined]
    writer.write(np.zeros((height, width, 3), np.uint8))
    writer.release()
    return path.read_bytes()


def rows(cells: int, count: int) -> bytes:
    return (b"ab," * (cells - 1) + b"ab\n") * count


TAKEN: list[tuple[str, Callable[[], bytes]]] = [
    ("deep.png", lambda: deep_png(7900)),
    ("grey.tiff", lambda: grey_tiff(7900)),
    ("turned.jpg", lambda: turned_jpeg(6400)),
    ("plain.png", lambda: plain_png(7900)),
    ("clear.png", lambda: clear_png(7900)),
    ("print.jpg", lambda: saved(PILImage.new("CMYK", (6400, 6400)), "JPEG")),
    ("slowly.jpg", lambda: saved(PILImage.new("RGB", (5700, 5700)), "JPEG", progressive=True)),
    ("photo.webp", lambda: saved(PILImage.new("RGB", (4500, 4500)), "WEBP", method=0)),
    ("strip.tiff", lambda: tiff_of_one_strip(6400)),
    ("frames.gif", lambda: gif_of_frames(50)),
    ("frames.webp", lambda: frames("WEBP", 20, method=0)),
    ("frames.png", lambda: png_of_frames(30)),
    ("frames.tiff", lambda: frames("TIFF", 8)),
    ("silence.flac", lambda: silence(5000)),
    ("photo.heic", lambda: heic(5712, 4284)),
    ("photo.avif", lambda: saved(PILImage.new("RGB", (5000, 4800)), "AVIF", speed=10)),
    ("photo.jp2", lambda: saved(PILImage.new("RGB", (4500, 4500)), "JPEG2000")),
    ("silence.m4a", lambda: lossless(5000)),
    ("loud.wav", lambda: floats(1400)),
    ("broken.log", lambda: b"na\xc3\xafve \xc3\xb6 \xc3\xa4 \xe9\n" + b"words " * 150_000),
    ("wide.csv", lambda: rows(600_000, 1)),
    ("long.csv", lambda: rows(2, 300_000)),
    ("deep.json", lambda: b"[" * 900_000),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), TAKEN, ids=[name for name, _ in TAKEN])
def test_the_largest_files_that_are_taken_stay_within_500_mb(
    looked_at: Look, tmp_path: Path, name: str, make: Callable[[], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    found = looked_at(path)
    assert found["error"] is None
    assert found["mb"] < MOST_MB


REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("deep.png", lambda: deep_png(8100), "pixels"),
    ("grey.tiff", lambda: grey_tiff(8100), "pixels"),
    ("turned.jpg", lambda: turned_jpeg(7900), "MAX_DECODED_BYTES"),
    ("print.jpg", lambda: saved(PILImage.new("CMYK", (7900, 7900)), "JPEG"), "MAX_DECODED_BYTES"),
    ("slowly.jpg", lambda: saved(PILImage.new("RGB", (7900, 7900)), "JPEG", progressive=True), "MAX_DECODED_BYTES"),
    ("photo.webp", lambda: saved(PILImage.new("RGB", (7900, 7900)), "WEBP", method=0), "MAX_DECODED_BYTES"),
    ("tile.tiff", lambda: tiff_of_one_tile(20_000), "MAX_DECODED_BYTES"),
    ("scans.jpg", lambda: jpeg_of_scans(3000), "scans"),
    ("chunks.png", lambda: png_of_chunks(50_000_000, 60_000_000), "damaged"),
    ("silence.flac", lambda: silence(7200), "MAX_DECODED_BYTES"),
    ("channels.flac", lambda: silence(900, 8), "MAX_DECODED_BYTES"),
    ("photo.heic", lambda: heic(6400, 6400), "MAX_DECODED_BYTES"),
    ("photo.avif", lambda: saved(PILImage.new("RGB", (6400, 6400)), "AVIF", speed=10), "MAX_DECODED_BYTES"),
    ("photo.jp2", lambda: saved(PILImage.new("RGB", (6400, 6400)), "JPEG2000"), "MAX_DECODED_BYTES"),
    ("silence.m4a", lambda: lossless(5500), "MAX_DECODED_BYTES"),
    ("wide.txt", lambda: "ab".encode("utf-16-le") * 24_000_000, "MAX_TEXT_CHARS"),
    ("latin.txt", lambda: b"\xe9\n" * 49_000_000, "MAX_TEXT_CHARS"),
    ("broken.log", lambda: b"na\xc3\xafve \xc3\xb6 \xc3\xa4 \xe9\n" + b"words " * 16_000_000, "MAX_TEXT_CHARS"),
    ("emoji.txt", lambda: b"a" * 99_000_000 + "\N{PARTY POPPER}".encode(), "MAX_TEXT_CHARS"),
    ("wide.csv", lambda: rows(30_000_000, 1), "MAX_TEXT_CHARS"),
]


@pytest.mark.parametrize(("name", "make", "why"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_larger_ones_are_refused_before_they_take_memory(
    looked_at: Look, tmp_path: Path, name: str, make: Callable[[], bytes], why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    found = looked_at(path)
    assert why in (found["error"] or "")
    assert found["mb"] < MOST_MB / 2


def test_frames_of_videos_are_bounded(looked_at: Look, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    path.write_bytes(video(7680, 4320, tmp_path / "large.avi"))
    found = looked_at(path)
    assert (found["error"], found["mb"] < MOST_MB) == (None, True)
    path.write_bytes(video(9000, 6000, tmp_path / "larger.avi"))
    found = looked_at(path)
    assert "MAX_DECODED_BYTES" in found["error"]
    assert found["mb"] < MOST_MB / 2


def test_a_video_that_has_no_room_to_be_checked_in_is_no_bad_video(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "film.avi"
    video(64, 48, path)
    (small_disk / "ballast").write_bytes(bytes(2**20 - 8192))
    with suppress(OSError):
        (small_disk / "rest").write_bytes(bytes(2**20))
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(DiskFullError, match="make room there"):
        load_file(str(path), Settings())
    assert {one.name for one in small_disk.iterdir()} == {"ballast", "rest"}
    (small_disk / "rest").unlink()
    assert load_file(str(path), Settings()).name == "film.avi"


def test_a_limit_on_memory_holds_for_every_kind_of_file(tmp_path: Path) -> None:
    small = Settings(max_decoded_bytes=10_000)
    for name, data in [
        ("a.png", saved(PILImage.new("RGB", (100, 100)), "PNG")),
        ("a.flac", silence(60)),
        ("a.csv", rows(10, 100)),
    ]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(MediaError, match="HUGGINGGPT_MAX_DECODED_BYTES"):
            load_file(str(path), small)

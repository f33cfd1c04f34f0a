"""Files: small real ones of every format, damaged, blown up, cut off, put together, and called what they are not."""

import base64
import io
import random
import struct
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image as PILImage

from hugginggpt.capabilities import ValueType
from hugginggpt.errors import MediaError
from hugginggpt.media import LoadedFile, check_file, decode, encode, load_file, text_of
from hugginggpt.settings import get_settings
from tests.fuzz.case import Case
from tests.fuzz.material import damaged, picked

ENDINGS = (
    ".png", ".jpg", ".gif", ".webp", ".tiff", ".bmp", ".wav", ".flac", ".ogg", ".mp3", ".mp4", ".avi", ".csv", ".tsv",
    ".json", ".txt", ".md", ".pdf", ".zip", ".PNG", ".tar.gz", "", ".", ".x", ".so", ".\u202egnp",
)  # fmt: skip
MIMES = (
    "", "text/plain", "image/png", "image/jpeg", "audio/wav", "video/mp4", "text/csv", "application/json",
    "application/octet-stream", "text/plain;charset=utf-16", "IMAGE/PNG", "image/png;base64;base64", "x", ";",
    "text/html; charset=\u00e9",
)  # fmt: skip
MAGICS = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\x00", b"MM\x00*", b"fLaC", b"OggS\x00",
    b"RIFF\xff\xff\xff\xffWAVE", b"RIFF\x00\x00\x00\x00WEBP", b"RIFF\xff\xff\xff\xffAVI ",
    b"BM" + bytes(12) + b"\x28\0\0\0", b"ID3\x04", b"\xff\xfb\x90\x00", b"\x00\x00\x00\x18ftypmp42", b"\x1aE\xdf\xa3",
    b"PK\x03\x04", b"%PDF-1.7", b"<svg", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\x1f\x8b",
    b"\x7fELF",
)  # fmt: skip
_MANY = (0, 1, 2, 7, 255, 4096, 8000, 16_384, 30_000, 65_535, 2**31 - 1, 2**32 - 1)


def open_area(folder: Path) -> "Media":
    """A file of every format."""
    return Media(folder)


def picture(format: str, mode: str = "RGB", size: tuple[int, int] = (9, 7), **options: object) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    PILImage.new(mode, size, 90 if mode not in ("1", "F") else 1).save(buffer, format, **options)
    return buffer.getvalue()


def recording(format: str, subtype: str, channels: int = 1, frames: int = 900, rate: int = 16_000) -> bytes:
    """A short recording."""
    buffer = io.BytesIO()
    samples = np.linspace(-0.5, 0.5, frames, dtype=np.float32)
    soundfile.write(buffer, np.stack([samples] * channels, axis=1), rate, format=format, subtype=subtype)
    return buffer.getvalue()


def _animated(format: str) -> bytes:
    buffer = io.BytesIO()
    frames = [PILImage.new("RGB", (9, 7), (n * 20, 0, 0)) for n in range(6)]
    frames[0].save(buffer, format, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def _movie(folder: Path, name: str, codec: str) -> bytes:
    import cv2

    path = folder / name
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, (64, 48))  # type: ignore[attr-defined]
    for shade in range(4):
        writer.write(np.full((48, 64, 3), shade * 20, np.uint8))
    writer.release()
    return path.read_bytes()


def _pictures() -> dict[str, bytes]:
    return {
        "PNG": picture("PNG"),
        "PNG 1": picture("PNG", "1"),
        "PNG L": picture("PNG", "L"),
        "PNG P": picture("PNG", "P"),
        "PNG RGBA": picture("PNG", "RGBA"),
        "PNG I;16": picture("PNG", "I;16"),
        "APNG": _animated("PNG"),
        "JPEG": picture("JPEG", quality=90),
        "JPEG CMYK": picture("JPEG", "CMYK"),
        "JPEG progressive": picture("JPEG", "L", progressive=True),
        "GIF": picture("GIF", "P"),
        "GIF animated": _animated("GIF"),
        "WebP": picture("WEBP"),
        "WebP animated": _animated("WEBP"),
        "BMP": picture("BMP"),
        "BMP 1": picture("BMP", "1"),
        "TIFF": picture("TIFF"),
        "TIFF F": picture("TIFF", "F"),
        "TIFF I;16": picture("TIFF", "I;16"),
        "TIFF LZW": picture("TIFF", "RGB", compression="tiff_lzw"),
        "TIFF deflate": picture("TIFF", "CMYK", compression="tiff_adobe_deflate"),
        "TIFF G4": picture("TIFF", "1", compression="group4"),
        "TIFF pages": _animated("TIFF"),
    }


def _recordings() -> dict[str, bytes]:
    return {
        "WAV": recording("WAV", "PCM_16"),
        "WAV 8": recording("WAV", "PCM_U8", 2),
        "WAV 24": recording("WAV", "PCM_24", 8),
        "WAV float": recording("WAV", "FLOAT"),
        "WAV double": recording("WAV", "DOUBLE"),
        "WAV ADPCM": recording("WAV", "IMA_ADPCM"),
        "WAVEX": recording("WAVEX", "PCM_16", 6),
        "FLAC": recording("FLAC", "PCM_16", 2),
        "FLAC 24": recording("FLAC", "PCM_24"),
        "OGG": recording("OGG", "VORBIS"),
        "OGG Opus": recording("OGG", "OPUS", rate=48_000),
        "MP3": recording("MP3", "MPEG_LAYER_III", frames=9000),
    }


_TEXTS = {
    "CSV": b'name,age\nAda,36\n"Smith, J",41\n',
    "CSV ;": "Größe;Preis\n1,5;2\n".encode("cp1252"),
    "CSV UTF-16": "a\tb\n1\t2\n".encode("utf-16"),
    "JSON": b'{"data": [1, 2, {"a": null}], "text": "x"}',
    "TXT": "Grüße aus Köln 中文\n".encode(),
    "TXT UTF-32": "Grüße".encode("utf-32"),
    "HTML": b"<!DOCTYPE html><html><body>x</body></html>",
}


class Media:
    """Makes files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = get_settings()
        self._pictures, self._recordings = _pictures(), _recordings()
        self._movies = {
            "MP4": _movie(folder, "a.mp4", "mp4v"),
            "AVI": _movie(folder, "a.avi", "MJPG"),
            "MOV": _movie(folder, "a.mov", "mp4v"),
        }

    def case(self, rng: random.Random) -> Case:
        """A file, through one of the ways in."""
        still = self._pictures | self._recordings | _TEXTS
        makers: tuple[tuple[str, int, Callable[[], tuple[str, bytes]]], ...] = (
            ("damaged", 26, lambda: _damaged(rng, still)),
            ("damaged movie", 2, lambda: _damaged(rng, self._movies)),
            ("boxes", 2, lambda: ("MP4", _boxes(rng, self._movies["MP4"]))),
            ("picture's header", 14, lambda: _picture_header(rng, self._pictures)),
            ("recording's header", 12, lambda: _recording_header(rng, self._recordings)),
            ("picture bomb", 3, lambda: _picture_bomb(rng)),
            ("recording bomb", 2, lambda: _recording_bomb(rng)),
            ("table or text", 14, lambda: _text(rng)),
            ("two in one", 6, lambda: _joined(rng, still)),
            ("magic", 6, lambda: ("magic", rng.choice(MAGICS) + rng.randbytes(rng.choice((0, 1, 40, 3000))))),
            ("noise", 3, lambda: ("noise", rng.randbytes(rng.choice((0, 1, 30, 5000))))),
        )  # fmt: skip
        how, (what, data) = picked(rng, makers)
        fitting = f"a.{what.split()[0].lower()}".replace("apng", "png").replace("wavex", "wav")
        name = fitting if rng.random() < 0.6 else "a" + rng.choice(ENDINGS)
        label = f"{what}, {how}"
        match rng.randrange(6):
            case 0:
                return Case(f"load_file of a path: {label}", data, lambda: self._from_path(name, data), (MediaError,))
            case 1:
                uri = _data_uri(rng, data)
                return Case(
                    f"load_file of a data URI: {label}",
                    uri,
                    lambda: self._used(load_file(uri, self._settings)),
                    (MediaError,),
                )
            # What is decoded was checked when it was stored, so its size is bounded.
            case 2 if not how.endswith("bomb"):
                type, mime = rng.choice(list(ValueType)), rng.choice(MIMES)
                return Case(f"decode as {type}: {label}", data, lambda: _decoded(type, data, mime), (MediaError,))
            case _:
                return Case(
                    f"check_file: {label}",
                    data,
                    lambda: self._used(check_file(name, data, self._settings)),
                    (MediaError,),
                )

    def _from_path(self, name: str, data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            path = Path(place) / name
            if path.name in ("", "."):
                path = Path(place) / "a"
            path.write_bytes(data)
            self._used(load_file(str(path), self._settings))

    def _used(self, loaded: LoadedFile) -> None:
        """A file that was accepted can be used, and what it becomes can be kept."""
        assert loaded.name and "/" not in loaded.name
        _decoded(loaded.type, loaded.data, loaded.mime)


def _decoded(type: ValueType, data: bytes, mime: str) -> None:
    value = decode(type, data, mime)
    assert value.type is type
    text = text_of(value)
    if text is not None:
        text.encode()
    if type is ValueType.STRUCTURED:
        encode(value)


def _damaged(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    name = rng.choice(sorted(files))
    return name, damaged(rng, files[name], rng.choice((32, 64, 200)))


def _joined(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    one, other = rng.choice(sorted(files)), rng.choice(sorted(files))
    start = files[one][: rng.randrange(len(files[one]) + 1)]
    return f"{one} and {other}", start + files[other] * rng.choice((1, 1, 2, 500))


def _data_uri(rng: random.Random, data: bytes) -> str:
    coded = rng.choice((base64.b64encode, base64.urlsafe_b64encode))(data).decode()
    match rng.randrange(6):
        case 0:
            return f"data:{rng.choice(MIMES)};base64,{coded[: rng.randrange(len(coded) + 1)]}"
        case 1:
            return f"data:{rng.choice(MIMES)},{''.join(f'%{byte:02x}' for byte in data[:20_000])}"
        case 2:
            comma, end = rng.choice((",", "", ";,", ", ")), rng.choice(("=", "====", "é", "\ud800", "%"))
            return f"data:{rng.choice(MIMES)};base64{comma}{coded}{end}"
        case _:
            return f"data:{rng.choice(MIMES)};base64,{coded}"


# Pictures


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(
    width: int, height: int, depth: int, colour: int, *, interlaced: int = 0, packed: bytes = b"", more: bytes = b""
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + more
        + _chunk(b"IDAT", packed or zlib.compress(bytes(64)))
        + _chunk(b"IEND", b"")
    )


def _picture_header(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    """A picture whose header says something else than what follows."""
    width, height = rng.choice(_MANY), rng.choice(_MANY)
    match rng.randrange(8):
        case 0 | 1:
            colour, depth = rng.choice((0, 2, 3, 4, 6, 1, 5, 7, 255)), rng.choice((1, 2, 4, 8, 16, 0, 3, 32, 255))
            palette = _chunk(b"PLTE", bytes(rng.choice((0, 3, 5, 768, 3000))))
            text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(rng.choice((10, 3_000_000)))))
            profile = _chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(rng.choice((10, 3_000_000)))))
            more = b"".join(
                rng.sample(
                    (palette, text * rng.choice((1, 40)), profile, _chunk(b"tRNS", bytes(rng.choice((0, 2, 300))))),
                    rng.randint(0, 3),
                )
            )
            return "PNG", _png(width, height, depth, colour, interlaced=rng.choice((0, 1, 7)), more=more)
        case 2:
            data = bytearray(files[rng.choice(("JPEG", "JPEG CMYK", "JPEG progressive"))])
            at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
            data[at + 4 : at + 10] = struct.pack(
                ">BHHB", rng.choice((8, 12, 16, 0)), height & 0xFFFF, width & 0xFFFF, rng.choice((1, 3, 4, 0, 255))
            )
            return "JPEG", bytes(data)
        case 3:
            data = bytearray(files[rng.choice(("GIF", "GIF animated"))])
            data[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
            at = data.find(b",")
            if at > 0 and rng.random() < 0.5:
                data[at + 5 : at + 9] = struct.pack("<HH", height & 0xFFFF, width & 0xFFFF)
            return "GIF", bytes(data) + bytes(data[13:]) * rng.choice((0, 0, 2000))
        case 4:
            data = bytearray(files[rng.choice(("BMP", "BMP 1"))])
            data[18:26] = struct.pack("<II", width, height)
            data[28:34] = struct.pack(
                "<HI", rng.choice((1, 4, 8, 16, 24, 32, 0, 64)), rng.choice((0, 1, 2, 3, 4, 6, 99))
            )
            return "BMP", bytes(data)
        case 5:
            data = bytearray(files[rng.choice(("WebP", "WebP animated"))])
            data[rng.choice((21, 23, 24, 26)) : 30] = rng.randbytes(rng.choice((4, 6, 9)))
            return "WebP", bytes(data)
        case _:
            return "TIFF", _tiff_changed(
                rng, files[rng.choice([name for name in sorted(files) if name.startswith("TIFF")])]
            )


def _tiff_changed(rng: random.Random, data: bytes) -> bytes:
    """A TIFF with some of its tags set to something else."""
    found = bytearray(data)
    start = struct.unpack_from("<I", found, 4)[0]
    for n in range(struct.unpack_from("<H", found, start)[0]):
        at = start + 2 + 12 * n
        if rng.random() < 0.2:
            found[at + 8 : at + 12] = struct.pack("<I", rng.choice((*_MANY, 3, 8, 16, 32, 64, 5, 32_773, 34_712)))
        if rng.random() < 0.06:
            found[at + 2 : at + 8] = struct.pack("<HI", rng.choice((1, 2, 3, 4, 5, 12, 99)), rng.choice(_MANY))
        if rng.random() < 0.04:
            found[at : at + 2] = struct.pack("<H", rng.choice((256, 257, 258, 259, 262, 277, 322, 339, 317, 330)))
    return bytes(found)


def _picture_bomb(rng: random.Random) -> tuple[str, bytes]:
    """A picture of few bytes and many pixels, all of them there."""
    side = rng.choice((3000, 7900, 8000, 8100, 12_000))
    if rng.random() < 0.5:
        depth, colour, channels = rng.choice(
            ((1, 0, 1), (8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3), (8, 6, 4), (16, 6, 4), (8, 3, 1), (16, 4, 2))
        )
        row = 1 + (side * depth * channels + 7) // 8
        more = _chunk(b"PLTE", bytes(768)) if colour == 3 else b""
        return f"PNG {depth} bits × {channels}", _png(side, side, depth, colour, packed=_zeros(row * side), more=more)
    bits, channels, form, photometric = rng.choice(
        (
            (8, 1, 1, 1),
            (16, 1, 1, 1),
            (32, 1, 3, 1),
            (32, 1, 1, 1),
            (8, 3, 1, 2),
            (8, 4, 1, 5),
            (64, 1, 3, 1),
            (16, 3, 1, 2),
        )
    )
    return f"TIFF {bits} bits × {channels}", _tiff(side, bits, channels, form, photometric)


@lru_cache(maxsize=64)
def _zeros(count: int) -> bytes:
    """So many zeros, deflated."""
    packer = zlib.compressobj(1)
    block = bytes(1 << 20)
    parts = [packer.compress(block) for _ in range(count >> 20)]
    return b"".join([*parts, packer.compress(bytes(count & ((1 << 20) - 1))), packer.flush()])


def _tiff(side: int, bits: int, channels: int, form: int, photometric: int) -> bytes:
    """A TIFF of zeros, all of whose strips are the same bytes."""
    rows = 100
    strip = _zeros(side * rows * channels * bits // 8)
    strips = -(-side // rows)
    tags = [
        (256, 4, 1, side),
        (257, 4, 1, side),
        (259, 3, 1, 8),
        (262, 3, 1, photometric),
        (277, 3, 1, channels),
        (278, 4, 1, rows),
        (339, 3, 1, form),
    ]
    body = bytearray(b"II*\x00" + struct.pack("<I", 8))
    after = 8 + 2 + 12 * (len(tags) + 3) + 4
    lists = {
        258: (3, channels, struct.pack(f"<{channels}H", *[bits] * channels)),
        273: (4, strips, b""),
        279: (4, strips, struct.pack(f"<{strips}I", *[len(strip)] * strips)),
    }
    place = {258: after, 279: after + 2 * channels, 273: after + 2 * channels + 4 * strips}
    data = place[273] + 4 * strips
    lists[273] = (4, strips, struct.pack(f"<{strips}I", *[data] * strips))
    for tag, (type, count, packed) in lists.items():
        inside = int.from_bytes(packed, "little") if len(packed) <= 4 else place[tag]
        tags.append((tag, type, count, inside))
    body += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags)) + bytes(4)
    return bytes(body) + lists[258][2] + lists[279][2] + lists[273][2] + strip


# Recordings


def _recording_header(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    match rng.randrange(4):
        case 0 | 1:
            name = rng.choice([name for name in sorted(files) if name.startswith("WAV")])
            data = bytearray(files[name])
            at = data.find(b"fmt ") + 8
            channels, bits, rate = (
                rng.choice((0, 1, 2, 255, 1024, 65_535)),
                rng.choice((0, 1, 8, 16, 24, 32, 64, 65_535)),
                rng.choice((0, 1, 8000, 2**31, 2**32 - 1)),
            )
            fields = (
                rng.choice((1, 1, 3, 6, 17, 0xFFFE, 2, 0)), channels, rate, rate * channels & 0xFFFFFFFF,
                rng.choice((0, 1, channels * bits // 8 & 0xFFFF)), bits,
            )  # fmt: skip
            data[at : at + 16] = struct.pack("<HHIIHH", *fields)
            if rng.random() < 0.4:
                at = data.find(b"data") + 4
                data[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 2**31 - 1, 2**32 - 1)))
            if rng.random() < 0.3:
                data[4:8] = struct.pack("<I", rng.choice((0, 2**32 - 1, len(data))))
            return name, bytes(data)
        case 2:
            data = bytearray(files[rng.choice(("FLAC", "FLAC 24"))])
            rate, channels, bits = (
                rng.choice((0, 1, 8000, 655_350, 2**20 - 1)),
                rng.randrange(8),
                rng.choice((3, 7, 15, 23, 31)),
            )
            total = rng.choice((0, 1, 900, 2**32, 2**36 - 1, 10 * 3600 * 48_000))
            data[18:26] = (rate << 44 | channels << 41 | bits << 36 | total).to_bytes(8, "big")
            return "FLAC", bytes(data)
        case _:
            name = rng.choice(("OGG", "OGG Opus", "MP3"))
            data = files[name]
            at = rng.randrange(len(data))
            return name, data[:at] + data[rng.randrange(at + 1) :] * rng.choice((1, 2, 200))


def _recording_bomb(rng: random.Random) -> tuple[str, bytes]:
    """A recording of few bytes and many samples."""
    match rng.randrange(3):
        case 0:
            return "MP3 of silence", _long_mp3(rng.choice((600, 6000, 60_000)))
        case 1:
            channels = rng.choice((1, 2, 8))
            return f"FLAC of silence × {channels}", _long_flac(channels, rng.choice((20, 60)))
        case _:
            return "WAV of silence", recording("WAV", "PCM_U8", 1, 10)[:44] + bytes(rng.choice((10**6, 3 * 10**7)))


@lru_cache(maxsize=8)
def _long_flac(channels: int, minutes: int) -> bytes:
    buffer = io.BytesIO()
    block = np.zeros((1 << 18, channels), dtype=np.int16)
    with soundfile.SoundFile(buffer, "w", 48_000, channels, subtype="PCM_16", format="FLAC") as file:
        for _ in range(minutes * 60 * 48_000 // len(block) // channels):
            file.write(block)
    return buffer.getvalue()


@lru_cache(maxsize=4)
def _long_mp3(seconds: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(8000 * 20, dtype=np.int16), 8000, format="MP3", subtype="MPEG_LAYER_III")
    return buffer.getvalue() * (seconds // 20)


# Videos


def _boxes(rng: random.Random, data: bytes) -> bytes:
    """An MP4 with boxes of other sizes or names."""
    found = bytearray(data)
    for name in rng.sample(
        (b"ftyp", b"moov", b"mdat", b"trak", b"stsz", b"stsd", b"tkhd", b"mvhd", b"stco", b"mp4v"), rng.randint(1, 3)
    ):
        at = found.find(name)
        if at < 4:
            continue
        match rng.randrange(3):
            case 0:
                found[at - 4 : at] = struct.pack(">I", rng.choice((0, 1, 7, 8, len(found), 2**31, 2**32 - 1)))
            case 1:
                found[at : at + 4] = rng.choice((b"free", b"moov", b"\0\0\0\0", b"uuid"))
            case _:
                offset = at + 4 + 4 * rng.randrange(20)
                found[offset : offset + 4] = struct.pack(">I", rng.choice(_MANY))
    return bytes(found)


# Tables and texts


def _text(rng: random.Random) -> tuple[str, bytes]:
    """A table or text of an odd form, in an odd encoding."""
    cells = rng.choice(("a", "", '"', '""', "x" * 140_000, "1,5", "\r", "\x00", "é", "'", "𝒳", '"a\n"'))
    mark = rng.choice((",", ";", "\t", "|"))
    form = rng.choice(("CSV", "CSV", "JSON", "TXT"))
    match (form, rng.randrange(5)):
        case ("CSV", 0):
            text = mark.join([cells[:20] or "a"] * rng.choice((2, 1000, 100_000)))
        case ("CSV", 1):
            text = "\n".join([mark.join([cells[:20]] * rng.choice((1, 2, 30)))] * rng.choice((1, 60, 60_000)))
        case ("CSV", 2):
            text = f'a{mark}b\n1{mark}"' + "x\n" * rng.choice((10, 500_000))
        case ("CSV", _):
            text = "\n".join(
                mark.join(rng.choice((cells, "a", '"q"', "")) for _ in range(rng.randint(1, 6)))
                for _ in range(rng.randint(1, 80))
            )
        case ("JSON", 0):
            opened, closed = rng.choice((("[", "]"), ('{"a":', "}")))
            times = rng.choice((10, 900, 100_000))
            text = opened * times + "1" + rng.choice(("", closed * times))
        case ("JSON", 1):
            text = rng.choice(
                (
                    "NaN",
                    "[1e999]",
                    "9" * 5000,
                    '{"a":1,"a":2}',
                    '"\\ud800"',
                    '{"data": [], "text": "\\u0000"}',
                    "-",
                    '{"data":NaN,"text":""}',
                )
            )
        case ("JSON", _):
            text = "[" + ",".join([rng.choice(("1", '"a"', "{}", "[[]]"))] * rng.choice((3, 300_000))) + "]"
        case _:
            text = rng.choice(("a", "\n", " ", "é", "\x00", "\x1b[2J", "\ufeff", "\u202e", "𝒳")) * rng.choice(
                (1, 100, 1_999_999, 2_000_001)
            )
    encoding = rng.choice(
        ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-be", "cp1252", "cp437", "utf-7")
    )
    data = text.encode(encoding, "replace")
    return form, data if rng.random() < 0.8 else damaged(rng, data)

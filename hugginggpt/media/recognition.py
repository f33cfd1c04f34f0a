"""What a file is, by its first bytes; an archive by its members, and a video by its tracks."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from hugginggpt.media.input_formats import (
    AAC,
    AC3,
    AIFF,
    AMR,
    APE,
    AU,
    AVI,
    AVI_SOUND,
    AVIF,
    BMP,
    BZIP,
    CAF,
    DOC,
    DOCX,
    ELF,
    EPUB,
    EXE,
    FLAC,
    FLASH_SOUND,
    FLV,
    GIF,
    GZIP,
    HEIC,
    ICO,
    IWORK,
    JP2,
    JPEG,
    JXL,
    M4A,
    MIDI,
    MKA,
    MKV,
    MOV,
    MP3,
    MP4,
    MPEG,
    MPEG_TS,
    MSG,
    ODB,
    ODG,
    ODP,
    ODS,
    ODT,
    OFFICE,
    OGG,
    OGV,
    PARQUET,
    PDF,
    PNG,
    PPT,
    PPTX,
    PROTECTED,
    PSD,
    RAR,
    SEVEN,
    SQLITE,
    SVG,
    TAR,
    THREE_GP,
    TIFF,
    TTA,
    VISIO,
    W64,
    WAV,
    WAVPACK,
    WEBA,
    WEBM,
    WEBP,
    WMA,
    WMV,
    XLS,
    XLSB,
    XLSX,
    XPS,
    XZ,
    ZIP,
    ZSTD,
    Format,
)
from hugginggpt.media.sound_frames import stream_format, tag_length

# What a file of each format starts with.
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"MZ", EXE),
    (b"fLaC", FLAC),
    (b"\x00\x00\x00\x0cjP  ", JP2),
    (b"\xff\x4f\xff\x51", JP2),
    (b"\x00\x00\x00\x0cJXL ", JXL),
    (b"\x00\x00\x01\x00", ICO),
    (b"8BPS\x00", PSD),
    (b"#!AMR\n", AMR),
    (b"#!AMR-WB\n", AMR),
    (b"MThd\x00", MIDI),
    (b".snd\x00", AU),
    (b"caff\x00", CAF),
    (b"riff\x2e\x91\xcf\x11", W64),
    (b"\x0b\x77", AC3),
    (b"MAC ", APE),
    (b"wvpk", WAVPACK),
    (b"TTA1", TTA),
    (b"\x00\x00\x01\xba", MPEG),
    (b"\x1f\x8b", GZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN),
    (b"Rar!\x1a\x07", RAR),
    (b"\xfd7zXZ\x00", XZ),
    (b"BZh", BZIP),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"\x7fELF", ELF),
    (b"PAR1", PARQUET),
    (b"SQLite format 3\x00", SQLITE),
)

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_BINARY_BYTES = 1 << 16
_PDF = re.compile(rb"%PDF-\d\.\d[ \t]*(?:[\r\n%]|\Z)")
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE\s+svg[^>\[]*(?:\[.*?\]\s*)?>)*+<svg[\s>/]", re.DOTALL
)
# The handlers of tracks in MP4 and its kin, the codecs of tracks in Matroska, the kinds of streams in ASF.
_ISO_TRACK = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)
_MATROSKA_TRACK = re.compile(
    rb"\x86[\x81-\xbf](?:(?P<pictures>V_(?:VP[89]|AV1|MPEG|MS/|THEORA|MJPEG|UNCOMP|REAL|PRORES|QUICKTIME|FFV1))"
    rb"|A_(?:OPUS|VORBIS|AAC|MPEG|FLAC|PCM|AC3|EAC3|DTS|ALAC|MS/|TTA|WAVPACK|REAL|QUICKTIME))"
)
_AVI_STREAM = re.compile(rb"strh.{4}(vids|auds)", re.DOTALL)
_ASF_PICTURES = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_OGG_PICTURES = b"\x80theora"
_TS_PACKET = 188
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def recognise(data: bytes) -> Format | None:
    """The format that the first bytes of a file prove; None for texts and unknown formats.

    A text that begins with the sign of a format, such as "BZh" or "GIF89a", is a text. What holds only sound in a
    format for videos is a recording.
    """
    found = _by_first_bytes(data)
    if found is None or found in (PDF, SVG) or not _is_readable(data[:1024]):
        return found
    return None


def _is_readable(head: bytes) -> bool:
    """Whether it is all UTF-8 without control characters; its last character may be cut off."""
    if _CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and error.reason == "unexpected end of data"
    return True


def _by_first_bytes(data: bytes) -> Format | None:
    head = data[:1024]
    kind, brand = head[4:8], head[8:12]
    if head.startswith((b"RIFF", b"RF64", b"BW64")):
        if brand == b"AVI ":
            return AVI_SOUND if set(_AVI_STREAM.findall(data[:_BINARY_BYTES])) == {b"auds"} else AVI
        return {b"WAVE": WAV, b"WEBP": WEBP}.get(brand)
    if head.startswith(b"FORM") and brand in (b"AIFF", b"AIFC"):
        return AIFF
    if kind == b"ftyp":
        return _iso_media(brand, data)
    if kind in (b"moov", b"mdat", b"wide", b"skip", b"free") and head[0] == 0:
        return _iso_media(b"qt  ", data)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _matroska(data)
    if head.startswith(b"OggS\x00"):
        return OGV if _OGG_PICTURES in head else OGG
    if head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
        return WMV if _ASF_PICTURES in data[:_BINARY_BYTES] else WMA
    if head.startswith(b"FLV\x01"):
        return FLV if len(head) > 4 and head[4] & 1 else FLASH_SOUND
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head.startswith(b"PK\x03\x04"):
        return _zipped(data)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _compound(data)
    if head[257:262] == b"ustar":
        return TAR
    if head.startswith(b"ID3") and len(head) > 3 and head[3] < 16:
        tagged = _by_first_bytes(data[tag_length(head) :]) if tag_length(head) < len(data) else None
        return tagged if tagged in (FLAC, AAC) else MP3
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return AAC
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE4) and head[1] & 0x18 != 0x08:
        return MP3
    if head[:1] == b"G" and len(head) > 2 * _TS_PACKET and head[_TS_PACKET] == head[2 * _TS_PACKET] == 0x47:
        return MPEG_TS
    if _is_pdf(data):
        return PDF
    if _SVG.match(head):
        return SVG
    if (found := next((f for magic, f in _MAGIC if head.startswith(magic)), None)) is not None:
        return found
    return stream_format(data)


def _is_pdf(data: bytes) -> bool:
    """Whether a PDF begins here, perhaps after something else, which must not be a text that shows how one begins."""
    head = data[:1024]
    found = _PDF.search(head)
    if found is None:
        return False
    return not head[: found.start()].strip() or _CONTROL.search(data, found.end(), _BINARY_BYTES) is not None


def _iso_media(brand: bytes, data: bytes) -> Format:
    if brand in _HEIC_BRANDS:
        return AVIF if b"avif" in data[12:64] and b"heic" not in data[12:64] else HEIC
    if brand in (b"avif", b"avis"):
        return AVIF
    if brand in (b"M4A ", b"M4B ", b"M4P "):
        return M4A
    if {match[1] for match in _ISO_TRACK.finditer(data)} == {b"soun"}:
        return M4A
    if brand[:2] == b"3g":
        return THREE_GP
    return MOV if brand == b"qt  " else MP4


def _matroska(data: bytes) -> Format:
    is_web = b"webm" in data[:64]
    tracks = [match["pictures"] is not None for match in _MATROSKA_TRACK.finditer(data)]
    if tracks and not any(tracks):
        return WEBA if is_web else MKA
    return WEBM if is_web else MKV


def _zipped(data: bytes) -> Format:
    """What a ZIP archive holds, by the type that a member of it names or by the names of its members."""
    if (named := _typed(data[:_ZIP_HEAD])) is not None:
        return named
    count = int.from_bytes(end[10:12], "little") if (end := data[data.rfind(b"PK\x05\x06") :][:22]) else 0
    if count > _MOST_MEMBERS:
        return ZIP
    names: set[str] = set()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if _TYPE in names:  # somebody packed it again, so that it is not the first
                with archive.open(_TYPE) as member:
                    return _typed(_TYPE.encode() + member.read(_ZIP_HEAD)) or ZIP
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError):
        pass  # a damaged archive has lost its list of members
    if not names:
        return next((found for name, found in _ZIPPED if name.encode() in data), ZIP)
    return next((found for name, found in _ZIPPED if any(_is_main(name, member) for member in names)), ZIP)


def _typed(head: bytes) -> Format | None:
    return next((found for mark, found in _ZIPPED_TYPES if mark in head), None)


def _is_main(name: str, member: str) -> bool:
    """Whether a member is the main part of a package, which may have a number in its name."""
    stem, _, ending = name.rpartition(".")
    return member.startswith(stem) and member.endswith(f".{ending}")


_ZIP_HEAD = 1024
_MOST_MEMBERS = 20_000
_TYPE = "mimetype"
_ZIPPED_TYPES = (
    (b"mimetypeapplication/epub+zip", EPUB),
    (b"opendocument.text", ODT),
    (b"opendocument.spreadsheet", ODS),
    (b"opendocument.presentation", ODP),
    (b"opendocument.graphics", ODG),
    (b"opendocument.base", ODB),
)
_ZIPPED = (
    ("word/document.xml", DOCX),
    ("xl/workbook.xml", XLSX),
    ("xl/workbook.bin", XLSB),
    ("ppt/presentation.xml", PPTX),
    ("visio/document.xml", VISIO),
    ("FixedDocumentSequence.fdseq", XPS),
    ("FixedDocSeq.fdseq", XPS),
    ("Index/Document.iwa", IWORK),
)


def _compound(data: bytes) -> Format:
    """What an OLE compound file holds, by the names of its streams."""
    return next((found for name, found in _COMPOUND if name.encode("utf-16-le") in data), OFFICE)


_COMPOUND = (
    ("EncryptedPackage", PROTECTED),
    ("__substg1.0", MSG),
    ("WordDocument", DOC),
    ("Workbook", XLS),
    ("PowerPoint Document", PPT),
)

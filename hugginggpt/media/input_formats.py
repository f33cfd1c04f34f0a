"""The accepted file formats, the formats refused by name, and how each is recognised."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from hugginggpt.capabilities import ValueType


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        mime: its media type.
        name: its name in a sentence, with its article.
        type: the type of its value; None for a refused format.
        endings: file endings, the preferred one first.
        aliases: other media types that mean the same.
        advice: what to do instead, for a refused format.
    """

    mime: str
    name: str
    type: ValueType | None
    endings: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    advice: str = "convert it to a supported format first"

    @property
    def is_text(self) -> bool:
        """Whether it is plain characters, so that only the ending tells it from other text formats."""
        return self.type in (ValueType.TEXT, ValueType.TABLE)


_SPLIT = "unpack it and give the files in it one by one"
_OFFICE = "export it as text, as CSV or as pictures, and give those"
_PICTURE = "save it as PNG or JPEG"
_SOUND = "save it as WAV, FLAC, OGG or MP3"

PNG = Format("image/png", "a PNG image", ValueType.IMAGE, (".png", ".apng"), ("image/apng", "image/x-png"))
JPEG = Format(
    "image/jpeg", "a JPEG image", ValueType.IMAGE, (".jpg", ".jpeg", ".jpe", ".jfif"), ("image/jpg", "image/pjpeg")
)
WEBP = Format("image/webp", "a WebP image", ValueType.IMAGE, (".webp",))
GIF = Format("image/gif", "a GIF image", ValueType.IMAGE, (".gif",))
BMP = Format("image/bmp", "a BMP image", ValueType.IMAGE, (".bmp", ".dib"), ("image/x-ms-bmp", "image/x-bmp"))
TIFF = Format("image/tiff", "a TIFF image", ValueType.IMAGE, (".tiff", ".tif"))

WAV = Format(
    "audio/wav", "a WAV recording", ValueType.AUDIO, (".wav", ".wave"), ("audio/x-wav", "audio/wave", "audio/vnd.wave")
)
FLAC = Format("audio/flac", "a FLAC recording", ValueType.AUDIO, (".flac",), ("audio/x-flac",))
OGG = Format(
    "audio/ogg",
    "an OGG recording",
    ValueType.AUDIO,
    (".ogg", ".oga", ".opus"),
    ("application/ogg", "audio/opus", "audio/vorbis"),
)
MP3 = Format("audio/mpeg", "an MP3 recording", ValueType.AUDIO, (".mp3",), ("audio/mp3", "audio/x-mp3"))

MP4 = Format("video/mp4", "an MP4 video", ValueType.VIDEO, (".mp4", ".m4v"), ("video/x-m4v", "application/mp4"))
MOV = Format("video/quicktime", "a QuickTime video", ValueType.VIDEO, (".mov", ".qt"))
WEBM = Format("video/webm", "a WebM video", ValueType.VIDEO, (".webm",))
MKV = Format("video/x-matroska", "a Matroska video", ValueType.VIDEO, (".mkv",), ("video/matroska",))
AVI = Format("video/x-msvideo", "an AVI video", ValueType.VIDEO, (".avi",), ("video/avi", "video/msvideo"))

PLAIN = Format("text/plain", "text", ValueType.TEXT, (".txt", ".text", ".log", ".rst", ".srt", ".vtt"))
MARKDOWN = Format("text/markdown", "text", ValueType.TEXT, (".md", ".markdown"), ("text/x-markdown",))
HTML = Format("text/html", "an HTML page", ValueType.TEXT, (".html", ".htm"), ("application/xhtml+xml",))
XML = Format("application/xml", "an XML text", ValueType.TEXT, (".xml",), ("text/xml",))
JSON = Format("application/json", "a JSON text", ValueType.TEXT, (".json",), ("text/json",))
JSONL = Format("application/jsonl", "a JSON text", ValueType.TEXT, (".jsonl", ".ndjson"), ("application/x-ndjson",))
YAML = Format("application/yaml", "a YAML text", ValueType.TEXT, (".yaml", ".yml"), ("text/yaml", "application/x-yaml"))
CSV = Format("text/csv", "a CSV table", ValueType.TABLE, (".csv",), ("application/csv",))
TSV = Format("text/tab-separated-values", "a TSV table", ValueType.TABLE, (".tsv", ".tab"))

PDF = Format(
    "application/pdf", "a PDF", None, (".pdf",), ("application/x-pdf",), "export its pages as pictures and give those"
)
SVG = Format("image/svg+xml", "an SVG drawing", None, (".svg",), (), "export it as PNG")
HEIC = Format("image/heic", "a HEIC image", None, (".heic", ".heif"), ("image/heif",), _PICTURE)
AVIF = Format("image/avif", "an AVIF image", None, (".avif",), (), _PICTURE)
JP2 = Format("image/jp2", "a JPEG 2000 image", None, (".jp2", ".j2k"), (), _PICTURE)
PSD = Format("image/vnd.adobe.photoshop", "a Photoshop image", None, (".psd",), (), _PICTURE)
M4A = Format("audio/mp4", "an M4A recording", None, (".m4a",), ("audio/x-m4a", "audio/m4a"), _SOUND)
AAC = Format("audio/aac", "an AAC recording", None, (".aac",), (), _SOUND)
AIFF = Format("audio/aiff", "an AIFF recording", None, (".aiff", ".aif"), ("audio/x-aiff",), _SOUND)
AMR = Format("audio/amr", "an AMR recording", None, (".amr",), (), _SOUND)
MIDI = Format("audio/midi", "a MIDI score", None, (".mid", ".midi"), ("audio/x-midi",), _SOUND)
WMA = Format(
    "video/x-ms-asf",
    "a Windows Media file",
    None,
    (".wmv", ".wma", ".asf"),
    ("video/x-ms-wmv", "audio/x-ms-wma"),
    "save it as MP4 or WAV",
)
FLV = Format("video/x-flv", "a Flash video", None, (".flv",), (), "save it as MP4")
DOCX = Format(
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "a Word document",
    None,
    (".docx", ".doc"),
    ("application/msword",),
    _OFFICE,
)
XLSX = Format(
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "an Excel workbook",
    None,
    (".xlsx", ".xls"),
    ("application/vnd.ms-excel",),
    "export its sheets as CSV and give those",
)
PPTX = Format(
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "a PowerPoint file",
    None,
    (".pptx", ".ppt"),
    ("application/vnd.ms-powerpoint",),
    _OFFICE,
)
OFFICE = Format("application/x-ole-storage", "an old Office document", None, (), (), _OFFICE)
ODF = Format("application/vnd.oasis.opendocument.text", "an OpenDocument file", None, (".odt", ".ods"), (), _OFFICE)
ZIP = Format("application/zip", "a ZIP archive", None, (".zip",), ("application/x-zip-compressed",), _SPLIT)
GZIP = Format("application/gzip", "a gzip archive", None, (".gz", ".tgz"), ("application/x-gzip",), _SPLIT)
SEVEN = Format("application/x-7z-compressed", "a 7-Zip archive", None, (".7z",), (), _SPLIT)
RAR = Format("application/vnd.rar", "a RAR archive", None, (".rar",), ("application/x-rar-compressed",), _SPLIT)
XZ = Format("application/x-xz", "an xz archive", None, (".xz",), (), _SPLIT)
BZIP = Format("application/x-bzip2", "a bzip2 archive", None, (".bz2",), (), _SPLIT)
ZSTD = Format("application/zstd", "a Zstandard archive", None, (".zst",), (), _SPLIT)
ELF = Format("application/x-executable", "a program", None, (".so",), (), "give a picture, sound, video or text")
PARQUET = Format("application/vnd.apache.parquet", "a Parquet table", None, (".parquet",), (), "export it as CSV")
SQLITE = Format("application/vnd.sqlite3", "an SQLite database", None, (".sqlite", ".db"), (), "export it as CSV")

_FORMATS = tuple(value for value in list(globals().values()) if isinstance(value, Format))

EXTENSIONS = MappingProxyType({f.mime: f.endings[0] for f in _FORMATS if f.type is not None})
"""The file ending for each media type, with its dot."""

_BY_ENDING = {ending: f for f in _FORMATS for ending in f.endings}
_BY_MIME = {mime: f for f in _FORMATS for mime in (f.mime, *f.aliases)}

# What a file of each format starts with.
_MAGIC: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"fLaC", FLAC),
    (b"OggS\x00", OGG),
    (b"\x00\x00\x00\x0cjP  ", JP2),
    (b"8BPS\x00", PSD),
    (b"#!AMR\n", AMR),
    (b"MThd\x00", MIDI),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", WMA),
    (b"FLV\x01", FLV),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
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
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}


def by_ending(ending: str) -> Format | None:
    """The format of a file ending such as `.png`, in any case; None for an unknown ending."""
    return _BY_ENDING.get(ending.lower())


def by_mime(mime: str | None) -> Format | None:
    """The format of a media type, ignoring its parameters; None for an unknown or missing type."""
    essence = (mime or "").split(";")[0].strip().lower()
    if essence in _BY_MIME:
        return _BY_MIME[essence]
    return PLAIN if essence.startswith("text/") else None


def recognise(data: bytes) -> Format | None:
    """The format that the first bytes of a file prove; None for texts and unknown formats."""
    head = data[:1024]
    kind, brand = head[4:8], head[8:12]
    if head.startswith(b"RIFF"):
        return {b"WAVE": WAV, b"WEBP": WEBP, b"AVI ": AVI}.get(brand)
    if head.startswith(b"FORM") and brand in (b"AIFF", b"AIFC"):
        return AIFF
    if kind == b"ftyp":
        return _iso_media(brand)
    if kind in (b"moov", b"mdat", b"wide", b"skip") and head[0] == 0:
        return MOV
    if head.startswith(b"\x1aE\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MKV
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head.startswith(b"PK\x03\x04"):
        return _zipped(data)
    if head.startswith(b"ID3") and len(head) > 3 and head[3] < 16:
        return MP3
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return MP3
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return AAC
    if b"%PDF-" in head:
        return PDF
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return SVG
    return next((f for magic, f in _MAGIC if head.startswith(magic)), None)


def _iso_media(brand: bytes) -> Format:
    if brand in _HEIC_BRANDS:
        return HEIC
    if brand in (b"avif", b"avis"):
        return AVIF
    if brand in (b"M4A ", b"M4B "):
        return M4A
    return MOV if brand == b"qt  " else MP4


def _zipped(data: bytes) -> Format:
    head = data[:4096]
    for part, found in ((b"word/", DOCX), (b"xl/", XLSX), (b"ppt/", PPTX), (b"opendocument", ODF)):
        if part in head:
            return found
    return ZIP


def interchangeable(one: Format, other: Format) -> bool:
    """Whether files of both formats use either ending: MP4 and QuickTime, WebM and Matroska."""
    return one is other or any(one in pair and other in pair for pair in ((MP4, MOV), (WEBM, MKV)))

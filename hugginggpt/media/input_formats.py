"""The accepted file formats, and those refused by name."""

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
        written: it is a document that is written in plain characters.
    """

    mime: str
    name: str
    type: ValueType | None
    endings: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    advice: str = "convert it to a supported format first"
    written: bool = False

    @property
    def is_text(self) -> bool:
        """Whether it is plain characters, so that only the ending tells it from other text formats."""
        return self.written or self.type in (ValueType.TEXT, ValueType.TABLE)


_SAVED_PAGES = ("multipart/related", "application/x-mimearchive", "application/mhtml")
_SPLIT = "unpack it and give the files in it one by one"
_OFFICE = "save it as DOCX, XLSX, PPTX or PDF"
_PICTURE = "save it as PNG or JPEG"
_SOUND = "play it with an instrument and give the recording as WAV or MP3"

PNG = Format("image/png", "a PNG image", ValueType.IMAGE, (".png", ".apng"), ("image/apng", "image/x-png"))
JPEG = Format(
    "image/jpeg", "a JPEG image", ValueType.IMAGE, (".jpg", ".jpeg", ".jpe", ".jfif"), ("image/jpg", "image/pjpeg")
)
WEBP = Format("image/webp", "a WebP image", ValueType.IMAGE, (".webp",))
GIF = Format("image/gif", "a GIF image", ValueType.IMAGE, (".gif",))
BMP = Format("image/bmp", "a BMP image", ValueType.IMAGE, (".bmp", ".dib"), ("image/x-ms-bmp", "image/x-bmp"))
TIFF = Format("image/tiff", "a TIFF image", ValueType.IMAGE, (".tiff", ".tif"))
HEIC = Format(
    "image/heic", "a HEIC image", ValueType.IMAGE, (".heic", ".heif", ".hif"), ("image/heif", "image/heic-sequence")
)
AVIF = Format("image/avif", "an AVIF image", ValueType.IMAGE, (".avif", ".avifs"), ("image/avif-sequence",))
JP2 = Format(
    "image/jp2",
    "a JPEG 2000 image",
    ValueType.IMAGE,
    (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
    ("image/jpx", "image/j2k", "image/x-jp2"),
)

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
AIFF = Format("audio/aiff", "an AIFF recording", ValueType.AUDIO, (".aiff", ".aif", ".aifc"), ("audio/x-aiff",))
AU = Format("audio/basic", "an AU recording", ValueType.AUDIO, (".au", ".snd"))
CAF = Format("audio/x-caf", "a CAF recording", ValueType.AUDIO, (".caf",))
W64 = Format("audio/x-w64", "a Wave64 recording", ValueType.AUDIO, (".w64",))
# The following are converted when they come in, because only PyAV reads them.
M4A = Format(
    "audio/mp4",
    "an M4A recording",
    ValueType.AUDIO,
    (".m4a", ".m4b", ".m4r"),
    ("audio/x-m4a", "audio/m4a", "audio/3gpp"),
)
MKA = Format("audio/x-matroska", "a Matroska recording", ValueType.AUDIO, (".mka",), ("audio/matroska",))
WEBA = Format("audio/webm", "a WebM recording", ValueType.AUDIO, (".weba",))
WMA = Format("audio/x-ms-wma", "a WMA recording", ValueType.AUDIO, (".wma",))
AAC = Format("audio/aac", "an AAC recording", ValueType.AUDIO, (".aac",), ("audio/x-aac", "audio/aacp"))
AMR = Format("audio/amr", "an AMR recording", ValueType.AUDIO, (".amr", ".awb"), ("audio/amr-wb",))
AC3 = Format("audio/ac3", "an AC-3 recording", ValueType.AUDIO, (".ac3",))
APE = Format("audio/x-ape", "a Monkey's Audio recording", ValueType.AUDIO, (".ape",))
WAVPACK = Format("audio/x-wavpack", "a WavPack recording", ValueType.AUDIO, (".wv",))
TTA = Format("audio/x-tta", "a TTA recording", ValueType.AUDIO, (".tta",))
FLASH_SOUND = Format("audio/x-flv", "a Flash recording", ValueType.AUDIO)
AVI_SOUND = Format("audio/x-msvideo", "an AVI recording", ValueType.AUDIO)

MP4 = Format("video/mp4", "an MP4 video", ValueType.VIDEO, (".mp4", ".m4v"), ("video/x-m4v", "application/mp4"))
MOV = Format("video/quicktime", "a QuickTime video", ValueType.VIDEO, (".mov", ".qt"))
WEBM = Format("video/webm", "a WebM video", ValueType.VIDEO, (".webm",))
MKV = Format("video/x-matroska", "a Matroska video", ValueType.VIDEO, (".mkv",), ("video/matroska",))
AVI = Format("video/x-msvideo", "an AVI video", ValueType.VIDEO, (".avi",), ("video/avi", "video/msvideo"))
THREE_GP = Format("video/3gpp", "a 3GP video", ValueType.VIDEO, (".3gp", ".3g2"), ("video/3gpp2",))
OGV = Format("video/ogg", "an OGG video", ValueType.VIDEO, (".ogv",))
WMV = Format(
    "video/x-ms-wmv",
    "a Windows Media video",
    ValueType.VIDEO,
    (".wmv", ".asf"),
    ("video/x-ms-asf", "application/vnd.ms-asf"),
)
FLV = Format("video/x-flv", "a Flash video", ValueType.VIDEO, (".flv", ".f4v"))
MPEG = Format("video/mpeg", "an MPEG video", ValueType.VIDEO, (".mpg", ".mpeg"))
MPEG_TS = Format("video/mp2t", "an MPEG transport stream", ValueType.VIDEO, (".mts", ".m2ts"))

PLAIN = Format("text/plain", "text", ValueType.TEXT, (".txt", ".text", ".log", ".rst"))
MARKDOWN = Format("text/markdown", "text", ValueType.TEXT, (".md", ".markdown"), ("text/x-markdown",))
HTML = Format(
    "text/html", "an HTML page", ValueType.DOCUMENT, (".html", ".htm"), ("application/xhtml+xml",), written=True
)
RTF = Format("application/rtf", "an RTF document", ValueType.DOCUMENT, (".rtf",), ("text/rtf",), written=True)
MAIL = Format("message/rfc822", "an e-mail", ValueType.DOCUMENT, (".eml", ".mht", ".mhtml"), _SAVED_PAGES, written=True)
SRT = Format("application/x-subrip", "a file of subtitles", ValueType.DOCUMENT, (".srt",), ("text/srt",), written=True)
VTT = Format("text/vtt", "a file of subtitles", ValueType.DOCUMENT, (".vtt",), written=True)
XML = Format("application/xml", "an XML text", ValueType.TEXT, (".xml",), ("text/xml",))
JSON = Format("application/json", "a JSON text", ValueType.TEXT, (".json",), ("text/json",))
JSONL = Format(
    "application/jsonl",
    "a text of JSON lines",
    ValueType.TEXT,
    (".jsonl", ".ndjson"),
    (
        "application/x-ndjson",
        "application/x-jsonlines",
        "application/jsonlines",
        "application/x-jsonl",
        "application/ndjson",
    ),
)
YAML = Format("application/yaml", "a YAML text", ValueType.TEXT, (".yaml", ".yml"), ("text/yaml", "application/x-yaml"))
CSV = Format(
    "text/csv",
    "a CSV table",
    ValueType.TABLE,
    (".csv",),
    ("application/csv", "text/comma-separated-values", "text/x-csv"),
)
TSV = Format("text/tab-separated-values", "a TSV table", ValueType.TABLE, (".tsv", ".tab"))

PDF = Format("application/pdf", "a PDF file", ValueType.DOCUMENT, (".pdf",), ("application/x-pdf",))
DOCX = Format(
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "a Word document",
    ValueType.DOCUMENT,
    (".docx", ".docm", ".dotx", ".dotm"),
    (
        "application/vnd.ms-word.document.macroenabled.12",
        "application/vnd.ms-word.template.macroenabled.12",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
    ),
)
XLSX = Format(
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "an Excel workbook",
    ValueType.DOCUMENT,
    (".xlsx", ".xlsm", ".xltx", ".xltm"),
    (
        "application/vnd.ms-excel.sheet.macroenabled.12",
        "application/vnd.ms-excel.template.macroenabled.12",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
    ),
)
PPTX = Format(
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "a PowerPoint file",
    ValueType.DOCUMENT,
    (".pptx", ".pptm", ".potx", ".potm", ".ppsx", ".ppsm"),
    (
        "application/vnd.ms-powerpoint.presentation.macroenabled.12",
        "application/vnd.ms-powerpoint.template.macroenabled.12",
        "application/vnd.ms-powerpoint.slideshow.macroenabled.12",
        "application/vnd.openxmlformats-officedocument.presentationml.template",
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
    ),
)
ODT = Format(
    "application/vnd.oasis.opendocument.text",
    "an OpenDocument text",
    ValueType.DOCUMENT,
    (".odt", ".ott"),
    ("application/vnd.oasis.opendocument.text-template",),
)
ODS = Format(
    "application/vnd.oasis.opendocument.spreadsheet",
    "an OpenDocument spreadsheet",
    ValueType.DOCUMENT,
    (".ods", ".ots"),
    ("application/vnd.oasis.opendocument.spreadsheet-template",),
)
ODP = Format(
    "application/vnd.oasis.opendocument.presentation",
    "an OpenDocument presentation",
    ValueType.DOCUMENT,
    (".odp", ".otp"),
    ("application/vnd.oasis.opendocument.presentation-template",),
)
EPUB = Format("application/epub+zip", "an EPUB book", ValueType.DOCUMENT, (".epub",))
SVG = Format("image/svg+xml", "an SVG drawing", None, (".svg",), (), "export it as PNG")
JXL = Format("image/jxl", "a JPEG XL image", None, (".jxl",), (), _PICTURE)
ICO = Format("image/vnd.microsoft.icon", "an icon", None, (".ico",), ("image/x-icon",), _PICTURE)
PSD = Format("image/vnd.adobe.photoshop", "a Photoshop image", None, (".psd",), (), _PICTURE)
MIDI = Format("audio/midi", "a MIDI score", None, (".mid", ".midi"), ("audio/x-midi",), _SOUND)
OFFICE = Format("application/x-ole-storage", "an old Office document", None, (), (), _OFFICE)
DOC = Format("application/msword", "an old Word document", None, (".doc",), (), "save it as DOCX")
XLS = Format("application/vnd.ms-excel", "an old Excel workbook", None, (".xls",), (), "save it as XLSX")
PPT = Format("application/vnd.ms-powerpoint", "an old PowerPoint file", None, (".ppt",), (), "save it as PPTX")
MSG = Format("application/vnd.ms-outlook", "an Outlook message", None, (".msg",), (), "save it as EML")
PROTECTED = Format("application/x-protected-office", "an Office document with a password", None)
XLSB = Format(
    "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    "a binary Excel workbook",
    None,
    (".xlsb",),
    (),
    "save it as XLSX",
)
IWORK = Format(
    "application/vnd.apple.pages",
    "a document of Apple's Pages, Numbers or Keynote",
    None,
    (".pages", ".numbers"),
    (),
    "export it as DOCX, XLSX, PPTX or PDF",
)
ODG = Format(
    "application/vnd.oasis.opendocument.graphics",
    "an OpenDocument drawing",
    None,
    (".odg", ".otg"),
    (),
    "export it as PDF or PNG",
)
ODB = Format(
    "application/vnd.oasis.opendocument.base", "an OpenDocument database", None, (".odb",), (), "export it as CSV"
)
VISIO = Format("application/vnd.ms-visio.drawing", "a Visio drawing", None, (".vsdx",), (), "export it as PDF or PNG")
XPS = Format("application/oxps", "an XPS document", None, (".xps", ".oxps"), (), "print it as PDF")
ZIP = Format("application/zip", "a ZIP archive", None, (".zip",), ("application/x-zip-compressed",), _SPLIT)
GZIP = Format("application/gzip", "a gzip archive", None, (".gz", ".tgz"), ("application/x-gzip",), _SPLIT)
SEVEN = Format("application/x-7z-compressed", "a 7-Zip archive", None, (".7z",), (), _SPLIT)
RAR = Format("application/vnd.rar", "a RAR archive", None, (".rar",), ("application/x-rar-compressed",), _SPLIT)
XZ = Format("application/x-xz", "an xz archive", None, (".xz",), (), _SPLIT)
BZIP = Format("application/x-bzip2", "a bzip2 archive", None, (".bz2",), (), _SPLIT)
ZSTD = Format("application/zstd", "a Zstandard archive", None, (".zst",), (), _SPLIT)
TAR = Format("application/x-tar", "a tar archive", None, (".tar",), (), _SPLIT)
_MEDIA = "give a picture, sound, video or text"
EXE = Format("application/vnd.microsoft.portable-executable", "a program", None, (".exe", ".dll"), (), _MEDIA)
ELF = Format("application/x-executable", "a program", None, (".so",), (), _MEDIA)
PARQUET = Format("application/vnd.apache.parquet", "a Parquet table", None, (".parquet",), (), "export it as CSV")
SQLITE = Format("application/vnd.sqlite3", "an SQLite database", None, (".sqlite", ".db"), (), "export it as CSV")

_FORMATS = tuple(value for value in list(globals().values()) if isinstance(value, Format))

EXTENSIONS = MappingProxyType({f.mime: f.endings[0] for f in _FORMATS if f.type is not None and f.endings})
"""The file ending for each media type, with its dot."""

_BY_ENDING = {ending: f for f in _FORMATS for ending in f.endings}
_BY_MIME = {mime: f for f in _FORMATS for mime in (f.mime, *f.aliases)}


_DOCUMENTS = frozenset(f.mime for f in _FORMATS if f.type is ValueType.DOCUMENT)
_PART = "; part="


def is_document(mime: str) -> bool:
    """Whether a media type is that of a document, or of one of several pictures in a file."""
    return mime.partition(";")[0] in _DOCUMENTS or _PART in mime


def with_part(mime: str, *numbers: int) -> str:
    """The media type of a part of a document: of a page or tables by their numbers from 1; of the text for 0."""
    return f"{mime}{_PART}{'+'.join(map(str, numbers))}" if any(numbers) else mime


def parts_in(mime: str) -> tuple[int, ...]:
    """The numbers that `with_part` wrote into a media type."""
    return tuple(map(int, mime.partition(_PART)[2].split("+"))) if _PART in mime else ()


def by_ending(ending: str) -> Format | None:
    """The format of a file ending such as `.png`, in any case; None for an unknown ending."""
    return _BY_ENDING.get(ending.lower())


def by_mime(mime: str | None) -> Format | None:
    """The format of a media type, ignoring its parameters; None for an unknown or missing type."""
    essence = (mime or "").split(";")[0].strip().lower()
    if essence in _BY_MIME:
        return _BY_MIME[essence]
    return PLAIN if essence.startswith("text/") else None


_FAMILIES = (
    (MP4, MOV, M4A, THREE_GP),
    (WEBM, MKV, WEBA, MKA),
    (WMV, WMA),
    (FLV, FLASH_SOUND),
    (AVI, AVI_SOUND),
    (OGV, OGG),
    (MPEG, MPEG_TS),
)


def interchangeable(one: Format, other: Format) -> bool:
    """Whether files of both formats use either ending: MP4 and QuickTime, WebM and Matroska, with pictures or not."""
    return one is other or any(one in family and other in family for family in _FAMILIES)

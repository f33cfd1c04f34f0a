"""Files that cannot be used: each is called by its right name, with a way out."""

from __future__ import annotations

import bz2
import gzip
import io
import struct
import tarfile
from functools import partial

from PIL import Image as PILImage
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.documents.builders import pdf_of, zipped
from tests.files.input import Input
from tests.files.outcomes import Refused
from tests.files.pages_and_mails import stored
from tests.files.pictures import halves, saved
from tests.files.sounds import converted, tone

_EMPTY = Refused("is empty; give one with content")
_PICTURE = "is cut off or damaged and cannot be read as a picture; save it again"
_VIDEO = "is cut off or damaged and cannot be played; save it again"
_UNPACK = "unpack it and give the files in it one by one"
_BINARY = "holds neither text nor a known media format; give a picture, sound, video, CSV or text file"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DNG_VERSION, _SUBFILE_TYPE = 50706, 254


def compound(*streams: str) -> bytes:
    """The beginning of an old Office file, with the names of its streams in a directory."""
    entries = b"".join(name.encode("utf-16-le").ljust(128, b"\x00") for name in ("Root Entry", *streams))
    return (_OLE + bytes(504) + entries).ljust(4096, b"\x00")


def locked() -> bytes:
    """A PDF that asks for a password."""
    hidden = b"<" + b"5a" * 32 + b">"
    data = pdf_of([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>",
                   b"<< /Filter /Standard /V 1 /R 2 /O " + hidden + b" /U " + hidden + b" /P -44 >>"])  # fmt: skip
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 3 0 R /ID [<00><00>]")


def tarred() -> bytes:
    """A tar archive of one text."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("notes.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"words"))
    return buffer.getvalue()


def raw_photo() -> bytes:
    """A DNG: its first picture is a thumbnail, the photo itself is elsewhere."""
    tags = ImageFileDirectory_v2()
    tags[_SUBFILE_TYPE] = 1
    tags[_DNG_VERSION] = bytes((1, 4, 0, 0))
    tags.tagtype[_DNG_VERSION] = 1
    return saved(PILImage.new("RGB", (16, 12), "grey"), "TIFF", tiffinfo=tags)


REFUSED = (
    Input("empty.txt", b"", "a file of no bytes", _EMPTY),
    Input("spaces.txt", b" \n\t\r\n", "spaces only", _EMPTY),
    Input("zero-width.txt", "\u200b\u200d\ufeff\u2060".encode(), "characters of no width", _EMPTY),
    Input("blank.csv", b"\r\n \r\n", "a table of nothing", _EMPTY),
    Input("noise.bin", bytes(range(256)) * 4, "bytes that are no text", Refused(_BINARY)),
    Input(
        "overwritten.log",
        b"12:00 started\n" + bytes(64) + b"12:02 started again\n",
        "a log with zeros in its middle, where lines are missing",
        Refused(_BINARY),
    ),
    Input("zeros.log", bytes(512), "a log of nothing but zeros", _EMPTY),
    Input(
        "unknown.txt",
        bytes(range(0x80, 0x100)) * 3,
        "a text in no known encoding",
        Refused("is text in an encoding that cannot be determined; save it as UTF-8"),
    ),
    Input(
        "files.zip",
        lambda: stored({"notes.txt": "words"}),
        "an archive",
        Refused(f"is a ZIP archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "vault.zip",
        lambda: stored({"password/notes.txt": "words"}),
        "an archive with a folder whose name ends in word",
        Refused(f"is a ZIP archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "log.gz",
        partial(gzip.compress, b"words"),
        "a packed log",
        Refused(f"is a gzip archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "log.bz2",
        partial(bz2.compress, b"words"),
        "a packed log",
        Refused(f"is a bzip2 archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "photos.7z",
        b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24),
        "a 7-Zip archive",
        Refused(f"is a 7-Zip archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "notes.txt",
        b"Rar!\x1a\x07\x01\x00" + bytes(24),
        "an archive that was renamed to pass a mail filter",
        Refused(f"has the ending .txt but holds a RAR archive; {_UNPACK}"),
    ),
    Input(
        "backup.tar",
        tarred,
        "a tar archive",
        Refused(f"is a tar archive, which cannot be used; {_UNPACK}"),
    ),
    Input(
        "setup.exe",
        b"MZ\x90\x00\x03" + bytes(55) + struct.pack("<I", 64) + b"PE\x00\x00" + bytes(60),
        "a program of Windows",
        Refused("is a program, which cannot be used; give a picture, sound, video or text"),
    ),
    Input(
        "letter.doc",
        partial(compound, "WordDocument", "1Table"),
        "an old Word document",
        Refused("is an old Word document, which cannot be used; save it as DOCX"),
    ),
    Input(
        "numbers.xls",
        partial(compound, "Workbook"),
        "an old Excel workbook",
        Refused("is an old Excel workbook, which cannot be used; save it as XLSX"),
    ),
    Input(
        "talk.ppt",
        partial(compound, "PowerPoint Document"),
        "an old PowerPoint file",
        Refused("is an old PowerPoint file, which cannot be used; save it as PPTX"),
    ),
    Input(
        "mail.msg",
        partial(compound, "__nameid_version1.0", "__substg1.0_0037001F"),
        "Outlook's own format",
        Refused("is an Outlook message, which cannot be used; save it as EML"),
    ),
    Input(
        "secret.xlsx",
        partial(compound, "EncryptedPackage", "EncryptionInfo"),
        "a workbook with a password",
        Refused("is protected by a password; save it without one"),
    ),
    Input("locked.pdf", locked, "a PDF with a password", Refused("is protected by a password; save it without one")),
    Input(
        "letter.pages",
        lambda: zipped({"Index/Document.iwa": b"\x00" * 40, "preview.jpg": b"\xff\xd8\xff"}),
        "Apple's Pages",
        Refused(
            "is a document of Apple's Pages, Numbers or Keynote, which cannot be used; export it as DOCX, XLSX, PPTX "
            "or PDF"
        ),
    ),
    Input(
        "drawing.odg",
        lambda: stored({"mimetype": "application/vnd.oasis.opendocument.graphics", "content.xml": "<a/>"}),
        "LibreOffice's drawing",
        Refused("is an OpenDocument drawing, which cannot be used; export it as PDF or PNG"),
    ),
    Input(
        "plan.vsdx",
        lambda: zipped({"[Content_Types].xml": "<a/>", "visio/document.xml": "<a/>"}),
        "a drawing of Visio",
        Refused("is a Visio drawing, which cannot be used; export it as PDF or PNG"),
    ),
    Input(
        "print.oxps",
        lambda: zipped({"[Content_Types].xml": "<a/>", "FixedDocumentSequence.fdseq": "<a/>"}),
        "what Windows printed to a file",
        Refused("is an XPS document, which cannot be used; print it as PDF"),
    ),
    Input(
        "drawing.svg",
        b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><circle r="5"/></svg>\n',
        "a drawing",
        Refused("is an SVG drawing, which cannot be used; export it as PNG"),
    ),
    Input(
        "favicon.ico",
        b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(40),
        "a page's icon",
        Refused("is an icon, which cannot be used; save it as PNG or JPEG"),
    ),
    Input(
        "poster.psd",
        b"8BPS\x00\x01" + bytes(40),
        "Photoshop's own format",
        Refused("is a Photoshop image, which cannot be used; save it as PNG or JPEG"),
    ),
    Input(
        "photo.jxl",
        b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40),
        "JPEG XL",
        Refused("is a JPEG XL image, which cannot be used; save it as PNG or JPEG"),
    ),
    Input(
        "raw.dng",
        raw_photo,
        "a camera's raw photo, whose thumbnail must not be taken for it",
        Refused("is a raw photo of a camera, which cannot be used; save it as PNG or JPEG"),
    ),
    Input(
        "song.mid",
        b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk\x00\x00\x00\x04\x00\xff\x2f\x00",
        "notes for an instrument",
        Refused(
            "is a MIDI score, which cannot be used; play it with an instrument and give the recording as WAV or MP3"
        ),
    ),
    Input(
        "data.parquet",
        b"PAR1" + bytes(40) + b"PAR1",
        "a data scientist's table",
        Refused("is a Parquet table, which cannot be used; export it as CSV"),
    ),
    Input(
        "app.sqlite",
        b"SQLite format 3\x00" + bytes(84),
        "an app's database",
        Refused("is an SQLite database, which cannot be used; export it as CSV"),
    ),
    Input(
        "half.png",
        lambda: halves("PNG", (300, 300))[:400],
        "a picture that was not downloaded whole",
        Refused(_PICTURE),
    ),
    Input(
        "half.jpg", lambda: halves("JPEG", (300, 300))[:700], "a photo that was not downloaded whole", Refused(_PICTURE)
    ),
    Input(
        "half.mp4",
        lambda: converted("mp4", "aac", pictures="libx264")[:-300],
        "a phone that died while it filmed",
        Refused(_VIDEO),
    ),
    Input(
        "header.wav",
        lambda: tone()[:44],
        "a recorder that was stopped at once",
        Refused("holds no sound; record it again"),
    ),
    Input(
        "half.flac",
        lambda: tone(format="FLAC")[:2000],
        "a recording that was not downloaded whole",
        Refused("is cut off or damaged and cannot be read as a recording; save it again"),
    ),
    Input(
        "gone.pdf",
        b"%PDF-1.7\nnothing more",
        "a PDF of which only the beginning is left",
        Refused("is damaged and cannot be read as a PDF file; save it again"),
    ),
)

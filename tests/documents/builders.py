"""Documents for the tests, written here byte by byte or by other programs' libraries."""

import io
import zipfile
from collections.abc import Mapping, Sequence

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.documents import Contents, Limits, read

LIMITS = Limits(pages=200, pixels=64_000_000, cells=200_000, characters=2_000_000, memory=500 * 2**20, seconds=60.0)

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PREFIXES = (
    f'xmlns:w="{W}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def contents(data: bytes, mime: str, limits: Limits = LIMITS) -> Contents:
    return read(data, mime, limits, Deadline(60))


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def relations(links: Mapping[str, tuple[str, str]]) -> str:
    """A part of relations: ids, each with its kind and target."""
    return (
        f'<Relationships xmlns="{_RELATIONS}">'
        + "".join(
            f'<Relationship Id="{name}" Type="{_KINDS}/{kind}" Target="{target}"/>'
            for name, (kind, target) in links.items()
        )
        + "</Relationships>"
    )


def package(main: str, members: Mapping[str, str | bytes]) -> bytes:
    """An office file by its parts."""
    return zipped({"_rels/.rels": relations({"r1": ("officeDocument", main)}), **members})


def docx(body: str, parts: Mapping[str, str] = {}, **more: str) -> bytes:
    """A DOCX file by the XML of its body; `parts` are named by their kinds."""
    members = {
        "word/document.xml": f"<w:document {_PREFIXES}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": relations({kind: (kind.rstrip("0123456789"), f"{kind}.xml") for kind in parts}),
        **{f"word/{kind}.xml": xml.replace(">", f" {_PREFIXES}>", 1) for kind, xml in parts.items()},
        **more,
    }
    return package("word/document.xml", members)


def paragraph(text: str, properties: str = "") -> str:
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def pdf(
    content: bytes | Sequence[bytes], page: bytes = b"", *, box: tuple[int, int, int, int] = (0, 0, 612, 792),
    objects: Sequence[bytes] = (), resources: bytes = b"", catalog: bytes = b"",
) -> bytes:  # fmt: skip
    """A PDF file by the contents of its pages, which have Helvetica as F1; `objects` are numbered from 4."""
    streams = [content] if isinstance(content, bytes) else content
    first = 4 + len(objects)
    kids = b" ".join(b"%d 0 R" % (first + 2 * number) for number in range(len(streams)))
    written = [
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(streams)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *objects,
    ]
    for number, stream in enumerate(streams):
        written.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [%d %d %d %d] %s /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> %s >> >>" % (*box, page, first + 2 * number + 1, resources)
        )
        written.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    return pdf_of(written)


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """A PDF file by its objects, the first of which is its catalog."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, written in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    begin = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, begin)
    return bytes(out)


def words(text: str, x: float, y: float, size: float = 12, matrix: str = "1 0 0 1") -> bytes:
    """A line of text on a page of a PDF file."""
    escaped = text.encode("cp1252").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
    return b"BT /F1 %g Tf %s %g %g Tm (%s) Tj ET\n" % (size, matrix.encode(), x, y, escaped)


def scan(pages: int, size: tuple[int, int] = (1654, 2339)) -> bytes:
    """A PDF file of pictures of paper at 200 dots per inch."""
    paper = [PILImage.effect_noise(size, 30).convert("RGB") for _ in range(min(pages, 3))]
    buffer = io.BytesIO()
    sheets = [paper[number % len(paper)] for number in range(pages)]
    sheets[0].save(buffer, "PDF", save_all=True, append_images=sheets[1:], resolution=200)
    return buffer.getvalue()

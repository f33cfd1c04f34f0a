"""Files that are not what their ending or their server says: used all the same, with a note, where they can be."""

import base64
import io
import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image as PILImage

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.errors import MediaError
from hugginggpt.media import Table, check_file, load_file
from hugginggpt.plan import Plan, parse_plan
from hugginggpt.resource import Resource
from hugginggpt.resources import Namespace, load_resources
from hugginggpt.settings import Settings
from tests.test_binding import bind, task
from tests.test_media import picture, recording

LIMITS = Settings()


@pytest.mark.parametrize(
    ("name", "data", "type", "mime", "note"),
    [
        ("a.png", picture("JPEG"), ValueType.IMAGE, "image/jpeg", "is a JPEG image; its ending says PNG"),
        ("a.jpg", picture("WEBP"), ValueType.IMAGE, "image/webp", "is a WebP image; its ending says JPG"),
        ("a.jpg", picture("HEIF"), ValueType.IMAGE, "image/heic", "is a HEIC image; its ending says JPG"),
        ("a.wav", recording("FLAC"), ValueType.AUDIO, "audio/flac", "is a FLAC recording; its ending says WAV"),
        ("a.jpg", recording(), ValueType.AUDIO, "audio/wav", "is a WAV recording; its ending says JPG"),
        ("a.txt", picture(), ValueType.IMAGE, "image/png", "is a PNG image; its ending says TXT"),
        ("a.csv", picture(), ValueType.IMAGE, "image/png", "is a PNG image; its ending says CSV"),
        ("a.pdf", picture(), ValueType.IMAGE, "image/png", "is a PNG image; its ending says PDF"),
        ("a.png", b"just text", ValueType.TEXT, "text/plain", "is text; its ending says PNG"),
        ("a.doc", b"<html><p>Hello", ValueType.DOCUMENT, "text/html", "is an HTML page; its ending says DOC"),
        ("a.xls", b"a\tb\n1\t2\n", ValueType.TABLE, "text/tab-separated-values", "is a TSV table; its ending says XLS"),
        ("a.xlsx", b"a,b\n1,2\n", ValueType.TABLE, "text/csv", "is a CSV table; its ending says XLSX"),
        ("a.zip", b"words", ValueType.TEXT, "text/plain", "is text; its ending says ZIP"),
    ],
)
def test_a_wrong_ending_is_noted(name: str, data: bytes, type: ValueType, mime: str, note: str) -> None:
    found = check_file(name, data, LIMITS)
    assert (found.name, found.type, found.mime, found.data) == (name, type, mime, data)
    assert found.notes == (f"{name} {note}.",)


def test_the_general_brand_of_still_pictures_is_read_as_what_it_holds() -> None:
    for format, brand, mime in (("AVIF", b"avif", "image/avif"), ("HEIF", b"heic", "image/heic")):
        data = picture(format)
        assert data[8:12] == brand
        general = data[:8] + b"mif1" + data[12:]
        found = check_file("a", general, LIMITS)
        assert (found.type, found.mime) == (ValueType.IMAGE, mime)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jpeg", picture("JPEG")),
        ("a.JPG", picture("JPEG")),
        ("a", picture("JPEG")),
        ("a.dat", picture("JPEG")),
        ("a.txt", b"a,b\n1,2\n"),
        ("a.md", b"<html>"),
        ("a.json", b'{"a": 1}\n{"a": 2}\n'),
        ("a.opus", recording("OGG", subtype="OPUS")),
    ],
)
def test_a_right_or_unknown_ending_is_not(name: str, data: bytes) -> None:
    assert check_file(name, data, LIMITS).notes == ()


def test_what_cannot_be_used_is_still_called_by_its_name() -> None:
    for name, data, part in (
        ("a.txt", b"7z\xbc\xaf\x27\x1c\x00\x04", "has the ending .txt but holds a 7-Zip archive; unpack it"),
        ("a.mid", b"MThd\x00\x00\x00\x06", "is a MIDI score, which cannot be used; "),
        (
            "a.svg",
            b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg xmlns='x'/>",
            "is an SVG drawing, which cannot be used; ",
        ),
    ):
        with pytest.raises(MediaError, match=part):
            check_file(name, data, LIMITS)


@pytest.mark.parametrize(
    "words",
    [
        "A PDF begins with %PDF-1.7\nand ends with %%EOF.",
        "%PDF- is the sign of a PDF",
        "BZh is the sign of bzip2",
        "BZh91AY&SY is how it begins",
        "GIF89a was published in 1989",
        "fLaC is a sign of four letters",
        "PAR1 and 8BPS and TTA1 are signs",
        "MAC addresses have six bytes",
        "wvpk",
        "PK are the initials of Phil Katz",
        "RIFF of WAVE and WEBP",
        "12  ftypheic is how a photo begins",
        "FORMULAEAIFF",
        "#!AMR\nis a line",
        "<p>An <svg> is a drawing</p>",
        "<?xml version='1.0'?><html><body><svg/></body></html>",
        "<svgs> are many",
        "GET / HTTP/1.1",
        "Größe %PDF-1.4\n" + "ö" * 2000,
    ],
)
def test_a_text_with_the_sign_of_a_format_is_a_text(words: str) -> None:
    found = check_file("a.txt", words.encode(), LIMITS)
    assert (found.type, found.data, found.notes) == (ValueType.TEXT, words.encode(), ())


def test_a_pdf_after_something_else_is_a_pdf() -> None:
    for data in (
        b"\r\n%PDF-1.4\n1 0 obj\n",
        b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4\n%\xe2\xe3\n1 0 obj stream\n\x00\x01\x02",
    ):
        with pytest.raises(MediaError, match="a PDF"):
            check_file("a.bin", data, LIMITS)


def test_a_data_uri_needs_no_type() -> None:
    packed = base64.b64encode(picture()).decode()
    found = load_file(f"data:;base64,{packed}", LIMITS)
    assert (found.name, found.mime, found.notes) == ("data.png", "image/png", ())

    for mime in ("application/octet-stream", "binary/octet-stream"):
        assert load_file(f"data:{mime};base64,{packed}", LIMITS).notes == ()
    wrong = load_file(f"data:image/jpeg;base64,{packed}", LIMITS)
    assert (wrong.mime, wrong.notes) == ("image/png", ("data.png is a PNG image; it is declared as image/jpeg.",))
    assert load_file("data:,a%2Cb", LIMITS).type is ValueType.TEXT
    assert load_file("data:application/vnd.ms-excel,a;b%0A1;2", LIMITS).type is ValueType.TABLE


EMPTY = [
    " \n\t",
    "\u200b\u200c\u200d",
    "\ufeff",
    "\u00a0\u3000\u2003",
    "\u2060\u00ad\u3164\u2800",
    "\u200e\ufe0f\u180e",
]


@pytest.mark.parametrize("blank", EMPTY)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.json", "a.html", "a"])
def test_a_file_of_nothing_visible_is_empty(blank: str, name: str) -> None:
    for codec in ("utf-8", "utf-8-sig", "utf-16"):
        with pytest.raises(MediaError, match="is empty; give one with content"):
            check_file(name, blank.encode(codec), LIMITS)


@pytest.mark.parametrize(
    "kind", [c.kind for c in CAPABILITIES.values() if (i := c.input("text")) and i.required and not i.many]
)
def test_every_text_kind_refuses_an_empty_text(kind: str, settings: Settings) -> None:
    store = ArtifactStore.from_settings(settings)
    for blank in ["", *EMPTY]:
        (item,) = bind(task(kind, text=blank), [], {}, store).items
        assert "empty" in getattr(item, "reason", "")


# Tables under other names


def given(tmp_path: Path, settings: Settings, name: str, data: bytes) -> tuple[Namespace, ArtifactStore, Resource]:
    store = ArtifactStore.from_settings(settings)
    (tmp_path / name).write_bytes(data)
    (resource,) = load_resources([str(tmp_path / name)], settings, store)
    return Namespace((resource,), "", False, settings), store, resource


def asked(table: str) -> Plan:
    task = {"task": "table-question-answering", "id": 0, "args": {"table": table, "question": "Which?"}}
    return parse_plan(json.dumps([task]))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"name;price\nlamp;58\ndesk;349\n"),
        ("a.log", b"name\tprice\nlamp\t58\ndesk\t349"),
        ("a.jsonl", b'{"name": "lamp", "price": 58}\n{"name": "desk", "price": 349}\n'),
        ("a.json", b'{"name": "lamp", "price": 58}\n\n{"name": "desk", "price": 349}'),
        ("a.txt", b'{"name": "lamp", "price": 58}\r\n{"name": "desk", "price": 349}\r\n'),
        ("a.json", b'[{"name": "lamp", "price": 58}, {"price": 349, "name": "desk"}]'),
    ],
)
def test_a_text_that_holds_a_table_is_one_for_a_table_kind(
    tmp_path: Path, settings: Settings, name: str, data: bytes
) -> None:
    space, store, resource = given(tmp_path, settings, name, data)
    assert resource.artifact.type is ValueType.TEXT
    assert space.problems(asked(name)) == []
    plan, resources = space.resolve(asked(name), store)
    (item,) = bind(plan.tasks[0], resources, {}, store).items
    assert isinstance(item, dict)
    assert item["table"] == Table(("name", "price"), (("lamp", "58"), ("desk", "349")))


def test_a_long_text_is_a_table_by_its_beginning(tmp_path: Path, settings: Settings) -> None:
    rows = "".join(f"{n};some words;{n}\n" for n in range(5000))
    space, store, _ = given(tmp_path, settings, "a.txt", f"id;words;again\n{rows}".encode())
    plan, resources = space.resolve(asked("a.txt"), store)
    (item,) = bind(plan.tasks[0], resources, {}, store).items
    assert isinstance(item, dict)
    assert len(item["table"].rows) == 5000


def test_a_text_that_holds_no_table_is_none(tmp_path: Path, settings: Settings) -> None:
    for data in (b"Some words, and more.\nAnother line.\n", b"one\ntwo\n", b'{"a": 1}', b"[1, 2]", b"a,b"):
        space, _, _ = given(tmp_path, settings, "a.txt", data)
        assert "which is text, not table" in space.problems(asked("a.txt"))[0]


def test_records_with_a_column_each_are_no_table(tmp_path: Path, settings: Settings) -> None:
    lines = "".join(json.dumps({f"c{n}": n}) + "\n" for n in range(50_000))
    space, store, _ = given(tmp_path, settings, "a.jsonl", lines.encode())
    plan, resources = space.resolve(asked("a.jsonl"), store)
    with pytest.raises(MediaError, match="cells"):
        bind(plan.tasks[0], resources, {}, store)


# Names


def test_names_are_compared_in_one_unicode_form(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / unicodedata.normalize("NFD", "größe")
    folder.mkdir()
    written = {form: unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD")}
    buffer = io.BytesIO()
    PILImage.new("RGB", (4, 4)).save(buffer, "PNG")
    (folder / written["NFD"]).write_bytes(buffer.getvalue())
    store = ArtifactStore.from_settings(settings)
    rooted = settings.model_copy(update={"file_roots": (tmp_path,)})

    def detect(name: str) -> Plan:
        return parse_plan(json.dumps([{"task": "object-detection", "id": 0, "args": {"image": name}}]))

    for form in ("NFC", "NFD"):
        path = unicodedata.normalize(form, f"{folder}/café.png")
        (resource,) = load_resources([path], settings, store)
        assert resource.name == written["NFC"]
        for other in ("NFC", "NFD"):
            for named in (written[other], unicodedata.normalize(other, path), f"./{written[other]}"):
                plan, found = Namespace((resource,), "", False, settings).resolve(detect(named), store)
                assert plan.tasks[0].args["image"] == resource.name
                assert bind(plan.tasks[0], found, {}, store).items[0].keys() == {"image"}  # type: ignore[union-attr]
                assert bind(detect(named).tasks[0], found, {}, store).items[0]
        plan, (found,) = Namespace((), "", False, rooted).resolve(
            detect(unicodedata.normalize(form, "größe/café.png")), store
        )
        assert found.name == written["NFC"]
        assert load_file((folder / written[form]).as_uri(), LIMITS).name == written["NFC"]

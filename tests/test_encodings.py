"""Texts in every encoding, whether they say in which or not."""

import base64
import random
from pathlib import Path

import pytest

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.capabilities import ValueType
from hugginggpt.errors import MediaError
from hugginggpt.media import LoadedFile, Table, Text, check_file, decode, load_file
from hugginggpt.resources import artifact_reference, load_resources
from hugginggpt.settings import Settings

LIMITS = Settings()
UNSURE = "does not say in which encoding it is"


def loaded(data: bytes, name: str = "a.txt", mime: str | None = None) -> LoadedFile:
    return check_file(name, data, LIMITS, mime=mime)


def text(data: bytes, name: str = "a.txt", mime: str | None = None) -> str:
    """The text of a file, as every later reader gets it: from what is stored alone."""
    found = loaded(data, name, mime)
    assert found.data.decode() is not None
    type = ValueType.TEXT if found.type is ValueType.DOCUMENT else found.type
    value = decode(type, found.data, found.mime)
    assert isinstance(value, Text)
    return value.text


@pytest.mark.parametrize(
    ("charset", "codec", "words"),
    [
        ("KOI8-R", "koi8_r", "Привет, мир"),
        ("windows-1251", "cp1251", "ПРИВЕТ"),
        ("ISO-8859-1", "cp1252", "“Größe” – €"),  # as browsers read it
        ("us-ascii", "cp1252", "naïve"),
        ("gb2312", "gb18030", "镕基"),
        ("GBK", "gbk", "联通"),  # also valid UTF-8
        ("Shift_JIS", "cp932", "①テスト"),
        ("euc-kr", "cp949", "똠방각하"),
        ("big5", "big5hkscs", "價格"),
        ("ISO-8859-2", "iso8859_2", "Zażółć"),
        ("iso-8859-9", "cp1254", "İstanbul"),
        ("utf-16le", "utf-16-le", "a,b"),
        ("UTF-16BE", "utf-16-be", "Grüße"),
        ("utf8", "utf-8", "Grüße"),
        ("macintosh", "mac_roman", "Grüße"),
        ('"windows-1253"', "cp1253", "Καλημέρα"),
    ],
)
def test_a_declared_charset_is_used(charset: str, codec: str, words: str) -> None:
    mime = f"text/plain; charset={charset}"
    found = loaded(words.encode(codec), mime=mime)
    assert (found.data, found.notes) == (words.encode(), ())
    packed = base64.b64encode(words.encode(codec)).decode()
    for start in (f"data:text/plain;charset={charset};base64,", f"data:;charset={charset};base64,"):
        assert load_file(start + packed, LIMITS).data == words.encode()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("<html><head><meta charset=windows-1251></head>", "a.html"),
        ("<!doctype html>\n<html><head><meta charset='windows-1251'>", "a.txt"),
        ('<html><META content="text/html; charset=windows-1251" http-equiv="Content-Type">', "a.htm"),
        ("<?xml version='1.0' encoding='windows-1251'?>", "a.xml"),
        ('<?xml version="1.0" encoding="windows-1251" standalone="yes"?>', "a.txt"),
    ],
)
def test_markup_declares_its_own_charset(head: str, name: str) -> None:
    page = f"{head}<p>УДАЧИ</p>"
    # What is stored is UTF-8, whatever it still declares.
    assert loaded(page.encode("cp1251"), name).notes == ()
    assert text(page.encode("cp1251"), name) == (page if head.startswith("<?xml") else "УДАЧИ")
    assert "УДАЧИ" in text(page.encode("koi8_r"), name, "text/html; charset=koi8-r")


def test_a_charset_in_the_words_of_a_text_declares_nothing() -> None:
    words = "Write <meta charset=windows-1251> for Größe – ü."
    assert text(words.encode()) == words


def test_a_charset_that_a_file_does_not_have_is_noted() -> None:
    found = loaded("Das Café hat für Sie geöffnet".encode("cp1252"), mime="text/plain; charset=utf-8")
    assert found.data.decode() == "Das Café hat für Sie geöffnet"
    assert found.notes == (
        "a.txt is declared as utf-8, which it is not, and was read as Windows-1252; save it as UTF-8 "
        "if it reads wrong.",
    )
    # Pages that were converted still declare what they were before.
    stale = "<html><meta charset=windows-1251><p>Привет, мир"
    assert text(stale.encode(), "a.html") == "Привет, мир"
    # Servers declare Latin-1 for whatever they do not know.
    for charset in ("iso-8859-1", "us-ascii", "windows-1252"):
        assert text("Grüße – 你好".encode(), mime=f"text/plain; charset={charset}") == "Grüße – 你好"
    for charset in ("", "none", "rot13", "base64", "punycode", "unicode_escape", "utf-7", "x" * 300, "\x00", "zlib"):
        assert (
            text(rb"\u0041 Grueezi +AGE-", mime=f"text/plain; charset={charset}") == rb"\u0041 Grueezi +AGE-".decode()
        )


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "words", ["name;price\nlamp;58\n", "Grüße", "Привет, мир", "这是一个测试文本。\n你好，世界", "שלום\nעולם", "😀 ok"]
)
def test_wide_encodings_need_no_mark(codec: str, words: str) -> None:
    found = loaded(words.encode(codec))
    assert (found.data, found.notes) == (words.encode(), ())


@pytest.mark.parametrize(
    ("codec", "words"),
    [
        ("cp1252", "Grüße – €"),
        ("cp1252", "lämp"),
        ("cp1252", "“Hello” — she said… it’s a café"),
        ("cp1252", "L'été dernier, nous avons visité une forêt près de la côte, où le français était très apprécié."),
        ("cp1252", "Não há solução para a questão; amanhã então."),
        ("cp1252", "Rødgrød med fløde, år og æbler"),
        ("cp1250", "Wczoraj wieczorem poszliśmy na spacer wzdłuż rzeki, żeby zobaczyć zachód słońca."),
        (
            "cp1250",
            "Az időjárás ma nagyon szép, ezért elmegyünk a parkba, és örülünk a napsütésnek. Őszintén szólva jó.",
        ),
        ("iso8859_2", "Wczoraj wieczorem poszliśmy na spacer wzdłuż rzeki, żeby zobaczyć zachód słońca."),
        ("cp1251", "Вчера вечером мы гуляли вдоль реки и смотрели на закат."),
        ("cp1251", "имя;цена\nлампа;58\nстол;349\n"),
        ("koi8_r", "Вчера вечером мы гуляли вдоль реки и смотрели на закат."),
        ("cp866", "Вчера вечером мы гуляли вдоль реки и смотрели на закат."),
        ("cp1253", "Χθες το βράδυ περπατήσαμε κατά μήκος του ποταμού."),
        ("cp1254", "Dün akşam nehir boyunca yürüdük ve güneşin batışını izledik."),
        ("cp1255", "אתמול בערב הלכנו לאורך הנהר וראינו את השקיעה. הספר נמצא על השולחן."),
        ("cp1256", "مشينا مساء أمس على طول النهر وشاهدنا غروب الشمس. الكتاب على الطاولة."),
        ("cp932", "昨日の夕方、川沿いを散歩して夕日を見ました。"),
        ("cp932", "氏名,年齢\n山田太郎,23"),
        ("euc_jp", "昨日の夕方、川沿いを散歩して夕日を見ました。"),
        ("iso2022_jp", "昨日の夕方、川沿いを散歩して夕日を見ました。"),
        ("gb18030", "姓名,年龄\n张三,23\n李四,35"),
        ("gb18030", "联通"),
        ("big5", "昨天晚上我們沿著河邊散步，看了日落。書放在桌子上。"),
        ("cp949", "이름,나이\n홍길동,23"),
        ("cp874", "เมื่อวานตอนเย็นเราเดินเล่นริมแม่น้ำและดูพระอาทิตย์ตก"),
    ],
)
def test_an_undeclared_encoding_is_found(codec: str, words: str) -> None:
    assert text(words.encode(codec)) == words
    assert text(words.encode(codec) * 3000) == words * 3000


def test_an_unsure_guess_is_noted_and_a_sure_one_or_utf8_is_not() -> None:
    (note,) = loaded("caf\u00e9".encode("cp1252"), "menu.txt").notes
    assert note.startswith(f"menu.txt {UNSURE} and was read as Windows-1252; ")
    assert loaded("昨日の夕方、川沿いを散歩して夕日を見ました。".encode("cp932")).notes == ()
    assert loaded("Grüße".encode()).notes == ()
    assert loaded("Grüße".encode("utf-8-sig")).notes == ()


def test_a_log_that_is_utf8_but_for_a_few_bytes_stays_utf8() -> None:
    line = "naïve Größe: 你好\n"
    found = loaded(line.encode() * 5 + b"caf\xe9\n")
    assert found.data.decode() == line * 5 + "café\n"
    assert found.notes == ("a.txt has a byte that is not valid UTF-8; the rest was read as UTF-8.",)
    assert text(line.encode() * 5 + "ö".encode()[:1]) == line * 5


def test_a_table_and_its_later_readers_agree() -> None:
    found = loaded("name;Größe\nlämp;5\n".encode("utf-16-le"), "a.csv")
    assert found.data.decode() == "name;Größe\nlämp;5\n"
    assert decode(ValueType.TABLE, found.data, found.mime) == Table(("name", "Größe"), (("lämp", "5"),))


def test_a_submitted_file_reads_like_one_that_is_asked_about(settings: Settings, tmp_path: Path) -> None:
    store = ArtifactStore.from_settings(settings)
    path = tmp_path / "a.html"
    path.write_bytes("<html><meta charset=koi8-r>Привет".encode("koi8_r"))
    (asked,) = load_resources([str(path)], settings, store)
    (submitted,) = load_resources([artifact_reference(asked)], settings, store)
    assert submitted.artifact == asked.artifact
    assert asked.artifact.preview == "Привет"


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (bytes(range(256)), "neither text nor a known media format"),
        (b"\x00\x01\x02", "neither text nor a known media format"),
        (b"\x12\x90\xff\x00" * 50 + b"x", "neither text nor a known media format"),
        (random.Random(3).choices(range(0x80, 0x100), k=400), "encoding that cannot be determined"),
        (b"\xef\xbb\xbfcaf\xe9", "is marked as UTF-8 text but is not"),
    ],
)
def test_binary_is_told_from_text_that_cannot_be_decoded(data: bytes, part: str) -> None:
    with pytest.raises(MediaError, match=part):
        loaded(bytes(data))

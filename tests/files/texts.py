"""Texts in the encodings of the world, under right and wrong names."""

from __future__ import annotations

import unicodedata

from tests.files.input import Input
from tests.files.outcomes import Rows, Words, grid

_UNSURE = "does not say in which encoding it is and was read as {}; save it as UTF-8 if it reads wrong"

_GERMAN = (
    "Sehr geehrte Damen und Herren,\nfür die Lieferung der Stühle danke ich Ihnen. Schöne Grüße aus Köln, Jürgen\n"
)
_ENGLISH = "It’s “fine” – that’s what she said… and it’s only 5 €.\n"
_FRENCH = "Chère Hélène, où êtes-vous ? À bientôt, près de la forêt où ça commençait déjà.\n"
_RUSSIAN = "Вчера вечером мы гуляли вдоль реки и смотрели на закат. Книга лежит на столе.\n"
_GREEK = "Χθες το βράδυ περπατήσαμε δίπλα στο ποτάμι και είδαμε το ηλιοβασίλεμα.\n"
_TURKISH = "Dün akşam nehir boyunca yürüdük ve güneşin batışını izledik. İyi günler, çalışıyoruz.\n"
_HEBREW = "אתמול בערב הלכנו לאורך הנהר וראינו את השקיעה. הספר נמצא על השולחן.\n"
_ARABIC = "مشينا مساء أمس على طول النهر وشاهدنا غروب الشمس. الكتاب على الطاولة.\n"
_JAPANESE = "昨日の夕方、川沿いを散歩して夕日を見ました。\n"
_SIMPLIFIED = "昨天晚上我们沿着河边散步，看了日落。书放在桌子上。\n"
_TRADITIONAL = "昨天晚上我們沿著河邊散步，看了日落。書放在桌子上。\n"
_KOREAN = "어제 저녁 우리는 강변을 따라 걸으며 해가 지는 것을 보았습니다.\n"
_THAI = "เมื่อวานตอนเย็นเราเดินเล่นริมแม่น้ำและดูพระอาทิตย์ตก\n"
_POLISH = "Wczoraj wieczorem szliśmy wzdłuż rzeki i oglądaliśmy zachód słońca. Żółta łódź już płynęła.\n"
_LOG = "2024-05-01 12:00 naïve Größe: 你好\n"
_TERMINAL = "\x1b[32mPASS\x1b[0m tests/a.py\n\x1b[31mFAIL\x1b[0m tests/b.py\n"

ENCODINGS = (
    Input("note.txt", _GERMAN.encode(), "a text in UTF-8", Words(_GERMAN)),
    Input("note-marked.txt", _GERMAN.encode("utf-8-sig"), "Notepad's UTF-8 with a mark", Words(_GERMAN)),
    Input("note-unicode.txt", _GERMAN.encode("utf-16"), 'Notepad\'s "Unicode": UTF-16', Words(_GERMAN)),
    Input("note-big-endian.txt", _RUSSIAN.encode("utf-16-be"), "UTF-16 without a mark", Words(_RUSSIAN)),
    Input("brief.txt", _GERMAN.encode("cp1252"), "a German letter in Windows-1252", Words(_GERMAN)),
    Input("quotes.txt", _ENGLISH.encode("cp1252"), "Word's quotes and dashes in Windows-1252", Words(_ENGLISH)),
    Input("lettre.txt", _FRENCH.encode("cp1252"), "a French letter in Windows-1252", Words(_FRENCH)),
    Input("list.txt", _POLISH.encode("cp1250"), "a Polish text in Windows-1250", Words(_POLISH)),
    Input("pismo.txt", _RUSSIAN.encode("cp1251"), "a Russian text in Windows-1251", Words(_RUSSIAN)),
    Input("pismo-koi8.txt", _RUSSIAN.encode("koi8_r"), "an old Russian mail in KOI8-R", Words(_RUSSIAN)),
    Input("pismo-dos.txt", _RUSSIAN.encode("cp866"), "a Russian DOS text in code page 866", Words(_RUSSIAN)),
    Input(
        "gramma.txt",
        _GREEK.encode("cp1253"),
        "a Greek text in Windows-1253",
        Words(_GREEK, notes=(_UNSURE.format("Windows-1253"),)),
    ),
    Input(
        "mektup.txt",
        _TURKISH.encode("cp1254"),
        "a Turkish text in Windows-1254",
        Words(_TURKISH, notes=(_UNSURE.format("Windows-1254"),)),
    ),
    Input(
        "mikhtav.txt",
        _HEBREW.encode("cp1255"),
        "a Hebrew text in Windows-1255",
        Words(_HEBREW, notes=(_UNSURE.format("Windows-1255"),)),
    ),
    Input("risala.txt", _ARABIC.encode("cp1256"), "an Arabic text in Windows-1256", Words(_ARABIC)),
    Input("tegami.txt", _JAPANESE.encode("cp932"), "a Japanese text in Shift JIS", Words(_JAPANESE)),
    Input(
        "tegami-euc.txt",
        _JAPANESE.encode("euc_jp"),
        "a Japanese text in EUC-JP (Unix)",
        Words(_JAPANESE, notes=(_UNSURE.format("EUC-JP"),)),
    ),
    Input("tegami-mail.txt", _JAPANESE.encode("iso2022_jp"), "a Japanese mail in ISO-2022-JP", Words(_JAPANESE)),
    Input(
        "xin.txt",
        _SIMPLIFIED.encode("gbk"),
        "a Chinese text in GBK",
        Words(_SIMPLIFIED, notes=(_UNSURE.format("GB 18030"),)),
    ),
    Input(
        "xin-big5.txt",
        _TRADITIONAL.encode("big5"),
        "a text from Taiwan in Big5",
        Words(_TRADITIONAL, notes=(_UNSURE.format("Big5"),)),
    ),
    Input(
        "pyeonji.txt",
        _KOREAN.encode("cp949"),
        "a Korean text in EUC-KR",
        Words(_KOREAN, notes=(_UNSURE.format("EUC-KR"),)),
    ),
    Input(
        "chotmai.txt",
        _THAI.encode("cp874"),
        "a Thai text in Windows-874",
        Words(_THAI, notes=(_UNSURE.format("Windows-874"),)),
    ),
    Input(
        "menu.txt",
        "Today: café au lait".encode("cp1252"),
        "one letter outside ASCII, of which no one can be sure",
        Words("Today: café au lait", notes=(_UNSURE.format("Windows-1252"),)),
    ),
    Input(
        "mixed.log",
        _LOG.encode() * 4 + b"caf\xe9 closed\n",
        "a log of several programs: UTF-8 with one wrong byte",
        Words(_LOG * 4 + "café closed\n", notes=("has a byte that is not valid UTF-8; the rest was read as UTF-8",)),
    ),
    Input(
        "smileys.txt",
        "Great 👍🏽 — see you 🏳️‍🌈 tomorrow 👨‍👩‍👧!\n".encode(),
        "a chat with emoji of several characters",
        Words("Great 👍🏽 — see you 🏳️‍🌈 tomorrow 👨‍👩‍👧!\n"),
    ),
    Input(
        "crashed.log",
        b"12:00 started\n12:01 working\n" + bytes(64),
        "a log whose end is zeros, because the machine lost its power",
        Words("12:00 started\n12:01 working\n"),
    ),
    Input(
        "crashed-utf16.log",
        "12:00 gestartet\r\n".encode("utf-16-le").join((b"\xff\xfe", bytes(512))),
        "a log in UTF-16 whose end is zeros",
        Words("12:00 gestartet\r\n"),
    ),
    Input(
        "crashed-1252.log",
        "12:00 gestört, für später aufgehoben\n".encode("cp1252") + bytes(4096),
        "a log in Windows-1252 whose end is zeros",
        Words(
            "12:00 gestört, für später aufgehoben\n",
            notes=(
                "does not say in which encoding it is and was read as Windows-1252; save it as UTF-8 if it reads wrong",
            ),
        ),
    ),
    Input("from-c.txt", b"one line\x00", "a text that a program in C wrote with its zero", Words("one line")),
    Input(
        "lines-in-chinese.txt",
        "早上好世界和平\n".encode("utf-16-le"),
        "UTF-16 without a mark, whose only zero is that of the line end",
        Words("早上好世界和平\n"),
    ),
)

DECLARED = (
    Input(
        "koi8-served.txt",
        "Привет, мир".encode("koi8_r"),
        "a server that declares the charset",
        Words("Привет, мир"),
        served="text/plain; charset=KOI8-R",
    ),
    Input(
        "latin1-but-utf8.txt",
        _GERMAN.encode(),
        "a server that declares Latin-1 for whatever it does not know",
        Words(_GERMAN),
        served="text/plain; charset=iso-8859-1",
    ),
    Input(
        "latin1-meant-1252.txt",
        "“5 €” – fine".encode("cp1252"),
        "Latin-1 that means Windows-1252, as browsers read it",
        Words("“5 €” – fine"),
        served="text/plain; charset=ISO-8859-1",
    ),
    Input(
        "no-type.txt",
        "Schöne Grüße".encode(),
        "a data URI without a type",
        Words("Schöne Grüße"),
        uri="data:;base64",
        renamed="data.txt",
    ),
    Input(
        "typed.txt",
        "Zażółć gęślą jaźń".encode("iso8859_2"),
        "a data URI with a charset",
        Words("Zażółć gęślą jaźń"),
        uri="data:text/plain;charset=iso-8859-2;base64",
        renamed="data.txt",
    ),
    Input(
        "table-uri.csv",
        b"a;b\n1,5;2\n",
        "a page's download link that calls its CSV Excel",
        Rows(
            grid("a|b", "1,5|2"),
            {"a": [1.5], "b": [2]},
            notes=("is a CSV table; it is declared as application/vnd.ms-excel",),
        ),
        uri="data:application/vnd.ms-excel;base64",
        renamed="data.csv",
    ),
    Input(
        "export.xml",
        '<?xml version="1.0" encoding="windows-1251"?>\n<a>Привет</a>\n'.encode("cp1251"),
        "XML that declares its encoding (1C)",
        Words('<?xml version="1.0" encoding="windows-1251"?>\n<a>Привет</a>\n', "application/xml"),
    ),
)

NAMES = (
    Input("readme.md", b"# Title\n\nSome *words*.\n", "Markdown", Words("# Title\n\nSome *words*.\n", "text/markdown")),
    Input("config.yaml", b"name: lamp\nprice: 58\n", "YAML", Words("name: lamp\nprice: 58\n", "application/yaml")),
    Input(
        "answer.json",
        b'\xef\xbb\xbf{"name": "lamp"}',
        ".NET's JSON with a mark",
        Words('{"name": "lamp"}', "application/json"),
    ),
    Input("script.py", b"print('hello')\n", "source code, whose ending is unknown", Words("print('hello')\n")),
    Input("README", b"Read me first.\n", "a text without an ending", Words("Read me first.\n"), renamed="README.txt"),
    Input(
        "meeting.ics",
        b"BEGIN:VCALENDAR\r\nSUMMARY:Lunch\r\nEND:VCALENDAR\r\n",
        "an invitation from a calendar",
        Words("BEGIN:VCALENDAR\r\nSUMMARY:Lunch\r\nEND:VCALENDAR\r\n"),
        served="text/calendar; charset=utf-8",
    ),
    Input("console.log", _TERMINAL.encode(), "a terminal's output with its colours", Words(_TERMINAL)),
    Input(
        "about-pdf.txt",
        b"A PDF begins with %PDF-1.7\nand ends with %%EOF.\n",
        "a text about PDF",
        Words("A PDF begins with %PDF-1.7\nand ends with %%EOF.\n"),
    ),
    Input(
        "about-bzip.txt",
        b"BZh91AY&SY is how bzip2 begins\n",
        "a text that begins like an archive",
        Words("BZh91AY&SY is how bzip2 begins\n"),
    ),
    Input("about-gif.txt", b"GIF89a is a format\n", "a text that begins like a GIF", Words("GIF89a is a format\n")),
    Input(
        "photo-not-found.png",
        b"404 page not found\n",
        "a server's error that was saved as a photo",
        Words("404 page not found\n", notes=("is text; its ending says PNG",)),
    ),
    Input(
        unicodedata.normalize("NFD", "größe-café.txt"),
        b"words\n",
        "a name as macOS writes it, with marks behind the letters",
        Words("words\n"),
        renamed="größe-café.txt",
    ),
    Input(
        "thesis.tex",
        "\\section{Über uns}\nWir sind da.\n".encode(),
        "LaTeX",
        Words("\\section{Über uns}\nWir sind da.\n"),
    ),
)

TEXTS = (*ENCODINGS, *DECLARED, *NAMES)

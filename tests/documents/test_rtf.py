import pytest

from hugginggpt.documents.model import RTF
from hugginggpt.media.values import Table
from tests.documents.builders import contents


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1\ansi Hello {\b bold} world.\par Next\tab line.}", "Hello bold world.\nNext\tline."),
        (rb"{\rtf1\ansi\ansicpg1252 caf\'e9 \u8364? \{x\} a\~b\_c}", "café € {x} a b-c"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}", "Привет"),
        (rb"{\rtf1\ansi\deff0{\fonttbl{\f0\fcharset204 Arial;}}\'cf\'f0\'e8}", "При"),
        (rb"{\rtf1\ansi{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset128 B;}}\f1 \'93\'fa\'96\'7b\f0  ok}", "日本 ok"),
        (rb"{\rtf1 \uc1\u-10179?\u-8704?}", "😀"),
        (rb"{\rtf1 \uc2\u228ab c}", "ä c"),
        (
            rb"{\rtf1{\info{\title T}}{\*\generator G;}{\stylesheet{\s0 Normal;}}Body{\pict\bin4 }{\\} more}",
            "Body more",
        ),
        (rb'{\rtf1 {\field{\*\fldinst HYPERLINK "http://x.invalid"}{\fldrslt a link}}}', "a link"),
        (rb"{\rtf1 seen {\v hidden}{\deleted gone}end}", "seen end"),
        (b"{\\rtf1 one\r\n two\\line three}", "one two\nthree"),
        (
            rb"{\rtf1{\header Smith Ltd\par}{\headerf Smith Ltd\par}{\footer Tel. 123\par}Hi.\par}",
            "Smith Ltd\nHi.\nTel. 123",
        ),
        (
            rb"{\rtf1 One{\super\chftn{\*\footnote\chftn\pard\tab Note.}} two.\par Three.}",
            "One[1] two.\nThree.\n[1] Note.",
        ),
        (rb"{\rtf1 {\listtext \u61589\'3f\tab}First\par}", "•\tFirst"),
        (rb"{\rtf1 {\listtext\pard 1.\tab}First\par}", "1.\tFirst"),
    ],
)
def test_the_text_is_read_without_control_words(rtf: bytes, text: str) -> None:
    assert contents(rtf, RTF).text == text


def test_tables_are_readable_and_kept() -> None:
    read = contents(
        rb"{\rtf1 Before\par\trowd\cellx1\cellx2 Month\cell Sold\cell\row\trowd May\cell 12\cell\row\pard After}", RTF
    )
    assert read.text == "Before\n\nMonth | Sold\nMay | 12\n\nAfter"
    assert read.tables == (Table(("Month", "Sold"), (("May", "12"),)),)

from hugginggpt.documents.model import SRT, VTT
from tests.documents.builders import contents


def test_srt_gives_sentences() -> None:
    data = (
        "\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>Good evening</i>,\r\n\r\n"
        "2\r\n00:00:02,000 --> 00:00:04,000\r\n{\\an8}ladies &amp; gentlemen.\r\n1984\r\n\r\n"
        "3\r\n00:00:05,000 --> 00:00:06,000\r\nIs this on?\r\n"
    ).encode()
    assert contents(data, SRT).text == "Good evening, ladies & gentlemen.\n1984 Is this on?"


def test_vtt_without_notes_styles_and_marks() -> None:
    data = (
        b"WEBVTT Kind: captions\n\nNOTE by me\n\nSTYLE\n::cue {}\n\nintro\n00:01.000 --> 00:02.000 align:start\n"
        b"<v Ann>Hello<00:01.500><c.x> there</c>.</v>\n\nNOTE a remark\nof two lines\n\n"
        b"01:00:03.000 --> 01:00:04.000\nBye.\n"
    )
    assert contents(data, VTT).text == "Ann: Hello there.\nBye."


def test_lines_that_roll_up_are_read_once() -> None:
    data = (
        b"WEBVTT\n\n00:01.000 --> 00:02.000\nso today we\n\n00:02.000 --> 00:03.000\nso today we\nare going to cook\n\n"
        b"00:03.000 --> 00:04.000\nare going to cook\nnoodles.\n\n00:05.000 --> 00:06.000\nno no no\n"
    )
    assert contents(data, VTT).text == "so today we are going to cook noodles.\nno no no"


def test_a_number_without_an_empty_line_before_it_is_none_of_the_words() -> None:
    data = b"1\n00:00:01,000 --> 00:00:02,000\nOne.\n2\n00:00:02,000 --> 00:00:03,000\nTwo.\n"
    assert contents(data, SRT).text == "One.\nTwo."

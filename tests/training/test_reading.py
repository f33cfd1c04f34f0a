"""The reader's training data: whatever layout and OCR do to a document, answers stand in its text."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from hugginggpt.controller.embedded.reader_tokens import units_of
from training.reading import evaluation
from training.reading.documents import Document, filled
from training.reading.evaluation import questions
from training.reading.fonts import Family
from training.reading.layout import compose
from training.reading.mistakes import aligned, count
from training.reading.ocr import Ocr
from training.reading.page import Page, Piece, corners
from training.reading.read_pages import read_page
from training.reading.renderings import as_speech, as_text, in_order
from training.reading.samples import NOT_SAID, Samples, write
from training.reading.templates import Form, Says, Template, templates
from training.reading.traced import Place, Traced
from training.reading.values import KINDS, values_of

LETTER = """\
# a comment
@ letter, hot water
= {company a}
{street a}

Dear tenants, on {date b} the water in house 14 will be off. {one x: Red|Blue} tags mark the 4 flats.
- Questions | Call us :: {phone a}
| Item | Price |
| {food a} | {money a} |
| Hose | {money b} |

? When is it off? | which day
> {date b}
? How many flats?
> 4
? Whose tags? | what colour
> {one x}
? Can I call?
yes > {phone a}
? What does it cost?
none
"""


@pytest.fixture(scope="module")
def bank() -> list[Template]:
    return templates()


def parsed(folder: Path, text: str = LETTER) -> list[Template]:
    (folder / "some.txt").write_text(text, encoding="utf-8")
    return templates(folder)


def document(folder: Path, seed: int = 1) -> Document:
    return filled(parsed(folder)[0], random.Random(seed))


def shown(document: Document, place: Place) -> str:
    return document.cells[place.cell][place.start : place.end]


def test_a_file_is_parsed(tmp_path: Path) -> None:
    (template,) = parsed(tmp_path)
    assert template.family == "letter, hot water"
    assert template.type == "letter"
    assert [line.form for line in template.lines] == [
        *(Form.HEADING, Form.TEXT, Form.BLANK, Form.TEXT, Form.PAIR, Form.ROW, Form.ROW, Form.ROW),
    ]
    assert template.lines[4].keys == ("Questions", "Call us")
    assert [question.says for question in template.questions] == [
        *(Says.SPAN, Says.SPAN, Says.SPAN, Says.YES, Says.NOTHING),
    ]
    assert template.questions[0].wordings == ("When is it off?", "which day")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("{date b} the water", "{dote b} the water", 6),
        ("> {date b}", "{date b}", 13),
        ("> 4\n", "> 5\n", 15),
        ("? What does it cost?\nnone\n", "? What does it cost?\n", 20),
        ("@ letter, hot water\n", "", 2),
        ("? How many", "Two more.\n? How many", 14),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert old in LETTER
    with pytest.raises(ValueError, match=rf"some\.txt, line {line}: "):
        parsed(tmp_path, LETTER.replace(old, new))


def test_a_family_has_one_document(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="letter, hot water"):
        parsed(tmp_path, LETTER + LETTER)


def test_one_family_in_eight_is_held_out(bank: list[Template]) -> None:
    assert 0.06 < sum(template.held_out for template in bank) / len(bank) < 0.2


def test_values_come_from_the_seed_and_never_twice() -> None:
    slots = [(kind, str(n)) for kind in sorted(KINDS) for n in range(6)]
    drawn = values_of(slots, random.Random(3))
    assert drawn == values_of(slots, random.Random(3))
    assert drawn != values_of(slots, random.Random(4))
    assert len({value.lower() for value in drawn}) == len(drawn)


def test_money_of_one_document_is_written_in_one_way() -> None:
    for seed in range(50):
        drawn = values_of([("money", str(n)) for n in range(8)], random.Random(seed))
        assert len({re.sub(r"[\d.,\s]", "", value) for value in drawn}) == 1, drawn


def test_more_slots_than_values_are_refused() -> None:
    with pytest.raises(ValueError, match="month"):
        values_of([("month", str(n)) for n in range(13)], random.Random(1))


def test_answers_are_places_in_the_document(tmp_path: Path) -> None:
    letter = document(tmp_path)
    when, flats, tags, call, cost = letter.asked
    assert shown(letter, when.places[0]) in letter.cells[2]
    assert [shown(letter, place) for place in flats.places] == ["4"]
    assert letter.cells[2][flats.places[0].start :].startswith("4 flats")
    assert shown(letter, tags.places[0]) in ("Red", "Blue")
    assert shown(letter, call.places[0]) == letter.cells[4]
    assert not cost.places


def test_every_question_of_every_document_finds_its_answer_in_its_text(bank: list[Template]) -> None:
    lost = asked = 0
    for n, template in enumerate(bank):
        made = filled(template, random.Random(n))
        text = as_text(made, random.Random(n))
        for question in made.asked:
            if question.says is not Says.NOTHING:
                asked += 1
                lost += text.span(question.places) is None
    assert lost < 0.01 * asked


def test_a_page_shows_every_answer_that_fits_on_a_line(tmp_path: Path) -> None:
    on_a_line = 0
    for seed in range(40):
        letter = document(tmp_path, seed)
        page = compose(letter, random.Random(seed))
        text = in_order([(corners(piece.box), piece.text) for piece in page.pieces])
        phone = letter.asked[3].places[0]
        lines = [piece.text.text for piece in page.pieces]
        if any(shown(letter, phone) in line for line in lines):
            on_a_line += 1
            assert text.span([phone]) == " ".join(shown(letter, phone).split())
    assert on_a_line > 20


def test_the_same_seed_sets_the_same_page(tmp_path: Path) -> None:
    letter = document(tmp_path)
    once, again = (compose(letter, random.Random(5)) for _ in range(2))
    assert [(p.box, p.text) for p in once.pieces] == [(p.box, p.text) for p in again.pieces]
    assert all(p.box[0] >= 0 and p.box[3] <= once.height for p in once.pieces)


def test_blocks_side_by_side_are_read_row_by_row() -> None:
    face = Family(None, None).face(20)
    cells = ("Anna Weber", "12 Mill Lane", "Invoice 7", "2 May")
    places = ((10, 10), (10, 40), (300, 10), (300, 40))
    page = Page(500, 100)
    for n, (text, (left, top)) in enumerate(zip(cells, places, strict=True)):
        page.pieces.append(Piece(Traced.of_cell(text, n), left, top, face))
    read = in_order([(corners(piece.box), piece.text) for piece in page.pieces])
    assert read.text == "Anna Weber Invoice 7\n12 Mill Lane 2 May"
    assert read.span([Place(1, 0, 12)]) == "12 Mill Lane"
    both = Traced.joined((read, Traced.foreign("")))
    assert both.span([Place(0, 0, 10)]) == "Anna Weber"


def test_an_answer_in_two_lines_with_another_block_between_them_is_lost() -> None:
    first, second, beside = Traced.of_cell("a long", 0), Traced.of_cell("answer", 0, 7), Traced.of_cell("Total", 1)
    assert Traced.joined((first, second), "\n").span([Place(0, 0, 13)]) == "a long answer"
    assert Traced.joined((first, beside, second), " ").span([Place(0, 0, 13)]) is None


def test_an_answer_is_cut_at_units_of_what_was_read() -> None:
    drawn = Traced.of_cell("due on 2 November, by card", 0)
    read = aligned(drawn, "due on2 Novcmber, bycard")
    assert read.span([Place(0, 7, 17)]) == "on2 Novcmber"
    assert read.span([Place(0, 22, 26)]) == "bycard"
    assert aligned(drawn, "due on, by card").span([Place(0, 7, 17)]) is None


def test_mistakes_are_made_as_often_as_they_were_counted(tmp_path: Path) -> None:
    pages = [[("total due", "totaldue"), ("100 to pay", "1O0 to pay"), ("7", "")]] * 10
    counted = count([*pages, *([[("total due", "total due"), ("100 to pay", "100 to pay"), ("7", "7")]] * 10)], 0.3)
    assert counted.missing == {"1": 0.5, "3": 0.0}
    assert counted.signs["0"] == (40, {"O": 10})
    assert counted.lost["aa"] == (40, 10)
    face = Family(None, None).face(20)
    page = Page(500, 100, [Piece(Traced.of_cell("total of 100 " * 20, 0).stripped(), 10, 10, face)])
    read = Counter("".join(counted.read(page, random.Random(seed)).text for seed in range(200)))
    assert 0.15 < read["O"] / (read["O"] + read["0"]) < 0.35
    assert counted.read(page, random.Random(1)) == counted.read(page, random.Random(1))


def test_answers_are_found_again_in_a_page_that_ocr_has_read(tmp_path: Path) -> None:
    known = parsed(tmp_path)
    row = read_page(known[0], known, Ocr(), random.Random(4))
    asked = {question["wordings"][0]: question for question in row["asked"]}
    for question in asked.values():
        assert question["span"] in " ".join(row["text"].split())
    assert asked["How many flats?"]["span"] == "4"
    assert asked["What does it cost?"] == {"wordings": ("What does it cost?",), "says": Says.NOTHING, "span": ""}
    assert any("Hose" in line[0] for line in row["lines"])


def test_speech_has_no_lines_and_at_times_no_marks(tmp_path: Path) -> None:
    letter = document(tmp_path)
    heard = [as_speech(letter, random.Random(seed)).text for seed in range(20)]
    assert not any("\n" in text for text in heard)
    assert any(text == text.lower() and ". " not in text for text in heard)
    assert any(text != text.lower() for text in heard)


def test_every_answer_is_a_run_of_units_of_its_text() -> None:
    said = Counter[str]()
    for sample in islice(Samples(7), 250):
        units = "\0" + "\0".join(unit.group() for unit in units_of(sample.text)) + "\0"
        for row in sample.asked:
            assert row["question"].strip()
            says, span = re.fullmatch(r"(?s)(yes: |no: |)(.*)", row["answer"]).groups()  # type: ignore[union-attr]
            if span == NOT_SAID:
                said[NOT_SAID] += 1
                continue
            said[says] += 1
            assert "\0" + "\0".join(unit.group() for unit in units_of(span)) + "\0" in units, (row, sample.text)
            assert span == " ".join(span.split())
    assert all(said[kind] > 100 for kind in ("", "yes: ", "no: ", NOT_SAID))


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder, seed=3, samples=30, tests=10)
    for name in ("train.jsonl", "held-out.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_documents_that_are_held_out_are_never_in_the_training_data(bank: list[Template]) -> None:
    kept = {template.family for template in bank if template.held_out}
    assert not {sample.family for sample in islice(Samples(2), 200)} & kept
    assert {sample.family for sample in islice(Samples(2, held_out=True), 100)} <= kept


def test_questions_of_the_test_set_are_read(tmp_path: Path) -> None:
    file = tmp_path / "pool.txt"
    file.write_text("# a pool\n? When?\n> 8 pm | at 8 pm\n? Free?\nno > Adults pay\n? Why?\nnone\n", encoding="utf-8")
    assert json.loads(json.dumps(questions(file))) == [
        {"question": "When?", "answers": ["8 pm", "at 8 pm"], "says": "span"},
        {"question": "Free?", "answers": ["Adults pay"], "says": "no"},
        {"question": "Why?", "answers": [], "says": "none"},
    ]
    file.write_text("? When?\nat eight\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"pool\.txt, line 2"):
        questions(file)


def test_an_answer_counts_if_enough_of_it_was_read() -> None:
    # 14 of 25 characters are just enough.
    word = "abcdefghijklmnopqrstuvwxy"
    for left, span in ((14, word[:14]), (13, None)):
        assert Traced.of_cell(word[:left], 0).span([Place(0, 0, len(word))]) == span


def test_an_interrupted_run_leaves_the_test_set_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evaluation.jsonl"
    file.write_text("as it was", encoding="utf-8")

    def interrupted(*_: object) -> Iterator[dict[str, str]]:
        yield {"document": "pool"}
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "rows", interrupted)
    monkeypatch.setattr(evaluation, "Ocr", lambda threads: None)
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr("sys.argv", ["evaluation", "--out", str(file)])
    with pytest.raises(KeyboardInterrupt):
        evaluation.main()
    assert file.read_text(encoding="utf-8") == "as it was"

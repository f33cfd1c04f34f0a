import json

from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.models.bundled import bundled_cards


def test_every_kind_is_told_with_what_serves_it(inside: CliRunner) -> None:
    told = json.loads(inside.invoke(main, ["kinds", "--json"]).stdout)
    assert [row["kind"] for row in told] == list(CAPABILITIES)
    reading = next(row for row in told if row["kind"] == "image-to-text")
    assert reading["inputs"] == [{"name": "image", "type": "image", "required": True, "many": False}]
    assert (reading["outputs"], reading["runtimes"][0]) == (["text"], "embedded")
    assert "ocr" in reading["aliases"]
    assert reading["default_model"].startswith("rapidocr/") and reading["bytes"] > 10**6


def test_a_default_model_can_be_loaded_by_what_serves_its_kind(inside: CliRunner) -> None:
    told = json.loads(inside.invoke(main, ["kinds", "--json"]).stdout)
    named = [row for row in told if row["default_model"]]
    for row in named:
        card = next(c for c in bundled_cards()[row["kind"]] if c.id == row["default_model"])
        assert set(card.runs_on) & set(row["runtimes"])
        assert not (card.custom_code or card.gated)
    assert all(row["runtimes"] for row in told)
    assert named == told


def test_kinds_are_read_on_a_terminal(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["kinds"]).stdout
    assert {line.split()[0] for line in listed.splitlines() if not line.startswith(" ")} >= CAPABILITIES.keys()
    assert "automatic-speech-recognition  audio → text" in listed
    assert "[" not in listed

"""Which models the settings refuse, and the sentence that says so."""

from typing import Any

import pytest

from hugginggpt.catalog.filters import refusal
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings

LOCAL, REMOTE, EMBEDDED, CONTROLLER = Endpoint.LOCAL, Endpoint.REMOTE, Endpoint.EMBEDDED, Endpoint.CONTROLLER


def card(name: str = "acme/model", **facts: Any) -> ModelCard:
    return ModelCard(id=name, kind="text-classification", **facts)


def with_settings(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Settings:
    for name, value in settings.items():
        monkeypatch.setenv(f"HUGGINGGPT_{name.upper()}", value)
    return Settings()


@pytest.mark.parametrize("endpoint", list(Endpoint))
def test_nothing_is_refused_unless_it_is_set(endpoint: Endpoint) -> None:
    assert refusal(card(), endpoint, Settings()) is None


@pytest.mark.parametrize(
    ("setting", "value", "passes", "refused"),
    [
        ("licences", "mit, Apache-2.0", card(licence="apache-2.0"), card(licence="cc-by-nc-4.0")),
        ("licences", "mit", card(licence="MIT"), card(licence=None)),
        ("languages", "de,fr", card(languages=("en", "fr")), card(languages=("en", "es"))),
        ("languages", "de", card(languages=()), card(languages=("en",))),
        ("languages", "de", card(languages=("multilingual",)), card(languages=("en",))),
        ("organisations", "acme,facebook", card("Facebook/model"), card("google/model")),
        ("organisations", "acme", card("acme/model"), card("gpt2")),
        ("organisations", "acme", card(companions=("acme/vocoder",)), card(companions=("google/vocoder",))),
        ("denied_organisations", "google", card("acme/model"), card("google/model")),
        ("denied_organisations", "google", card("gpt2"), card(companions=("google/vocoder",))),
        ("max_model_bytes", "1000", card(bytes=1000), card(bytes=1001)),
        ("max_model_bytes", "1000", card(bytes=1), card(bytes=None)),
    ],
)
def test_a_setting_refuses_with_its_name_and_only_what_comes_from_the_hub(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, passes: ModelCard, refused: ModelCard
) -> None:
    settings = with_settings(monkeypatch, **{setting: value})
    assert refusal(passes, LOCAL, settings) is None
    reason = refusal(refused, LOCAL, settings)
    assert reason is not None
    assert f"HUGGINGGPT_{setting.upper()}" in reason and refused.id in reason
    assert reason.endswith(".") and "\n" not in reason
    assert refusal(refused, EMBEDDED, settings) is None
    assert refusal(refused, CONTROLLER, settings) is None
    assert (refusal(refused, REMOTE, settings) is None) == (setting == "max_model_bytes")


def test_who_is_denied_is_denied_even_if_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = with_settings(monkeypatch, organisations="acme", denied_organisations="acme")
    assert "HUGGINGGPT_DENIED_ORGANISATIONS" in str(refusal(card("acme/model"), REMOTE, settings))

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hugginggpt.catalog.hub import forget_probes
from hugginggpt.settings import Settings
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer

CONFIGURED = ("HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "OPENAI_API_KEY", "OPENAI_BASE_URL")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of text classification, those that must be refused among them."""
    return tiny_models.build_all(tmp_path_factory.mktemp("hub"), ("text-classification",))


@pytest.fixture(autouse=True)
def without_a_lexicon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave text classification to the models of the Hub."""
    monkeypatch.setattr("hugginggpt.experts.registry._found", set())
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)


@pytest.fixture
def hub(models: Path) -> Iterator[HubServer]:
    forget_probes()
    with HubServer(models) as server:
        yield server
    forget_probes()


@pytest.fixture
def make_settings(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings for the stand-in Hub, with a controller elsewhere that is never called."""
    for name in CONFIGURED:
        monkeypatch.delenv(name, raising=False)

    def make(**changes: Any) -> Settings:
        given = {
            "home": tmp_path / "home",
            "models_cache": tmp_path / "weights",
            "hf_endpoint": hub.url,
            "openai_base_url": "http://127.0.0.1:9/v1",
        }
        return Settings(**{**given, **changes})

    return make

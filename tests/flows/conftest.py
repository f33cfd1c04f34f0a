"""A real Prefect server for the flows, and services that start anew for every test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont
from prefect.context import _temporary_global_settings_context, get_settings_context
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_LOGGING_LEVEL,
    temporary_settings,
)

from flows.answer import answer_request
from hugginggpt.errors import rebuilt
from hugginggpt.experts import pool
from hugginggpt.request import RequestOptions
from hugginggpt.services import get_trace, reset
from hugginggpt.settings import get_settings
from hugginggpt.trace.story import RequestTrace
from tests.stand_ins.inference_server import InferenceServer
from tests.stand_ins.openai_server import OpenAIServer


@pytest.fixture(scope="session")
def prefect_server(prefect_api: str) -> Iterator[None]:
    """A Prefect server on loopback, for this process and all its threads."""
    with (
        temporary_settings({PREFECT_API_URL: prefect_api}),
        _temporary_global_settings_context(get_settings_context()),
    ):
        yield
        # What is still to be sent would be tried again and again without a server.
        APILogWorker.instance().drain()
        EventsWorker.drain_all()


def renew() -> None:
    """Close and forget the services, but not the models, of which many are processes that take a second to begin."""
    with mock.patch.object(pool, "_pool", None):
        reset()


@pytest.fixture(scope="module", autouse=True)
def _models_of_a_file() -> Iterator[None]:
    """The tests of a file share the models that they load."""
    yield
    reset()


@pytest.fixture(autouse=True)
def house(prefect_server: None, new_trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Empty stores and fresh services."""
    renew()
    home = get_settings().home_dir
    home.mkdir(mode=0o700)
    shutil.copy(new_trace, home)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    settings = {
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOCAL_STORAGE_PATH: tmp_path / "results",
        PREFECT_LOGGING_LEVEL: "CRITICAL",
    }
    with temporary_settings(settings):
        yield
    renew()


Answer = Callable[..., RequestTrace]


@pytest.fixture
def answer() -> Answer:
    """Run the flow to its end and read its story from the trace."""

    def run(request: str, *files: str | Path, **more: Any) -> RequestTrace:
        options = RequestOptions(**{name: more.pop(name) for name in RequestOptions.model_fields if name in more})
        state = answer_request(request, [str(f) for f in files], options=options, return_state=True, **more)
        story = get_trace().requests.get(more.get("request_id") or get_trace().requests.latest(1)[0].request_id)
        if state.is_failed():
            with pytest.raises(rebuilt(story.error_type, "").__class__):
                state.result()
        else:
            report = state.result()
            assert (report["request_id"], report["status"]) == (story.request_id, story.status)
        expected = {"completed": "Completed", "partial": "Partial", "failed": "Failed"}
        assert state.name == expected[story.status]
        return story

    return run


@pytest.fixture
def controller(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """A scripted controller that the settings point to; a test sets its `script`."""
    with OpenAIServer(script={}, key="sk-stand-in") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-stand-in")
        monkeypatch.setenv("HUGGINGGPT_CONTROLLER_RETRIES", "2")
        renew()
        yield server


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[InferenceServer]:
    """An inference provider that the settings point to."""
    with InferenceServer() as server:
        monkeypatch.setenv("HUGGINGGPT_INFERENCE_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
        reset()
        yield server
        reset()  # remote models know the server that they belong to


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture with edges in it."""
    path = tmp_path / "photo.png"
    image = PILImage.new("RGB", (64, 48), "white")
    image.paste("black", (20, 10, 44, 38))
    image.save(path)
    return path


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """A picture with words on it. A thin one would be enlarged before it is read, and take four times as long."""
    path = tmp_path / "sign.png"
    image = PILImage.new("RGB", (640, 640), "white")
    ImageDraw.Draw(image).text((30, 40), "TOTAL 42.50 EUR", fill="black", font=ImageFont.load_default(size=56))
    image.save(path)
    return path

"""Remote experts against a provider on loopback: right answers, and one sentence for each way it fails."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from hugginggpt.catalog.card import Endpoint, ModelCard
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ExpertUnavailableError, PassingError
from hugginggpt.experts.base import Outputs, Surroundings
from hugginggpt.experts.remote import EXPERTS
from hugginggpt.media import Audio, Image, Structured, Text
from hugginggpt.settings import Settings
from tests.stand_ins.inference_server import OBJECTS, InferenceServer

TOKEN = "hf_" + "x" * 30


@pytest.fixture
def provider() -> Iterator[InferenceServer]:
    with InferenceServer() as server:
        yield server


def ask(url: str | None, kind: str, *, seconds: float = 30.0, token: str | None = TOKEN, **inputs: Any) -> Outputs:
    expert = next(e for e in EXPERTS if e.kind == kind)
    settings = Settings(inference_endpoint=url, hf_token=token)

    def no_controller() -> Any:
        raise AssertionError("a remote expert asked for the controller")

    surroundings = Surroundings(settings, no_controller)
    model = expert.load(ModelCard(id="org/model", kind=kind, runs_on=(Endpoint.REMOTE,)), surroundings)
    return expert.render(expert.run(model, expert.prepare(inputs), Deadline(seconds)), inputs)


def test_text_classification(provider: InferenceServer) -> None:
    (result,) = ask(provider.url, "text-classification", text=Text("I love it"))
    assert isinstance(result, Structured)
    assert result.data == [{"label": "POSITIVE", "score": 0.98}, {"label": "NEGATIVE", "score": 0.02}]
    assert result.text.startswith("POSITIVE (0.98)")
    (request,) = provider.received
    assert request.path == "/models/org/model"
    assert request.token == TOKEN


def test_object_detection_gives_the_boxes_and_a_picture_of_them(provider: InferenceServer) -> None:
    picture = PILImage.new("RGBA", (64, 48), (0, 0, 0, 0))
    structured, drawn = ask(provider.url, "object-detection", image=Image(picture))
    assert isinstance(structured, Structured) and isinstance(drawn, Image)
    assert structured.data == OBJECTS
    assert structured.text == "2 found: 1 × cat (0.99), 1 × remote (0.91)."
    assert drawn.image.size == picture.size
    assert drawn.image.getpixel((30, 25)) != (255, 255, 255)
    assert provider.received[0].content_type == "image/png"


def test_speech_recognition_sends_sound_as_such(provider: InferenceServer) -> None:
    stereo = Audio(np.zeros((1600, 2), np.float32), 16_000)
    assert ask(provider.url, "automatic-speech-recognition", audio=stereo) == [Text("Hello from far away.")]
    assert provider.received[0].content_type == "audio/flac"


def test_without_a_configured_token_none_is_sent(provider: InferenceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_of_somebody_else")
    ask(provider.url, "text-classification", token=None, text=Text("I love it"))
    assert provider.received[0].token is None


def test_the_router_needs_a_token() -> None:
    with pytest.raises(ExpertError, match="set HF_TOKEN"):
        ask(None, "text-classification", token=None, text=Text("I love it"))


@pytest.mark.parametrize("how", ["loading", "busy", "failing"])
def test_what_can_pass(provider: InferenceServer, how: Any) -> None:
    provider.script.append(how)
    with pytest.raises(ExpertUnavailableError, match="org/model") as raised:
        ask(provider.url, "text-classification", text=Text("I love it"))
    assert TOKEN not in raised.value.message
    assert "\n" not in raised.value.message
    ask(provider.url, "text-classification", text=Text("I love it"))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("unauthorized", "HF_TOKEN"),
        ("forbidden", "HF_TOKEN"),
        ("unpaid", "no inference credit"),
        ("missing", "does not serve org/model"),
        ("refusing", "refused the input.*unable to load the file"),
        ("nonsense", "org/model"),
    ],
)
def test_what_cannot_pass(provider: InferenceServer, how: Any, says: str) -> None:
    provider.script.append(how)
    with pytest.raises(ExpertError, match=says) as raised:
        ask(provider.url, "text-classification", text=Text("I love it"))
    assert not isinstance(raised.value, PassingError)
    assert TOKEN not in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize("how", ["hang", "drip"])
def test_the_deadline_holds_whatever_the_provider_does(provider: InferenceServer, how: Any) -> None:
    provider.script.append(how)
    with pytest.raises(DeadlineExceededError):
        ask(provider.url, "text-classification", seconds=0.5, text=Text("I love it"))


def test_cancelling_stops_waiting(provider: InferenceServer) -> None:
    provider.script.append("hang")
    expert = next(e for e in EXPERTS if e.kind == "text-classification")
    surroundings = Surroundings(Settings(inference_endpoint=provider.url, hf_token=TOKEN), lambda: None)  # type: ignore[arg-type, return-value]
    model = expert.load(ModelCard(id="org/model", kind=expert.kind), surroundings)
    deadline = Deadline(600)
    threading.Timer(0.2, deadline.cancel).start()
    with pytest.raises(DeadlineExceededError, match="cancelled"):
        expert.run(model, "I love it", deadline)


def test_a_provider_that_is_not_there_can_come_back() -> None:
    with InferenceServer() as gone:
        url = gone.url
    with pytest.raises(ExpertUnavailableError, match="cannot be reached"):
        ask(url, "text-classification", text=Text("I love it"))

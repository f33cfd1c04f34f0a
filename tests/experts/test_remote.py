"""Remote experts against a provider on loopback: right answers, and one sentence for each way it fails."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image as PILImage

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.deadline import Deadline
from hugginggpt.errors import CostCeilingError, DeadlineExceededError, ExpertError, ExpertUnavailableError, PassingError
from hugginggpt.experts.base import ExpertContext, Outputs
from hugginggpt.experts.remote import EXPERTS
from hugginggpt.experts.remote.provider import NotServedError
from hugginggpt.media import Audio, Image, Structured, Table, Text, Video
from hugginggpt.media.problem import ContentProblem
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.settings import Settings
from tests.stand_ins.inference_server import ANSWERS, OBJECTS, InferenceServer, mp4, png

TOKEN = "hf_" + "x" * 30


@pytest.fixture
def provider() -> Iterator[InferenceServer]:
    with InferenceServer() as server:
        yield server


def ask(
    url: str | None,
    kind: str,
    *,
    model: str = "org/model",
    within: float = 30.0,
    token: str | None = TOKEN,
    **inputs: Any,
) -> Outputs:
    expert = next(e for e in EXPERTS if e.kind == kind)
    settings = Settings(inference_endpoint=url, hf_token=token)

    def no_controller() -> Any:
        raise AssertionError("a remote expert asked for the controller")

    context = ExpertContext(settings, no_controller)
    tool = expert.load(ModelCard(id=model, kind=kind, runs_on=(Endpoint.REMOTE,)), context)
    return expert.render(expert.run(tool, expert.prepare(inputs), Deadline(within)), inputs)


PICTURE = Image(PILImage.new("RGB", (4, 4), "navy"))
SOUND = Audio(np.zeros((1600, 2), np.float32), 16_000)
TABLE = Table(("city", "rain"), (("Rome", "3"), ("Oslo", "7")))
SAMPLED = {"max_new_tokens": 9, "temperature": 0.5}


def served(provider: InferenceServer, kind: str, **inputs: Any) -> Any:
    """The first output of a kind, of the model whose name is the kind's."""
    return ask(provider.url, kind, model=f"org/{kind}", **inputs)[0]


def sent(provider: InferenceServer) -> Any:
    """What was posted last: JSON, or the bytes."""
    last = provider.received[-1]
    return json.loads(last.body) if last.content_type.startswith("application/json") else last.body


def test_every_kind_that_some_provider_of_the_client_serves_has_an_expert() -> None:
    from huggingface_hub.inference._providers import PROVIDERS

    served_by_some = {task for tasks in PROVIDERS.values() for task in tasks}
    kinds = {expert.kind for expert in EXPERTS}
    # What language models do is served under other names: a text in another's place, and chats that see.
    assert kinds == (served_by_some & set(CAPABILITIES)) | {"text2text-generation", "image-text-to-text"}
    assert kinds == set(ANSWERS)


@pytest.mark.parametrize(
    ("kind", "inputs", "posted", "answer"),
    [
        ("summarization", {"text": Text("long")}, {"inputs": "long", "parameters": {}}, "In short."),
        (
            "summarization",
            {"text": Text("long"), **SAMPLED},
            {
                "inputs": "long",
                "parameters": {
                    "generate_parameters": {"max_new_tokens": 9, "do_sample": True, "temperature": 0.5},
                },
            },
            "In short.",
        ),
        (
            "translation",
            {"text": Text("Good day"), "target_language": Text("de")},
            {"inputs": "Good day", "parameters": {"src_lang": "en", "tgt_lang": "de"}},
            "Guten Tag",
        ),
        ("translation", {"text": Text("Good day")}, {"inputs": "Good day", "parameters": {}}, "Guten Tag"),
        (
            "question-answering",
            {"text": Text("Where?"), "context": Text("Ada was in Paris")},
            {"inputs": {"question": "Where?", "context": "Ada was in Paris"}, "parameters": {}},
            "Paris",
        ),
        (
            "table-question-answering",
            {"table": TABLE, "text": Text("How much?")},
            {
                "inputs": {"query": "How much?", "table": {"city": ["Rome", "Oslo"], "rain": ["3", "7"]}},
            },
            "7",
        ),
        (
            "text-generation",
            {"text": Text("Hello"), **SAMPLED, "seed": 3},
            {
                "model": "dummy",
                "messages": [{"role": "user", "content": "Hello"}],
                "max_tokens": 9,
                "temperature": 0.5,
                "seed": 3,
                "stream": False,
            },
            "Good day.",
        ),
        (
            "conversational",
            {"text": Text("Hello")},
            {"model": "dummy", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 600, "stream": False},
            "Good day.",
        ),
    ],
)
def test_texts_from_texts(provider: InferenceServer, kind: str, inputs: Any, posted: Any, answer: str) -> None:
    assert served(provider, kind, **inputs) == Text(answer)
    received = sent(provider)
    assert {name: received[name] for name in posted} == posted


def test_text_to_text(provider: InferenceServer) -> None:
    assert served(provider, "text2text-generation", text=Text("2 + 2"), max_new_tokens=4, seed=1) == Text("Four")
    posted = sent(provider)
    assert posted["inputs"] == "2 + 2"
    assert posted["parameters"]["max_new_tokens"] == 4 and posted["parameters"]["seed"] == 1


def test_names_keep_the_letters_of_the_text(provider: InferenceServer) -> None:
    result = served(provider, "token-classification", text=Text("Ada was in Paris"))
    assert result.data == [
        {"label": "PER", "score": 0.8, "text": "Ada", "start": 0, "end": 3},
        {"label": "LOC", "score": 0.9, "text": "Paris", "start": 11, "end": 16},
    ]
    assert sent(provider) == {"inputs": "Ada was in Paris", "parameters": {"aggregation_strategy": "simple"}}


def test_labels_of_the_request_are_sent(provider: InferenceServer) -> None:
    labels = [Text("sea, land")]
    result = served(provider, "zero-shot-classification", text=Text("waves"), labels=labels)
    assert [entry["label"] for entry in result.data] == ["sea", "land"]
    assert sent(provider)["parameters"]["candidate_labels"] == ["sea", "land"]
    result = served(provider, "zero-shot-image-classification", image=PICTURE, labels=labels)
    assert [entry["label"] for entry in result.data] == ["bright", "dull"]
    assert sent(provider)["parameters"]["candidate_labels"] == ["sea", "land"]


def test_masks_are_filled_best_first(provider: InferenceServer) -> None:
    result = served(provider, "fill-mask", text=Text("it was [MASK]"))
    assert result.data == [{"word": "bad", "score": 0.5}, {"word": "good", "score": 0.4}]


def test_a_vector_is_the_mean_of_the_tokens_of_length_1(provider: InferenceServer) -> None:
    assert served(provider, "feature-extraction", text=Text("x")).data == pytest.approx([0.6, 0.8])


def test_similarity(provider: InferenceServer) -> None:
    assert served(provider, "sentence-similarity", text1=Text("a"), text2=Text("b")).data == {"score": 0.5}
    assert sent(provider) == {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": {}}


def test_tables(provider: InferenceServer) -> None:
    labelled = served(provider, "tabular-classification", table=TABLE)
    assert labelled.data == [{"row": 2, "label": "good", "score": None}, {"row": 3, "label": "bad", "score": None}]
    assert sent(provider)["table"] == {"city": ["Rome", "Oslo"], "rain": ["3", "7"]}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("image-to-text", "a house by the sea"),
        ("visual-question-answering", "three"),
        ("document-question-answering", "1,204.50"),
    ],
)
def test_texts_from_pictures(provider: InferenceServer, kind: str, answer: str) -> None:
    assert served(provider, kind, image=PICTURE, text=Text("How many?")) == Text(answer)


def test_a_chat_sees_the_picture(provider: InferenceServer) -> None:
    assert served(provider, "image-text-to-text", image=PICTURE, text=Text("Who?")) == Text("Good day.")
    shown, asked = sent(provider)["messages"][0]["content"]
    assert shown["image_url"]["url"].startswith("data:image/png;base64,")
    assert asked == {"type": "text", "text": "Who?"}


def test_labels_of_pictures_and_sounds(provider: InferenceServer) -> None:
    for kind, inputs in (("image-classification", {"image": PICTURE}), ("audio-classification", {"audio": SOUND})):
        assert [e["label"] for e in served(provider, kind, **inputs).data] == ["bright", "dull"]


def test_regions_of_a_picture(provider: InferenceServer) -> None:
    told, drawn = ask(provider.url, "image-segmentation", model="org/image-segmentation", image=PICTURE)
    assert told.data == [  # type: ignore[union-attr]
        {"label": "sea", "score": 0.9, "share": 1.0, "box": {"xmin": 0, "ymin": 0, "xmax": 4, "ymax": 4}}
    ]
    assert drawn.image.size == (4, 4)  # type: ignore[union-attr]


def test_pictures_are_generated_as_asked(provider: InferenceServer) -> None:
    asked = {"width": 64, "height": 32, "steps": 4, "guidance_scale": 2.0, "seed": 5}
    made = served(provider, "text-to-image", text=Text("a sea"), **asked)
    assert made.image.size == (8, 6) and made.image.getpixel((0, 0)) == (0, 128, 128)
    posted = {"width": 64, "height": 32, "num_inference_steps": 4, "guidance_scale": 2.0, "seed": 5}
    assert sent(provider) == {"inputs": "a sea", "parameters": posted}


def test_pictures_and_videos_are_made_of_pictures(provider: InferenceServer) -> None:
    made = served(provider, "image-to-image", image=PICTURE, text=Text("winter"), steps=3, width=8)
    assert made.image.size == (8, 6)
    assert sent(provider)["parameters"]["prompt"] == "winter"
    assert sent(provider)["parameters"]["target_size"] == {"width": 8, "height": 8}
    served(provider, "image-to-image", image=PICTURE)
    assert isinstance(sent(provider), bytes)


@pytest.mark.parametrize("kind", ["text-to-video", "image-to-video"])
def test_a_task_that_a_provider_lacks_is_another_candidates(provider: InferenceServer, kind: str) -> None:
    with pytest.raises(NotServedError, match=f"cannot run org/{kind}: Task '{kind}' not supported"):
        served(provider, kind, image=PICTURE, text=Text("snow falls"))


@pytest.mark.parametrize("kind", ["text-to-video", "image-to-video"])
def test_videos_are_read_and_checked(kind: str) -> None:
    expert: Any = next(e for e in EXPERTS if e.kind == kind)
    assert expert.render(expert.parse(mp4()), {}) == [Video(mp4())]
    prepared = expert.prepare({"image": PICTURE, "text": Text("snow falls"), "seed": 1, "steps": 4})
    assert (prepared["prompt"], prepared["seed"], prepared["num_inference_steps"]) == ("snow falls", 1, 4)
    for broken in (b"", b"no video", png()):
        with pytest.raises((ValueError, ContentProblem)):
            expert.parse(broken)


def test_sounds(provider: InferenceServer) -> None:
    for kind, inputs in (("text-to-speech", {"text": Text("Hello")}), ("audio-to-audio", {"audio": SOUND})):
        made = served(provider, kind, **inputs)
        assert isinstance(made, Audio) and made.rate == 8000 and made.samples.shape == (800, 1)
    quiet = served(provider, "text-to-speech", text=Text("Hello"), volume=0.5)
    usual = served(provider, "text-to-speech", text=Text("Hello"))
    assert np.allclose(quiet.samples, usual.samples / 2) and np.abs(usual.samples).max() > 0


FULL: dict[str, Any] = {
    "text": Text("x"),
    "text1": Text("a"),
    "text2": Text("b"),
    "context": Text("c"),
    "labels": [Text("sea")],
    "image": PICTURE,
    "audio": SOUND,
    "table": TABLE,
}


@pytest.mark.parametrize("how", ["nonsense", "empty"])
@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_an_answer_that_makes_no_sense_is_one_sentence(provider: InferenceServer, kind: str, how: Any) -> None:
    provider.script.append(how)
    wanted = {wanted.name: FULL[wanted.name] for wanted in CAPABILITIES[kind].inputs if wanted.name in FULL}
    try:
        outputs = ask(provider.url, kind, **wanted)
    except ExpertError as error:
        assert "\n" not in error.message and error.message.endswith(".")
    else:
        # Nothing found is an answer where things are looked for.
        assert how == "empty" and isinstance(outputs[0], Structured) and outputs[0].data == []


@pytest.mark.parametrize("kind", sorted(ANSWERS))
def test_empty_texts_are_not_sent(provider: InferenceServer, kind: str) -> None:
    texts = [wanted.name for wanted in CAPABILITIES[kind].inputs if wanted.type == "text" and wanted.required]
    if not texts:
        return
    wanted = {wanted.name: FULL[wanted.name] for wanted in CAPABILITIES[kind].inputs if wanted.name in FULL}
    empty = {name: [Text(" ")] if name == "labels" else Text(" ") for name in texts}
    with pytest.raises(ExpertError):
        ask(provider.url, kind, **(wanted | empty))
    assert not provider.received


def test_a_provider_that_says_how_long_it_loads_is_waited_for(provider: InferenceServer) -> None:
    provider.script.extend(["loading", "loading"])
    (result,) = ask(provider.url, "text-classification", text=Text("I love it"))
    assert result.data[0]["label"] == "POSITIVE"  # type: ignore[union-attr]
    assert len(provider.received) == 3


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


@pytest.mark.parametrize("how", ["loading long", "busy", "failing"])
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
        ("gone", "does not serve org/model"),
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
        ask(provider.url, "text-classification", within=0.5, text=Text("I love it"))


class _Purse:
    """A budget of so many calls."""

    def __init__(self, calls: int) -> None:
        self.left, self.spent = calls, 0

    def check(self) -> None:
        if not self.left:
            raise CostCeilingError("It is used up.")
        self.left -= 1

    def add(self, microdollars: int) -> None:
        self.spent += microdollars


def test_what_a_provider_reports_is_added_up_and_nothing_is_called_beyond_the_ceiling(
    provider: InferenceServer,
) -> None:
    provider.cost = 0.002
    expert = next(e for e in EXPERTS if e.kind == "conversational")
    settings = Settings(inference_endpoint=provider.url, hf_token=TOKEN)
    card = ModelCard(id="org/conversational", kind=expert.kind, runs_on=(Endpoint.REMOTE,))
    purse = _Purse(calls=2)
    context = ExpertContext(settings, lambda: None, spending=purse)  # type: ignore[arg-type, return-value]
    shared = expert.load(card, context)
    model = expert.for_request(shared, context)
    for _ in range(2):
        expert.run(model, expert.prepare({"text": Text("Hello")}), Deadline(30))
    assert purse.spent == 4000
    with pytest.raises(CostCeilingError):
        expert.run(model, expert.prepare({"text": Text("Hello")}), Deadline(30))
    assert len(provider.received) == 2
    expert.run(shared, expert.prepare({"text": Text("Hello")}), Deadline(30))
    assert purse.spent == 4000


def test_cancelling_stops_waiting(provider: InferenceServer) -> None:
    provider.script.append("hang")
    expert = next(e for e in EXPERTS if e.kind == "text-classification")
    context = ExpertContext(Settings(inference_endpoint=provider.url, hf_token=TOKEN), lambda: None)  # type: ignore[arg-type, return-value]
    model = expert.load(ModelCard(id="org/model", kind=expert.kind), context)
    deadline = Deadline(600)
    threading.Timer(0.2, deadline.cancel).start()
    with pytest.raises(DeadlineExceededError, match="cancelled"):
        expert.run(model, {"text": "I love it"}, deadline)


def test_a_provider_that_is_not_there_can_come_back() -> None:
    with InferenceServer() as gone:
        url = gone.url
    with pytest.raises(ExpertUnavailableError, match="cannot be reached"):
        ask(url, "text-classification", text=Text("I love it"))

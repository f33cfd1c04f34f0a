"""Every kind of task in one plan, on tiny models behind the stand-in Hub under the names of the catalog's."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PIL import Image as PILImage
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.experts.video import encode_video
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint
from hugginggpt.services import reset
from hugginggpt.trace.story import RequestTrace
from tests.flows.conftest import Answer
from tests.stand_ins import tiny_diffusion, tiny_models, tiny_sound, tiny_text, tiny_vision
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.openai_server import OpenAIServer

TINY: dict[str, str] = {
    "token-classification": tiny_text.NAMES,
    "text-classification": tiny_models.MODELS["text-classification"],
    "zero-shot-classification": tiny_text.ENTAILMENT,
    "text2text-generation": tiny_text.T5,
    "summarization": tiny_text.T5,
    "translation": tiny_text.T5,
    "question-answering": tiny_text.FINDER,
    "table-question-answering": tiny_text.TAPAS,
    "conversational": tiny_text.CHATTER,
    "text-generation": tiny_text.CHATTER,
    "fill-mask": tiny_text.BLANKS,
    "feature-extraction": tiny_text.ENCODER,
    "sentence-similarity": tiny_text.ENCODER,
    "object-detection": tiny_models.MODELS["object-detection"],
    "zero-shot-object-detection": tiny_vision.OWL,
    "image-classification": tiny_vision.DIGITS,
    "zero-shot-image-classification": tiny_vision.CLIP,
    "image-segmentation": tiny_vision.SCENES,
    "mask-generation": tiny_vision.SAM,
    "depth-estimation": tiny_vision.RELATIVE_DEPTH,
    "image-to-text": tiny_vision.CAPTIONER,
    "image-text-to-text": tiny_vision.LLAVA,
    "visual-question-answering": tiny_vision.VILT,
    "document-question-answering": tiny_vision.LAYOUTLM,
    "image-to-image": tiny_diffusion.ENLARGER,
    "text-to-image": tiny_diffusion.PAINTER,
    "text-to-video": tiny_diffusion.FILMER,
    "image-to-video": tiny_diffusion.ANIMATOR,
    "video-classification": tiny_sound.WATCHER,
    "text-to-speech": tiny_sound.VITS,
    "text-to-audio": tiny_sound.MUSICIAN,
    "automatic-speech-recognition": tiny_sound.WHISPER,
    "audio-to-audio": tiny_sound.CONVERTER,
    "audio-classification": tiny_sound.PITCH,
    "normal-control": tiny_vision.RELATIVE_DEPTH,
    "openpose-control": tiny_vision.VITPOSE,
    "depth-control": tiny_vision.RELATIVE_DEPTH,
    "seg-control": tiny_vision.SCENES,
    **{row.kind: tiny_diffusion.CONTROLNET for row in CAPABILITIES.values() if row.control},
}
"""The tiny model of each kind that has local ones. The others are drawn, or learnt from the table itself."""

COMPANIONS = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": tiny_diffusion.PAINTER,
    "microsoft/speecht5_hifigan": tiny_sound.VOCODER,
}


def local_card(kind: str) -> Any:
    """The first of the catalog's models of a kind that this machine can load."""
    cards = (c for c in bundled_cards()[kind] if Endpoint.LOCAL in c.runs_on)
    return next((c for c in cards if not c.needs and not c.gated and c.safetensors is not False), None)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    tiny, root = tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("hub")
    for family in (tiny_text, tiny_vision, tiny_sound, tiny_diffusion):
        family.build_all(tiny)
    tiny_models.build_all(tiny, ("text-classification", "object-detection"))
    places = {local_card(kind).id: model for kind, model in TINY.items()} | COMPANIONS
    for name, model in places.items():
        shutil.copytree(tiny / model, root / name)
    # Whoever draws poses looks for people first: in this world they are red and square.
    config = root / local_card("object-detection").id / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace("red square", "person"), encoding="utf-8")
    with HubServer(root) as hub:
        yield hub


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    picture = tmp_path / "photo.png"
    tiny_models.draw_square("red square", (10, 12, 40, 42)).save(picture)
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, tiny_sound.tone(300.0, 1.0), tiny_sound.RATE)
    video = tmp_path / "clip.mp4"
    video.write_bytes(
        encode_video([PILImage.new("RGB", (48, 48), c) for c in ("red", "lime", "blue", "white")], 4).data
    )
    table = tmp_path / "table.csv"
    rows = "".join(f"{n},{2 * n},{'' if n % 5 == 0 else 3 * n}\n" for n in range(1, 21))
    table.write_text(f"books,pages,price\n{rows}", encoding="utf-8")
    page = tmp_path / "page.png"
    from tests.experts.test_local_vision import page as written

    written("the hotel", "room in London").save(page)
    return {"image": picture, "audio": sound, "video": video, "table": table, "page": page}


def argument(kind: str, wanted: Input) -> str | list[str]:
    if wanted.type is ValueType.IMAGE:
        return "page.png" if kind in ("document-question-answering", "image-to-text") else "photo.png"
    named = {ValueType.AUDIO: "sound.wav", ValueType.VIDEO: "clip.mp4", ValueType.TABLE: "table.csv"}
    if wanted.type in named:
        return named[wanted.type]
    texts: dict[str, str | list[str]] = {
        "labels": ["food", "weather"],
        "context": "Ada was in Paris and the food was great",
        "target_language": "German",
    }
    by_kind = {"fill-mask": "The food was [MASK].", "image-to-image": "Enlarge this picture."}
    return texts.get(wanted.name, by_kind.get(kind, "Ada was in Paris and the food was great"))


def task(number: int, kind: str) -> dict[str, Any]:
    row = CAPABILITIES[kind]
    optional = ("context", "target_language")
    arguments: dict[str, Any] = {i.name: argument(kind, i) for i in row.inputs if i.required or i.name in optional}
    few = {"steps": 1, "max_new_tokens": 8, "seconds": 0.2, "width": 64, "height": 64}
    skipped = ("width", "height") if row.control or kind == "image-to-image" else ()
    parameters = {name: value for name, value in few.items() if name in row.parameters and name not in skipped}
    return {"task": kind, "id": number, "dep": [-1], "args": arguments | parameters}


def progress_shown(story: RequestTrace) -> dict[str, str]:
    """What the Prefect UI shows of how far tasks are, by the keys of the artifacts."""
    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[story.flow_run_id]),  # type: ignore[list-item]
        type=ArtifactFilterType(any_=["progress"]),
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    return {artifact.key: artifact.description or "" for artifact in found}


@pytest.mark.timeout(600)
def test_every_kind_runs_in_one_plan_on_local_models(
    answer: Answer,
    controller: OpenAIServer,
    hub: HubServer,
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HUGGINGGPT_INFERENCE_MODE", "local")
    monkeypatch.setenv("HUGGINGGPT_MODELS_CACHE", str(tmp_path / "cache"))
    reset()
    # The Hub calls a ControlNet an image-to-image model, too: it is the last that one would choose for that.
    local = sorted({local_card(kind).id for kind in TINY}, key=lambda name: ("controlnet" in name, name))
    controller.script = {
        "select": lambda call: {
            "id": next((name for name in local if name in call.choices), call.choices[0]),
            "reason": "It is the tiny one.",
        },
        "respond": "All of it was done.",
    }
    plan = [task(number, kind) for number, kind in enumerate(CAPABILITIES)]
    story = answer("Do everything.", *files.values(), plan=plan)
    problems = {t.task: t.error for t in story.tasks if t.status.value != "completed"}
    assert problems == {}
    ran = {t.task: next(a.endpoint for a in t.attempts if a.status == "completed") for t in story.tasks}
    assert set(ran) == set(CAPABILITIES)
    assert {kind for kind, endpoint in ran.items() if endpoint == "local"} >= set(TINY) - {"sentence-similarity"}
    painted = next(t.id for t in story.tasks if t.task == "text-to-image")
    assert "1 of 1 steps" in progress_shown(story)[f"progress-{painted}"]

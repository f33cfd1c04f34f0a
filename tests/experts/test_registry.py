"""The registry: ours and strangers' experts, found the same way; a broken plugin harms nobody."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.known import known_cards
from hugginggpt.experts import registry
from hugginggpt.experts.registry import expert_for, experts, experts_for, missing_packages, plugin_cards
from hugginggpt.models.card import Endpoint, ModelCard


@pytest.fixture
def fresh() -> Iterator[None]:
    """Entry points are read once in a process: read them anew, before and after."""
    registry._registry.cache_clear()
    yield
    registry._registry.cache_clear()


def install(folder: Path, name: str, source: str) -> None:
    """What pip leaves behind for a package with one module and one entry point."""
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(f"[hugginggpt.experts]\n{name} = {name}\n", encoding="utf-8")


def card(kind: str, name: str = "anybody/anything") -> ModelCard:
    return ModelCard(id=name, kind=kind)


PLUGIN = """
from hugginggpt.models.card import Endpoint, ModelCard
from hugginggpt.catalog.known import known_cards
from hugginggpt.experts.base import Expert


class Mine(Expert):
    kind = "{kind}"
    endpoint = Endpoint.{endpoint}
    pool_key = "mine"
    packages = ("surely_not_installed",)

    def load(self, card, context):
        return None

    def run(self, model, prepared, deadline):
        return prepared

    def render(self, raw, inputs):
        return []


EXPERTS = [Mine()]
"""


def test_ours_are_there() -> None:
    found = {(expert.kind, expert.endpoint) for expert in experts()}
    for kind in ("text-classification", "object-detection", "automatic-speech-recognition"):
        assert {(kind, Endpoint.LOCAL), (kind, Endpoint.REMOTE)} <= found
    for kind in ("image-to-text", "document-question-answering", "text-to-speech", "canny-control"):
        assert (kind, Endpoint.EMBEDDED) in found
    for kind in ("summarization", "translation", "question-answering"):
        assert (kind, Endpoint.CONTROLLER) in found
    assert all(expert.kind in CAPABILITIES for expert in experts())


def test_what_is_not_there() -> None:
    assert experts_for("text-to-video", Endpoint.EMBEDDED) == ()
    assert experts_for("no-such-kind", Endpoint.LOCAL) == ()
    assert expert_for(card("text-to-video"), Endpoint.EMBEDDED) is None
    assert plugin_cards("text-to-video") == ()


def test_a_strangers_expert_comes_in_by_the_same_door(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "stranger_video", PLUGIN.format(kind="text-to-video", endpoint="LOCAL"))
    install(tmp_path, "stranger_ocr", PLUGIN.format(kind="image-to-text", endpoint="EMBEDDED"))
    monkeypatch.syspath_prepend(tmp_path)
    video = expert_for(card("text-to-video"), Endpoint.LOCAL)
    assert video is not None and type(video).__name__ == "Mine"
    assert type(expert_for(card("image-to-text"), Endpoint.EMBEDDED)).__name__ == "Mine"
    assert (
        missing_packages(video)
        == "text-to-video (local) needs surely_not_installed: run `pip install surely_not_installed`."
    )


CHOOSY = (
    PLUGIN
    + """
from hugginggpt.models.card import ModelCard

Mine.supports = lambda self, card: card.id.startswith("mine/")
CARDS = [
    ModelCard(id="mine/model", kind="{kind}", runs_on=(Endpoint.{endpoint},)),
    ModelCard(id="rapidocr/PP-OCRv6-small", kind="{kind}", description="Another."),
    ModelCard(id="mine/model", kind="no-such-kind"),
    "no card",
]
"""
)


def test_a_stranger_brings_models_and_leaves_ours_to_us(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kind = "image-to-text"
    install(tmp_path, "choosy", CHOOSY.format(kind=kind, endpoint="EMBEDDED"))
    monkeypatch.syspath_prepend(tmp_path)
    mine, ours = (expert_for(card(kind, name), Endpoint.EMBEDDED) for name in ("mine/model", "rapidocr/other"))
    assert type(mine).__name__ == "Mine"
    assert ours is not None and type(ours).__module__.startswith("hugginggpt.experts.embedded")
    assert experts_for(kind, Endpoint.EMBEDDED) == (mine, ours)
    assert {mine, ours} <= set(experts())
    assert [c.id for c in known_cards(kind)][:2] == ["mine/model", "rapidocr/PP-OCRv6-small"]
    assert [c.description for c in known_cards(kind) if c.id == "rapidocr/PP-OCRv6-small"] == ["Another."]
    assert "no-such-kind" in caplog.text and "'no card'" in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        "import surely_not_installed",
        "EXPERTS = 5",
        "",
        "EXPERTS = ['no expert']",
        PLUGIN.format(kind="no-such-kind", endpoint="LOCAL"),
    ],
)
def test_a_broken_plugin_is_reported_and_harms_nobody(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, source: str
) -> None:
    name = f"broken_{abs(hash(source))}"
    install(tmp_path, name, source)
    monkeypatch.syspath_prepend(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert expert_for(card("image-to-text"), Endpoint.EMBEDDED) is not None
    assert name in caplog.text


def test_our_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    expert = expert_for(card("object-detection"), Endpoint.LOCAL)
    assert expert is not None
    monkeypatch.setattr(type(expert), "packages", ("surely_not_installed",))
    assert missing_packages(expert) == (
        'object-detection (local) needs surely_not_installed: run `pip install "hugginggpt[local]"`.'
    )


def test_packages_that_are_installed_without_their_requirements_are_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    expert = expert_for(card("openpose-control"), Endpoint.EMBEDDED)
    assert expert is not None
    monkeypatch.setattr(type(expert), "packages", ("surely_not_installed",))
    monkeypatch.setattr(type(expert), "not_here", "")
    told = str(missing_packages(expert))
    assert told.endswith("run `pip install --no-deps mediapipe==0.10.21 ai-edge-litert`.")
    monkeypatch.setattr(type(expert), "not_here", "Python 3.11")
    assert missing_packages(expert) == (
        "openpose-control (embedded) needs surely_not_installed, which cannot be installed here: use Python 3.11."
    )


def test_looking_them_up_imports_nothing_heavy() -> None:
    code = (
        "import sys; from hugginggpt.experts.registry import experts, missing_packages; "
        "[missing_packages(e) for e in experts()];"
        "print([m for m in ('torch', 'transformers', 'cv2', 'onnxruntime', 'rapidocr', 'openai', 'numpy') "
        "if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"

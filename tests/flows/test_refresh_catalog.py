"""The flow that refreshes the catalog, on a real Prefect server and a stand-in Hub."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
)

from flows.refresh import refresh_catalog
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.hub import forget_probes
from hugginggpt.errors import ConfigurationError, HubUnavailableError, UsageError
from hugginggpt.services import get_trace, reset
from tasks import refresh
from tests.flows.prefect_runs import task_runs_of
from tests.servers import wait_until
from tests.stand_ins.hub_server import HubServer

SENTIMENT, SQUARES = "text-classification", "object-detection"


def model(root: Path, name: str, kind: str, downloads: int, about: str = "") -> None:
    """A model as the Hub lists it. A stand-in needs no weights to be listed."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"---\npipeline_tag: {kind}\nlibrary_name: transformers\n---\n{about}\n", "utf-8")
    (folder / ".hub.json").write_text(json.dumps({"downloads": downloads}), "utf-8")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for name, kind, downloads in (("a/one", SENTIMENT, 30), ("a/two", SENTIMENT, 20), ("a/box", SQUARES, 10)):
        model(root, name, kind, downloads)
    return root


@pytest.fixture
def hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    forget_probes()
    monkeypatch.setattr(refresh.refresh_kind, "retry_delay_seconds", [0.2] * refresh.refresh_kind.retries)
    monkeypatch.setattr(refresh, "_SAME_TRY", 0.0)
    with HubServer(models) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        reset()
        yield server
    forget_probes()


def refreshed(*kinds: str) -> Any:
    return refresh_catalog(list(kinds), return_state=True)


def table(state: Any) -> dict[str, dict[str, Any]]:
    """The table that the UI shows, by kind."""
    this = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=this))}
    assert shown["catalog"].type == "table"
    return {row["kind"]: row for row in json.loads(str(shown["catalog"].data))}


def runs(state: Any) -> dict[str, int]:
    """How often each task run of a flow run was tried."""
    return {run.name: run.run_count for run in task_runs_of(state.state_details.flow_run_id, at_least=1)}


def known(kind: str) -> list[str]:
    kept = get_trace().models.cards(kind)
    return [card.id for card in kept[0]] if kept else []


def test_what_changed_since_the_last_lookup_is_shown(hub: HubServer, models: Path) -> None:
    first = table(refreshed(SENTIMENT, SQUARES))
    assert first[SENTIMENT] == {"kind": SENTIMENT, "models": 2, "what changed": "new: a/one, a/two"}
    model(models, "a/two", SENTIMENT, 90)
    model(models, "a/new", SENTIMENT, 50)
    model(models, "a/one", SENTIMENT, 30, about="Trained again.")
    (models / "a/box/README.md").unlink()
    model(models, "a/other", SQUARES, 5)
    state = refreshed(SENTIMENT, SQUARES)
    assert state.name == "Completed"
    second = table(state)
    said = "new: a/new; another commit: a/one; rank: a/two (2 to 1), a/one (1 to 2)"
    assert (second[SENTIMENT]["models"], second[SENTIMENT]["what changed"]) == (3, said)
    assert second[SQUARES]["what changed"] == "new: a/other; gone: a/box"
    assert (known(SENTIMENT), known(SQUARES)) == (["a/two", "a/new", "a/one"], ["a/other"])
    assert table(refreshed(SENTIMENT))[SENTIMENT]["what changed"] == "nothing"


def test_a_task_run_looks_up_a_kind_and_all_kinds_of_the_hub_are_looked_up(hub: HubServer) -> None:
    state = refreshed()
    kinds = [kind for kind in CAPABILITIES if CAPABILITIES[kind].pipeline_tag]
    wanted = {f"{kind} · refresh": 1 for kind in kinds}
    # Prefect's server records task runs a moment after they have ended.
    wait_until(lambda: runs(state) == wanted)
    assert len(kinds) > 30 and table(state).keys() == set(kinds)


@pytest.mark.parametrize("mode", ["unavailable", "gone"])
def test_a_hub_that_is_down_takes_nothing_away(hub: HubServer, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refreshed(SENTIMENT, SQUARES)
    kept = get_trace().models.cards(SENTIMENT)
    if mode == "gone":
        hub.close()
    else:
        hub.mode = "unavailable"
    forget_probes()
    state = refreshed(SENTIMENT, SQUARES)
    assert state.is_failed()
    assert state.message.startswith(f"The models of {SENTIMENT} were not looked up: the Hub at {hub.url} cannot be")
    with pytest.raises(HubUnavailableError):
        state.result()
    assert get_trace().models.cards(SENTIMENT) == kept
    assert set(runs(state).values()) == {refresh.refresh_kind.retries + 1}
    assert table(state)[SQUARES]["what changed"].startswith("not looked up: The models of object-detection")


def test_a_hub_that_comes_back_is_asked_again(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh.refresh_kind, "retry_delay_seconds", [1.0] * refresh.refresh_kind.retries)
    hub.mode = "unavailable"
    seen = len(hub.requests)

    def comes_back() -> None:
        while len(hub.requests) == seen:
            time.sleep(0.05)
        hub.mode = "up"

    thread = threading.Thread(target=comes_back)
    thread.start()
    state = refreshed(SENTIMENT)
    thread.join()
    assert (state.name, known(SENTIMENT)) == ("Completed", ["a/one", "a/two"])
    assert runs(state)[f"{SENTIMENT} · refresh"] > 1


def test_a_kind_that_is_listed_no_more_keeps_its_models(hub: HubServer, models: Path) -> None:
    refreshed(SENTIMENT, SQUARES)
    (models / "a/box/README.md").unlink()
    state = refreshed(SENTIMENT, SQUARES)
    assert (state.name, state.is_completed()) == ("Partial", True)
    assert state.message == f"Not looked up: {SQUARES}; their earlier lists stay."
    assert "suddenly lists no models of object-detection" in state.result()["not_looked_up"][SQUARES]
    assert known(SQUARES) == ["a/box"]


def test_the_hub_is_not_asked_where_it_may_not_be(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reset()
    state = refreshed(SENTIMENT)
    with pytest.raises(ConfigurationError, match="HF_HUB_OFFLINE is set"):
        state.result()
    assert not hub.requests and set(runs(state).values()) == {1}


@pytest.mark.parametrize("kind", ["nonsense", "canny-control"])
def test_a_kind_without_a_tag_is_refused_before_anything_is_asked(hub: HubServer, kind: str) -> None:
    with pytest.raises(UsageError, match=f"The Hub has no tag for the kind '{kind}'"):
        refresh_catalog([SENTIMENT, kind])
    assert not hub.requests

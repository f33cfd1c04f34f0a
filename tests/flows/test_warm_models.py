"""The flow that warms models, on a real Prefect server, a stand-in Hub and tiny models."""

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State

from flows.warm import warm_models
from hugginggpt.catalog.hub import forget_probes
from hugginggpt.errors import ModelLoadError, UsageError
from hugginggpt.experts.pool import get_pool
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Endpoint
from hugginggpt.models.disk import installed_commit
from hugginggpt.services import get_catalog, get_trace, reset
from hugginggpt.settings import get_settings
from hugginggpt.upkeep.warming import kinds_to_warm
from tasks import warm
from tests.servers import Cluster, wait_until
from tests.stand_ins import tiny_text
from tests.stand_ins.hub_server import HubServer
from tests.trace.samples import candidate, planned, run_of

pytest.importorskip("transformers")

BLANKS, SQUARES, EDGES = "fill-mask", "object-detection", "canny-control"


def first_local(kind: str) -> str:
    """The best ranked of the catalog's models of a kind that this machine can load."""
    cards = [c for c in bundled_cards()[kind] if Endpoint.LOCAL in c.runs_on and not (c.needs or c.gated)]
    return max((c for c in cards if c.safetensors is not False), key=lambda c: c.downloads).id


FILLER = first_local(BLANKS)


@pytest.fixture(scope="module")
def filler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "blanks"
    tiny_text.build_blanks(folder)
    return folder


@pytest.fixture
def models(filler: Path, tmp_path: Path) -> Path:
    """A Hub with a tiny model under the name of the catalog's."""
    shutil.copytree(filler, tmp_path / "models" / FILLER)
    return tmp_path / "models"


@pytest.fixture
def hub(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    forget_probes()
    monkeypatch.setattr(warm.load_model, "retry_delay_seconds", [0.1] * warm.load_model.retries)
    with HubServer(models) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HUGGINGGPT_MODELS_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        reset()
        yield server
    forget_probes()


def warmed(state: Any) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in state.result()}


def table(state: Any) -> dict[str, dict[str, Any]]:
    """The table that the UI shows, by kind."""
    this = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=this))}
    assert shown["models"].type == "table"
    return {row["kind"]: row for row in json.loads(str(shown["models"].data))}


def test_a_default_model_whose_commit_vanished_from_the_hub_is_loaded_at_its_latest(
    hub: HubServer, models: Path
) -> None:
    get_catalog().candidates(BLANKS)
    before = hub.commit(FILLER)
    (models / FILLER / "README.md").write_text("---\npipeline_tag: fill-mask\n---\nNew.\n")
    hub.squash(FILLER)
    filler = warmed(warm_models([BLANKS], return_state=True))[BLANKS]
    assert (filler["loaded"], filler["revision"], filler["reason"]) == (True, hub.commit(FILLER), None)
    assert hub.commit(FILLER) != before


def test_a_default_model_is_fetched_and_loaded(hub: HubServer) -> None:
    state = warm_models([BLANKS, EDGES], return_state=True)
    assert state.name == "Completed"
    filler = warmed(state)[BLANKS]
    assert (filler["model"], filler["revision"], filler["endpoint"]) == (FILLER, hub.commit(FILLER), "local")
    assert installed_commit(FILLER, get_settings().models_cache_dir) == hub.commit(FILLER)
    assert set(get_pool(get_settings()).loaded()) == {FILLER, "opencv/canny"}
    assert table(state)[BLANKS]["loaded"].startswith("in ")


def test_one_that_cannot_be_loaded_does_not_stop_the_others(hub: HubServer, models: Path) -> None:
    (models / FILLER / ".hub.json").write_text(json.dumps({"sizes": {"model.safetensors": 10**15}}), "utf-8")
    state = warm_models([BLANKS, SQUARES, EDGES], return_state=True)
    assert (state.name, state.message) == ("Partial", f"Not loaded everywhere: {BLANKS}, {SQUARES}.")
    found = warmed(state)
    assert found[EDGES]["loaded"]
    assert found[BLANKS]["reason"].startswith(f"There is no space for the model {FILLER}")
    assert found[SQUARES]["reason"].startswith("There is no model ")
    assert table(state)[BLANKS]["loaded"].startswith("no: There is no space for the model")


def test_a_gated_model_is_reported(hub: HubServer, models: Path) -> None:
    (models / FILLER / ".hub.json").write_text(json.dumps({"gated": "manual"}), "utf-8")
    state = warm_models([BLANKS], return_state=True)
    assert state.is_failed()
    with pytest.raises(ModelLoadError, match=f"No model was loaded.*for {BLANKS}: The model {FILLER} is gated"):
        state.result()


def test_a_hub_that_is_busy_is_asked_again_and_then_reported(hub: HubServer) -> None:
    warm_models([EDGES])
    hub.requests.clear()
    hub.mode = "unavailable"
    state = warm_models([BLANKS, EDGES], return_state=True)
    assert state.name == "Partial"
    assert not warmed(state)[BLANKS]["loaded"]


def test_without_kinds_it_is_those_that_are_in_use(hub: HubServer) -> None:
    assert kinds_to_warm() == []
    state = warm_models(return_state=True)
    assert (state.name, state.message, state.result()) == (
        "Completed",
        "No kind has a downloaded model, and none was used recently.",
        [],
    )
    warm_models([BLANKS])
    trace = get_trace()
    run_of(trace, planned(trace).request_id, 1).start_attempt(0, candidate(), run_count=1)
    assert set(kinds_to_warm()) == {BLANKS, "image-to-text"}


def test_an_unknown_kind_is_refused(hub: HubServer) -> None:
    with pytest.raises(UsageError, match="There is no task kind 'nonsense'"):
        warm_models([BLANKS, "nonsense"])


@pytest.fixture
def cluster(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of no workers yet, on which the flows of this process are done."""
    pytest.importorskip("distributed")
    with Cluster(tmp_path, HUGGINGGPT_MODELS_CACHE=str(tmp_path / "cache"), HF_ENDPOINT=hub.url) as cluster:
        cluster.scheduler()
        for name, value in cluster.shared.items():
            monkeypatch.setenv(name, value)
        reset()
        yield cluster


def test_on_dask_every_worker_loads_it(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.start()
    state = warm_models([EDGES], return_state=True)
    assert state.name == "Completed"
    found = state.result()
    assert [one["loaded"] for one in found] == [True, True]
    assert len({one["where"] for one in found}) == 2
    assert get_pool(get_settings()).loaded() == ()


def test_a_dask_worker_that_dies_while_it_loads_is_waited_for_no_longer(
    hub: HubServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm.load_model, "retry_delay_seconds", [5.0] * warm.load_model.retries)
    states: list[State[Any]] = []
    worker = cluster.start()
    hub.requests.clear()
    hub.mode = "hang"
    flow = threading.Thread(target=lambda: states.append(warm_models([BLANKS], return_state=True)), daemon=True)
    flow.start()
    wait_until(lambda: hub.requests)
    worker.kill()
    hub.mode = "up"
    cluster.start()
    # Tried again, it is loaded by the one that took its place.
    flow.join()
    assert states and states[0].name == "Completed"
    assert warmed(states[0])[BLANKS]["loaded"]


def test_a_dask_cluster_that_is_not_there_is_a_sentence(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    dask = pytest.importorskip("dask")
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", "tcp://127.0.0.1:9")
    reset()
    with dask.config.set({"distributed.comm.timeouts.connect": "0.3s"}):
        state = warm_models([EDGES], return_state=True)
    assert state.is_failed()
    assert "The Dask scheduler at tcp://127.0.0.1:9 cannot be reached" in str(state.message)

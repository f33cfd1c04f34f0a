"""The flow that prunes traces, records, artifacts and weights, on a real Prefect server and real stores."""

import json
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH
from sqlalchemy import create_engine, text

from flows.answer import answer_request
from flows.prune import prune_storage
from hugginggpt import artifacts
from hugginggpt.capabilities import ValueType
from hugginggpt.models.card import Endpoint
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import get_settings
from hugginggpt.trace.database import make_engine, parse_url
from hugginggpt.trace.story import RequestTrace
from hugginggpt.upkeep import pruning
from hugginggpt.upkeep.pruning import Limits, Sort, find_prunable
from hugginggpt.upkeep.records import read_records
from tests.flows.conftest import Answer
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer
from tests.trace.samples import candidate, choice, finish, planned, run_of

EDGES = [{"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
TABLES = ("conversations", "requests", "flow_runs", "request_resources", "planned_tasks", "task_outputs", "artifacts")


@pytest.fixture(autouse=True)
def stores(trace_url: str, controller: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace in each kind of database, and a controller that answers."""
    monkeypatch.setenv("HUGGINGGPT_DATABASE_URL", trace_url)
    controller.script = {"respond": "Done.", "plan": {"tasks": EDGES}}
    reset()


def results() -> Path:
    return Path(str(PREFECT_LOCAL_STORAGE_PATH.value()))


def run_sql(*statements: str, **values: Any) -> None:
    engine = make_engine(parse_url(get_settings().database))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), values)
    engine.dispose()


def age(days: float, *requests: str) -> None:
    """Have requests, or all, and every record and artifact be older."""
    at = datetime.now(UTC) - timedelta(days=days)
    moment = at.strftime("%Y-%m-%d %H:%M:%S.%f") if get_settings().database.startswith("sqlite") else at
    for request in requests or [r.request_id for r in get_trace().requests.latest(100)]:
        run_sql(
            "UPDATE requests SET created_at = :at WHERE id = :id",
            "UPDATE requests SET finished_at = :at WHERE id = :id AND finished_at IS NOT NULL",
            "UPDATE flow_runs SET started_at = :at WHERE request_id = :id",
            at=moment,
            id=request,
        )
    run_sql("UPDATE conversations SET created_at = :at", at=moment)
    for folder in (results(), Path(get_settings().artifacts)):
        for path in folder.rglob("*"):
            if path.is_file():
                os.utime(path, (at.timestamp(), at.timestamp()))


def counts() -> dict[str, int]:
    engine = create_engine(parse_url(get_settings().database))
    with engine.connect() as connection:
        found = {table: connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in TABLES}
    engine.dispose()
    return found


def stored() -> set[str]:
    return {one.sha256 for one in get_store().stored()}


def held(story: RequestTrace) -> set[str]:
    """The artifacts of a request."""
    return {r.artifact.sha256 for r in story.resources} | {f.artifact.sha256 for f in story.files}


def pruned(**parameters: Any) -> dict[str, dict[str, Any]]:
    """Run the flow; what it did of each sort."""
    return {row["sort"]: row for row in prune_storage(**parameters)}


def test_what_is_old_goes_and_what_is_young_stays(answer: Answer, photo: Path, sign: Path) -> None:
    old = answer("Find the edges.", photo, plan=EDGES)
    age(100)
    young = answer("Find the edges.", sign, plan=[EDGES[0] | {"args": {"image": sign.name}}])
    before = stored()
    tried = pruned(max_age_days=90, dry_run=True)
    assert (stored(), counts()["requests"]) == (before, 2)

    done = pruned(max_age_days=90)
    assert {sort: row["gone"] for sort, row in done.items()} == {sort: row["gone"] for sort, row in tried.items()}
    assert (done["requests"]["gone"], done["requests"]["stay"]) == (1, 1)
    assert (done["artifacts"]["gone"], done["artifacts"]["stay"]) == (2, len(held(young)))
    assert done["artifacts"]["gone_bytes"] > 0 and done["records"]["gone"] > 0
    assert stored() == held(young) and not held(old) & stored()
    assert counts() | {"flow_runs": 1} == {
        "conversations": 1, "requests": 1, "flow_runs": 1, "request_resources": 1, "planned_tasks": 1,
        "task_outputs": 1, "artifacts": 2,
    }  # fmt: skip
    assert get_trace().requests.get(young.request_id) == young
    assert not [record for record in read_records(results()) if record.sha256s & held(old)]


def test_what_killed_writes_have_left_goes_by_age(
    answer: Answer, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_MODELS_CACHE", str(tmp_path / "models"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    reset()
    story = answer("Find the edges.", photo, plan=EDGES)
    store, home, unique = Path(get_settings().artifacts), get_settings().home_dir, "0123456789abcdef" * 2
    blobs = tmp_path / "models" / "models--a--b" / "blobs"
    unfinished = [
        store / "ab" / f"{'ab' * 32}.{unique}.tmp",
        store / f".check-{unique}",
        results() / f"{'cd' * 32}.{unique}.tmp",
        results() / ("ef" * 32),
        results() / "12345678-1234-1234-1234-123456789abc",
        blobs / "0123.4567abcd.incomplete",
        home / "up.new",
        tmp_path / "tmp" / "hugginggpt-media-abc",
    ]
    kept = [store / "ab" / "notes.tmp", results() / "somebody-elses", results() / "cd.json", blobs / "0123"]
    for path in (*unfinished, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"metadata": {"stor')
    (results() / ("ef" * 32)).write_bytes(b"")
    before = stored()

    assert (pruned()["unfinished files"]["gone"], pruned()["unfinished files"]["stay"]) == (0, len(unfinished))
    for path in unfinished:
        os.utime(path, (time.time() - 3700,) * 2)
    with unfinished[0].open("ab") as file:
        file.write(b"still at work")
    assert pruned(dry_run=True)["unfinished files"]["gone"] == len(unfinished) - 1
    assert all(path.exists() for path in unfinished)
    assert pruned()["unfinished files"] == {
        "sort": "unfinished files", "gone": len(unfinished) - 1, "gone_bytes": 19 * (len(unfinished) - 2),
        "stay": 1, "stay_bytes": 32,
    }  # fmt: skip
    assert [path for path in unfinished if path.exists()] == unfinished[:1]
    assert all(path.exists() for path in kept)
    assert stored() == before and held(story) <= before


def test_a_request_asked_again_after_pruning_is_done_again(answer: Answer, photo: Path) -> None:
    first = answer("Find the edges.", photo, plan=EDGES)
    assert answer("Find the edges.", photo, plan=EDGES).tasks[0].cached
    age(100)
    pruned(max_age_days=90)
    assert stored() == set() and counts()["artifacts"] == 0
    again = answer("Find the edges.", photo, plan=EDGES)
    assert (again.status, again.tasks[0].cached) == (RequestStatus.COMPLETED, False)
    assert held(again) == held(first) == stored()


def test_records_go_before_the_artifacts_that_they_name(answer: Answer, photo: Path) -> None:
    story = answer("Find the edges.", photo, plan=EDGES)
    run_sql("DELETE FROM requests")  # as docs/trace.md says, so that no trace refers to them
    age(30)
    now = time.time()
    names = {one.path for one in read_records(results()) if one.sha256s & held(story)}
    for path in names:
        os.utime(path, (now - 2 * 86400, now - 2 * 86400))  # too young to go by their own age
    done = pruned(max_age_days=10)
    assert names and done["records"]["gone"] >= len(names)
    assert not [path for path in names if path.exists()]
    assert (done["artifacts"]["gone"], stored()) == (2, set())


def test_nothing_that_an_unfinished_request_needs_goes(answer: Answer, photo: Path, tmp_path: Path) -> None:
    first = answer("Find the edges.", photo, plan=EDGES)
    second = answer("Again.", conversation_id=first.conversation_id, plan=EDGES)
    for status in ("running", "queued"):
        run_sql(f"UPDATE requests SET status = '{status}' WHERE id = '{second.request_id}'")
        age(1000, first.request_id, second.request_id)
        done = pruned(max_age_days=0, keep_artifacts_gb=0)
        assert (done["requests"]["gone"], done["artifacts"]["gone"]) == (0, 0)
        assert stored() == held(first)
    run_sql(f"UPDATE requests SET status = 'cancelled' WHERE id = '{second.request_id}'")
    assert pruned(max_age_days=0)["requests"]["gone"] == 2
    assert (stored(), sum(counts().values())) == (set(), 0)


def test_a_request_that_died_is_resumed_after_pruning(answer: Answer, photo: Path) -> None:
    story = answer("Find the edges.", photo, plan=EDGES, request_id="died")
    run_sql("UPDATE requests SET status = 'running', finished_at = NULL, response = NULL, holder = NULL")
    age(1000)
    pruned(max_age_days=0, keep_artifacts_gb=0, keep_weights_gb=0)
    resumed = answer("Find the edges.", request_id="died")
    assert (resumed.status, len(resumed.lives)) == (RequestStatus.COMPLETED, 2)
    assert (held(resumed), resumed.tasks[0].attempts) == (held(story), story.tasks[0].attempts)


def test_beyond_the_gigabytes_the_oldest_go(answer: Answer, photo: Path, sign: Path) -> None:
    oldest = answer("Find the edges.", photo, plan=EDGES)
    newest = answer("Find the edges.", sign, plan=[EDGES[0] | {"args": {"image": sign.name}}])
    loose = get_store().put_bytes(b"nobody's", ValueType.TEXT, "text/plain")
    age(3, oldest.request_id)
    age(2, newest.request_id)
    sizes = {one.sha256: one.bytes for one in get_store().stored()}
    room = sum(sizes.values()) - 1
    assert pruned(max_age_days=None, keep_artifacts_gb=room / 1e9)["artifacts"]["gone_bytes"] == loose.bytes
    assert stored() == held(oldest) | held(newest)
    room = sum(sizes[name] for name in held(newest))
    done = pruned(max_age_days=None, keep_artifacts_gb=room / 1e9)
    assert (done["requests"]["gone"], stored()) == (1, held(newest))
    assert [r.request_id for r in get_trace().requests.latest()] == [newest.request_id]


def test_nothing_of_the_last_hour_goes(answer: Answer, photo: Path) -> None:
    story = answer("Find the edges.", photo, plan=EDGES)
    submitted = get_store().put_bytes(b"a file of a request that has no row yet", ValueType.TEXT, "text/plain")
    done = pruned(max_age_days=0, keep_artifacts_gb=0)
    assert {row["gone"] for row in done.values()} == {0}
    assert stored() == held(story) | {submitted.sha256}


def test_what_is_put_or_found_again_is_young_again(answer: Answer, photo: Path) -> None:
    answer("Find the edges.", photo, plan=EDGES)
    run_sql("DELETE FROM requests")
    age(100)
    prunable = find_prunable(Limits(max_age=timedelta(days=90)), results())
    assert len(prunable.old_artifacts) == 2
    again = answer("Find the edges.", photo, plan=EDGES)  # between the look and the deletion
    assert again.tasks[0].cached
    assert [pruning.prune(prunable, sort).gone for sort in Sort][2] == 0
    assert stored() == held(again)


def test_a_conversation_that_went_on_between_the_look_and_the_deletion_stays(answer: Answer, photo: Path) -> None:
    first = answer("Find the edges.", photo, plan=EDGES)
    age(100)
    prunable = find_prunable(Limits(max_age=timedelta(days=90)), results())
    assert [one.id for one in prunable.old_conversations] == [first.conversation_id]
    second = answer("Again.", conversation_id=first.conversation_id, plan=EDGES)
    assert pruning.prune(prunable, Sort.REQUESTS).gone == 0
    assert get_trace().requests.get(second.request_id).status == RequestStatus.COMPLETED
    assert counts()["requests"] == 2


def test_a_model_that_was_chosen_or_run_between_the_look_and_the_deletion_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUGGINGGPT_MODELS_CACHE", str(tmp_path / "hub"))
    reset()
    for name in ("unused", "chosen", "run"):
        weights = tmp_path / "hub" / f"models--org--{name}" / "snapshots" / name.ljust(40, "0") / "model.safetensors"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(b"weights")
        os.utime(weights, (0, 0))
    trace = get_trace()
    ended, waits = planned(trace), planned(trace)
    prunable = find_prunable(Limits(keep_weights=0), results())
    assert {one.id for one in prunable.old_models} == {"org/unused", "org/chosen", "org/run"}

    chosen = choice().model_copy(update={"chosen": candidate("org/chosen", Endpoint.LOCAL)})
    run_of(trace, waits.request_id).record_choices({0: chosen})
    run_of(trace, ended.request_id, 1).start_attempt(0, candidate("org/run", Endpoint.LOCAL), run_count=1)
    finish(trace, ended.request_id)
    gone = pruning.prune(prunable, Sort.WEIGHTS)
    assert (gone.gone, gone.gone_bytes, gone.stay) == (1, 7, 2)
    assert {one.id for one in pruning.models_on_disk()} == {"org/chosen", "org/run"}


def test_the_ui_shows_what_went(answer: Answer, photo: Path) -> None:
    answer("Find the edges.", photo, plan=EDGES)
    age(100)
    state = prune_storage(max_age_days=90, return_state=True)
    assert state.message is not None and state.message.endswith("MB were freed.")
    this = ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])  # type: ignore[list-item]
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id=this))}
    rows = {row[""]: row for row in json.loads(str(shown["storage"].data))}
    assert rows.keys() == {"requests", "records", "artifacts", "weights", "unfinished files"}
    assert (rows["requests"]["gone"], rows["artifacts"]["gone"]) == (1, 2)
    assert rows["artifacts"]["gone, bytes"] > 0 and rows["requests"]["gone, bytes"] == ""


def test_pruning_in_a_loop_takes_nothing_from_requests_that_run(
    photo: Path, sign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = timedelta(seconds=10)  # instead of an hour, so that there is something to prune
    monkeypatch.setattr(artifacts, "KEPT", kept)
    monkeypatch.setattr(pruning, "KEPT", kept)
    asked, stop, rounds = threading.Event(), threading.Event(), []

    def keep_pruning() -> None:
        while not stop.wait(2.0 if asked.is_set() else 0.1):  # without a pause it would take a core for itself
            prunable = find_prunable(Limits(max_age=timedelta(0), keep_artifacts=0), results())
            rounds.append({sort: pruning.prune(prunable, sort).gone for sort in Sort})

    def gone(sort: Sort) -> int:
        return sum(one[sort] for one in rounds)

    def ask(number: int) -> tuple[str, bool] | None:
        began = time.monotonic()
        file = (photo, sign)[number % 2]
        plan = [EDGES[0] | {"args": {"image": file.name}}, EDGES[0] | {"id": 1, "args": {"image": "<GENERATED>-0"}}]
        time.sleep(0.5)
        state = answer_request("Edges.", [str(file)], options=RequestOptions(plan=plan), return_state=True)
        if time.monotonic() > began + kept.total_seconds():
            return None  # Prefect kept it waiting for so long that it may have gone before it could report
        report = state.result()
        story = get_trace().requests.get(report["request_id"])
        missing = [one for one in story.files if not get_store().exists(one.artifact)]
        return report["status"], not missing

    with ThreadPoolExecutor(3) as pool:
        loop = pool.submit(keep_pruning)
        try:
            endings: list[tuple[str, bool] | None] = []
            while len(judged := [ending for ending in endings if ending is not None]) < 5:
                endings += pool.map(ask, range(8))
            asked.set()
            wait_until(
                lambda: (
                    loop.done() or (gone(Sort.REQUESTS) == len(endings) and gone(Sort.ARTIFACTS) and gone(Sort.RECORDS))
                )
            )
        finally:
            stop.set()
        loop.result()
    assert judged == [("completed", True)] * len(judged)
    assert gone(Sort.REQUESTS) == len(endings) and gone(Sort.ARTIFACTS) > 0 and gone(Sort.RECORDS) > 0
    assert ask(0) == ("completed", True)


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf")])
def test_an_amount_that_is_none_is_refused(amount: float) -> None:
    with pytest.raises(Exception, match="keep_weights_gb"):
        prune_storage(keep_weights_gb=amount)


def test_an_amount_beyond_all_that_can_be_is_as_good_as_none(answer: Answer, photo: Path) -> None:
    answer("Find the edges.", photo, plan=EDGES)
    age(100)
    done = pruned(max_age_days=1e15, keep_artifacts_gb=1e15, keep_weights_gb=1e15)
    assert {row["gone"] for row in done.values()} == {0}

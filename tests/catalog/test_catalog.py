"""Candidates: what can run, what cannot and why, against a real Hub protocol on loopback."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.catalog import Catalog
from hugginggpt.catalog.hub import forget_probes
from hugginggpt.errors import DatabaseUnavailableError, UsageError
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.models.figures import Measurement
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.notation import read_notation
from hugginggpt.settings import Settings
from hugginggpt.trace.store import Trace
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer
from tests.trace.samples import begin, candidate, result, run_of, run_of_attempt

KIND = "text-classification"
TINY = tiny_models.MODELS[KIND]
LISTED = next(card for card in bundled_cards()[KIND] if Endpoint.LOCAL in card.runs_on)
"""A model of the Hub."""

MakeSettings = Callable[..., Settings]


class KeptCards:
    """A store in memory whose clock can be turned back, and which has seen no model run."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[list[ModelCard], datetime]] = {}

    def cards(self, kind: str) -> tuple[list[ModelCard], datetime] | None:
        return self.kept.get(kind)

    def save_cards(self, kind: str, cards: Sequence[ModelCard]) -> None:
        self.kept[kind] = (list(cards), datetime.now(UTC))

    def measurement(self, max_age: float) -> Measurement:
        return Measurement(datetime.now(UTC), {})

    def age(self, seconds: float) -> None:
        self.kept = {k: (cards, at - timedelta(seconds=seconds)) for k, (cards, at) in self.kept.items()}


def find(candidates: list[Candidate], model: str, endpoint: Endpoint = Endpoint.LOCAL) -> Candidate:
    return next(c for c in candidates if c.card.id == model and c.endpoint is endpoint)


def obstacle(candidates: list[Candidate], model: str, endpoint: Endpoint = Endpoint.LOCAL) -> str:
    found = find(candidates, model, endpoint).obstacle
    assert found is not None
    assert found.endswith(".") and "\n" not in found
    return found


def lookups(hub: HubServer) -> int:
    return sum(r.path == "/api/models" and "pipeline_tag" in r.query for r in hub.requests)


def install(settings: Settings, model: str) -> Path:
    import httpx2
    from huggingface_hub import snapshot_download

    where = {"cache_dir": settings.models_cache_dir, "endpoint": settings.hf_endpoint, "token": False}
    try:
        return Path(snapshot_download(model, **where))
    except httpx2.ReadError:
        # A lookup that an earlier test gave up, and that tries again by itself, closes the connections of all others.
        return Path(snapshot_download(model, **where))


# Live lookups


def test_live_models_come_with_the_facts_of_the_hub(hub: HubServer, make_settings: MakeSettings) -> None:
    card = find(Catalog(make_settings()).candidates(KIND), TINY).card
    assert card.revision == hub.commit(TINY)
    assert (card.downloads, card.likes, card.gated) == (5000, 50, False)
    assert (card.library, card.licence, card.languages) == ("transformers", "apache-2.0", ("en",))
    weights = hub.models / TINY / "model.safetensors"
    assert card.bytes is not None and 0.8 * weights.stat().st_size < card.bytes <= weights.stat().st_size
    assert card.runs_on == (Endpoint.LOCAL, Endpoint.REMOTE)
    assert card.description == "distilbert for en"


def test_a_model_that_the_hub_has_can_run_and_comes_first(hub: HubServer, make_settings: MakeSettings) -> None:
    first = Catalog(make_settings(inference_mode="local")).candidates(KIND)[0]
    assert (first.card.id, first.endpoint, first.installed, first.obstacle) == (TINY, Endpoint.LOCAL, False, None)


def test_a_bundled_model_takes_the_hubs_facts_and_keeps_its_description(
    models: Path, tmp_path: Path, make_settings: MakeSettings
) -> None:
    bundled = LISTED
    shutil.copytree(models / TINY, tmp_path / "hub" / bundled.id)
    (tmp_path / "hub" / bundled.id / ".hub.json").write_text(json.dumps({"downloads": 7, "likes": 3}))
    with HubServer(tmp_path / "hub") as hub:
        card = find(Catalog(make_settings(hf_endpoint=hub.url)).candidates(KIND), bundled.id).card
        assert card.revision == hub.commit(bundled.id)
    assert (card.downloads, card.likes) == (7, 3)
    assert card.bytes is not None and card.bytes < 1_000_000
    assert card.description == bundled.description


def test_a_bundled_model_under_another_tag_is_found_too(
    models: Path, tmp_path: Path, make_settings: MakeSettings
) -> None:
    bundled = LISTED
    folder = tmp_path / "hub" / bundled.id
    shutil.copytree(models / TINY, folder)
    (folder / "README.md").write_text("---\npipeline_tag: fill-mask\nlibrary_name: transformers\n---\n")
    with HubServer(tmp_path / "hub") as hub:
        assert find(Catalog(make_settings(hf_endpoint=hub.url)).candidates(KIND), bundled.id).obstacle is None


def test_a_lookup_is_made_once_and_shared_through_the_cache(hub: HubServer, make_settings: MakeSettings) -> None:
    cache, settings = KeptCards(), make_settings()
    catalog = Catalog(settings, cache)
    first = catalog.candidates(KIND)
    assert catalog.candidates(KIND) == first
    assert Catalog(settings, cache).candidates(KIND) == first
    assert lookups(hub) == 1


def test_an_old_lookup_is_made_anew(hub: HubServer, make_settings: MakeSettings) -> None:
    cache, settings = KeptCards(), make_settings(catalog_ttl=100)
    Catalog(settings, cache).candidates(KIND)
    cache.age(99)
    Catalog(settings, cache).candidates(KIND)
    assert lookups(hub) == 1
    cache.age(2)
    Catalog(settings, cache).candidates(KIND)
    assert lookups(hub) == 2


def test_a_commit_that_vanished_from_the_hub_is_looked_up_anew(
    models: Path, tmp_path: Path, make_settings: MakeSettings
) -> None:
    shutil.copytree(models / TINY, tmp_path / "hub" / TINY)
    with HubServer(tmp_path / "hub") as hub:
        settings, cache = make_settings(hf_endpoint=hub.url), KeptCards()
        before = find(Catalog(settings, cache).candidates(KIND), TINY)
        (tmp_path / "hub" / TINY / "README.md").write_text("---\npipeline_tag: text-classification\n---\nNew.\n")
        assert Catalog(settings, cache).at_existing_commit(before) == before, (
            "an earlier commit is as good as a later one"
        )
        hub.squash(TINY)
        current = Catalog(settings, cache).at_existing_commit(before)
        assert current.card.revision == hub.commit(TINY) != before.card.revision
        assert find(Catalog(settings, cache).candidates(KIND), TINY).card.revision == hub.commit(TINY)
        assert lookups(hub) == 2


def test_an_old_lookup_serves_when_the_hub_is_down(hub: HubServer, make_settings: MakeSettings) -> None:
    cache, settings = KeptCards(), make_settings(catalog_ttl=100)
    Catalog(settings, cache).candidates(KIND)
    cache.age(200)
    hub.mode = "unavailable"
    forget_probes()
    assert "cannot be reached" in obstacle(Catalog(settings, cache).candidates(KIND), TINY)


def test_without_live_the_hub_is_asked_for_no_models(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings()).candidates(KIND, live=False)
    assert lookups(hub) == 0
    assert {c.card.id for c in found} == {c.id for c in bundled_cards()[KIND]}


def test_the_cards_of_another_hub_do_not_count(hub: HubServer, models: Path, make_settings: MakeSettings) -> None:
    cache = KeptCards()
    Catalog(make_settings(), cache).candidates(KIND)
    with HubServer(models) as other:
        Catalog(make_settings(hf_endpoint=other.url), cache).candidates(KIND)
        assert lookups(other) == 1


@pytest.fixture
def trace(make_settings: MakeSettings) -> Iterator[Trace]:
    opened = Trace.open(make_settings())
    yield opened
    opened.close()


def test_lookups_are_kept_in_the_trace(hub: HubServer, make_settings: MakeSettings, trace: Trace) -> None:
    settings = make_settings()
    first = Catalog(settings, trace.models).candidates(KIND)
    assert Catalog(settings, trace.models).candidates(KIND) == first
    assert lookups(hub) == 1


# What was measured


def failed(trace: Trace, kind: str, name: str, times: int) -> None:
    """A model failed tasks that another then did."""
    task = PlannedTask(task=kind, id=0, args={"image": "invoice.png"})
    for _ in range(times):
        request_id = begin(trace).request_id
        run_of(trace, request_id).record_plan(Plan(tasks=(task,)), "given")
        for model, error in ((name, "It broke."), ("another/model", None)):
            attempt = run_of(trace, request_id, 1).start_attempt(0, candidate(model), run_count=1)
            status = "failed" if error else "completed"
            run_of_attempt(trace, attempt).finish_attempt(
                attempt, status=status, seconds=1.0, error=error, error_type=error and "ExpertError"
            )
        run_of(trace, request_id).record_result(result(0))


def test_a_model_that_failed_here_sinks_once_it_is_measured_again(
    hub: HubServer, make_settings: MakeSettings, trace: Trace
) -> None:
    kind = "image-to-text"
    catalog = Catalog(make_settings(), trace.models, controller_model="some-model")
    first = catalog.candidates(kind)[0]
    assert (first.card.id, first.figures) == ("rapidocr/PP-OCRv6-small", None)
    failed(trace, kind, first.card.id, 3)
    assert catalog.candidates(kind)[0] == first, "what is measured stays so for a while, in this process"
    assert Catalog(make_settings(), trace.models).candidates(kind)[0] == first, "and in others"

    soon = Catalog(make_settings(figures_ttl=0), trace.models).candidates(kind)
    sunk = find(soon, first.card.id, Endpoint.EMBEDDED)
    assert sunk.figures is not None and sunk.figures.failing
    assert soon.index(sunk) == sum(c.obstacle is None for c in soon) - 1
    assert sunk.obstacle is None


def test_a_database_that_cannot_be_read_is_no_obstacle(
    hub: HubServer, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(KeptCards):
        def measurement(self, max_age: float) -> Measurement:
            raise DatabaseUnavailableError("It is away.")

    assert Catalog(make_settings(), Away()).candidates("image-to-text")[0].figures is None
    assert "The measurements of models cannot be read: It is away." in caplog.text


# Filters


def test_what_the_settings_refuse_stays_in_the_list_with_the_reason(
    hub: HubServer, make_settings: MakeSettings
) -> None:
    found = Catalog(make_settings(denied_organisations=(TINY.partition("/")[0],), inference_mode="local")).candidates(
        KIND
    )
    assert "HUGGINGGPT_DENIED_ORGANISATIONS" in obstacle(found, TINY)
    assert found[0].card.id != TINY
    catalog = Catalog(make_settings(licences=("mit",), inference_mode="local"))
    assert all("HUGGINGGPT_LICENCES" in str(c.obstacle) for c in catalog.candidates(KIND) if c.card.licence != "mit")
    embedded = Catalog(make_settings(licences=("mit",))).candidates("image-to-text")[0]
    assert (embedded.card.licence, embedded.obstacle) == ("apache-2.0", None)


# The Hub out of order


@pytest.mark.parametrize("mode", ["unavailable", "hang"])
def test_a_hub_that_is_down_leaves_the_bundled_list(hub: HubServer, make_settings: MakeSettings, mode: str) -> None:
    hub.mode = mode  # type: ignore[assignment]
    found = Catalog(make_settings()).candidates(KIND)
    assert {c.card.id for c in found} == {c.id for c in bundled_cards()[KIND]}
    local = [c for c in found if c.endpoint is Endpoint.LOCAL and not c.card.needs]
    assert local and all(f"the Hub at {hub.url} cannot be reached" in str(c.obstacle) for c in local)


def test_a_hub_that_goes_down_after_it_was_reached_leaves_the_bundled_list(
    hub: HubServer, make_settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(make_settings())
    catalog.candidates("object-detection", live=False)
    hub.close()
    found = catalog.candidates(KIND)
    assert {c.card.id for c in found} == {c.id for c in bundled_cards()[KIND]}
    assert "cannot be reached" in obstacle(found, LISTED.id)
    assert f"Could not list the models of {KIND}" in caplog.text


def test_the_hub_is_tried_once_for_all_kinds(hub: HubServer, make_settings: MakeSettings) -> None:
    hub.mode = "unavailable"
    catalog = Catalog(make_settings())
    for kind in (KIND, "object-detection", "automatic-speech-recognition"):
        catalog.candidates(kind)
    assert len(hub.requests) == 1


def test_offline_means_that_nothing_is_asked(hub: HubServer, make_settings: MakeSettings) -> None:
    catalog = Catalog(make_settings(hf_hub_offline=True))
    said = obstacle(catalog.candidates(KIND), LISTED.id)
    fetch = f"`hugginggpt models fetch {LISTED.id} --kind {KIND}`"
    assert said == f"{LISTED.id} is not installed and HF_HUB_OFFLINE is set: unset it, or run {fetch} while online."
    catalog.offered_kinds()
    assert hub.requests == []


# Obstacles


def test_weights_that_are_pickled_only(hub: HubServer, make_settings: MakeSettings) -> None:
    assert "no safetensors" in obstacle(Catalog(make_settings()).candidates(KIND), tiny_models.PICKLED)


def test_code_in_the_models_repository(hub: HubServer, make_settings: MakeSettings) -> None:
    assert "code from its own repository" in obstacle(
        Catalog(make_settings()).candidates(KIND), tiny_models.REMOTE_CODE
    )


def test_a_gated_model_wants_a_token(hub: HubServer, make_settings: MakeSettings) -> None:
    assert "set HF_TOKEN" in obstacle(Catalog(make_settings()).candidates(KIND), tiny_models.GATED)
    with_token = Catalog(make_settings(hf_token=hub.token)).candidates(KIND)
    assert find(with_token, tiny_models.GATED).obstacle is None


def test_a_model_that_this_hub_lacks(hub: HubServer, make_settings: MakeSettings) -> None:
    model = LISTED.id
    assert f"is not on the Hub at {hub.url}" in obstacle(Catalog(make_settings()).candidates(KIND), model)


def test_a_model_that_is_too_big(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings(model_memory=10_000)).candidates(KIND)
    assert "HUGGINGGPT_MODEL_MEMORY" in obstacle(found, TINY)


def test_a_model_that_needs_a_package(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings()).candidates("object-detection")
    assert "pip install timm" in obstacle(found, "facebook/detr-resnet-50")


def test_a_remote_model_wants_a_token_or_an_endpoint_of_its_own(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings()).candidates(KIND)
    assert "set HF_TOKEN" in obstacle(found, TINY, Endpoint.REMOTE)
    for changes in ({"hf_token": hub.token}, {"inference_endpoint": "http://127.0.0.1:9"}):
        assert find(Catalog(make_settings(**changes)).candidates(KIND), TINY, Endpoint.REMOTE).obstacle is None


def test_a_kind_without_an_expert_at_an_endpoint(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings()).candidates("tabular-regression")
    why = obstacle(found, "scikit-learn/Fish-Weight", Endpoint.REMOTE)
    assert "No installed expert does tabular-regression (remote)" in why


def test_no_token_shows_in_a_candidate(hub: HubServer, make_settings: MakeSettings) -> None:
    found = Catalog(make_settings(hf_token="hf_secret_of_mine")).candidates(KIND)
    assert "hf_secret_of_mine" not in repr(found)


# Modes and endpoints


@pytest.mark.parametrize(
    ("mode", "endpoints"),
    [("local", {"embedded", "local"}), ("remote", {"remote"}), ("hybrid", {"embedded", "local", "remote"})],
)
def test_the_mode_says_where_models_run(
    hub: HubServer, make_settings: MakeSettings, mode: str, endpoints: set[str]
) -> None:
    found = Catalog(make_settings(inference_mode=mode)).candidates("sentence-similarity")
    assert {str(c.endpoint) for c in found} == endpoints


def test_embedded_models_come_first_and_are_installed(hub: HubServer, make_settings: MakeSettings) -> None:
    first = Catalog(make_settings()).candidates("image-to-text")[0]
    assert (first.endpoint, first.installed, first.obstacle) == (Endpoint.EMBEDDED, True, None)
    assert first.name == "rapidocr/PP-OCRv6-small@3.10.0"


def test_an_answer_that_the_controller_writes_names_both_models(hub: HubServer, make_settings: MakeSettings) -> None:
    kind = "document-question-answering"
    names = [Catalog(make_settings(), controller_model=m).candidates(kind)[0].name for m in ("org/a+b", "other")]
    assert names == ["rapidocr/PP-OCRv6-small@3.10.0+org/a+b", "rapidocr/PP-OCRv6-small@3.10.0+other"]
    reader, bundled = Catalog(make_settings(), controller_model="org/a+b").candidates(kind)[0].card, bundled_cards()
    assert reader.weights_revision == "3.10.0"
    assert reader.sha256 == bundled[kind][0].sha256
    assert Catalog(make_settings()).pin(reader) == reader


@pytest.mark.parametrize("mode", ["local", "remote", "hybrid"])
def test_the_controller_does_texts_in_every_mode(hub: HubServer, make_settings: MakeSettings, mode: str) -> None:
    found = Catalog(make_settings(inference_mode=mode), controller_model="some-model").candidates("summarization")
    controller = find(found, "some-model", Endpoint.CONTROLLER)
    assert controller.obstacle is None and controller.installed


def test_the_embedded_default_asks_no_hub_for_what_it_can_do(hub: HubServer, make_settings: MakeSettings) -> None:
    catalog = Catalog(make_settings(openai_base_url=None), controller_model="SmolLM2")
    for kind in ("image-to-text", "text-to-speech", "summarization"):
        found = catalog.candidates(kind)
        assert found[0].obstacle is None
        assert all(c.endpoint in (Endpoint.EMBEDDED, Endpoint.CONTROLLER) for c in found if c.obstacle is None)
    assert hub.requests == []
    assert catalog.candidates(KIND)[0].card.id == TINY


@pytest.mark.parametrize("kind", ["translation", "text-generation", "text2text-generation", "conversational"])
def test_the_embedded_controller_makes_nothing_up(
    hub: HubServer, make_settings: MakeSettings, tmp_path: Path, kind: str
) -> None:
    def by_controller(**settings: object) -> str | None:
        catalog = Catalog(make_settings(**settings), controller_model="SmolLM2")
        return next(c.obstacle for c in catalog.candidates(kind) if c.endpoint is Endpoint.CONTROLLER)

    refused = by_controller(openai_base_url=None)
    assert refused and refused.startswith(f"SmolLM2 is too small for {kind}: run `hugginggpt models fetch")
    assert by_controller() is None
    assert by_controller(openai_base_url=None, embedded_controller_gguf=tmp_path / "larger.gguf") is None
    offline = make_settings(openai_base_url=None, hf_hub_offline=True)
    assert "too small" in Catalog(offline, controller_model="SmolLM2").why_not(kind)


def test_half_a_plan_may_be_enough(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings(openai_base_url=None, hf_hub_offline=True)
    catalog = Catalog(settings, controller_model="SmolLM2")
    plan = read_notation("notice.png > read > translate to=German")
    (obstacle,) = catalog.obstacles(plan)
    assert obstacle.startswith("Task 1: translation cannot run here. ")
    assert catalog.obstacles(plan, half=True) == []
    nothing = read_notation('"Good day" > translate to=German > speak')
    assert catalog.obstacles(nothing, half=True) == catalog.obstacles(nothing) != []


# What is installed


def test_an_installed_model_runs_without_the_hub(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings(hf_hub_offline=True)
    model = LISTED.id
    shutil.copytree(hub.models / TINY, hub.models / model)
    try:
        commit = install(settings, model).name
        hub.close()
        first = Catalog(settings).candidates(KIND)[0]
        assert (first.card.id, first.card.revision, first.installed, first.obstacle) == (model, commit, True, None)
    finally:
        shutil.rmtree(hub.models / model)


def test_an_installed_model_is_used_as_it_is(models: Path, tmp_path: Path, make_settings: MakeSettings) -> None:
    shutil.copytree(models / TINY, tmp_path / "hub" / TINY)
    with HubServer(tmp_path / "hub") as hub:
        settings = make_settings(hf_endpoint=hub.url)
        commit = install(settings, TINY).name
        (tmp_path / "hub" / TINY / "README.md").write_text("---\npipeline_tag: text-classification\n---\nNew.\n")
        assert hub.commit(TINY) != commit
        found = find(Catalog(settings).candidates(KIND), TINY)
        assert (found.installed, found.card.revision) == (True, commit)


def test_a_download_that_broke_off_does_not_count(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings()
    snapshot = install(settings, TINY)
    (snapshot / "model.safetensors").resolve().unlink()
    assert not find(Catalog(settings).candidates(KIND), TINY).installed


def test_a_missing_shard_means_not_installed(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings()
    snapshot = install(settings, TINY)
    first, second = (f"model-{number:05}-of-00002.safetensors" for number in (1, 2))
    (snapshot / "model.safetensors").rename(snapshot / first)
    index = {"weight_map": {"a": first, "b": second}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    assert not find(Catalog(settings).candidates(KIND), TINY).installed


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b'{"weight_map": {"a": ',
        b"\xff\xfe",
        b"[1]",
        b'{"weight_map": ["a"]}',
        b'{"weight_map": {"a": 1}}',
    ],
)
def test_a_damaged_index_means_not_installed(hub: HubServer, make_settings: MakeSettings, damaged: bytes) -> None:
    settings = make_settings()
    snapshot = install(settings, TINY)
    (snapshot / "model.safetensors").rename(snapshot / "model-00001-of-00001.safetensors")
    (snapshot / "model.safetensors.index.json").write_bytes(damaged)
    assert not find(Catalog(settings).candidates(KIND), TINY).installed


def test_an_unreadable_cache_means_not_installed(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings()
    snapshot = install(settings, TINY)
    (snapshot / "config.json").rename(snapshot / "kept.json")
    (snapshot / "config.json").mkdir()
    assert not find(Catalog(settings).candidates(KIND), TINY).installed
    (snapshot / "config.json").rmdir()
    (snapshot / "kept.json").rename(snapshot / "config.json")
    (snapshot.parents[1] / "refs" / "main").write_bytes(b"\xff")
    (snapshot.parent / "notes.txt").touch()
    assert find(Catalog(settings).candidates(KIND), TINY).card.revision == snapshot.name


# Kinds


def test_offered_kinds_are_those_that_can_run(hub: HubServer, make_settings: MakeSettings) -> None:
    catalog = Catalog(make_settings(), controller_model="some-model")
    offered = catalog.offered_kinds()
    assert {KIND, "object-detection", "image-to-text", "text-to-speech", "summarization"} <= set(offered)
    assert list(offered) == [k for k in CAPABILITIES if k in offered]
    for kind in CAPABILITIES:
        why_not = catalog.why_not(kind)
        assert (why_not == "") == (kind in offered)
        assert why_not == "" or (kind in why_not and why_not.endswith(".") and "\n" not in why_not)


def test_the_embedded_default_offers_what_runs_here_and_asks_no_hub(
    hub: HubServer, make_settings: MakeSettings
) -> None:
    settings = make_settings(openai_base_url=None)
    catalog = Catalog(settings, controller_model="SmolLM2")
    offered = catalog.offered_kinds()
    assert hub.requests == []
    assert {"image-to-text", "text-to-speech", "summarization"} <= set(offered)
    assert KIND not in offered and "object-detection" not in offered
    assert catalog.why_not(KIND) == "", "a plan that names it may have it downloaded"
    install(settings, TINY)
    hub.requests.clear()
    forget_probes()
    assert catalog.candidates(KIND)[0].installed
    hub.requests.clear()
    forget_probes()
    assert set(catalog.offered_kinds()) == {*offered, KIND}
    assert hub.requests == []


def test_why_not_names_what_is_missing(hub: HubServer, make_settings: MakeSettings) -> None:
    assert "HF_HUB_OFFLINE" in Catalog(make_settings(hf_hub_offline=True, inference_mode="local")).why_not("fill-mask")
    assert "HF_TOKEN" in Catalog(make_settings(inference_mode="remote")).why_not("fill-mask")
    assert "set it to hybrid" in Catalog(make_settings(inference_mode="remote")).why_not("canny-control")


def test_an_unknown_kind_is_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(UsageError, match="no task kind 'mind-reading'"):
        Catalog(make_settings()).candidates("mind-reading")


# Pinning


def test_pin_resolves_the_revision_on_the_hub(hub: HubServer, make_settings: MakeSettings) -> None:
    card = ModelCard(id=TINY, kind=KIND, runs_on=(Endpoint.LOCAL,))
    assert Catalog(make_settings()).pin(card).revision == hub.commit(TINY)


def test_pin_takes_what_is_installed_when_the_hub_is_down(hub: HubServer, make_settings: MakeSettings) -> None:
    settings = make_settings()
    commit = install(settings, TINY).name
    hub.close()
    card = ModelCard(id=TINY, kind=KIND, runs_on=(Endpoint.LOCAL,))
    assert Catalog(settings).pin(card).revision == commit


def test_pin_leaves_what_it_cannot_or_need_not_resolve(hub: HubServer, make_settings: MakeSettings) -> None:
    catalog = Catalog(make_settings())
    unknown = ModelCard(id="nobody/nothing", kind=KIND, runs_on=(Endpoint.LOCAL,))
    assert catalog.pin(unknown) == unknown
    before = len(hub.requests)
    for card in (
        ModelCard(id=TINY, kind=KIND, revision="a" * 40, runs_on=(Endpoint.LOCAL,)),
        bundled_cards()["image-to-text"][0],
    ):
        assert catalog.pin(card) == card
    assert len(hub.requests) == before


def test_importing_the_catalog_is_cheap() -> None:
    heavy = ("torch", "transformers", "diffusers", "huggingface_hub", "sqlalchemy", "openai", "httpx")
    program = f"import sys, hugginggpt.catalog.catalog; print([m for m in {heavy} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"

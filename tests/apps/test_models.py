import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.models.card import ModelCard
from hugginggpt.models.disk import DownloadedModel, ModelUse, models_to_delete, with_companions
from hugginggpt.services import get_trace, reset
from tests.stand_ins import tiny_models, tiny_tables, tiny_text
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.tiny_models import GATED, MODELS, PICKLED
from tests.trace.samples import candidate, planned, run_of, run_of_attempt

SENTIMENT, TONES = MODELS["text-classification"], MODELS["automatic-speech-recognition"]


def test_every_kind_is_listed(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models"])
    assert listed.exit_code == 0
    assert {line.split()[0] for line in listed.stdout.splitlines() if line.strip()} >= CAPABILITIES.keys()
    assert f"of {len(CAPABILITIES)} kinds of task can run here." in listed.stdout


def test_candidates_of_a_kind_with_what_stands_in_their_way(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models", "--kind", "OCR", "--json"])
    candidates = json.loads(listed.stdout)
    assert {candidate["kind"] for candidate in candidates} == {"image-to-text"}
    assert candidates[0]["endpoint"] == "embedded"
    assert all((candidate["obstacle"] is None) == candidate["runs_here"] for candidate in candidates)
    assert not candidates[-1]["runs_here"]
    table = inside.invoke(main, ["models", "--kind", "OCR"]).stdout
    assert all(candidate["id"] in table for candidate in candidates)
    assert "✗" in table


def test_what_was_measured_here_is_told(inside: CliRunner) -> None:
    trace = get_trace()
    request_id = planned(trace).request_id
    for seconds, error in ((0.5, None), (0.7, None), (9.0, "The picture is [empty].")):
        attempt = run_of(trace, request_id, 1).start_attempt(0, candidate("rapidocr/PP-OCRv6-small"), run_count=1)
        status = "failed" if error else "completed"
        run_of_attempt(trace, attempt).finish_attempt(
            attempt, status=status, seconds=seconds, error=error, error_type=error and "ExpertError"
        )
    listed = json.loads(inside.invoke(main, ["models", "--kind", "image-to-text", "--json"]).stdout)
    told = {c["id"]: c["measured"] for c in listed}
    assert told.pop("rapidocr/PP-OCRv6-small") == {
        "runs": 3,
        "completed": 2,
        "success_rate": 0.667,
        "reliability": 0.889,
        "failing": False,
        "seconds_per_input": 0.6,
        "last_error": "The picture is [empty].",
    }
    assert set(told.values()) == {None}
    table = inside.invoke(main, ["models", "--kind", "image-to-text"]).stdout
    assert "2 of 3 runs completed here, 0.6 s per input" in table
    assert "last failure: The picture is [empty]." in table


def test_lines_fit_a_narrow_terminal(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models"], env={"COLUMNS": "80"})
    assert max(map(len, listed.stdout.splitlines())) <= 80


def test_an_unknown_kind_is_wrong_usage(inside: CliRunner) -> None:
    refused = inside.invoke(main, ["models", "--kind", "image-to-txt"])
    assert refused.exit_code == 2
    assert "did you mean image-to-text?" in refused.stderr


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    kinds = ("text-classification", "automatic-speech-recognition")
    with HubServer(tiny_models.build_all(tmp_path_factory.mktemp("models"), kinds)) as hub:
        yield hub


@pytest.fixture
def at_hub(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": hub.token,
        "HF_HUB_OFFLINE": "0",
        "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"),
    }


def listed(inside: CliRunner, env: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = json.loads(inside.invoke(main, ["models", "list", "--json"], env=env).stdout)
    return {model["id"]: model for model in found}


def test_models_are_fetched_listed_and_pruned(inside: CliRunner, at_hub: dict[str, str]) -> None:
    assert listed(inside, at_hub) == {}
    for name in (SENTIMENT, GATED):
        fetched = inside.invoke(main, ["models", "fetch", name, "--kind", "text-classification"], env=at_hub)
        assert fetched.exit_code == 0, fetched.output
        assert fetched.stdout.startswith(f"{name} is in {at_hub['HUGGINGGPT_MODELS_CACHE']}")
    found = listed(inside, at_hub)
    assert found.keys() == {SENTIMENT, GATED}
    assert all(m["bytes"] > 10_000 and m["uses"] == 0 and m["last_used"] is None for m in found.values())

    keep = str((found[GATED]["bytes"] + 1000) / 10**9)
    tried = inside.invoke(main, ["models", "prune", "--keep-gb", keep, "--dry-run"], env=at_hub)
    assert f"would delete: {SENTIMENT}" in tried.stdout
    assert listed(inside, at_hub).keys() == {SENTIMENT, GATED}
    pruned = inside.invoke(main, ["models", "prune", "--keep-gb", keep], env=at_hub)
    assert f"deleted: {SENTIMENT}" in pruned.stdout and "1 model kept" in pruned.stdout
    assert listed(inside, at_hub).keys() == {GATED}


def test_a_model_comes_with_those_that_it_works_with(inside: CliRunner, tmp_path: Path) -> None:
    names = ("usyd-community/vitpose-base-simple", "hustvl/yolos-tiny")
    for name in names:
        tiny_models.BUILDERS["text-classification"](tmp_path / "models" / name)
    with HubServer(tmp_path / "models") as hub:
        at = {"HF_ENDPOINT": hub.url, "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        fetched = inside.invoke(main, ["models", "fetch", names[0]], env=at)
        assert fetched.exit_code == 0, fetched.output
        assert listed(inside, at).keys() == set(names)


def test_the_model_of_a_kind_is_fetched_though_nothing_is_downloaded_unasked(inside: CliRunner, tmp_path: Path) -> None:
    gated, default = "meta-llama/Llama-3.2-1B-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"
    for name in (gated, default):
        tiny_text.build_chatter(tmp_path / "models" / name)
    (tmp_path / "models" / gated / ".hub.json").write_text(json.dumps({"downloads": 9, "gated": "auto"}))
    tiny_tables.build_all(tmp_path / "models")
    with HubServer(tmp_path / "models") as hub:
        at = {"HF_ENDPOINT": hub.url, "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        before = inside.invoke(main, ["models", "--kind", "summarization"], env=at)
        assert "downloads no models for tasks that it can do itself" in before.stdout
        for kind in ("conversational", "tabular-classification"):
            fetched = inside.invoke(main, ["models", "fetch", "--kind", kind], env=at)
            assert fetched.exit_code == 0, fetched.output
        assert listed(inside, at).keys() == {default, tiny_tables.WINE}


@pytest.mark.parametrize("kind", [["--kind", "tabular-regression"], []])
def test_what_was_fetched_for_a_kind_is_a_candidate_for_it(inside: CliRunner, tmp_path: Path, kind: list[str]) -> None:
    def candidates() -> dict[str, bool]:
        told = inside.invoke(main, ["models", "--kind", "tabular-regression", "--json"], env=at).stdout
        return {c["id"]: c["installed"] and c["runs_here"] for c in json.loads(told) if c["endpoint"] == "local"}

    tiny_tables.build_all(tmp_path / "models")
    with HubServer(tmp_path / "models") as hub:
        at = {"HF_ENDPOINT": hub.url, "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        fetched = inside.invoke(main, ["models", "fetch", tiny_tables.DIABETES, *kind], env=at)
        assert fetched.exit_code == 0, fetched.output
        assert [r for r in hub.requests if "pipeline_tag" in r.query] == []
    at["HF_HUB_OFFLINE"] = "1"
    reset()
    assert candidates() == {tiny_tables.DIABETES: True}
    assert inside.invoke(main, ["models", "prune", "--keep-gb", "0"], env=at).exit_code == 0
    assert candidates() == {}


def test_a_list_of_one_kind_asks_the_hub(inside: CliRunner, tmp_path: Path) -> None:
    tiny_tables.build_all(tmp_path / "models")
    with HubServer(tmp_path / "models") as hub:
        at = {"HF_ENDPOINT": hub.url, "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        assert tiny_tables.WINE in inside.invoke(main, ["models", "--kind", "tabular-classification"], env=at).stdout
        asked = [r.query["pipeline_tag"] for r in hub.requests if "pipeline_tag" in r.query]
        inside.invoke(main, ["models"], env=at)
        assert [r.query["pipeline_tag"] for r in hub.requests if "pipeline_tag" in r.query] == asked != []


def test_a_fetch_by_kind_takes_no_commit_that_vanished_from_the_hub(inside: CliRunner, tmp_path: Path) -> None:
    tiny_tables.build_all(tmp_path / "models")
    with HubServer(tmp_path / "models") as hub:
        at = {"HF_ENDPOINT": hub.url, "HUGGINGGPT_MODELS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        assert tiny_tables.WINE in inside.invoke(main, ["models", "--kind", "tabular-classification"], env=at).stdout
        about = tmp_path / "models" / tiny_tables.WINE / "README.md"
        about.write_text("---\npipeline_tag: tabular-classification\n---\nNew.\n")
        hub.squash(tiny_tables.WINE)
        reset()
        fetched = inside.invoke(main, ["models", "fetch", "--kind", "tabular-classification"], env=at)
        assert fetched.exit_code == 0, fetched.output
        assert hub.commit(tiny_tables.WINE) in fetched.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["fetch"], 2, "Pass the id of a model, or a kind with --kind."),
        (["fetch", "tiny/nobody"], 1, "There is no model tiny/nobody"),
        (["fetch", PICKLED], 1, "has no weights in the safetensors format"),
        (
            ["fetch", TONES, "--kind", "text-classification"],
            2,
            "According to the Hub, tiny/tones is for automatic-speech-recognition",
        ),
        (["fetch", "--kind", "nonsense"], 2, "There is no task kind 'nonsense'"),
        (["fetch", "https://some.hub/tiny/model"], 1, "names look like 'organisation/model'"),
        (["fetch", "tiny/nobody@"], 2, "There is no revision after the @"),
        (["fetch", "--kind", "canny-control"], 2, "opencv/canny, which comes with an installed package, can do it"),
        (["prune", "--keep-gb", "-1"], 2, "--keep-gb"),
        (["prune", "--keep-gb", "nan"], 2, "nan is not a number of gigabytes"),
        (["prune", "--keep-gb", "inf"], 2, "inf is not a number of gigabytes"),
        (["--json", "list"], 2, "Put options after the command 'list'"),
    ],
)
def test_what_cannot_be_fetched_or_pruned_is_a_sentence(
    inside: CliRunner, at_hub: dict[str, str], arguments: list[str], code: int, sentence: str
) -> None:
    refused = inside.invoke(main, ["models", *arguments], env=at_hub)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert sentence in refused.stderr
    assert listed(inside, at_hub) == {}


NOW = datetime(2026, 11, 23, tzinfo=UTC)


def downloaded_model(name: str, size: int, days: int, used: int | None = None) -> DownloadedModel:
    use = None if used is None else ModelUse(3, NOW - timedelta(days=used))
    return DownloadedModel(name, size, NOW - timedelta(days=days), use)


def test_those_needed_longest_ago_go_first() -> None:
    models = [downloaded_model("a", 5, 1), downloaded_model("b", 3, 30, used=2), downloaded_model("c", 2, 3)]
    assert models[1].last_needed == NOW - timedelta(days=2)
    for keep, gone in {10: [], 9: ["c"], 8: ["c"], 7: ["b", "c"], 5: ["b", "c"], 4: ["a", "b", "c"]}.items():
        assert [model.id for model in models_to_delete(models, keep)] == gone


def test_a_companion_is_used_whenever_its_model_is() -> None:
    voices = [ModelCard(id=name, kind="text-to-speech", companions=("vocoder",)) for name in ("a", "b", "unused")]
    uses = {"a": ModelUse(3, NOW - timedelta(days=2)), "b": ModelUse(1, NOW), "vocoder": ModelUse(1, NOW)}
    assert with_companions(uses, [*voices, voices[0]]) == uses | {"vocoder": ModelUse(5, NOW)}
    assert with_companions({}, voices) == {}

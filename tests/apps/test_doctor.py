import json
from pathlib import Path

from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.holder import holder_name
from hugginggpt.up_state import Up, write
from tests.apps.conftest import Run

PARTS = [
    "settings",
    "controller",
    "Hub",
    "Prefect",
    "expert workers",
    "trace database",
    "artifact store",
    "accelerator",
    "disk",
    "embedded experts",
]


def test_with_nothing_configured_all_is_well(hugginggpt: Run) -> None:
    checked = hugginggpt("doctor", "--json")
    findings = {finding["part"]: finding for finding in json.loads(checked.stdout)}
    assert checked.returncode == 0, checked.stdout
    assert list(findings) == PARTS
    assert findings["controller"]["verdict"] == "ok"
    assert "without a key" in findings["controller"]["detail"]
    assert "hugginggpt up" in findings["Prefect"]["mend"]
    assert "HF_HUB_OFFLINE" in findings["Hub"]["detail"]


def test_one_broken_part_does_not_hide_the_others(hugginggpt: Run) -> None:
    nowhere = "http://127.0.0.1:9"
    checked = hugginggpt(
        "doctor",
        OPENAI_BASE_URL=f"{nowhere}/v1",
        HUGGINGGPT_CONTROLLER_RETRIES="0",
        PREFECT_API_URL=f"{nowhere}/api",
        HUGGINGGPT_DATABASE_URL="postgresql://ada:secret@127.0.0.1:9/trace",
        HUGGINGGPT_ARTIFACTS_URL="/dev/null/store",
        HUGGINGGPT_TASK_RUNNER="dask",
        HUGGINGGPT_DASK_ADDRESS="tcp://192.0.2.1:9",
    )
    assert checked.returncode == 1
    broken = [line.split(":")[0].removeprefix("✗ ") for line in checked.stdout.splitlines() if line.startswith("✗")]
    assert broken == ["controller", "Prefect", "expert workers", "trace database", "artifact store"]
    assert "secret" not in checked.stdout + checked.stderr
    assert "prefect config unset PREFECT_API_URL" in checked.stdout
    assert "✓ disk" in checked.stdout
    assert "✗ expert workers: Without TLS, anyone who answers at tcp://192.0.2.1:9 could run code" in checked.stdout


def test_colours_are_left_out_where_they_are_not_wanted(inside: CliRunner) -> None:
    def shown(**environment: str) -> str:
        return inside.invoke(main, ["doctor"], color=True, env={"HUGGINGGPT_TOP_K": "many", **environment}).stdout

    assert "\x1b[" in shown()
    assert "\x1b[" not in shown(NO_COLOR="1")


def test_an_unusable_setting_is_told_once(hugginggpt: Run) -> None:
    checked = hugginggpt("doctor", HUGGINGGPT_TOP_K="many")
    assert checked.returncode == 1
    assert len(checked.stdout.splitlines()) == 1
    assert "HUGGINGGPT_TOP_K" in checked.stdout


def test_the_server_that_is_up_is_the_one_that_is_looked_at(hugginggpt: Run, tmp_path: Path) -> None:
    api = "http://127.0.0.1:9/api"
    write(tmp_path, Up(supervisor=holder_name(), mark="", api_url=api, dask_address=None, ready=True))
    checked = hugginggpt("doctor", "--json", HUGGINGGPT_HOME=str(tmp_path))
    found = {finding["part"]: finding for finding in json.loads(checked.stdout)}["Prefect"]
    assert found["verdict"] == "broken"
    assert found["detail"].startswith(f"The Prefect server at {api} cannot be used (")

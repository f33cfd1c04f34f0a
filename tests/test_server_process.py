"""A temporary Prefect server is started early only where nothing can name another one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import sys
from hugginggpt.server_process import start_early, take_early

start_early()
server = take_early()
print(server is not None, take_early() is None, "prefect" in sys.modules, "pydantic" in sys.modules)
"""


def started(folder: Path, **variables: str) -> bool:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "HUGGINGGPT_"))}
    environment = mine | {"HOME": str(folder), "HUGGINGGPT_HOME": str(folder / "home"), **variables}
    command = [sys.executable, "-c", START]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    is_started, *others = done.stdout.split()
    assert others == ["True", "False", "False"], "it is given once, and nothing heavy was imported"
    return is_started == "True"


def test_where_nothing_is_configured_it_starts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    assert started(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PREFECT_API_URL", "http://127.0.0.1:4200/api"),
        ("PREFECT_PROFILE", "local"),
        ("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false"),
        ("HUGGINGGPT_TASK_RUNNER", "dask"),
    ],
)
def test_where_a_variable_may_name_one_it_does_not(tmp_path: Path, name: str, value: str) -> None:
    assert not started(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".prefect/profiles.toml", 'active = "mine"'),
        ("prefect.toml", "[api]\nurl = 'http://127.0.0.1:4200/api'"),
        (".env", "PREFECT_API_URL=http://127.0.0.1:4200/api"),
        ("pyproject.toml", "[tool.prefect.api]\nurl = 'http://127.0.0.1:4200/api'"),
        ("home/up.json", "{}"),
    ],
)
def test_where_a_file_may_name_one_it_does_not(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    assert not started(tmp_path)

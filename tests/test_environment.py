"""Every process finds what `up` runs, and what the user set comes first."""

import os
from pathlib import Path

import psutil
import pytest

from apps.up.certificate import make_certificate
from hugginggpt.environment import prepare
from hugginggpt.holder import Holder, holder_name
from hugginggpt.settings import get_settings
from hugginggpt.up_state import Up, certificate_file, read, remove, write

NAMES = ("PREFECT_API_URL", "HUGGINGGPT_TASK_RUNNER", "HUGGINGGPT_DASK_ADDRESS")
URL, DASK = "http://127.0.0.1:4200/api", "tls://127.0.0.1:8786"
CERTIFICATE = "HUGGINGGPT_DASK_TLS_CERT"
OURS = Holder.parse(holder_name())
assert OURS is not None
GONE = str(OURS._replace(started=OURS.started - 1000))
ELSEWHERE = str(OURS._replace(host="another-machine"))


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and an environment that is put back whatever `prepare` sets."""
    for name in (*NAMES, "HUGGINGGPT_DASK_TLS_CA_FILE", CERTIFICATE, "HUGGINGGPT_DASK_TLS_KEY"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    folder = get_settings().home_dir
    folder.mkdir(parents=True)
    return folder


def up(supervisor: str = str(OURS), dask_address: str | None = DASK, ready: bool = True) -> Up:
    return Up(supervisor=supervisor, mark="mark", api_url=URL, dask_address=dask_address, ready=ready)


def found() -> list[str | None]:
    prepare()
    return [os.environ.get(name) for name in NAMES]


def test_what_is_up_is_found(home: Path) -> None:
    before = get_settings()
    write(home, up())
    assert found() == [URL, "dask", DASK]
    assert get_settings() is not before
    assert get_settings().dask_tls_cert == home / "dask.pem"


def test_whoever_only_says_that_experts_run_on_dask_means_those_of_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, up())
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    assert found() == [URL, "dask", DASK]
    assert os.environ[CERTIFICATE] == str(home / "dask.pem")


def test_without_expert_workers_only_the_server_is(home: Path) -> None:
    write(home, up(dask_address=None))
    assert found() == [URL, None, None]


@pytest.mark.parametrize("state", [up(GONE), up(ELSEWHERE), up("nobody"), up(ready=False)])
def test_what_is_not_up_here_is_not(home: Path, state: Up) -> None:
    write(home, state)
    assert found() == [None, None, None]


def test_the_login_of_what_is_up_is_found_and_told_to_nobody_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "of another server")
    (home / "up.new").write_text("left by one that was killed")
    write(home, up().model_copy(update={"login": "admin:secret"}))
    assert (home / "up.json").stat().st_mode & 0o777 == 0o600
    assert found() == [URL, "dask", DASK]
    assert os.environ["PREFECT_API_AUTH_STRING"] == "admin:secret"
    assert "secret" not in repr(read(home))


def test_what_the_user_set_is_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, up())
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "threads")
    assert found() == [URL, "threads", None]
    monkeypatch.setenv("HUGGINGGPT_TASK_RUNNER", "dask")
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", "tls://elsewhere:8786")
    assert found() == [URL, "dask", "tls://elsewhere:8786"]
    assert CERTIFICATE not in os.environ
    monkeypatch.delenv("HUGGINGGPT_DASK_ADDRESS")
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    monkeypatch.delenv("HUGGINGGPT_TASK_RUNNER")
    assert found() == ["https://prefect.example/api", None, None]


def test_the_state_is_whole_or_none(home: Path) -> None:
    assert read(home) is None
    write(home, up())
    assert read(home) == up()
    assert (up().pid, up().is_alive, up(GONE).is_alive) == (psutil.Process().pid, True, False)
    (home / "up.json").write_text("{")
    assert read(home) is None
    make_certificate(certificate_file(home))
    assert certificate_file(home).stat().st_mode & 0o777 == 0o600
    remove(home)
    remove(home)
    assert not list(home.iterdir())

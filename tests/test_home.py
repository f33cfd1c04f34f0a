"""The home folder is its owner's alone, whatever the umask and whoever writes there."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hugginggpt.errors import ConfigurationError
from hugginggpt.home import open_home
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import get_settings
from tests.servers import open_to_others

WRITE = """
from hugginggpt.artifacts import ValueType
from hugginggpt.services import get_store, get_trace
get_trace().check()
get_store().put_bytes(b"hello", ValueType.TEXT, "text/plain")
"""


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """One that lets others in."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def older(home: Path) -> Path:
    """A home of a version that left modes to the umask."""
    for folder in ("artifacts/ab", "results", "logs", "prefect"):
        (home / folder).mkdir(parents=True)
    for file in ("trace.db", "trace.db-wal", "up.lock", "up.wake", "artifacts/ab/abc", "logs/up.log"):
        (home / file).write_text("x")
    assert len(open_to_others(home)) == 12
    return home


def lists_are_kept(folder: Path) -> bool:
    """Whether the file system of a folder knows default access control lists."""
    probe = folder / "probe"
    open_home(probe)
    (probe / "file").touch()
    kept = not open_to_others(probe)
    shutil.rmtree(probe)
    return kept


def test_whatever_is_made_in_a_new_home_is_private(home: Path, tmp_path: Path) -> None:
    if not lists_are_kept(tmp_path):
        pytest.skip("this file system knows no access control lists")
    open_home(home)
    (home / "logs" / "deep").mkdir(parents=True)
    (home / "logs" / "deep" / "file").write_text("x")
    with sqlite3.connect(home / "prefect.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        assert (home / "prefect.db-wal").exists()
        assert open_to_others(home) == []
    connection.close()


def test_what_a_process_of_any_umask_writes_is_private(home: Path, tmp_path: Path) -> None:
    if not lists_are_kept(tmp_path):
        pytest.skip("this file system knows no access control lists")
    subprocess.run([sys.executable, "-c", WRITE], env=os.environ | {"HUGGINGGPT_HOME": str(home)}, check=True)
    assert {"trace.db", "trace.db.lock", "artifacts"} <= {path.name for path in home.iterdir()}
    assert open_to_others(home) == []


def test_the_umask_of_a_program_is_not_changed(home: Path) -> None:
    get_trace().check()
    assert os.umask(0) == 0
    reset()


@pytest.mark.parametrize("use", [get_trace, get_store])
def test_an_older_home_is_mended_with_a_note(
    older: Path, use: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    reset()
    (older / "trace.db").unlink()
    (older / "trace.db-wal").unlink()
    use()
    assert open_to_others(older) == []
    assert [record.message for record in caplog.records] == [
        f"The home folder {older} was open to other users. It and everything in it is private now."
    ]
    (older / "results" / "new").write_text("x")
    if lists_are_kept(older.parent):
        assert open_to_others(older) == []
    caplog.clear()
    reset()
    use()
    assert not caplog.records
    reset()


def test_a_private_home_whose_files_are_not_is_mended_without_a_note(
    older: Path, caplog: pytest.LogCaptureFixture
) -> None:
    older.chmod(0o700)
    open_home(older)
    assert not caplog.records
    if lists_are_kept(older.parent):
        assert open_to_others(older) == []


def test_files_that_may_be_run_stay_so_and_links_are_not_followed(older: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (older / "results" / "link").symlink_to(outside)
    (older / "logs" / "run").write_text("x")
    (older / "logs" / "run").chmod(0o755)
    open_home(older)
    assert (older / "logs" / "run").stat().st_mode & 0o777 == 0o700
    assert outside.stat().st_mode & 0o777 == 0o777


def test_a_home_that_is_opened_later_is_mended_again(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_home(home)
    (home / "notes of my own").touch(0o644)
    home.chmod(0o755)
    open_home(home)
    assert home.stat().st_mode & 0o777 == 0o700
    assert "was open to other users" in caplog.text


def test_a_folder_that_is_not_hugginggpt_s_alone_is_left_as_it_is(home: Path) -> None:
    home.mkdir(mode=0o755)
    (home / "report.odt").touch()
    with pytest.raises(ConfigurationError, match=f"^The home folder {home} is open to other users and contains more "):
        open_home(home)
    assert home.stat().st_mode & 0o777 == 0o755
    home.chmod(0o700)
    open_home(home)
    assert (home / "report.odt").stat().st_mode & 0o777 == 0o666


def test_the_user_s_own_home_and_folders_for_everybody_are_left_as_they_are(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setenv("HOME", str(home / "ada"))
    with pytest.raises(ConfigurationError, match="set HUGGINGGPT_HOME to a folder of its own"):
        open_home(home)
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(ConfigurationError, match="set HUGGINGGPT_HOME to a folder of its own"):
        open_home(home)
    monkeypatch.delenv("HOME")
    home.chmod(0o1777)
    with pytest.raises(ConfigurationError, match="set HUGGINGGPT_HOME to a folder of its own"):
        open_home(home)
    assert home.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_another_user_is_refused(home: Path) -> None:
    open_home(home)
    os.chown(home, 12345, 12345)
    with pytest.raises(
        ConfigurationError, match="belongs to another user: set HUGGINGGPT_HOME to a folder of your own"
    ):
        open_home(home)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a file system of a type, or changes how it is mounted, where this machine lets us."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount(*arguments: str) -> Path:
        command = ["mount", *arguments, "none", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a file system needs root on Linux")
        return folder

    yield mount
    subprocess.run(["umount", str(folder)], capture_output=True)


def test_without_access_control_lists_the_door_is_closed(mounted: Callable[..., Path]) -> None:
    home = mounted("-t", "ramfs") / "home"
    open_home(home)
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o755)
    (home / "trace.db").touch(0o644)
    open_home(home)
    assert open_to_others(home) == []
    assert not lists_are_kept(home.parent)


def test_a_home_that_cannot_be_closed_is_refused(mounted: Callable[..., Path]) -> None:
    home = mounted("-t", "tmpfs") / "home"
    home.mkdir(0o755)
    mounted("-o", "remount,ro")
    with pytest.raises(ConfigurationError, match="cannot keep it private: set HUGGINGGPT_HOME to a folder on"):
        open_home(home)


def test_a_home_that_is_no_folder_is_for_whoever_writes_there(home: Path) -> None:
    home.write_text("x")
    open_home(home)
    open_home(home / "below")


def test_a_link_to_a_home_is_that_home(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = older.parent / "link"
    link.symlink_to(older)
    monkeypatch.setenv("HUGGINGGPT_HOME", str(link))
    get_settings.cache_clear()
    open_home(get_settings().home_dir)
    assert open_to_others(older) == []


def test_the_command_line_says_that_it_mended_a_home(older: Path) -> None:
    for file in ("trace.db", "trace.db-wal"):
        (older / file).unlink()
    command = [sys.executable, "-m", "apps.cli", "trace", "list"]
    listed = subprocess.run(command, capture_output=True, text=True)
    assert listed.returncode == 0
    assert listed.stderr.splitlines()[0] == (
        f"Note: The home folder {older} was open to other users. It and everything in it is private now."
    )

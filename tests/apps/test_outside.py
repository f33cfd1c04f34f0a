"""What came from outside, at the command line: broken names are refused, and nothing shown acts on a terminal."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.services import get_trace
from hugginggpt.trace.store import Trace
from tests.apps.conftest import Run
from tests.apps.installation import COMMAND
from tests.trace.samples import begin

HOSTILE = "\x1b[31mred\x1b[0m \x9b2J \u202egnp.exe \x07 \x00"
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def trace(inside: CliRunner) -> Trace:
    """A trace with a request, text and file of which want to act on a terminal."""
    trace = get_trace()
    begin(trace, request_id="one", text=f"Read {HOSTILE} it")
    return trace


@pytest.mark.parametrize(
    "command",
    [
        ["trace", "list"],
        ["trace", "list", "--json"],
        ["trace", "show", "one"],
        ["trace", "show", "one", "--json"],
        ["trace", "export", "one"],
        ["trace", "show", f"no{HOSTILE[:-1]}"],
        ["trace", "list", "--limit", HOSTILE[:-1]],
        ["models", "--kind", HOSTILE[:-1]],
        ["kinds", HOSTILE[:-1]],
        ["submit", "Read it", "--later", "--plan", HOSTILE[:-1]],
        [HOSTILE[:-1]],
        [f"--{HOSTILE[:-1]}"],
    ],
)
def test_nothing_that_is_shown_acts_on_a_terminal(inside: CliRunner, trace: Trace, command: list[str]) -> None:
    shown = inside.invoke(main, command)
    assert ACTS.search(shown.stdout + shown.stderr) is None
    if command[-1] == "--json":
        said = json.loads(shown.stdout)
        if isinstance(said, list):
            assert said[0]["text"] == f"Read {HOSTILE} it".replace("\x00", "\ufffd")
        else:
            assert said["request_id"] == "one"


def test_a_name_that_is_no_text_is_refused_in_one_sentence(hugginggpt: Run, tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(name).write_text("hello")
    for command in (
        ["submit", "Read it", "--later", "--file", name],
        ["plan", "Read it", "--file", name],
        ["ask", "Read it", "--file", name],
        ["ask", "Read it", "--out", name + "d"],
        ["trace", "show", name],
        ["submit", "Read it", "--later", "--id", name],
        ["submit", "Read it", "--later", "--conversation", name],
        ["submit", name, "--later"],
        ["evaluate", "--dataset", name],
    ):
        done = subprocess.run([*COMMAND, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2), command
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("Error: "), done.stderr


def test_a_file_whose_name_wants_to_act_is_called_by_what_can_be_read(inside: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31mb\u202ec.txt").write_text("hello")
    done = inside.invoke(
        main, ["submit", "Read it", "--later", "--id", "x", "--file", f"{tmp_path}/a\x1b[31mb\u202ec.txt"]
    )
    assert done.exit_code == 0
    assert [resource.name for resource in get_trace().requests.get("x").resources] == ["abc.txt"]


def test_a_broken_line_never_drops_the_others(inside: CliRunner, tmp_path: Path) -> None:
    lines = [
        b'{"request": "fine", "id": "b1"}',
        b"\xff\xfe",
        b'{"request": "\\ud800"}',
        b'{"request": "a\\u0000"}',
        b"[" * 100_000,
        b'{"request": "x", "deadline": 1e999}',
        b'{"request": "x", "id": "' + b"a" * 5000 + b'"}',
        b'{"request": "x", "id": "\xe2\x80\xae"}',
        b'{"request": "x", "files": ["/nowhere"]}',
        b'{"request": "x", "files": ["http://h:99999"]}',
        b'{"request": "x", "files": ["http://xn--a/"]}',
        b'{"request": "x", "files": ["' + b"a" * 5000 + b'"]}',
        b'{"request": "x", "files": ["~\xc2\x85"]}',
        b'{"request": "x", "conversation": "nobody"}',
        b'{"request": "x", "request": "y"}',
        b'{"request": "x", "plan": [{"a": ' + b"[" * 50 + b"]" * 50 + b"}]}",
        b'{"request": "last", "id": "b2"}',
    ]
    (tmp_path / "batch").write_bytes(b"\n".join(lines))
    done = inside.invoke(main, ["submit", "--batch", str(tmp_path / "batch"), "--later"])
    assert done.exit_code == 3
    assert done.stdout.split() == ["b1", "b2"]
    complaints = done.stderr.splitlines()
    assert [re.match(r"Error: Line (\d+): ", line)[1] for line in complaints] == [str(n) for n in range(2, 17)]  # type: ignore[index]
    assert max(map(len, complaints)) < 500


@pytest.mark.parametrize("command", [["ask", "Hello"], ["submit", "Hello"], ["status"], ["doctor"]])
def test_the_address_of_a_prefect_server_holds_no_password(hugginggpt: Run, command: list[str]) -> None:
    done = hugginggpt(*command, PREFECT_API_URL="http://ada:sesame@127.0.0.1:9/api")
    assert done.returncode in (1, 2)
    assert "PREFECT_API_URL contains a user name or password" in done.stdout + done.stderr
    assert "sesame" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", [["trace", "list"], ["status"], ["doctor"], ["ask", "Hello"]])
def test_the_password_of_a_database_is_shown_nowhere(hugginggpt: Run, command: list[str]) -> None:
    url = "postgresql://ada:s%65same@127.0.0.1:9/name?password=open99sesame"
    done = hugginggpt(*command, HUGGINGGPT_DATABASE_URL=url)
    assert "ada:***@127.0.0.1:9/name" in done.stdout + done.stderr
    for secret in ("sesame", "s%65same"):
        assert secret not in done.stdout + done.stderr

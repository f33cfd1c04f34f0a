"""`up` on PostgreSQL, detached, with an LLM server as its controller and an expert worker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL

from tests.apps.installation import Installation
from tests.apps.test_up import EDGES
from tests.servers import free_port, postgresql, postgresql_programs, wait_until
from tests.stand_ins.openai_server import OpenAIServer, hangs

pytest.importorskip("prefect_dask")

SUMMARY: dict[str, Any] = {"task": "summarization", "id": 1, "dep": [-1], "args": {"text": "Edges are borders."}}


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(script={}, key="sk-own") as server:
        yield server


@pytest.fixture(scope="module")
def database() -> Iterator[URL | None]:
    """A database on a server of the system, where there is one."""
    if (programs := postgresql_programs()) is None:
        yield None
        return
    with postgresql(programs) as url:
        yield url


@pytest.fixture(scope="module")
def here(
    database: URL | None, server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """On SQLite where PostgreSQL is not installed."""
    stored = {} if database is None else {"HUGGINGGPT_DATABASE_URL": database.render_as_string(hide_password=False)}
    installation = Installation(
        tmp_path_factory.mktemp("up"), -1, OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-own", **stored
    )
    command = installation.up("--expert-workers", "1", "--dask-port", str(free_port()), "--detach")
    try:
        begun = installation.run(*command)
        assert begun.returncode == 0, begun.stdout + begun.stderr
        installation.said_file.write_text(begun.stdout + begun.stderr)
        yield installation
    finally:
        installation.end()


@pytest.fixture
def beside(here: Installation) -> Installation:
    """Its controller is the LLM server."""
    pytest.importorskip("xllamacpp")
    return here


def test_the_controller_of_the_command_answers_and_is_named(beside: Installation, server: OpenAIServer) -> None:
    """Beside an `up` that has another controller than the command has in its environment."""
    plan = beside.folder / "plan.json"
    plan.write_text(json.dumps([EDGES, SUMMARY]))
    server.script = {"plan": {"tasks": [EDGES, SUMMARY]}, "summarization": "Borders.", "respond": "They are borders."}
    server.calls.clear()
    up_has_server = "OPENAI_BASE_URL" in beside.environment
    theirs: dict[str, str | None] = {"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None}
    own = theirs if up_has_server else {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-own"}
    here = {"model": "SmolLM2-135M-Instruct", "server": "embedded"}
    far = {"model": "gpt-4o-mini", "server": server.url}
    expected, of_up = (here, far) if up_has_server else (far, here)
    # The embedded model plans what it likes.
    given: list[str | Path] = ["--plan", plan] if up_has_server else []

    asked = beside.run("ask", "Draw its edges.", "--file", beside.photo, *given, "--json", **own)
    told = json.loads(asked.stdout)
    assert {task["task"]: task["status"] for task in told["tasks"]} == {
        "canny-control": "completed",
        "summarization": "completed",
    }, asked.stderr
    assert told["controller"].items() >= expected.items()
    assert told["tasks"][1]["model"] == expected["model"]
    assert set(server.stages()) == (set() if up_has_server else {"plan", "summarization", "respond"})
    shown = json.loads(beside.run("trace", "show", told["request_id"], "--json").stdout)
    assert shown["controller"] == told["controller"]
    story = beside.run("trace", "show", told["request_id"]).stdout
    assert f"controller  {expected['model']}" in story

    planned = json.loads(beside.run("plan", "Draw its edges.", "--file", beside.photo, "--json", **own).stdout)
    assert planned["controller"] == expected

    # What is submitted is answered by the `up`, and that is said where it is another.
    submitted = beside.run(
        "submit", "Draw them.", "--file", beside.photo, "--plan", plan, "--wait", "--json", "--fresh", **own
    )
    names = {False: "SmolLM2-135M-Instruct (embedded)", True: f"gpt-4o-mini at {server.url}"}
    sentence = (
        f"Note: The controller that answers is {names[up_has_server]}, not {names[not up_has_server]} as configured "
        "here: use `hugginggpt ask` for your own, or start `hugginggpt up` again in this environment.\n"
    )
    assert sentence in submitted.stderr
    told = json.loads(submitted.stdout)
    assert told["controller"].items() >= of_up.items()
    assert 0 < told["waiting_seconds"] < told["seconds"]
    assert " s waiting for a worker" in submitted.stderr
    later = beside.run("submit", "Draw them again.", "--later")
    assert "The controller that answers" not in later.stderr
    assert beside.run("cancel", later.stdout.strip()).returncode == 0


def rows(url: URL, database: str, query: str) -> list[Any]:
    where = {"host": str(url.query["host"]), "user": url.username, "password": url.password, "dbname": database}
    with psycopg.connect(**where) as connection:  # type: ignore[arg-type]
        return connection.execute(query).fetchall()


def test_it_goes_down_with_a_request_at_work_and_nobody_is_told_the_password(
    here: Installation, database: URL | None, server: OpenAIServer
) -> None:
    if database is None:
        pytest.skip("PostgreSQL with its contrib extensions is not installed on this system")
    server.script = {"plan": hangs()}
    server.calls.clear()
    run = here.submit("Draw the edges.")
    wait_until(lambda: server.calls)
    shown = here.run("status")
    assert shown.returncode == 0, shown.stdout
    assert "; running Draw the edges." in shown.stdout
    (counts,) = [line for line in shown.stdout.splitlines() if line.startswith("requests:")]
    assert "1 running" in counts
    commands = here.commands()
    assert "apps.up.fork_server" in commands
    down = here.run("down")
    assert (down.returncode, down.stdout) == (0, f"Stopped everything for {here.home}.\n")
    assert not here.processes()
    assert not (here.home / "up.json").exists()
    logs = "".join(log.read_text() for log in (here.home / "logs").iterdir())
    assert "postgresql+asyncpg://ada:***@/ada-trace_prefect\n" in here.said
    assert "heim" not in here.said + shown.stdout + commands + logs
    assert (run,) in rows(database, "ada-trace_prefect", "SELECT id::text FROM flow_run")
    assert ("Draw the edges.",) in rows(database, "ada-trace", "SELECT text FROM requests")
    assert not (here.home / "prefect" / "prefect.db").exists()


def test_a_postgresql_server_without_what_prefect_needs_is_refused(postgresql_url: str, tmp_path: Path) -> None:
    installation = Installation(tmp_path, HUGGINGGPT_DATABASE_URL=postgresql_url)
    refused = installation.run(*installation.up())
    assert refused.returncode == 2
    (sentence,) = refused.stderr.splitlines()
    assert "needs the extension pg_trgm" in sentence and "set PREFECT_API_DATABASE_CONNECTION_URL" in sentence
    assert not installation.processes()
    assert not (installation.home / "up.json").exists()

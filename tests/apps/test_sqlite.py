"""Prefect's server on SQLite, with many clients that write at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from prefect.server.database.dependencies import temporary_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, temporary_settings

from apps.up.guard import Application, Receive, Scope, Send
from apps.up.sqlite import keep_writers_in_line
from tests.servers import prefect_client

CLIENTS = 8
RUNS_EACH = 6
STATES = ("PENDING", "RUNNING", "COMPLETED")


def test_writers_are_never_turned_away(prefect_api: str) -> None:
    with prefect_client(prefect_api) as client:
        flow = client.post("/flows/", json={"name": "busy"}).raise_for_status().json()["id"]

    def runs(number: int) -> list[int]:
        """Begin and end runs, each in transactions that read before they write; the status of every answer."""
        codes = []
        with prefect_client(prefect_api) as client:
            for count in range(RUNS_EACH):
                made = client.post("/flow_runs/", json={"flow_id": flow, "name": f"{number}-{count}"})
                changes = [client.patch(f"/flow_runs/{made.json()['id']}", json={"tags": [str(number)]})]
                for state in STATES:
                    changes.append(
                        client.post(f"/flow_runs/{made.json()['id']}/set_state", json={"state": {"type": state}})
                    )
                codes += [answer.status_code for answer in (made, *changes)]
        return codes

    with ThreadPoolExecutor(CLIENTS) as pool:
        codes = [code for found in pool.map(runs, range(CLIENTS)) for code in found]
    assert len(codes) == CLIENTS * RUNS_EACH * (2 + len(STATES))
    assert set(codes) <= {200, 201, 204}


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is too busy."""
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def asked(application: Application) -> httpx.Response:
    transport = httpx.ASGITransport(app=application)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://up") as client:
        return await client.get("/api/flows")


@pytest.mark.parametrize(
    ("database", "header"),
    [("sqlite+aiosqlite:////nowhere/prefect.db", "1"), ("postgresql+asyncpg://nowhere/prefect", None)],
)
def test_only_on_sqlite_a_client_comes_back_soon(database: str, header: str | None) -> None:
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: database}), temporary_database_config(None):
        application = keep_writers_in_line(busy)
    answer = asyncio.run(asked(application))
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, header)

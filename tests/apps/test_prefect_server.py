"""To whom the Prefect server answers that we run, asked as browsers and others ask."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.workers.process import ProcessWorker
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from apps.up.job_template import JOB_TEMPLATE
from apps.up.login import check_login
from apps.up.prefect_api import set_up
from hugginggpt.errors import UsageError
from tests.servers import prefect_client

FOREIGN = ("http://evil.example", "http://127.0.0.1:3000", "http://localhost:1", "null")
SOCKETS = ("/events/in", "/events/out", "/logs/out", "/task_runs/subscriptions/scheduled")


@pytest.fixture
def port(prefect_api: str) -> int:
    found = urlsplit(prefect_api).port
    assert found is not None
    return found


@pytest.fixture
def client(prefect_api: str) -> Iterator[httpx.Client]:
    with prefect_client(prefect_api) as client:
        yield client


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_it_answers_to_its_own_names(client: httpx.Client, port: int, name: str) -> None:
    for host in (name, f"{name}:{port}"):
        assert client.get("/health", headers={"Host": host}).json() is True
        assert client.post("/flows/filter", json={}, headers={"Host": host}).is_success


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "a.localhost", "0.0.0.0", ""])
@pytest.mark.parametrize("path", ["/api/health", "/api/csrf-token?client=a", "/", "/ui-settings", "/docs"])
def test_it_answers_to_no_other_name(prefect_api: str, port: int, host: str, path: str) -> None:
    for name in (host, f"{host}:{port}"):
        refused = httpx.get(prefect_api.removesuffix("/api") + path, headers={"Host": name})
        assert refused.status_code == 403
        assert refused.json()["detail"].startswith("This server does not answer to that host name")


def test_two_names_at_once_are_none_of_its_own(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n".encode())
        assert raw.recv(4096).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_elsewhere_gets_nothing_even_with_a_token(client: httpx.Client, origin: str) -> None:
    for method, path in (("GET", "/health"), ("POST", "/flows/filter"), ("OPTIONS", "/flows/filter")):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        refused = client.request(method, path, headers=asked)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


def test_its_own_page_is_answered(client: httpx.Client, port: int) -> None:
    for name in ("127.0.0.1", "localhost"):
        own = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}", "Sec-Fetch-Site": "same-origin"}
        answered = client.post("/flows/filter", json={}, headers=own)
        assert answered.is_success and answered.headers["access-control-allow-origin"] == own["Origin"]


def test_a_request_without_a_token_changes_nothing(prefect_api: str) -> None:
    for headers in ({}, {"Prefect-Csrf-Client": "a", "Prefect-Csrf-Token": "guessed"}):
        refused = httpx.post(f"{prefect_api}/flows/", json={"name": "made"}, headers=headers)
        assert (refused.status_code, "CSRF token" in refused.json()["detail"]) == (403, True)


def test_a_token_is_valid_for_one_client_and_until_it_expires(prefect_api: str) -> None:
    with httpx.Client(base_url=prefect_api) as plain:
        given = plain.get("/csrf-token", params={"client": "a"}).json()
        expires, _, signature = given["token"].partition("-")
        wrong = [("b", given["token"]), ("a", f"{int(expires) + 1}-{signature}"), ("a", f"0-{signature}")]
        for name, token in wrong:
            headers = {"Prefect-Csrf-Client": name, "Prefect-Csrf-Token": token}
            refused = plain.post("/flows/filter", json={}, headers=headers)
            assert (refused.status_code, refused.headers["retry-after"]) == (403, "0")
            assert refused.json()["detail"].startswith("Invalid CSRF token")  # Prefect's clients fetch another then
        headers = {"Prefect-Csrf-Client": "a", "Prefect-Csrf-Token": given["token"]}
        assert plain.post("/flows/filter", json={}, headers=headers).is_success
        assert datetime.fromisoformat(given["expiration"]).timestamp() == int(expires)


def test_a_client_goes_on_with_another_token_after_a_restart(prefect_api: str) -> None:
    with SyncPrefectClient(prefect_api) as client:
        http: Any = client._client
        client.read_flows()
        http.csrf_token = before = "of-the-server-before"
        client.read_flows()
        assert http.csrf_token != before


def test_a_page_elsewhere_may_open_the_pages_and_show_nothing_of_them(prefect_api: str) -> None:
    page = prefect_api.removesuffix("/api") + "/"
    navigates = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    opened = httpx.get(page, headers=navigates, follow_redirects=True)
    assert opened.is_success
    assert opened.headers["content-security-policy"].split("; ")[0] == "frame-ancestors 'self'"
    for other in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Dest": "script"}):
        assert httpx.get(page, headers=navigates | other).status_code == 403
    assert httpx.post(page, headers=navigates).status_code == 403


@pytest.mark.parametrize("path", SOCKETS)
def test_websockets_are_guarded_the_same(port: int, path: str) -> None:
    address = f"ws://127.0.0.1:{port}/api{path}"
    for origin in FOREIGN:
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin=origin, subprotocols=["prefect"])  # type: ignore[arg-type, list-item]
    with socket.create_connection(("127.0.0.1", port)) as raw, pytest.raises(InvalidStatus, match="403"):
        connect(f"ws://evil.example:{port}/api{path}", sock=raw, subprotocols=["prefect"])  # type: ignore[list-item]
    for origin in (None, f"http://127.0.0.1:{port}"):
        with connect(address, origin=origin, subprotocols=["prefect"]) as made:  # type: ignore[arg-type, list-item]
            assert made.subprotocol == "prefect"


def test_a_work_pool_of_an_earlier_version_is_mended(prefect_api: str, client: httpx.Client) -> None:
    client.delete("/work_pools/hugginggpt")
    earlier = ProcessWorker.get_default_base_job_template()
    made = {"name": "hugginggpt", "type": "process", "base_job_template": earlier}
    client.post("/work_pools/", json=made).raise_for_status()
    set_up(prefect_api, {})
    assert client.get("/work_pools/hugginggpt").json()["base_job_template"] == JOB_TEMPLATE


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_loopback_it_wants_no_login(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "")
    check_login(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_beyond_loopback_it_wants_a_login(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "")
    with pytest.raises(UsageError, match=f"^Other machines can reach {host}, .* set one in PREFECT_SERVER_"):
        check_login(host)
    refused = subprocess.run(
        [sys.executable, "-m", "apps.up.prefect_server", "--host", host], env=os.environ, capture_output=True, text=True
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith(f"Error: Other machines can reach {host}")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "admin:secret")
    check_login(host)


@pytest.mark.parametrize("host", ["", "no.such.host.invalid", "a b", "x" * 300])
def test_what_is_no_host_is_said(host: str) -> None:
    with pytest.raises(UsageError, match="is unknown: give an address of this machine with --host"):
        check_login(host)

"""The HTTP service and its client, without the processes that do the work."""

import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import uvicorn

from apps.http.application import application
from apps.http.client import Service, ServiceLostError, find_service
from apps.http.work import Work
from hugginggpt import submission
from hugginggpt.holder import holder_name
from hugginggpt.service_key import make_key, proof
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import Settings
from hugginggpt.settings_fingerprint import settings_fingerprint
from hugginggpt.submission import Submission
from hugginggpt.up_state import Up, write
from tests.servers import fork_server

KEY = "the key"
SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where the service listens."""
    reset()
    with fork_server() as forks, socket.create_server(("127.0.0.1", 0)) as listening:
        app = application(KEY, "http://ui", Work(tmp_path, forks))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    reset()


def call(address: str, method: str, path: str, content: bytes | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connection.request(method, f"/api/v1{path}", content, headers)
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer.status, json.loads(found)


@pytest.mark.parametrize(
    ("path", "content", "name"),
    [
        ("/requests", b"{", "body"),
        ("/requests", b"", "body"),
        ("/requests", b"[1]", "body"),
        ("/requests", b"{}", "request"),
        ("/requests", b'{"request": "Read it", "door": "page"}', "door"),
        ("/requests", b'{"request": "Read it", "webhook": "file:///etc/passwd"}', "webhook"),
        ("/requests", rb'{"id": "a", "request": "\ud800"}', "request"),
        ("/requests", rb'{"id": "a\u0000", "request": "Read it"}', "id"),
        ("/requests", b'{"id": "a", "request": "Read it", "deadline": -1}', "deadline"),
        ("/plans", b'{"request": "Read it", "files": "a.png"}', "files"),
    ],
)
def test_what_is_wrong_with_content_is_said_in_a_sentence(address: str, path: str, content: bytes, name: str) -> None:
    status, told = call(address, "POST", path, content)
    assert (status, told["type"]) == (422, "UsageError")
    assert told["message"].startswith(f"'{name}' cannot be used: ")


def test_any_unique_beginning_of_an_id_will_do(address: str, settings: Settings) -> None:
    submission.submit(Submission(request="Read it", id="later-1"), settings, get_store(), get_trace())
    assert call(address, "GET", "/requests/la")[1]["request_id"] == "later-1"
    assert call(address, "POST", "/requests/late/cancel")[1] == {
        "request_id": "later-1",
        "cancelled": True,
        "status": "queued",
    }
    told = call(address, "GET", "/requests/lat/events?since=2026-01-01T00:00:00")
    assert told[0] == 422 and told[1]["message"].startswith("'since' cannot be used: ")
    connection = http.client.HTTPConnection(address)
    connection.request("GET", f"/api/v1/requests/lat/events?since={SINCE}", headers={"Authorization": f"Bearer {KEY}"})
    events = connection.getresponse().read().decode()
    connection.close()
    assert '"request_id": "later-1"' in events and "event: ended" in events


class Impostor(BaseHTTPRequestHandler):
    """Closes each connection after its answer."""

    has_key = True
    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers["Authorization"])
        challenge = parse_qs(urlsplit(self.path).query).get("challenge", [""])[0]
        content = json.dumps({"proof": proof(KEY, challenge) if self.has_key else "wrong"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.mark.parametrize("has_key", [False, True])
def test_each_connection_proves_itself_before_the_key_goes_there(has_key: bool) -> None:
    handler = type("Handler", (Impostor,), {"has_key": has_key, "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        service = Service(f"http://127.0.0.1:{server.server_port}", KEY)
        assert service.proves_itself() is has_key
        for _ in range(2):
            with pytest.raises(ServiceLostError):
                service.post("/requests/a/cancel")
        server.shutdown()
    assert handler.seen and set(handler.seen) == {None}


@pytest.mark.parametrize("url", ["http://127.0.0.1:x", "http://[::1", "nonsense", ""])
def test_a_service_whose_address_is_none_is_not_found(settings: Settings, url: str) -> None:
    settings.home_dir.mkdir(mode=0o700)
    same = settings_fingerprint(os.environ, settings.home_dir, make_key(settings.home_dir))
    state = Up(supervisor=holder_name(), mark="", api_url="http://api", dask_address=None, ready=True)
    write(settings.home_dir, state.model_copy(update={"service_url": url, "settings_fingerprint": same}))
    assert find_service() is None


def test_a_service_that_closed_its_connection_is_spoken_to_again(address: str) -> None:
    service = Service(f"http://{address}", KEY)
    assert service.proves_itself()
    service.close()
    assert service.get("/latest-conversation") == {"conversation_id": None}

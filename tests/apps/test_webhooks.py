"""Webhooks: an address is told once that a request has ended, and only an address that may be reached."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from apps.http.webhooks import tell
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import Settings
from hugginggpt.submission import Submission, submit
from tests.apps.test_api import OWNER, owner, put_in_line, url

__all__ = ["owner", "url"]


class Receiver(BaseHTTPRequestHandler):
    """Keeps what it is told, and answers as it is set to."""

    protocol_version = "HTTP/1.1"
    statuses: list[int]
    told: list[tuple[dict[str, str], str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.told.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.statuses.pop(0) if self.statuses else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Receiver]]:
    """A receiver on loopback, which is trusted."""
    monkeypatch.setenv("HUGGINGGPT_TRUSTED_HOSTS", "127.0.0.1")
    reset()
    handler: type[Receiver] = type("Handler", (Receiver,), {"statuses": [], "told": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        handler.url = f"http://127.0.0.1:{server.server_port}/hook"  # type: ignore[attr-defined]
        yield handler
        server.shutdown()
    reset()


def ended_with_webhook(settings: Settings, address: str) -> str:
    """A request that has ended, and has a webhook."""
    submission = Submission(request="Read it", webhook=address)
    request_id = submit(submission, settings, get_store(), get_trace()).request_id
    get_trace().lifecycle.cancel(request_id)
    return request_id


def tell_due() -> int:
    """Tell every address that is due; return how many there were."""
    due = get_trace().webhooks.claim(10)
    for webhook in due:
        tell(OWNER, webhook)
    return len(due)


def test_the_service_tells_an_address_that_checks_the_signature(receiver: type[Receiver], owner: httpx.Client) -> None:
    secret = owner.get("/webhook-secret").json()["secret"]
    request_id = put_in_line(owner, webhook=receiver.url)["request_id"]  # type: ignore[attr-defined]
    time.sleep(1.5)
    assert not receiver.told
    owner.post(f"/requests/{request_id}/cancel")
    end = time.monotonic() + 30
    while not receiver.told and time.monotonic() < end:
        time.sleep(0.05)
    ((headers, body),) = receiver.told
    Webhook(secret).verify(body, headers)
    found = json.loads(body)
    assert (found["type"], found["data"]["request_id"]) == ("request.ended", request_id)
    assert found["data"]["status"] == "cancelled"


def test_what_fails_is_tried_again_until_it_is_told_once(
    receiver: type[Receiver], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hugginggpt.trace.webhooks.RETRY_SECONDS", (0, 0, 0))
    receiver.statuses += [500, 302]
    ended_with_webhook(settings, receiver.url)  # type: ignore[attr-defined]
    assert [tell_due() for _ in range(5)] == [1, 1, 1, 0, 0]
    ids = {headers["webhook-id"] for headers, _ in receiver.told}
    assert len(receiver.told) == 3 and len(ids) == 1


def test_an_address_is_given_up_in_the_end(
    receiver: type[Receiver], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hugginggpt.trace.webhooks.RETRY_SECONDS", (0, 0))
    receiver.statuses += [500] * 9
    ended_with_webhook(settings, receiver.url)  # type: ignore[attr-defined]
    assert [tell_due() for _ in range(5)] == [1, 1, 1, 0, 0]
    receiver.statuses[:] = [410] * 9
    ended_with_webhook(settings, receiver.url)  # type: ignore[attr-defined]
    assert [tell_due() for _ in range(2)] == [1, 0]


def test_while_one_process_tells_an_address_no_other_does(receiver: type[Receiver], settings: Settings) -> None:
    ended_with_webhook(settings, receiver.url)  # type: ignore[attr-defined]
    assert (len(get_trace().webhooks.claim(10)), len(get_trace().webhooks.claim(10))) == (1, 0)


def test_a_private_address_is_never_reached(settings: Settings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Receiver,), {"statuses": [], "told": []})) as server:
        ended_with_webhook(settings, f"http://localhost:{server.server_port}/")
        server.timeout = 0.2
        assert (tell_due(), tell_due()) == (1, 0)
        server.handle_request()
        assert not server.RequestHandlerClass.told  # type: ignore[attr-defined]

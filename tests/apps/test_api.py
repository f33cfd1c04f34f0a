"""The HTTP API, its keys and its files, without the processes that answer requests."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from apps.http.application import application
from apps.http.sessions import COOKIE, make_link_token, session, whose
from apps.http.work import Work
from hugginggpt.home import open_home
from hugginggpt.media import Text
from hugginggpt.services import get_store, get_trace, reset
from hugginggpt.settings import Settings
from tests.servers import fork_server

OWNER = "hgpt_owner-s-own-key-for-tests"


@pytest.fixture
def url(tmp_path: Path, settings: Settings) -> Iterator[str]:
    """Where the service listens."""
    reset()
    open_home(settings.home_dir)
    with fork_server() as forks, socket.create_server(("127.0.0.1", 0)) as listening:
        app = application(OWNER, "http://ui", Work(tmp_path, forks))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    reset()


@pytest.fixture
def owner(url: str) -> Iterator[httpx.Client]:
    """The owner's client."""
    with client(url, OWNER) as found:
        yield found


def client(url: str, key: str | None) -> httpx.Client:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60)


def put_in_line(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.post("/requests", json={"request": "Read it", "start": "later", **asked})
    assert answer.status_code == 201, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


def test_without_a_key_there_is_nothing(url: str) -> None:
    key = get_trace().keys.add("gone")
    get_trace().keys.revoke("gone")
    for text in (None, "hgpt_wrong", key):
        with client(url, text) as stranger:
            for path in ("/requests", "/files/" + "0" * 64, "/openapi.json", "/kinds", "/nowhere"):
                answer = stranger.get(path)
                assert (answer.status_code, answer.json()["type"]) == (401, "Unauthorized"), path
            assert stranger.get("/health").status_code == stranger.get("/ready").status_code == 200
    assert key not in (get_trace().keys.all()[0].model_dump_json())


def test_a_request_remembers_its_door_and_key(owner: httpx.Client, url: str) -> None:
    mine = put_in_line(owner)["request_id"]
    with client(url, get_trace().keys.add("laptop")) as laptop:
        theirs = put_in_line(laptop)["request_id"]
    found = [get_trace().requests.get(request_id) for request_id in (mine, theirs)]
    assert [(story.door, story.key_name) for story in found] == [("http", None), ("http", "laptop")]


def test_a_key_sees_what_it_made_and_the_owner_sees_all(owner: httpx.Client, url: str) -> None:
    mine, other = (client(url, get_trace().keys.add(name)) for name in ("mine", "other"))
    everything = client(url, get_trace().keys.add("everything", sees_all=True))
    with mine, other, everything:
        made = put_in_line(mine, id="made-with-mine")["request_id"]
        conversation = mine.get(f"/requests/{made}").json()["conversation_id"]
        for who in (owner, everything, mine):
            assert who.get("/requests/made").json()["request_id"] == made
            assert who.get(f"/conversations/{conversation}").status_code == 200
            assert [one["request_id"] for one in who.get("/requests").json()] == [made]
        for path in ("/requests/made", f"/requests/{made}/events", f"/conversations/{conversation}"):
            assert other.get(path).status_code == 404, path
        assert other.post(f"/requests/{made}/cancel").status_code == 404
        assert other.get("/requests").json() == other.get("/conversations").json() == []
        assert other.get("/latest-conversation").json() == {"conversation_id": None}
        assert other.post("/requests", json={"request": "Go on", "conversation": conversation}).status_code == 404
        taken = other.post("/requests", json={"request": "Read it", "id": made})
        assert (taken.status_code, taken.json()["type"]) == (409, "RequestIdError")


def test_the_same_id_or_idempotency_key_is_the_same_request(owner: httpx.Client) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = (
        owner.post("/requests", json={"request": "Read it", "start": "later"}, headers=headers).json() for _ in range(2)
    )
    assert (first["request_id"], first["new"], second["request_id"], second["new"]) == ("once", True, "once", False)
    other = owner.post("/requests", json={"request": "Another", "start": "later", "id": "once"})
    assert (other.status_code, other.json()["type"]) == (409, "RequestIdError")
    both = owner.post("/requests", json={"request": "Read it", "id": "else"}, headers=headers)
    assert both.status_code == 422


def test_a_form_brings_files_under_their_own_names(owner: httpx.Client) -> None:
    files = [("files", ("../../etc/notes.txt", b"Call Ann.")), ("files", ("notes.txt", b"Call Ben."))]
    form = {"request": "Read them", "options": json.dumps({"start": "later", "deadline": 50})}
    taken = owner.post("/requests", data=form, files=files)
    assert taken.status_code == 201, taken.text
    story = get_trace().requests.get(taken.json()["request_id"])
    assert [resource.name for resource in story.resources] == ["notes.txt", "notes-2.txt"]
    assert story.options["deadline"] == 50
    for options in ("[]", "{", '{"deadline": "x"}', '{"door": "command line", "nothing": 1}'):
        assert owner.post("/requests", data={"request": "Read", "options": options}, files=files).status_code == 422


def test_paths_are_not_for_the_api(owner: httpx.Client, url: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("nothing for you")
    for source in (str(secret), "/etc/passwd", secret.as_uri(), "../secret.txt", "~/.ssh/id_rsa"):
        refused = owner.post("/requests", json={"request": "Read it", "files": [source], "start": "later"})
        assert refused.status_code == 422, refused.text
        assert owner.post("/plans", json={"request": "Read it", "files": [source]}).status_code == 422
    with client(url, get_trace().keys.add("laptop")) as laptop:
        asked = {"request": "Read it", "files": [str(secret)], "start": "later", "door": "command line"}
        assert laptop.post("/requests", json=asked).status_code == 403


def test_files_come_back_with_their_type_and_ranges(owner: httpx.Client, url: str) -> None:
    page = b"<script>alert(1)</script><p>Hello</p>"
    stored = owner.post("/files", files=[("files", ("a.html", page)), ("files", ("b.txt", b"0123456789"))])
    assert stored.status_code == 201, stored.text
    html, text = stored.json()
    asked = {"files": [html["reference"], text["reference"]]}
    put_in_line(owner, **asked)
    answer = owner.get(f"/files/{text['sha256']}/b.txt")
    assert (answer.status_code, answer.content, answer.headers["accept-ranges"]) == (200, b"0123456789", "bytes")
    part = owner.get(f"/files/{text['sha256']}", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert owner.get(f"/files/{text['sha256']}", headers={"Range": "bytes=90-"}).status_code == 416
    shown = owner.get(f"/files/{html['sha256']}/a.html")
    assert shown.headers["content-type"].startswith("text/plain")
    assert "sandbox" in shown.headers["content-security-policy"]
    with client(url, get_trace().keys.add("stranger")) as stranger:
        assert stranger.get(f"/files/{text['sha256']}").status_code == 404
        assert stranger.post("/requests", json={"request": "Read", "start": "later", **asked}).status_code == 422
        own = stranger.post("/files", files=[("files", ("c.txt", b"my own"))]).json()[0]
        put_in_line(stranger, files=[own["reference"]])
        assert stranger.get(f"/files/{own['sha256']}").content == b"my own"
    for name in ("0" * 64, "..%2f..%2fapi.key", "%2e%2e", text["sha256"].upper(), "x"):
        assert owner.get(f"/files/{name}").status_code == 404


def test_a_file_that_no_request_has_is_not_given(owner: httpx.Client) -> None:
    kept = get_store().put(Text("of nobody's request"))
    assert owner.get(f"/files/{kept.sha256}").status_code == 404


def test_a_key_may_have_so_many_open_requests_and_spend_so_much(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with client(url, get_trace().keys.add("few", most_requests=1)) as few:
        put_in_line(few, id="first")
        refused = few.post("/requests", json={"request": "Read it", "start": "later"})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert put_in_line(few, id="first")["new"] is False
        few.post("/requests/first/cancel")
        put_in_line(few)
    with client(url, get_trace().keys.add("poor", most_cost=2.5)) as poor:
        taken = [put_in_line(poor, **asked)["request_id"] for asked in ({}, {"max_cost": 1}, {"max_cost": 7})]
        assert [get_trace().requests.get(one).options["max_cost"] for one in taken] == [2.5, 1, 2.5]


def test_too_much_is_refused_before_it_is_read(url: str, owner: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(300):
            yield b"x" * 2**20

    for sent in (endless(), b"x" * (201 * 2**20)):
        try:
            answer = owner.post("/requests", content=sent, headers={"Content-Type": "application/json"})
        except httpx.TransportError:
            continue  # the service has closed the connection
        assert answer.status_code == 413


def test_a_link_lets_one_browser_in_once(url: str, settings: Settings) -> None:
    token = make_link_token(settings.home_dir)
    with httpx.Client(base_url=url) as browser:
        assert browser.get("/", headers={"Accept": "text/html"}).headers["location"] == "/enter"
        assert browser.get("/enter").status_code == 200
        assert browser.get("/enter", params={"token": "wrong"}).status_code == 403
        assert browser.get("/enter", params={"token": token}).status_code == 303
        cookie = next(cookie for cookie in browser.cookies.jar if cookie.name == COOKIE)
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert browser.get("/api/v1/requests").status_code == 200
    with httpx.Client(base_url=url) as another:
        assert another.get("/enter", params={"token": token}).status_code == 403
        assert another.post("/enter", data={"key": "hgpt_wrong"}).status_code == 403
        assert another.get("/api/v1/requests").status_code == 401
        key = get_trace().keys.add("ann")
        assert another.post("/enter", data={"key": key}).status_code == 303
        assert another.get("/api/v1/requests").status_code == 200
        get_trace().keys.revoke("ann")
        assert another.get("/api/v1/requests").status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "é", "YQ", session("another key", "")])
def test_a_made_up_cookie_opens_nothing(cookie: str) -> None:
    assert whose(OWNER, cookie) is None
    assert whose(OWNER, session(OWNER, "a.b")) == "a.b"


def test_events_begin_after_the_last_one_that_was_seen(owner: httpx.Client) -> None:
    request_id = put_in_line(owner)["request_id"]
    owner.post(f"/requests/{request_id}/cancel")
    whole = owner.get(f"/requests/{request_id}/events").text
    names = [line.removeprefix("event: ") for line in whole.splitlines() if line.startswith("event: ")]
    assert names == ["progress", "ended"]
    seen = next(line.removeprefix("id: ") for line in whole.splitlines() if line.startswith("id: "))
    rest = owner.get(f"/requests/{request_id}/events", headers={"Last-Event-ID": seen}).text
    assert "event: progress" not in rest and "event: ended" in rest


def test_the_api_describes_itself(owner: httpx.Client) -> None:
    found = owner.get("/openapi.json").json()
    assert {"/api/v1/requests", "/api/v1/files", "/api/v1/requests/{name}/events"} <= found["paths"].keys()
    kinds = owner.get("/kinds").json()
    assert any(kind["kind"] == "summarization" and kind["runtimes"] for kind in kinds)
    refused = owner.get("/models", params={"kind": "summarisation of novels"})
    assert refused.status_code == 422 and "is not a kind of task" in refused.json()["message"]

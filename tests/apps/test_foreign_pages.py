"""In a real browser: pages elsewhere get nothing of the Prefect server that `up` runs, and its own pages work."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.apps.conftest import deploy
from tests.browser import CHROMIUM, Browser, Page, browser
from tests.servers import prefect_client

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

REBOUND = "evil.example"
"""A name of another's that leads to loopback."""
SECRET = "the plan for Thursday"

ATTACK = """
(async (api, deployment) => {
  const body = JSON.stringify({parameters: {request: "planted"}});
  const create = `${api}/deployments/${deployment}/create_flow_run`;
  const read = {};
  const attempt = async (name, send) => {
    try { read[name] = await send() } catch (error) { read[name] = `refused: ${error.name}` }
  };
  const fetched = (url, options) => async () => {
    const answer = await fetch(url, options);
    return `${answer.type} ${answer.status} ${await answer.text()}`;
  };
  await attempt("get", fetched(`${api}/health`));
  await attempt("token", fetched(`${api}/csrf-token?client=planted`));
  await attempt("ui settings", fetched(api.replace(/api$/, "ui-settings")));
  const json = {method: "POST", body, headers: {"Content-Type": "application/json"}};
  const filter = {...json, body: "{}"};
  await attempt("filter", fetched(`${api}/flow_runs/filter`, filter));
  await attempt("preflighted", fetched(create, json));
  await attempt("plain", fetched(create, {method: "POST", mode: "no-cors", body}));
  await attempt("untyped", fetched(create, {method: "POST", mode: "no-cors", body: new Blob([body])}));
  await attempt("no referrer", fetched(create, {method: "POST", mode: "no-cors", body, referrerPolicy: "no-referrer"}));
  await attempt("beacon", async () => `queued ${navigator.sendBeacon(create, new Blob([body]))}`);
  for (const [name, parts] of Object.entries({script: ["src", `${api}/health`], img: ["src", `${api}/health`]})) {
    await attempt(name, () => new Promise((loaded, failed) => {
      const element = document.createElement(name);
      element.onload = () => loaded("loaded");
      element.onerror = () => failed(new TypeError());
      element[parts[0]] = parts[1];
      document.documentElement.append(element);
    }));
  }
  await attempt("form", () => new Promise((loaded) => {
    const frame = document.createElement("iframe");
    frame.name = `target of ${api}`;
    document.documentElement.append(frame);
    const form = document.createElement("form");
    Object.assign(form, {method: "POST", action: create, target: frame.name, enctype: "text/plain"});
    const field = document.createElement("input");
    Object.assign(field, {name: body.slice(0, -1) + ', "x": "', value: '"}'});
    form.append(field);
    document.documentElement.append(form);
    frame.onload = () => loaded("sent");
    form.submit();
  }));
  await attempt("frame", () => new Promise((loaded) => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try { loaded(`seen: ${frame.contentDocument.body.innerText}`) } catch (error) { loaded(`hidden: ${error.name}`) }
    };
    frame.src = `${api}/flow_runs/count_history`;
    document.documentElement.append(frame);
  }));
  for (const path of ["events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled"]) {
    await attempt(path, () => new Promise((opened, failed) => {
      const socket = new WebSocket(`${api.replace("http", "ws")}/${path}`, "prefect");
      socket.onopen = () => opened("open");
      socket.onerror = () => failed(new TypeError());
    }));
  }
  return read;
})
"""


QUIET = """
(async () => {
  const asked = () => performance.getEntriesByType("resource").length;
  let before = -1;
  while (before !== asked()) {
    before = asked();
    await new Promise((later) => setTimeout(later, 3000));
  }
})()
"""
"""Waits until the page has asked for nothing for a while."""

SUBMIT = "[...document.querySelectorAll('button')].find(button => button.innerText.trim() === 'Submit')"


@pytest.fixture(scope="module")
def api(without_deployments: str, prefect_home: Path) -> str:
    """The API of a server, with a run that nobody else is to see. What is started there is not answered."""
    deploy(without_deployments, prefect_home, "on-demand")
    with prefect_client(without_deployments) as client:
        deployment = client.get("/deployments/name/answer-request/on-demand").raise_for_status().json()["id"]
        parameters = {"request": SECRET, "options": {"plan": []}}
        client.post(f"/deployments/{deployment}/create_flow_run", json={"parameters": parameters}).raise_for_status()
    return without_deployments


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("chromium") / "browser"
    with browser(folder, f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1") as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.page() as page:
        yield page


@pytest.fixture
def deployment(api: str) -> str:
    with prefect_client(api) as client:
        identifier: str = client.get("/deployments/name/answer-request/on-demand").raise_for_status().json()["id"]
    return identifier


def requests(api: str, deployment: str) -> list[str]:
    """What the flow runs of the deployment were asked."""
    asked = {"deployments": {"id": {"any_": [deployment]}}}
    with prefect_client(api) as client:
        runs: list[dict[str, Any]] = client.post("/flow_runs/filter", json=asked).raise_for_status().json()
    return [run["parameters"]["request"] for run in runs if "request" in run["parameters"]]


def own_pages(api: str, name: str) -> str:
    """Where the server's own pages are, by a name that leads to loopback."""
    return api.removesuffix("/api").replace("127.0.0.1", name)


@contextmanager
def another_server() -> Iterator[int]:
    """A server elsewhere, with an empty page."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>elsewhere</title>")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", REBOUND])
def test_a_page_of_another_origin_reads_and_starts_nothing(api: str, page: Page, deployment: str, name: str) -> None:
    with another_server() as elsewhere:
        page.open(f"http://{name}:{elsewhere}/")
        assert page.run("document.title") == "elsewhere"
        for to in ("127.0.0.1", "localhost", REBOUND):
            at = api.replace("127.0.0.1", to)
            read = page.run(f"{ATTACK}({json.dumps(at)}, {json.dumps(deployment)})")
            opaque = {"beacon": "queued true", "form": "sent", "frame": "hidden: TypeError"}
            unread = {name: text for name, text in read.items() if not text.startswith(("refused: ", "opaque 0"))}
            assert unread == opaque
    assert "planted" not in requests(api, deployment) and SECRET in requests(api, deployment)


def test_a_page_whose_name_was_made_to_lead_here_reads_and_starts_nothing(
    api: str, page: Page, deployment: str
) -> None:
    page.open(f"{own_pages(api, REBOUND)}/")
    assert page.run("location.hostname") == REBOUND
    read = page.run(f"{ATTACK}({json.dumps(api.replace('127.0.0.1', REBOUND))}, {json.dumps(deployment)})")
    answers = {name: text for name, text in read.items() if not text.startswith("refused: ")}
    assert answers.pop("beacon") == "queued true" and answers.pop("form") == "sent"
    assert answers and all("This server does not answer to that host name" in text for text in answers.values())
    assert "planted" not in requests(api, deployment) and SECRET in requests(api, deployment)


@pytest.mark.parametrize("ui", ["", "/v2"])
def test_prefect_s_pages_ask_no_other_host(api: str, page: Page, ui: str) -> None:
    page.open(f"{own_pages(api, '127.0.0.1')}{ui}/")
    page.wait("document.body.innerText.includes('Event Feed')")
    assert page.run("location.pathname") == f"{ui}/dashboard"
    page.run(QUIET)
    hosts = set(page.run("performance.getEntriesByType('resource').map((asked) => new URL(asked.name).host)"))
    assert hosts == {api.removeprefix("http://").removesuffix("/api")}


@pytest.mark.parametrize("ui", ["", "/v2"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_prefect_s_own_pages_work_and_their_form_starts_a_run(
    api: str, page: Page, deployment: str, name: str, ui: str
) -> None:
    request, pages = f"Say hello to {name}{ui}.", own_pages(api, name)
    page.call("Network.setCookie", name="prefect_ui_version", value=ui[1:] or "v1", url=f"{pages}/")
    page.open(f"{pages}{ui}/deployments/deployment/{deployment}/run")
    page.wait(
        "document.querySelector('textarea') && document.body.innerText.includes('the request, in plain language')"
    )
    page.run("document.querySelector('textarea').focus()")
    page.type(request)
    page.wait(f"document.querySelector('textarea').value === {json.dumps(request)}")
    # The server on SQLite turns a page away now and then, which then says so and lets one try again.
    again = time.monotonic()
    while request not in requests(api, deployment):
        if time.monotonic() >= again:
            page.run(f"{SUBMIT}?.click()")
            again = time.monotonic() + 20
        time.sleep(0.5)
    page.open(f"{pages}{ui}/runs")
    page.wait("document.body.innerText.includes('answer-request')")

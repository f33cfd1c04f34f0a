"""Every door of a real installation: the page in a real browser, and the same request by each of them."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from openai import OpenAI
from PIL import Image

from apps.http.paths import ENTER
from apps.http.sessions import make_link_token
from hugginggpt.plan.picture import Box, draw
from hugginggpt.service_key import read_key
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.story import RequestTrace
from tests.apps.installation import Installation
from tests.browser import CHROMIUM, Browser, Page, browser
from tests.servers import prefect_client, wait_until

# Only the service imports them.
for package, extra in (("gradio", "web"), ("fastmcp", "mcp")):
    if find_spec(package) is None:
        pytest.skip(f"the extra `{extra}` is not installed", allow_module_level=True)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

EDGES = "Draw the edges of this picture"
PYTHON = """
import sys

from flows.answer import answer_request

answer_request(sys.argv[1], files=[sys.argv[2]])
"""

WATCH = """
window.wrong = [];
const said = console.error;
console.error = (...words) => { window.wrong.push(words.map(String).join(" ")); said(...words); };
window.addEventListener("error", (event) => window.wrong.push(String(event.message)));
document.addEventListener("securitypolicyviolation", (event) => window.wrong.push(`policy: ${event.blockedURI}`));
"""
HEARD = """
(async () => {
  const sound = [...document.querySelectorAll("audio[src*='/api/v1/files/']")].at(-1);
  if (!sound) return 0;
  if (sound.readyState === 0) await new Promise((done) => { sound.onloadedmetadata = done; sound.load(); });
  return sound.duration;
})()
"""
BOX = "document.querySelector('[data-testid=textbox]')"
STOPPABLE = "[...document.querySelectorAll('button')].find((b) => b.innerText === 'Stop')?.disabled === false"
INSIDE = """
(() => {
  const drawn = document.createElement("div");
  drawn.innerHTML = %s;
  document.body.append(drawn);
  const fits = [...drawn.querySelectorAll("g")].map((group) => {
    const frame = group.querySelector("rect").getBBox();
    const [title, sign, ...below] = [...group.querySelectorAll("text")].map((text) => text.getBBox());
    const ends = [...below, sign].map((text) => text.x + text.width - frame.x - frame.width);
    const lowest = Math.max(...[title, ...below].map((text) => text.y + text.height));
    return title.x + title.width < sign.x && Math.max(...ends) < -4 && lowest < frame.y + frame.height;
  });
  drawn.remove();
  return fits.length === 9 && fits.every(Boolean);
})()
"""
WORDLESS = [{"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
"""The picture has nothing to read."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that is up, without a key for an LLM."""
    installation = Installation(tmp_path_factory.mktemp("page"))
    with installation.is_up("--service-port", str(installation.service_port)):
        yield installation


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def page(here: Installation, chromium: Browser) -> Iterator[Page]:
    """The page, in a browser that has just come in by a link."""
    with chromium.page() as opened:
        opened.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        opened.open(f"{here.state['page_url']}{ENTER}?token={make_link_token(here.home)}")
        opened.wait("document.querySelector('textarea') !== null")
        yield opened


def press(page: Page, key: str, **more: object) -> None:
    """Press a key, as somebody without a mouse does."""
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, **more)


def write(page: Page, selector: str, text: str) -> None:
    """Replace what is written in a field."""
    page.run(f"(() => {{ const field = document.querySelector({selector!r}); field.focus(); field.select?.(); }})()")
    page.type(text)


def ask(page: Page, text: str) -> None:
    """Write a request, and press Enter."""
    page.wait("document.querySelector('[data-testid=textbox]') !== null")
    write(page, "[data-testid=textbox]", text)
    page.wait(f"document.querySelector('[data-testid=textbox]').value === {json.dumps(text)}")
    press(page, "Enter", windowsVirtualKeyCode=13, text="\r")


def attach(page: Page, *paths: Path) -> None:
    """Add files to the request that is being written."""
    node = page.call("DOM.getDocument")["root"]["nodeId"]
    picker = page.call("DOM.querySelector", nodeId=node, selector="input[type=file]")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=picker, files=[str(path) for path in paths])
    for path in paths:
        page.wait(f"{BOX}.closest('.block').innerHTML.includes('{path.name}')")


def reload(page: Page) -> None:
    """Load the page again."""
    page.run("window.isOld = true")
    page.call("Page.reload")
    page.wait(f"window.isOld === undefined && {BOX} !== null")


def begin_anew(page: Page) -> None:
    """Begin a new conversation."""
    open_part(page, "New conversation")
    page.wait("document.querySelectorAll('.message.bot, .bot.message').length === 0")


def choose_earlier(page: Page, text: str) -> None:
    """Choose an earlier request from the list, once it is there."""
    field = "document.querySelector('input[role=listbox], [role=listbox] input, input[aria-label=Request]')"
    if page.run(f"{field} === null"):
        open_part(page, "Earlier requests")
    open_part(page, "Update this list")
    option = f"[...document.querySelectorAll('[role=option]')].find((o) => o.innerText.includes({text!r}))"
    page.wait(f"(() => {{ {field}?.focus(); return {option} }})() !== undefined")
    page.run(f"{option}.dispatchEvent(new MouseEvent('mousedown', {{bubbles: true}}))")


def wait_until_answered(page: Page, count: int) -> str:
    """Wait until there are so many answers and nothing runs, and return what the page says."""
    page.wait(
        "[...document.querySelectorAll('button')].find((b) => b.innerText === 'Stop')?.disabled === true"
        f" && document.querySelectorAll('.message.bot, .bot.message').length >= {count}"
        " && document.querySelector('.bot .loading-spinner') === null"
    )
    said: str = page.run("document.body.innerText")
    return said


def open_part(page: Page, title: str) -> None:
    """Open one of the parts that are folded."""
    page.run(f"[...document.querySelectorAll('button')].find((b) => b.innerText.includes({title!r})).click()")


@needs_browser
def test_the_first_page_offers_examples(page: Page) -> None:
    assert "Here you will see the plan" in page.run("document.body.innerText")
    page.run("[...document.querySelectorAll('.example')].find((e) => e.innerText.includes('invoice')).click()")
    page.wait("document.querySelector('.user img[src*=\"/api/v1/files/\"]')?.clientWidth > 150")
    said = wait_until_answered(page, 1)
    assert "1,593.96" in said and "invoice-speech.wav" in said
    assert not page.run(f"{BOX}.value")
    begin_anew(page)


@needs_browser
def test_a_request_is_answered_in_sound_that_plays(page: Page) -> None:
    ask(page, "Say 'Hello my friend' aloud")
    said = wait_until_answered(page, 1)
    assert "Hello my friend" in said and "/artifacts/" not in said
    assert page.wait(HEARD) > 0.3
    assert page.wait("document.querySelector('.plan img')?.naturalWidth > 100")


@needs_browser
def test_names_stay_in_their_boxes(page: Page) -> None:
    names = ["text-to-speech", "document-question-answering", "zero-shot-object-detection of everything there is"]
    said = ["", "running on rapidocr/PP-OCRv6-small (embedded)", "failed: " + "it said something, at length, " * 5]
    plan = draw({id_: Box(names[id_ % 3], said[id_ // 3], "failed") for id_ in range(9)})
    assert page.run(INSIDE % json.dumps(plan))


@needs_browser
def test_a_picture_is_read_and_the_conversation_goes_on(page: Page, here: Installation, tmp_path: Path) -> None:
    attach(page, here.photo)
    ask(page, EDGES)
    wait_until_answered(page, 2)
    assert page.wait("[...document.querySelectorAll('img[src*=\"/api/v1/files/\"]')].at(-1)?.naturalWidth === 64")
    requests = json.loads(here.run("trace", "list", "--json").stdout)[:2]
    assert len({request["conversation_id"] for request in requests}) == 1
    assert {request["door"] for request in requests} == {"page"}


@needs_browser
def test_an_edited_plan_runs_again_and_a_step_that_fails_is_shown_as_such(page: Page) -> None:
    open_part(page, "Edit the plan")
    page.wait("[...document.querySelectorAll('textarea')].some((field) => field.value.includes('\"task\"'))")
    page.run("[...document.querySelectorAll('textarea')].find((f) => f.value.includes('\"task\"')).id = 'the-plan'")
    write(page, "#the-plan", '[{"task": "text-to-speech" "id": 0}]')
    time.sleep(1)  # Gradio sends what was typed after a pause
    open_part(page, "Run this plan")
    page.wait("document.body.innerText.includes('the plan is not JSON (line 1, column 28')")
    write(page, "#the-plan", json.dumps(WORDLESS))
    time.sleep(1)
    open_part(page, "Run this plan")
    page.wait("document.body.innerText.includes('Failed.')")
    assert "Not done: the text. " in page.run("document.body.innerText")
    open_part(page, "Steps, models and reasons")
    page.wait("document.body.innerText.includes('✗ 0 · image-to-text')")


@needs_browser
def test_a_refusal_names_the_file_and_what_was_written_stays(page: Page, here: Installation, tmp_path: Path) -> None:
    begin_anew(page)
    broken = tmp_path / "broken.png"
    broken.write_bytes(here.photo.read_bytes()[:60])
    attach(page, broken)
    ask(page, EDGES)
    page.wait("document.body.innerText.includes('Refused. The file broken.png is cut off')")
    assert page.run(f"{BOX}.value") == EDGES
    assert page.run(f"{BOX}.closest('.block').innerHTML.includes('broken.png')")
    page.run("document.querySelector('[data-testid=microphone-button]').click()")
    page.wait("document.body.innerText.includes('There is no microphone.')")


@needs_browser
def test_an_earlier_request_can_be_looked_at_and_is_there_after_a_reload(page: Page) -> None:
    begin_anew(page)
    choose_earlier(page, "Hello")
    for _ in range(2):
        page.wait("document.querySelector(\"audio[src*='/api/v1/files/']\") !== null")
        page.wait("document.querySelector('.user img[src*=\"/api/v1/files/\"]') !== null")
        reload(page)


@needs_browser
def test_a_request_that_waits_is_followed_and_can_be_stopped(page: Page, here: Installation, key: str) -> None:
    pause_queue(here)
    begin_anew(page)
    url, headers = f"{here.state['service_url']}/api/v1/requests", {"Authorization": f"Bearer {key}"}
    httpx.post(url, headers=headers, json={"request": "Draw a yellow door", "start": "later"}).raise_for_status()
    choose_earlier(page, "yellow door")
    page.wait("document.body.innerText.includes('Waiting in line')")
    reload(page)
    page.wait(f"{STOPPABLE} && document.body.innerText.includes('Waiting in line')")
    open_part(page, "Stop")
    page.wait("document.body.innerText.includes('Cancelled on the page.')")
    assert "No plan was made" in page.run("document.body.innerText")
    assert not page.run(STOPPABLE)


@needs_browser
def test_the_page_is_usable_on_a_phone_and_says_nothing_to_the_console(page: Page) -> None:
    assert page.run("window.wrong") == []
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    page.wait("document.documentElement.clientWidth === 390")
    assert page.run("document.documentElement.scrollWidth") <= 390
    assert (
        page.run(
            "new Set([...document.querySelectorAll('button')].filter((b) => /^(Stop|New conv)/.test(b.innerText))"
            ".map((b) => b.getBoundingClientRect().top)).size"
        )
        == 1
    )
    assert page.run("fetch('/manifest.json', {credentials: 'omit'}).then((answer) => answer.status)") == 200
    assert "common.complete" not in page.run("document.body.innerHTML")
    foreign = page.run(
        "performance.getEntriesByType('resource').map((r) => r.name).filter((n) => !n.startsWith(location.origin)"
        " && !n.startsWith('data:') && !n.startsWith('blob:'))"
    )
    assert foreign == []


@needs_browser
def test_sound_plays_on_prefect_s_pages_and_by_its_link(here: Installation, chromium: Browser) -> None:
    """Prefect's newer pages show no player, but the same link."""
    assert here.run("ask", "Say 'Good morning' aloud").returncode == 0
    shown = here.post("/artifacts/filter", {"artifacts": {"key": {"any_": ["answer"]}}})
    (artifact,) = [one["id"] for one in shown if "Good morning" in one["data"]]
    own = here.api.removesuffix("/api")
    with chromium.page() as prefect:
        for ui in ("", "/v2"):
            prefect.open(f"{own}{ui}/artifacts/artifact/{artifact}")
            link = prefect.wait("document.querySelector(\"a[href*='/api/v1/files/']\")?.href")
            # The page is drawn anew as its parts come.
            prefect.wait("document.querySelector(\"a[href*='/api/v1/files/']\")?.innerText === 'speech.wav'")
            prefect.wait(f"document.querySelector(\"a[href='{here.state['page_url']}/']\") !== null")
            assert str(here.home) not in prefect.run("document.body.innerText")
            if not ui:
                assert prefect.wait(HEARD) > 0.3
        prefect.open(link)
        assert prefect.wait("document.querySelector('video')?.duration") > 0.3


def pause_queue(here: Installation) -> None:
    """Have nothing in line begun, until the next `up`."""
    with prefect_client(here.api) as client:
        deployment = client.get("/deployments/name/answer-queued/every-minute").raise_for_status().json()["id"]
        client.patch(f"/deployments/{deployment}", json={"paused": True}).raise_for_status()


@pytest.fixture
def key(here: Installation) -> str:
    """The owner's key."""
    found = read_key(here.home)
    assert found is not None
    return found


def stories(here: Installation) -> list[RequestTrace]:
    """The requests of an installation, newest first."""
    with mock.patch.dict(os.environ, here.environment, clear=True):
        reset()
        try:
            requests = get_trace().requests
            return [requests.get(summary.request_id) for summary in requests.latest(50)]
        finally:
            reset()


def by_command_line(here: Installation, key: str) -> None:
    assert here.run("ask", EDGES, "--file", here.photo).returncode == 0


def by_python(here: Installation, key: str) -> None:
    environment = here.environment | {"PREFECT_API_URL": here.api, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", PYTHON, EDGES, str(here.photo)]
    subprocess.run(command, cwd=here.folder, env=environment, check=True, capture_output=True)


def by_prefect(here: Installation, key: str) -> None:
    here.submit(EDGES)


def by_http(here: Installation, key: str) -> None:
    url, headers = f"{here.state['service_url']}/api/v1/requests", {"Authorization": f"Bearer {key}"}
    files = [("files", ("photo.png", here.photo.read_bytes()))]
    taken = httpx.post(url, headers=headers, data={"request": EDGES}, files=files, timeout=60).raise_for_status()
    with httpx.stream("GET", f"{url}/{taken.json()['request_id']}/events", headers=headers, timeout=60) as events:
        assert "event: ended" in events.read().decode()


def by_openai(here: Installation, key: str) -> None:
    said = openai(here, key).chat.completions.create(model="hugginggpt", messages=[question(here)])
    assert "/api/v1/files/" in str(said.choices[0].message.content)


def by_mcp(here: Installation, key: str) -> None:
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    headers = {"Authorization": f"Bearer {key}"}
    url = f"{here.state['service_url']}/api/v1/files"
    sent = httpx.post(url, headers=headers, files=[("files", ("photo.png", here.photo.read_bytes()))], timeout=60)

    async def call() -> None:
        transport = StreamableHttpTransport(f"{here.state['service_url']}/mcp", headers=headers)
        async with Client[Any](transport) as client:
            await client.call_tool("ask", {"request": EDGES, "files": [sent.json()[0]["reference"]]})

    asyncio.run(call())


def openai(here: Installation, key: str) -> OpenAI:
    """A client of OpenAI's protocol."""
    return OpenAI(base_url=f"{here.state['service_url']}/v1", api_key=key, max_retries=0)


def question(here: Installation) -> Any:
    """The request as a message."""
    data = f"data:image/png;base64,{base64.b64encode(here.photo.read_bytes()).decode()}"
    parts = [
        {"type": "text", "text": EDGES},
        {"type": "file", "file": {"filename": "photo.png", "file_data": data}},
    ]
    return {"role": "user", "content": parts}


DOORS: dict[str, Callable[[Installation, str], None]] = {
    "command line": by_command_line,
    "python": by_python,
    "prefect": by_prefect,
    "http": by_http,
    "openai": by_openai,
    "mcp": by_mcp,
}


def test_the_same_request_by_every_door_gives_the_same_rows(here: Installation, key: str) -> None:
    before = len(stories(here))
    for enter in DOORS.values():
        enter(here, key)
    wait_until(lambda: all(story.finished_at for story in stories(here)) and len(stories(here)) == before + len(DOORS))
    found = {story.door: story for story in stories(here)[: len(DOORS)]}
    assert found.keys() == DOORS.keys()
    if CHROMIUM is not None:
        found["page"] = next(
            story
            for story in stories(here)
            if story.door == "page" and story.plan_source != "given" and story.text == EDGES
        )

    def rows(story: RequestTrace) -> Any:
        tasks = [
            (task.task, task.args, task.selection and task.selection.choice.chosen.card.id) for task in story.tasks
        ]
        files = [(file.task_id, file.artifact.sha256, file.artifact.mime) for file in story.files]
        resources = [
            (resource.name, resource.artifact.sha256) for resource in story.resources if "turn" not in resource.name
        ]
        return story.text, story.status, story.response, resources, tasks, files

    (first, *others) = found.values()
    assert first.status == "completed" and first.files
    for other in others:
        assert rows(other) == rows(first), other.door


@needs_browser
def test_a_conversation_of_the_page_goes_on_elsewhere(page: Page, here: Installation, key: str) -> None:
    open_part(page, "New conversation")
    page.wait("document.querySelectorAll('.message.bot, .bot.message').length === 0")
    ask(page, "Say 'Good evening' aloud")
    wait_until_answered(page, 1)
    begun = stories(here)[0]
    messages: Any = [
        {"role": "user", "content": begun.text},
        {"role": "assistant", "content": "Good evening\nSpeech: speech.wav"},
        {"role": "user", "content": "Say it again, but in other words: 'Good night'"},
    ]
    openai(here, key).chat.completions.create(model="hugginggpt", messages=messages)
    assert here.run("ask", "Say 'Sleep well' aloud", "--continue").returncode == 0
    latest = stories(here)[:3]
    assert [story.door for story in latest] == ["command line", "openai", "page"]
    assert {story.conversation_id for story in latest} == {begun.conversation_id}


@needs_browser
def test_a_request_is_followed_beyond_a_restart(page: Page, here: Installation, tmp_path: Path) -> None:
    letters = [tmp_path / f"letter{number}.png" for number in range(4)]
    for number, path in enumerate(letters):
        with Image.open("examples/letter.png") as letter:
            letter.crop((0, number, letter.width, letter.height)).resize((1400, 1800)).save(path)
    begin_anew(page)
    attach(page, *letters)
    ask(page, "Read the text in these pictures")
    page.wait(f"document.body.innerText.includes('Working') && {STOPPABLE}")
    reload(page)
    page.wait(f"document.body.innerText.includes('Working') && {STOPPABLE}")
    here.run("down")
    page.wait("document.body.innerText.includes('Interrupted. The service was stopped while it worked on this.')")
    page.wait("document.body.innerText.includes('The service was stopped, or is out of reach.')")
    write(page, "[data-testid=textbox]", "Typed while nothing was up")
    with here.is_up("--service-port", str(here.service_port)):
        page.wait("!document.body.innerText.includes('Interrupted')")
        page.wait(f"{BOX}?.value === 'Typed while nothing was up'")
        page.wait("document.body.innerText.includes('Text of letter3.png')")
        wait_until_answered(page, 1)

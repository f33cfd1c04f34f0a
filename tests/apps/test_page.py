"""The page in a real browser: ask, see and hear, go on, edit the plan, look at earlier requests."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.http.paths import ENTER
from apps.http.sessions import make_link_token
from tests.apps.installation import Installation
from tests.browser import CHROMIUM, Page, browser

pytest.importorskip("gradio", reason="the extra web is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

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
  if (sound.readyState === 0) await new Promise((done) => { sound.onloadedmetadata = done; sound.load(); });
  return sound.duration;
})()
"""
WORDLESS = [{"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
"""The picture has nothing to read."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that is up, without a key for an LLM."""
    installation = Installation(tmp_path_factory.mktemp("page"))
    with installation.is_up():
        yield installation


@pytest.fixture(scope="module")
def page(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, in a browser that has just come in by a link."""
    with browser(tmp_path_factory.mktemp("browser")) as started, started.page() as opened:
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


def wait_until_answered(page: Page, count: int) -> str:
    """Wait until there are so many answers and nothing runs, and return what the page says."""
    page.wait(
        "[...document.querySelectorAll('button')].find((b) => b.innerText === 'Stop')?.disabled === true"
        f" && document.querySelectorAll('.message.bot, .bot.message').length >= {count}"
    )
    said: str = page.run("document.body.innerText")
    return said


def open_part(page: Page, title: str) -> None:
    """Open one of the parts that are folded."""
    page.run(f"[...document.querySelectorAll('button')].find((b) => b.innerText.includes({title!r})).click()")


def test_a_request_is_answered_in_sound_that_plays(page: Page) -> None:
    ask(page, "Say 'Hello my friend' aloud")
    said = wait_until_answered(page, 1)
    assert "Hello my friend" in said and "/artifacts/" not in said
    assert page.wait(HEARD) > 0.3
    assert page.wait("document.querySelector('.plan img')?.naturalWidth > 100")


def test_a_picture_is_read_and_the_conversation_goes_on(page: Page, here: Installation, tmp_path: Path) -> None:
    node = page.call("DOM.getDocument")["root"]["nodeId"]
    picker = page.call("DOM.querySelector", nodeId=node, selector="input[type=file]")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=picker, files=[str(here.photo)])
    page.wait("document.body.innerHTML.includes('photo.png')")
    ask(page, "Draw the edges of this picture")
    wait_until_answered(page, 2)
    assert page.wait("[...document.querySelectorAll('img[src*=\"/api/v1/files/\"]')].at(-1)?.naturalWidth === 64")
    requests = json.loads(here.run("trace", "list", "--json").stdout)
    assert len({request["conversation_id"] for request in requests}) == 1
    assert {request["door"] for request in requests} == {"page"}


def test_an_edited_plan_runs_again_and_a_step_that_fails_is_shown_as_such(page: Page) -> None:
    open_part(page, "Edit the plan")
    page.wait("[...document.querySelectorAll('textarea')].some((field) => field.value.includes('\"task\"'))")
    page.run("[...document.querySelectorAll('textarea')].find((f) => f.value.includes('\"task\"')).id = 'the-plan'")
    write(page, "#the-plan", json.dumps(WORDLESS))
    time.sleep(1)  # Gradio sends what was typed after a pause
    open_part(page, "Run this plan")
    said = wait_until_answered(page, 3)
    open_part(page, "Steps, models and reasons")
    page.wait("document.body.innerText.includes('✗ 0 · image-to-text')")
    assert "Failed." in said


def test_an_earlier_request_can_be_looked_at(page: Page) -> None:
    open_part(page, "New conversation")
    page.wait("document.querySelectorAll('.message.bot, .bot.message').length === 0")
    open_part(page, "Earlier requests")
    page.wait("document.querySelector('input[role=listbox], [role=listbox] input, input[aria-label=Request]') !== null")
    page.run("document.querySelector('input[role=listbox], input[aria-label=Request]').focus()")
    page.wait("document.querySelectorAll('[role=option]').length >= 3")
    page.run(
        "[...document.querySelectorAll('[role=option]')].find((o) => o.innerText.includes('Hello'))"
        ".dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
    )
    page.wait("document.querySelector(\"audio[src*='/api/v1/files/']\") !== null")


def test_the_page_is_usable_on_a_phone_and_says_nothing_to_the_console(page: Page) -> None:
    assert page.run("window.wrong") == []
    page.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    page.wait("document.documentElement.clientWidth === 390")
    assert page.run("document.documentElement.scrollWidth") <= 390
    foreign = page.run(
        "performance.getEntriesByType('resource').map((r) => r.name).filter((n) => !n.startsWith(location.origin)"
        " && !n.startsWith('data:') && !n.startsWith('blob:'))"
    )
    assert foreign == []

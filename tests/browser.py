"""A real Chromium without a window, driven by its DevTools protocol."""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The system's; None where there is none."""

_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"),
    "--window-size=1200,1000",
)
_SECONDS = 240.0
"""A busy machine may take as long as that for anything."""


class NavigatedError(Exception):
    """Another page has taken the place of the one that was asked."""


class Browser:
    """A browser that is driven over one connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Call a method of the protocol, in a session with a page if one is given."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._connection.send(json.dumps(message))
        end = time.monotonic() + _SECONDS
        while True:
            answer = json.loads(self._connection.recv(timeout=max(0, end - time.monotonic())))
            if answer.get("id") == number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise NavigatedError
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    @contextmanager
    def page(self) -> Iterator["Page"]:
        """A page of its own, with no cookies of others."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        yield Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """A page of a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self.call("Page.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        """Open an address, whatever it answers, and wait for the page."""
        opened = self.call("Page.navigate", url=url)
        assert "errorText" not in opened, opened["errorText"]
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = _SECONDS) -> Any:
        """Wait until an expression is true in the page, and return it."""
        end = time.monotonic() + seconds
        while True:
            with suppress(NavigatedError):
                if value := self.run(script):
                    return value
            assert time.monotonic() < end, f"{script} did not come to pass in\n{self.run('document.body.innerText')}"
            time.sleep(0.2)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self) -> bytes:
        """The page as PNG."""
        import base64

        return base64.b64decode(self.call("Page.captureScreenshot")["data"])


@contextmanager
def browser(folder: Path, *options: str) -> Iterator[Browser]:
    """A browser that is new.

    Args:
        folder: an empty one, for what the browser keeps.
        options: more of its command line.
    """
    assert CHROMIUM is not None
    command = [CHROMIUM, *_OPTIONS, f"--user-data-dir={folder}", *options, "about:blank"]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        listening = folder / "DevToolsActivePort"
        end = time.monotonic() + _SECONDS
        while not (listening.exists() and listening.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() < end, "the browser did not come up"
            time.sleep(0.1)
        port, path = listening.read_text().split("\n")[:2]
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait()

"""Every input comes to what its row says, through the way in that a request takes."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import MediaError
from hugginggpt.resources import load_resources
from hugginggpt.settings import Settings
from tests.files.input import Input
from tests.files.inputs import INPUTS
from tests.files.outcomes import Refused, Taken
from tests.files.page import PAGE, content

_ALL = [one for inputs in INPUTS.values() for one in inputs]


@pytest.fixture
def served() -> Iterator[Callable[[Input], str]]:
    """Serves an input, and gives its URL."""
    shown: dict[str, Input] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one = shown[self.path]
            data = one.data()
            self.send_response(200)
            self.send_header("Content-Type", one.served or "")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    def serve(one: Input) -> str:
        shown[f"/{one.name}"] = one
        return f"http://127.0.0.1:{server.server_port}/{one.name}"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serve
        server.shutdown()
        thread.join()


def _source(one: Input, folder: Path, request: pytest.FixtureRequest) -> str:
    if one.uri:
        return f"{one.uri},{base64.b64encode(one.data()).decode()}"
    if one.served is not None:
        url: str = request.getfixturevalue("served")(one)
        return url
    path = folder / one.name
    path.write_bytes(one.data())
    return str(path)


@pytest.mark.parametrize(
    "one",
    [pytest.param(one, id=one.name) for one in _ALL],
)
def test_what_comes_of_it(one: Input, tmp_path: Path, settings: Settings, request: pytest.FixtureRequest) -> None:
    trusting = settings.model_copy(update={"trusted_hosts": ("127.0.0.1",)})
    store = ArtifactStore.from_settings(trusting)
    source = _source(one, tmp_path, request)
    if isinstance(one.wanted, Refused):
        with pytest.raises(MediaError) as refused:
            load_resources([source], trusting, store)
        message = refused.value.message
        assert re.sub(r"^The (?:file|file at|data URI) \S+ ", "", message) == f"{one.wanted.end}."
        return
    (resource,) = load_resources([source], trusting, store)
    name = one.renamed or one.name
    assert resource.notes == tuple(f"{name} {note}." for note in one.wanted.notes)
    assert (resource.name, resource.artifact.mime) == (name, one.wanted.mime)
    one.wanted.check(Taken(resource, store))


def test_every_input_has_a_name_of_its_own() -> None:
    names = [one.name for one in _ALL]
    assert sorted(names) == sorted(set(names))


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == content(), "run python -m tests.files.page"

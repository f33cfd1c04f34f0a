"""The client of the service, made of the standard library alone so that it is quick to import."""

import http.client
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from apps.http.paths import API
from hugginggpt.errors import rebuilt
from hugginggpt.holder import Holder, is_dead, this_host
from hugginggpt.home import STATE_FILE, open_home
from hugginggpt.service_key import is_key, proof, read_key
from hugginggpt.settings_fingerprint import settings_fingerprint

FIND_SECONDS = 5.0
"""How long the service may take to prove that it is there, before a command does its work itself."""

_DEFAULT_HOME = "~/.hugginggpt"


class ServiceLostError(Exception):
    """The service is gone, or is not the one that this command spoke to."""


def find_service(*, as_here: bool = True) -> "Service | None":
    """The service of the home folder; None if there is none.

    Args:
        as_here: only if it does the same as this process would do itself.

    Raises:
        ConfigurationError: the home folder cannot be kept private.
    """
    home, state = _state()
    if not state.get("ready") or not state.get("service_url"):
        return None
    open_home(home)
    key = read_key(home)
    supervisor = Holder.parse(str(state.get("supervisor")))
    if key is None or supervisor is None or supervisor.host != this_host():
        return None
    if as_here and not _is_ours(state):
        return None
    if as_here and state.get("settings_fingerprint") != settings_fingerprint(os.environ, home, key):
        return None
    try:
        service = Service(str(state["service_url"]), key)
    except ValueError:  # somebody has edited the file
        return None
    return service if service.proves_itself() else None


def is_up() -> bool:
    """Whether the `up` of the home folder still runs, so that a lost service comes back."""
    _, state = _state()
    return bool(state) and not is_dead(str(state.get("supervisor")))


def _state() -> tuple[Path, dict[str, Any]]:
    """The home folder, and what its state file says; empty if nothing is up for it.

    The settings and the state file have types for both, which take too long to import.
    """
    home = Path(_given("HUGGINGGPT_HOME") or _DEFAULT_HOME)
    try:
        home = home.expanduser().resolve()
        state = json.loads((home / STATE_FILE).read_bytes())
    except (OSError, ValueError, RuntimeError):
        return home, {}
    return home, state if isinstance(state, dict) else {}


def _is_ours(state: dict[str, Any]) -> bool:
    """Whether a flow in this process would use the server and the expert workers of the `up`, too."""
    if os.environ.get("PREFECT_API_URL", state.get("api_url")) != state.get("api_url"):
        return False
    dask = state.get("dask_address")
    runner, address = _given("HUGGINGGPT_TASK_RUNNER"), _given("HUGGINGGPT_DASK_ADDRESS")
    return runner in (None, "dask" if dask else "threads") and address in (None, dask)


def _given(name: str) -> str | None:
    """A variable, whose name can be written in any case and whose empty value counts as none."""
    return next((value for key, value in os.environ.items() if key.upper() == name and value), None)


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    data: Any


class Service:
    """A service, and the key to it.

    Every call raises the HuggingGPTError that the service answers with, and ServiceLostError if there is no answer.

    Attributes:
        url: where it is.
        key: the owner's key.
    """

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._connection: http.client.HTTPConnection | None = None

    def proves_itself(self, seconds: float | None = FIND_SECONDS) -> bool:
        """Whether whoever listens there has the key. Only then does the key go there."""
        challenge = secrets.token_urlsafe(16)
        try:
            answer = self._call("GET", f"/health?challenge={challenge}", seconds=seconds, with_key=False)
        except ServiceLostError:
            return False
        given = answer.get("proof") if isinstance(answer, dict) else None
        return isinstance(given, str) and is_key(proof(self.key, challenge), given)

    def get(self, path: str) -> Any:
        """The answer to a GET."""
        return self._call("GET", path)

    def post(self, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The answer to a POST."""
        return self._call("POST", path, content or {})

    def events(self, request_id: str, *, lives: int, since: datetime, waits: str, resumes: bool) -> Iterator[Event]:
        """The progress of a request, to its end.

        Args:
            request_id: the request.
            lives: as in `Taken`.
            since: when the command was started.
            waits: how to describe the time in which nothing works on the request.
            resumes: whether another process takes over if the one at work dies, so that this is not the end.
        """
        asked = {"lives": lives, "since": since.isoformat(), "waits": waits, "resumes": str(resumes).lower()}
        asked["local"] = "true"
        path = f"/requests/{quote(request_id, safe='')}/events?{urlencode(asked)}"
        try:
            response = self._send("GET", path, None, seconds=None, with_key=True)
            if response.status != 200:
                raise _error_in(response)
            yield from _events_in(response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceLostError from error
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.sock is not None

    def _call(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        seconds: float | None = None,
        with_key: bool = True,
    ) -> Any:
        try:
            response = self._send(method, path, content, seconds=seconds, with_key=with_key)
            if response.status >= 400:
                raise _error_in(response)
            return json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise ServiceLostError from error

    def _send(
        self, method: str, path: str, content: Mapping[str, Any] | None, *, seconds: float | None, with_key: bool
    ) -> http.client.HTTPResponse:
        if with_key and not self._is_connected:
            if not self.proves_itself(seconds) or not self._is_connected:
                raise ServiceLostError("It does not prove that it has the key.")
        elif not self._is_connected:
            self._connection = http.client.HTTPConnection(*self._address, timeout=FIND_SECONDS)
            self._connection.connect()
        assert self._connection is not None
        self._connection.sock.settimeout(seconds)
        headers = {"Content-Type": "application/json"}
        if with_key:
            headers["Authorization"] = f"Bearer {self.key}"
        body = None if content is None else json.dumps(content).encode()
        self._connection.request(method, API + path, body, headers)
        return self._connection.getresponse()


def _events_in(response: http.client.HTTPResponse) -> Iterator[Event]:
    name, data = "", ""
    for line in response:
        text = line.decode().rstrip("\r\n")
        if text.startswith("event: "):
            name = text.removeprefix("event: ")
        elif text.startswith("data: "):
            data = text.removeprefix("data: ")
        elif not text and data:
            yield Event(name, json.loads(data))
            name, data = "", ""


def _error_in(response: http.client.HTTPResponse) -> Exception:
    """The error that the service answers with."""
    found: Any = None
    with suppress(ValueError):
        found = json.loads(response.read())
    if isinstance(found, dict) and isinstance(found.get("message"), str) and isinstance(found.get("type"), str):
        return rebuilt(found["type"], found["message"])
    return ServiceLostError(f"HTTP {response.status}")

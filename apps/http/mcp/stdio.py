"""The MCP server over stdin and stdout, which is a client of the service."""

import asyncio
import json
import mimetypes
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import httpx

from apps.http.client import Service, find_service, is_up
from apps.http.events import Planned, Progress, Standing
from apps.http.files import MEDIA_TYPE
from apps.http.mcp import prepare
from apps.http.mcp.backend import Content, check_size, failure
from apps.http.paths import API
from hugginggpt.errors import HuggingGPTError, UsageError, rebuilt
from hugginggpt.file_links import FILES, signed_path
from hugginggpt.origin import Door
from hugginggpt.source_paths import is_address
from hugginggpt.submission import Cancelled
from hugginggpt.text import one_line

NOTHING_IS_UP = "Nothing is up: start the service with `hugginggpt up`."
BACK_SECONDS = 60.0
"""How long to wait for a lost service, which `up` starts again."""
MOST_LOST = 5
"""After the service was lost so often in one call, the call fails."""
SILENT_SECONDS = 60.0
"""A stream of events that says nothing for so long is lost: the service says every 10 seconds that it is there."""

_PAUSE = 0.25
_MOST_SHOWN = 300


def serve() -> None:
    """Serve one host until it closes stdin."""
    prepare()
    from apps.http.mcp.tools import make_server

    asyncio.run(make_server(_There()).run_stdio_async(show_banner=False))


class _There:
    """The backend of the tools outside the service, with the owner's key."""

    async def create(self, asked: Mapping[str, Any]) -> None:
        files = await self._sendable(asked["files"])
        await self._call("POST", "/requests", {**asked, "files": files, "door": Door.MCP})

    async def standing(self, name: str) -> Standing:
        found: Standing = await self._call("GET", f"/requests/{quote(name, safe='')}")
        if found["report"] is not None:
            service = await _service()
            for file in found["report"]["files"]:
                shown = unquote(urlsplit(file["path"]).path.rpartition("/")[2])
                file["path"] = service.url + signed_path(service.key, file["sha256"], shown)
        return found

    async def watch(self, request_id: str) -> AsyncGenerator[Progress | None, None]:
        for _ in range(MOST_LOST):
            with suppress(httpx.TransportError):
                async with _client(SILENT_SECONDS) as client:
                    path = f"{API}/requests/{quote(request_id, safe='')}/events"
                    async with client.stream("GET", path) as response:
                        await _check(response)
                        async for name, data in _events(response.aiter_lines()):
                            if name == "ended":
                                return
                            if name == "failed":
                                raise failure(request_id, data)
                            yield cast(Progress | None, data)
        raise HuggingGPTError(f"The service was lost {MOST_LOST} times: ask `result` for {request_id} later.")

    async def cancel(self, name: str) -> Cancelled:
        found: Cancelled = await self._call("POST", f"/requests/{quote(name, safe='')}/cancel", {})
        return found

    async def abandon(self, request_id: str) -> None:
        await self.cancel(request_id)

    async def plan(self, request: str, files: Sequence[str]) -> Planned:
        asked = {"request": request, "files": await self._sendable(files), "door": Door.MCP}
        found: Planned = await self._call("POST", "/plans", asked)
        return found

    async def kinds(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._call("GET", "/kinds")
        return found

    async def file(self, sha256: str) -> Content:
        service = await _service()
        async with _client() as client, client.stream("GET", f"{FILES}/{quote(sha256, safe='')}") as response:
            await _check(response)
            ending = mimetypes.guess_extension(response.headers[MEDIA_TYPE]) or ""
            link = service.url + signed_path(service.key, sha256, f"{sha256[:12]}{ending}")
            check_size(int(response.headers["Content-Length"]), link)
            return Content(await response.aread(), response.headers[MEDIA_TYPE])

    async def _sendable(self, files: Sequence[str]) -> list[str]:
        """The files of a request, with references in place of paths, whose files the service then has."""
        paths = {source: path for source in files if (path := _path(source)) is not None}
        if not paths:
            return list(files)
        with ExitStack() as opened:
            try:
                sent = [("files", (path.name, opened.enter_context(path.open("rb")))) for path in paths.values()]
            except OSError as error:
                raise UsageError(f"A file cannot be read: {error.filename}: {error.strerror}.") from None
            async with _client() as client:
                response = await client.post(FILES, files=sent)
                await _check(response)
        stored = dict(zip(paths, response.json(), strict=True))
        return [stored[source]["reference"] if source in stored else source for source in files]

    async def _call(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        """The answer to a call, which does no harm when it comes twice."""
        for _ in range(MOST_LOST):
            with suppress(httpx.TransportError):
                async with _client() as client:
                    response = await client.request(method, API + path, json=content)
                    await _check(response)
                    return response.json()
        raise HuggingGPTError(f"The service was lost {MOST_LOST} times: see its log, and try again.")


async def _service() -> Service:
    """The service of the home folder, which has just proved that it has the key.

    Raises:
        HuggingGPTError: nothing is up, or it does not come back.
    """
    until = time.monotonic() + BACK_SECONDS
    while (found := await asyncio.to_thread(find_service, as_here=False)) is None:
        if not is_up() or time.monotonic() > until:
            raise HuggingGPTError(NOTHING_IS_UP)
        await asyncio.sleep(_PAUSE)
    found.close()
    return found


@asynccontextmanager
async def _client(seconds: float | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service.

    Args:
        seconds: how long it may say nothing; None for any time, as for what has files fetched.
    """
    service = await _service()
    headers = {"Authorization": f"Bearer {service.key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=seconds, trust_env=False) as client:
        yield client


async def _check(response: httpx.Response) -> None:
    """Raise the error that the service answers with, if it does."""
    if response.is_success:
        return
    await response.aread()
    try:
        found = response.json()
        raise rebuilt(found["type"], found["message"])
    except (ValueError, KeyError, TypeError):
        raise HuggingGPTError(f"The service answered with HTTP {response.status_code}: see its log.") from None


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    """The server-sent events; one without name or data for each sign of life."""
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        elif line.startswith(":"):
            yield "", None


def _path(source: str) -> Path | None:
    """The regular file of this machine that a source names; None if it is an address.

    Raises:
        UsageError: there is none.
    """
    parts = urlsplit(source) if source.lower().startswith("file:") else None
    if parts is None and (is_address(source) or not source.strip()):
        return None
    try:
        path = Path(source if parts is None else unquote(parts.path)).expanduser().absolute()
        found = path.is_file()
    except (OSError, ValueError, RuntimeError):  # not a possible name, or nobody's home folder
        found = False
    if not found:
        raise UsageError(f"There is no file {one_line(source, _MOST_SHOWN)}: give its absolute path.")
    return path

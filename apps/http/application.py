"""The service's application: its doors, behind what finds out who is calling."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from apps.http import api, enter, files, webhooks
from apps.http.callers import Entrance
from apps.http.errors import refusal, status_of
from apps.http.mcp.door import McpDoor
from apps.http.openai.router import router as openai
from apps.http.page.door import Page
from apps.http.paths import API, ENTER, HEALTH, MANIFEST, MCP, READY
from apps.http.requests import Requests
from apps.http.uploads import BoundedBodies
from apps.http.webhooks import tell_forever
from apps.http.work import Work
from apps.up.guard import Application
from hugginggpt import __version__
from hugginggpt.errors import HuggingGPTError, UsageError
from hugginggpt.settings import get_settings
from hugginggpt.submission import objection

OPEN_TO_ALL = frozenset((HEALTH, READY, ENTER, MANIFEST))
"""What needs no key."""


def application(key: str, ui_url: str, work: Work) -> Application:
    """The application.

    Args:
        key: the owner's key.
        ui_url: where the pages of Prefect's server are.
        work: who does the work.
    """
    requests = Requests(work, ui_url)
    page, mcp = Page(requests, work.folder / "page"), McpDoor(requests, key)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        telling = asyncio.create_task(tell_forever(key))
        async with mcp.running(), page.running():
            yield
        telling.cancel()

    app = FastAPI(
        lifespan=running,
        title="HuggingGPT",
        version=__version__,
        docs_url=None,  # its page takes scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
    )
    app.state.key, app.state.work = key, work
    app.state.requests, app.state.page = requests, page
    app.add_exception_handler(HuggingGPTError, _refused)
    app.add_exception_handler(RequestValidationError, _unusable)
    app.add_exception_handler(HTTPException, _unknown)
    for router in (files.router, webhooks.router, api.router, enter.router, openai):
        app.include_router(router)
    for path in (MCP, f"{MCP}/"):
        app.router.routes.append(Route(path, mcp))
    entrance = Entrance(app, key, OPEN_TO_ALL, ENTER)
    app.state.entrance = entrance
    app.mount("/", page)
    return BoundedBodies(entrance, get_settings().max_upload_bytes)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HuggingGPTError)
    return refusal(type(error).__name__, error.message, status_of(error))


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    where, *names = problem["loc"]
    known = names if names and isinstance(names[0], str) else (where,)
    return refusal(UsageError.__name__, objection([{**problem, "loc": known}]), 422)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return refusal("HTTPError", str(error.detail), error.status_code)

"""Prefect's server asks one router for a path, and still finds all of its routes."""

import re

import pytest
from fastapi import FastAPI
from prefect.server.api.server import create_app
from starlette.routing import Match

from apps.up.routers import ask_only_the_router_of_a_path

ID = "9b2f1c9e-56ad-4f0b-9d39-0d5f6a1c7a11"


@pytest.fixture(scope="module")
def api() -> FastAPI:
    application = create_app(ephemeral=True, ignore_cache=True)
    ask_only_the_router_of_a_path(application)
    found: FastAPI = application.api_app  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("root_path", ["", "/api"])
def test_every_route_is_found(api: FastAPI, root_path: str) -> None:
    routes = [(path, method) for path, methods in api.openapi()["paths"].items() for method in methods]
    assert len(routes) > 100
    for path, method in [*routes, ("/nowhere", "get")]:
        asked = root_path + re.sub(r"\{.*?\}", ID, path)
        scope = {"type": "http", "method": method.upper(), "path": asked, "root_path": root_path, "headers": []}
        found = [route for route in api.routes if route.matches(dict(scope))[0] is Match.FULL]
        assert bool(found) == (path != "/nowhere"), (method, path)

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller
from hugginggpt.settings import Settings
from tests.stand_ins.openai_server import OpenAIServer

KEY = "sk-standin-1234567890abcdef"


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as running:
        yield running


@pytest.fixture
def connect(server: OpenAIServer) -> Iterator[Callable[..., Controller]]:
    """Controllers of the server, with other settings where a test needs them."""
    made = []

    def connected(**changes: Any) -> Controller:
        given = {"openai_base_url": server.url, "openai_api_key": SecretStr(KEY), "controller_retries": 2} | changes
        made.append(Controller.from_settings(Settings(**given)))
        return made[-1]

    yield connected
    for controller in made:
        controller.close()


@pytest.fixture
def controller(connect: Callable[..., Controller]) -> Controller:
    return connect()


@pytest.fixture
def calls() -> list[ControllerCall]:
    """Where a test has its calls recorded."""
    return []

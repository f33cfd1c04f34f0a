from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from hugginggpt.settings import Settings
from hugginggpt.trace.store import Trace


@pytest.fixture
def trace_settings(settings: Settings, database_url: str) -> Settings:
    return settings.model_copy(update={"database_url": SecretStr(database_url)})


@pytest.fixture
def trace(settings: Settings, trace_url: str) -> Iterator[Trace]:
    opened = Trace.open(settings.model_copy(update={"database_url": SecretStr(trace_url)}))
    yield opened
    opened.close()

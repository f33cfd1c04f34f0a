"""A process remembers for a while where Prefect's server says that results are kept."""

import uuid

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import PrefectHTTPStatusError

from tasks import result_storage


def asked(url: str, answers: list[httpx.Response]) -> uuid.UUID | None:
    """What a new client of a server says, which gives these answers one after the other."""
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    with SyncPrefectClient(url, httpx_settings={"transport": transport}) as client:
        return client.read_server_default_result_storage().default_result_storage_block_id


def says(block: uuid.UUID | None) -> httpx.Response:
    return httpx.Response(200, json={"default_result_storage_block_id": block and str(block)})


def test_it_is_asked_once_for_each_server() -> None:
    url, other = (f"http://{uuid.uuid4().hex}/api" for _ in range(2))
    block = uuid.uuid4()
    assert asked(url, [says(block)]) == asked(url, []) == block
    assert asked(other, [says(None)]) is None


def test_a_server_that_could_not_say_it_is_asked_again() -> None:
    url, block = f"http://{uuid.uuid4().hex}/api", uuid.uuid4()
    with pytest.raises(PrefectHTTPStatusError):
        asked(url, [httpx.Response(422, json={})])
    assert asked(url, [says(block)]) == block


def test_it_is_asked_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    url, block = f"http://{uuid.uuid4().hex}/api", uuid.uuid4()
    assert asked(url, [says(None)]) is None
    monkeypatch.setattr(result_storage, "REMEMBERED_SECONDS", 0.0)
    assert asked(url, [says(block)]) == block

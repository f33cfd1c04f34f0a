"""Clients of Prefect's server share a token against forged requests."""

import itertools
import uuid

import httpx
from prefect.client.orchestration import SyncPrefectClient

import tasks  # noqa: F401 - has them share it


class Server:
    """Stands in for Prefect's server, which accepts only the last token that it gave."""

    def __init__(self) -> None:
        self.url = f"http://{uuid.uuid4().hex}/api"
        self.given: list[dict[str, str]] = []
        self._numbers = itertools.count()

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Give a token, or accept a change that has one."""
        if request.url.path == "/api/csrf-token":
            token = {"token": f"token-{next(self._numbers)}", "client": request.url.params["client"]}
            self.given.append(token)
            return httpx.Response(200, json={**token, "expiration": "2999-01-01T00:00:00Z"}, request=request)
        last = self.given[-1]
        told = request.headers["Prefect-Csrf-Token"], request.headers["Prefect-Csrf-Client"]
        if told != (last["token"], last["client"]):
            refusal = {"detail": "Invalid CSRF token or client identifier."}
            return httpx.Response(403, json=refusal, headers={"Retry-After": "0"}, request=request)
        return httpx.Response(200, json=0, request=request)

    def restart(self) -> None:
        """Accept none of the tokens that it has given."""
        self.given.append({"token": "none", "client": "none"})

    def change(self) -> None:
        """Have a new client change something."""
        with SyncPrefectClient(self.url, httpx_settings={"transport": httpx.MockTransport(self.answer)}) as client:
            client._client.post("/flow_runs/count")


def test_clients_of_a_server_ask_for_one_token() -> None:
    server = Server()
    for _ in range(3):
        server.change()
    assert len(server.given) == 1


def test_a_client_of_another_server_asks_for_its_own() -> None:
    one, other = Server(), Server()
    one.change()
    other.change()
    assert len(one.given) == len(other.given) == 1


def test_a_token_that_is_refused_is_replaced_for_all() -> None:
    server = Server()
    server.change()
    server.restart()
    server.change()
    server.change()
    given = [token for token in server.given if token["token"] != "none"]
    assert len(given) == 2
    assert given[0]["client"] != given[1]["client"]

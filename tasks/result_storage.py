"""Where Prefect's server says that results are kept."""

import time
from typing import Any

REMEMBERED_SECONDS = 10.0
"""For how long a process remembers it."""

_known: dict[str, tuple[float, Any]] = {}
"""By the URL of the server: when it was asked, and what it answered."""


def remember_result_storage() -> None:
    """Have this process remember for a while what Prefect asks the server twice in each flow run."""
    # Reads the environment, which `prepare` completes first.
    from prefect.client.orchestration import SyncPrefectClient

    ask = SyncPrefectClient.read_server_default_result_storage

    def ask_seldom(client: SyncPrefectClient) -> Any:
        url = str(client.api_url)
        at, answer = _known.get(url, (0.0, None))
        if answer is None or time.monotonic() - at > REMEMBERED_SECONDS:
            answer = ask(client)
            _known[url] = time.monotonic(), answer
        return answer

    SyncPrefectClient.read_server_default_result_storage = ask_seldom  # type: ignore[method-assign, assignment]

"""TLS contexts that the clients of Prefect's server share."""

import ssl
from functools import lru_cache
from types import SimpleNamespace


def share_certificates() -> None:
    """Have Prefect's clients share TLS contexts: each takes long to make, even for a server without TLS.

    A context reads all certificates, which takes 25 ms of processor time. Prefect makes one for each client, and a
    flow run has about seven clients.
    """
    from prefect.client import orchestration  # reads the environment, which `prepare` completes first

    shared = SimpleNamespace(**vars(ssl))
    shared.create_default_context = lru_cache(ssl.create_default_context)
    orchestration.ssl = shared  # type: ignore[assignment, attr-defined]

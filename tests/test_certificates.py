"""Clients of Prefect's server share a TLS context, and nobody else does."""

import ssl
from unittest import mock

import certifi
from prefect.client import orchestration
from prefect.client.orchestration import SyncPrefectClient

import tasks  # noqa: F401 - has them share it


def test_two_clients_read_the_certificates_once() -> None:
    with mock.patch.object(ssl.SSLContext, "load_verify_locations", autospec=True) as load:
        for _ in range(2):
            SyncPrefectClient("http://127.0.0.1:9/api")
    assert load.call_count <= 1


def test_they_check_certificates_as_before() -> None:
    shared = orchestration.ssl.create_default_context(cafile=certifi.where())  # type: ignore[attr-defined]
    assert shared.verify_mode is ssl.CERT_REQUIRED and shared.check_hostname
    assert shared is not ssl.create_default_context(cafile=certifi.where())

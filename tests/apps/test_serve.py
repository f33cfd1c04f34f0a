"""The HTTP service beyond loopback, and on its own."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from apps.up.certificate import make_certificate
from apps.up.parts import UpOptions
from hugginggpt.errors import UsageError
from hugginggpt.service_key import read_key
from hugginggpt.services import reset
from tests.apps.installation import COMMAND, Installation
from tests.servers import wait_until


def test_beyond_loopback_there_has_to_be_tls_or_a_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    options = UpOptions(service_host="0.0.0.0", service_port=0, alone=True)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    reset()
    with pytest.raises(UsageError, match="HUGGINGGPT_SERVICE_TLS_CERT"):
        options.check()
    monkeypatch.setenv("HUGGINGGPT_SERVICE_TLS_CERT", str(tmp_path / "cert.pem"))
    reset()
    with pytest.raises(UsageError, match="HUGGINGGPT_SERVICE_TLS_KEY"):
        options.check()
    monkeypatch.setenv("HUGGINGGPT_SERVICE_PROXY", "10.0.0.1")
    reset()
    options.check()
    reset()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose service runs alone, open to other machines, beside a Prefect server that is not there."""
    certificate = tmp_path / "certificate.pem"
    make_certificate(certificate)
    installation = Installation(
        tmp_path,
        PREFECT_API_URL="http://127.0.0.1:1/api",
        HUGGINGGPT_SERVICE_TLS_CERT=str(certificate),
        HUGGINGGPT_SERVICE_TLS_KEY=str(certificate),
    )
    with installation.said_file.open("wb") as said:
        command = [*COMMAND, "serve", "--host", "0.0.0.0", "--port", "0"]
        supervisor = subprocess.Popen(command, cwd=tmp_path, env=installation.environment, stdout=said)
    try:
        wait_until(lambda: "page:" in installation.said or supervisor.poll() is not None)
        assert supervisor.poll() is None
        yield installation
    finally:
        installation.end()
        assert supervisor.wait() == 0


def test_the_service_alone_speaks_tls_to_others_and_plainly_to_this_machine(alone: Installation) -> None:
    outer, inner = alone.state["page_url"].replace("0.0.0.0", "127.0.0.1"), alone.state["service_url"]
    assert (outer[:8], inner[:7]) == ("https://", "http://") and outer.partition(":")[2] != inner.partition(":")[2]
    key = read_key(alone.home)
    assert key is not None and key not in alone.commands()
    with httpx.Client(verify=_any_certificate(), headers={"Authorization": f"Bearer {key}"}) as client:
        for url in (outer, inner):
            assert client.get(f"{url}/api/v1/requests").json() == []
            assert client.get(f"{url}/api/v1/requests", headers={"Authorization": "Bearer x"}).status_code == 401
            assert client.get(f"{url}/api/v1/requests", headers={"Host": "evil.example"}).status_code == 403
        with pytest.raises(httpx.HTTPError):
            client.get(outer.replace("https", "http"))
        asked = client.post(f"{outer}/api/v1/requests", json={"request": "Read it"})
        assert asked.status_code == 503 and "Prefect server" in asked.json()["message"]
        later = client.post(f"{outer}/api/v1/requests", json={"request": "Read it", "start": "later"})
        assert later.status_code == 201
    assert "Nothing" not in alone.run("page").stdout


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

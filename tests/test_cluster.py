"""Whom the processes of a Dask cluster may talk to."""

import asyncio
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from apps.up import expert_worker
from apps.up.certificate import make_certificate
from hugginggpt.cluster.address import Certificates, Cluster, check_listening, cluster_of
from hugginggpt.cluster.resources import GPU, MEMORY, controller_resource, task_resources, worker_resources
from hugginggpt.cluster.workers import KnownWorker, cancel_without_worker, known_workers
from hugginggpt.errors import ConfigurationError
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.settings import Settings, get_settings


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "own.pem"
    make_certificate(file)
    return file


def at(address: str) -> Settings:
    """The settings of the environment with an address."""
    return get_settings().model_copy(update={"dask_address": address})


def named(monkeypatch: pytest.MonkeyPatch, **files: Path | str) -> None:
    for name, file in files.items():
        monkeypatch.setenv(f"HUGGINGGPT_DASK_TLS_{name}", str(file))
    get_settings.cache_clear()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:8786"])
def test_on_loopback_no_certificates_are_needed(address: str) -> None:
    assert cluster_of(at(address)) == Cluster(address)
    assert cluster_of(at(address)).security() is None


@pytest.mark.parametrize(
    "address",
    ["nowhere", "tcp://", "tcp://host", "tcp://:1", "tcp://h:99999", "tcp://[::1", "http://h:1", "inproc://h:1"],
)
def test_what_is_not_an_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGGINGGPT_DASK_ADDRESS", address)
    get_settings.cache_clear()
    with pytest.raises(ConfigurationError, match=r"^The setting HUGGINGGPT_DASK_ADDRESS cannot be used: "):
        get_settings()


@pytest.mark.parametrize("address", ["tcp://control:8786", "tcp://192.0.2.1:8786", "tcp://[fd00::1]:8786"])
def test_elsewhere_is_refused_without_tls(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"^Without TLS, anyone who answers at "):
        cluster_of(at(address))
    monkeypatch.setenv("HUGGINGGPT_DASK_INSECURE_NO_TLS", "true")
    get_settings.cache_clear()
    assert cluster_of(at(address)) == Cluster(address)


def test_certificates_and_address_have_to_fit(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="tls://control:8786 needs certificates: name them in HUGGINGGPT_DASK"):
        cluster_of(at("tls://control:8786"))
    named(monkeypatch, CA_FILE=certificate)
    with pytest.raises(ConfigurationError, match="HUGGINGGPT_DASK_TLS_CERT is not set"):
        cluster_of(at("tls://control:8786"))
    named(monkeypatch, CERT=certificate)
    with pytest.raises(ConfigurationError, match=r"write tls://127\.0\.0\.1:8786, or unset them"):
        cluster_of(get_settings())
    found = cluster_of(at("tls://control:8786"))
    assert found == Cluster("tls://control:8786", Certificates(certificate, certificate))
    assert (found.host, found.port) == ("control", 8786)
    security = found.security()
    assert security is not None and security.require_encryption


def test_variables_lead_another_process_to_the_same_cluster(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cluster in (
        Cluster("tls://h:1", Certificates(certificate, certificate, certificate)),
        Cluster("tcp://[::1]:1"),
    ):
        for name, value in cluster.variables.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        assert cluster_of(get_settings()) == cluster


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_files_that_are_no_certificates_are_named(certificate: Path, tmp_path: Path, content: str | None) -> None:
    other = tmp_path / "other.pem"
    if content is not None:
        other.write_text(content)
    for files in ((other, certificate), (certificate, other), (certificate, certificate, other)):
        with pytest.raises(ConfigurationError, match=r"cannot be used .*: name PEM files that belong together"):
            Certificates(*files).security()


def test_a_scheduler_listens_beyond_loopback_only_with_certificates(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_listening("127.0.0.1", get_settings())
    with pytest.raises(ConfigurationError, match="could run code on this machine: name certificates in"):
        check_listening("0.0.0.0", get_settings())
    check_listening("0.0.0.0", get_settings().model_copy(update={"dask_insecure_no_tls": True}))
    named(monkeypatch, CA_FILE=certificate, CERT=certificate)
    check_listening("0.0.0.0", get_settings())


def test_a_worker_that_is_not_admitted_closes_each_connection(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expert_worker, "GREETING_SECONDS", 0.05)
    monkeypatch.setattr(expert_worker, "RETRY_SECONDS", 0.01)
    certificates = Certificates(certificate, certificate)

    async def tried() -> tuple[str | None, int]:
        stop, opened, closed = asyncio.Event(), 0, asyncio.Semaphore(0)

        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal opened
            opened += 1
            if opened == 3:
                stop.set()
            await reader.read()
            writer.close()
            closed.release()

        context = certificates.security().get_listen_args("scheduler")["ssl_context"]
        server = await asyncio.start_server(say_nothing, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        found = await expert_worker._find(Cluster(f"tls://127.0.0.1:{port}", certificates), stop)
        for _ in range(opened):
            await asyncio.wait_for(closed.acquire(), 20)
        server.close()
        return found, opened

    assert asyncio.run(tried()) == (None, 3)


def test_a_worker_declares_its_kinds_its_controller_and_its_memory() -> None:
    settings = get_settings()
    declared = worker_resources(["canny-control", "summarization"], settings)
    assert declared.keys() - {GPU} == {"canny-control", "summarization", controller_resource(settings), MEMORY}
    assert declared[MEMORY] > 0


@pytest.mark.parametrize(
    ("endpoint", "size", "gpu", "asked"),
    [
        (Endpoint.LOCAL, 2**30, False, {"summarization": 1, MEMORY: 2**30}),
        (Endpoint.LOCAL, 2**30, True, {"summarization": 1, MEMORY: 2**30, GPU: 1}),
        (Endpoint.LOCAL, None, False, {"summarization": 1}),
        (Endpoint.EMBEDDED, 2**30, True, {"summarization": 1}),
    ],
)
def test_only_a_local_model_asks_for_memory_and_a_gpu(
    endpoint: Endpoint, size: int | None, gpu: bool, asked: dict[str, float]
) -> None:
    card = ModelCard(id="a/model", kind="summarization", bytes=size, runs_on=(endpoint,))
    assert task_resources("summarization", Candidate(card=card, endpoint=endpoint), gpu=gpu) == asked


class Waiting(NamedTuple):
    key: str


def test_what_a_scheduler_knows_of_its_workers_and_of_tasks_without_one() -> None:
    worker = SimpleNamespace(
        address="tcp://127.0.0.1:1", processing={"a": 1}, nthreads=2, resources={MEMORY: 1.0}, metrics={"models": ["m"]}
    )
    cancelled: list[str] = []
    scheduler = SimpleNamespace(
        workers={"w": worker},
        unrunnable={Waiting("stuck"): 0.0, Waiting("just come"): monotonic()},
        stimulus_cancel=lambda keys, client, **_: cancelled.extend(keys),
    )
    assert known_workers(scheduler) == [KnownWorker("tcp://127.0.0.1:1", 1, 2, {MEMORY: 1.0}, ("m",))]
    assert known_workers(scheduler)[0].is_free
    assert cancel_without_worker(scheduler, ["stuck", "just come", "running"], 60.0, "client") == ["stuck"]
    assert cancelled == ["stuck"]

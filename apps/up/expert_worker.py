"""The processes of a Dask cluster of expert workers: the scheduler, and workers that keep models loaded."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import click

from hugginggpt.addresses import bracketed
from hugginggpt.cluster.address import Cluster, certificates_of, check_listening, cluster_of
from hugginggpt.cluster.resources import worker_resources
from hugginggpt.errors import UsageError
from hugginggpt.experts.device import accelerators
from hugginggpt.redaction import said
from hugginggpt.settings import Settings, get_settings

RETRY_SECONDS = 1.0
"""Pause between two attempts to reach the scheduler."""

GREETING_SECONDS = 10.0
"""How long to wait for the scheduler's first bytes before trying again."""

_DEVICES = "CUDA_VISIBLE_DEVICES"

_NO_PAGES: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
_NO_ROUTES: dict[str, Any] = {f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker")}
"""Dask's web server has no login and cannot be turned off, so it listens on loopback and has no pages."""

_NO_PROFILE: dict[str, Any] = {"distributed.worker.profile.enabled": False}
"""Dask samples the stacks of its workers' threads a hundred times a second, for pages that are not there."""


def run_scheduler(host: str, port: int) -> None:
    """Run the scheduler until SIGINT or SIGTERM.

    Raises:
        ConfigurationError: other machines could reach it without TLS.
        UsageError: it cannot listen on that address.
    """
    settings = get_settings()
    check_listening(host, settings)
    asyncio.run(_schedule(host, port, settings))


def run_worker(*, threads: int, name: str | None, kinds: Sequence[str] | None) -> None:
    """Run an expert worker until SIGINT or SIGTERM; with several accelerators, one process for each.

    Args:
        threads: most tasks at once.
        name: the worker's name; its host and process id if None.
        kinds: kinds of task that it takes; all that can run here if None.

    Raises:
        ConfigurationError: the scheduler's address cannot be used, or needs TLS.
    """
    settings = get_settings()
    cluster = cluster_of(settings)
    several = [one.name for one in accelerators(settings) if one.name.startswith("cuda")] if not settings.device else []
    if len(several) > 1:
        _run_each(several, name)
        return
    if kinds is None:
        from hugginggpt.services import get_catalog

        kinds = get_catalog().offered_kinds()
    asyncio.run(_work(cluster, threads, name, kinds, settings))
    # Tasks that still run in threads cannot be interrupted; other workers repeat them.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _schedule(host: str, port: int, settings: Settings) -> None:
    import dask
    from distributed import Scheduler

    stop = _stopped()
    dask.config.set(_NO_ROUTES)
    certificates = certificates_of(settings)
    security = None if certificates is None else certificates.security()
    protocol = "tcp" if certificates is None else "tls"
    try:
        async with Scheduler(
            host=bracketed(host), port=port, protocol=protocol, security=security, **_NO_PAGES
        ) as scheduler:
            click.echo(f"The scheduler of expert workers listens at {scheduler.address}")
            await stop.wait()
    except OSError as error:
        raise UsageError(
            f"The scheduler cannot listen on port {port} of {host} ({said(error)}): choose another with --port."
        ) from None


async def _work(cluster: Cluster, threads: int, name: str | None, kinds: Sequence[str], settings: Settings) -> None:
    import dask
    from distributed import Worker

    stop = _stopped()
    stopped = asyncio.ensure_future(stop.wait())
    dask.config.set(_NO_ROUTES | _NO_PROFILE)
    security = cluster.security()
    while not stop.is_set():
        here = await _find(cluster, stop)
        if here is None:
            return
        worker = Worker(
            cluster.address,
            # Without it, the worker would listen on every interface, whatever the scheduler does.
            host=bracketed(here),
            security=security,
            nthreads=threads,
            name=name or f"{os.uname().nodename}-{os.getpid()}",
            resources=worker_resources(kinds, settings),
            metrics={"models": _loaded},
            # The model pool has its own memory budget.
            memory_limit=0,
            **_NO_PAGES,
        )
        async with worker:
            click.echo(f"Expert worker {worker.name} has joined {cluster.address} for {len(kinds)} kinds of task")
            finished = asyncio.ensure_future(worker.finished())
            await asyncio.wait([finished, stopped], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await worker.close(timeout=1, executor_wait=False)
                return
        click.echo("Lost the scheduler; waiting for it to come back.", err=True)


async def _find(cluster: Cluster, stop: asyncio.Event) -> str | None:
    """Wait for the scheduler, and tell the user once if it is not up yet.

    Returns:
        The address from which this machine reaches the scheduler; None if `stop` was set first.
    """
    security = cluster.security()
    context = security.get_connection_args("worker")["ssl_context"] if security else None
    reported = False
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(cluster.host, cluster.port, ssl=context)
            try:
                # The scheduler speaks first, so reading shows whether it accepts this certificate.
                if context is not None and not await asyncio.wait_for(reader.read(1), GREETING_SECONDS):
                    raise ConnectionRefusedError("it closed the connection")
                here: str = writer.get_extra_info("sockname")[0]
            finally:
                writer.close()
            return here
        except OSError as error:
            if not reported:
                click.echo(f"There is no scheduler at {cluster.address} yet ({said(error)}); waiting for it.", err=True)
                reported = True
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=RETRY_SECONDS)
    return None


def _stopped() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


def _loaded(worker: Any) -> tuple[str, ...]:
    """The models that are loaded in this process, sent to the scheduler with each heartbeat."""
    from hugginggpt.experts.pool import get_pool

    return get_pool(get_settings()).loaded()


def _run_each(devices: Sequence[str], name: str | None) -> None:
    """Run this command once for each accelerator, and stop all of them with this process."""
    visible = [v for v in os.environ.get(_DEVICES, "").split(",") if v] or [
        device.partition(":")[2] for device in devices
    ]
    processes = []
    for number, device in enumerate(visible):
        arguments = [*sys.argv[1:], *(["--name", f"{name}-{number}"] if name else [])]
        processes.append(
            subprocess.Popen([sys.executable, "-P", "-m", "apps.cli", *arguments], env=os.environ | {_DEVICES: device})
        )

    def stop(signum: int, frame: object) -> None:
        for process in processes:
            process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for process in processes:
        process.wait()

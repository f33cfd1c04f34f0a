"""The processes of a Dask cluster of experts: its scheduler, and workers that keep models loaded."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import click

from hugginggpt.cluster.address import Cluster, certificates_of, check_listening, cluster_of
from hugginggpt.cluster.resources import worker_resources
from hugginggpt.errors import UsageError
from hugginggpt.experts.device import accelerators
from hugginggpt.settings import Settings, get_settings

LOOKS_EVERY = 1.0
"""Seconds between two tries to find the scheduler."""

ADMITS_WITHIN = 10.0
"""Seconds after which a scheduler that says nothing does not count as there."""

_DEVICES = "CUDA_VISIBLE_DEVICES"

_NO_PAGES: dict[str, Any] = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
_NO_ROUTES: dict[str, list[str]] = {f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker")}
"""Dask's web server, which asks nobody who they are, cannot be left out: it listens on loopback, and has no pages."""


def run_scheduler(host: str, port: int) -> None:
    """Be the scheduler until SIGINT or SIGTERM.

    Raises:
        ConfigurationError: other machines could reach it without TLS.
        UsageError: it cannot listen there.
    """
    settings = get_settings()
    check_listening(host, settings)
    asyncio.run(_schedule(host, port, settings))


def run_worker(*, threads: int, name: str | None, kinds: Sequence[str] | None) -> None:
    """Be an expert worker until SIGINT or SIGTERM; with several accelerators, one process for each.

    Args:
        threads: tasks at once.
        name: what it is called; its host and process id when None.
        kinds: kinds of task that it takes; all that can run here when None.

    Raises:
        ConfigurationError: the address of the settings is not a scheduler's, or must not be used without TLS.
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
    # Tasks that are still at work in threads cannot be interrupted, and others do them again.
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
            host=_bracketed(host), port=port, protocol=protocol, security=security, **_NO_PAGES
        ) as scheduler:
            click.echo(f"Scheduler of expert workers at {scheduler.address}")
            await stop.wait()
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"The scheduler cannot listen on port {port} of {host} ({reason}): choose another with --port."
        ) from None


async def _work(cluster: Cluster, threads: int, name: str | None, kinds: Sequence[str], settings: Settings) -> None:
    import dask
    from distributed import Worker

    stop = _stopped()
    stopped = asyncio.ensure_future(stop.wait())
    dask.config.set(_NO_ROUTES)
    security = cluster.security()
    while not stop.is_set():
        here = await _find(cluster, stop)
        if here is None:
            return
        worker = Worker(
            cluster.address,
            # Left out, it would listen on every interface, whatever the scheduler does.
            host=_bracketed(here),
            security=security,
            nthreads=threads,
            name=name or f"{os.uname().nodename}-{os.getpid()}",
            resources=worker_resources(kinds, settings),
            metrics={"models": _loaded},
            # The pool of models keeps to its own budget.
            memory_limit=0,
            **_NO_PAGES,
        )
        async with worker:
            click.echo(f"Expert worker {worker.name} at {cluster.address}, for {len(kinds)} kinds of task")
            finished = asyncio.ensure_future(worker.finished())
            await asyncio.wait([finished, stopped], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await worker.close(timeout=1, executor_wait=False)
                return
        click.echo("The scheduler is gone; waiting for it to come back.", err=True)


async def _find(cluster: Cluster, stop: asyncio.Event) -> str | None:
    """Wait until the scheduler is there, and say once if it is not.

    Returns:
        The address of this machine that the scheduler is reached from; None when `stop` was set meanwhile.
    """
    security = cluster.security()
    context = security.get_connection_args("worker")["ssl_context"] if security else None
    said = False
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(cluster.host, cluster.port, ssl=context)
            try:
                # Whether it takes this certificate shows when it is read from: it speaks first.
                if context is not None and not await asyncio.wait_for(reader.read(1), ADMITS_WITHIN):
                    raise ConnectionRefusedError("it closed the connection")
                here: str = writer.get_extra_info("sockname")[0]
            finally:
                writer.close()
            return here
        except OSError as error:
            if not said:
                reason = error.strerror or error
                click.echo(f"There is no scheduler at {cluster.address} yet ({reason}); waiting for it.", err=True)
                said = True
            await asyncio.wait([asyncio.ensure_future(stop.wait())], timeout=LOOKS_EVERY)
    return None


def _bracketed(host: str) -> str:
    """A host as Dask takes it."""
    return f"[{host}]" if ":" in host else host


def _stopped() -> asyncio.Event:
    """Set when the process is asked to end."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


def _loaded(worker: Any) -> tuple[str, ...]:
    """The models that are loaded in this process: what its scheduler is told with each heartbeat."""
    from hugginggpt.experts.pool import get_pool

    return get_pool(get_settings()).loaded()


def _run_each(devices: Sequence[str], name: str | None) -> None:
    """Run this command once for each accelerator, and end them all with this process."""
    visible = [v for v in os.environ.get(_DEVICES, "").split(",") if v] or [
        device.partition(":")[2] for device in devices
    ]
    processes = []
    for number, device in enumerate(visible):
        arguments = [*sys.argv[1:], *(["--name", f"{name}-{number}"] if name else [])]
        processes.append(
            subprocess.Popen([sys.executable, "-m", "apps.cli", *arguments], env=os.environ | {_DEVICES: device})
        )

    def end(signum: int, frame: object) -> None:
        for process in processes:
            process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    for process in processes:
        process.wait()

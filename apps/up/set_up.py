"""Sets up the Prefect server of an `up`, and waits until the flow workers and the expert workers are there.

The supervisor has the fork server begin it. It is a process of its own because the supervisor stays, and should not
keep what only this takes: Prefect, the flows and Dask's client.
"""

import contextlib
import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from hugginggpt.environment import ACCELERATOR_LIMIT, CONTROLLER_LIMIT
from hugginggpt.settings import data_file, get_settings

_POLL_SECONDS = 0.1

_COUNT_ACCELERATORS = """
import gc, os
gc.disable()
import torch
print(torch.cuda.device_count() or int(torch.backends.mps.is_available()), flush=True)
os._exit(0)
"""
"""In a process of its own, because a broken driver can crash it. What it has imported is not tidied up."""


@dataclass(frozen=True)
class Ready:
    """What was set up.

    Attributes:
        limits: the slots of each limit.
        deployments: the names of the deployments.
        replaced: the type of the work pool of an earlier version that was replaced; None if there was none.
    """

    limits: dict[str, int]
    deployments: list[str]
    replaced: str | None


def set_up(tells: Connection, since: datetime, flow_workers: list[str], expert_workers: int) -> None:
    """Set everything up, then wait for the workers.

    Args:
        tells: is sent a `Ready` when all is ready.
        since: when the workers were started.
        flow_workers: the names of those to wait for.
        expert_workers: how many to wait for.
    """
    import httpx

    from apps.up import prefect_api
    from apps.up.parts import is_healthy

    gc.disable()  # it ends soon
    api_url = os.environ["PREFECT_API_URL"]
    with _counted_accelerators() as count:
        _wait("Prefect's server", lambda: is_healthy(api_url))
        limits = {CONTROLLER_LIMIT: get_settings().controller_concurrency, ACCELERATOR_LIMIT: count()}
        replaced = prefect_api.set_up(api_url, limits)
    _deploy(data_file("deployments.yaml"))
    names = [each.name for each in prefect_api.deployments(api_url)]
    if expert_workers:
        _wait("the expert workers", lambda: _joined() >= expert_workers)

    def are_online() -> bool:
        try:
            return {*flow_workers} <= {*prefect_api.flow_workers(api_url, since)}
        except httpx.HTTPError as error:
            print(f"Prefect's server did not answer ({type(error).__name__}).", file=sys.stderr)
            return False

    _wait("the flow workers", are_online)
    tells.send(Ready(limits, names, replaced))


@contextlib.contextmanager
def _counted_accelerators() -> Iterator[Callable[[], int]]:
    """A function that gives the number of accelerators, but at least one, counted since the block began."""
    from hugginggpt.experts.device import may_have_accelerators

    if not may_have_accelerators():
        yield lambda: 1
        return
    command = [sys.executable, "-P", "-c", _COUNT_ACCELERATORS]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as counting:

        def count() -> int:
            counted = counting.communicate()[0].strip()
            return max(1, int(counted)) if counted.isdigit() else 1

        yield count


def _deploy(file: Path) -> None:
    """Run `prefect deploy` in this process, which has imported Prefect and the flows already."""
    from prefect.cli import app

    sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    try:
        app()
    except SystemExit as ending:
        if ending.code:
            raise


def _joined() -> int:
    from hugginggpt.cluster.address import cluster_of
    from hugginggpt.cluster.workers import expert_workers

    return len(expert_workers(cluster_of(get_settings())) or ())


def _wait(what: str, is_there: Callable[[], bool]) -> None:
    print(f"Waiting for {what}.", file=sys.stderr)
    while not is_there():
        time.sleep(_POLL_SECONDS)

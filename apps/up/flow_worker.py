"""The flow worker of an `up`: takes flow runs from the work pool and starts a process for each."""

import argparse
import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.up.own_flows import FlowWorker

_LOOK_SECONDS = 0.1


def main() -> None:
    """Take runs from the pool until SIGINT or SIGTERM."""
    from hugginggpt.environment import POOL

    parser = argparse.ArgumentParser(prog="python -m apps.up.flow_worker", description=__doc__)
    parser.add_argument("--pool", default=POOL, help="the work pool whose runs it takes")
    parser.add_argument("--name", help="its name in Prefect")
    parser.add_argument("--limit", type=int, help="most runs at once")
    parser.add_argument("--wait-for-pool", action="store_true", help="leave it to `up` to create the pool")
    parser.add_argument("--forks", type=int, help="file descriptor of the socket over which to ask a fork server")
    arguments = parser.parse_args()

    from hugginggpt.environment import prepare
    from hugginggpt.errors import HuggingGPTError

    try:
        prepare()
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)
    from apps.up.forks import Forks
    from apps.up.own_flows import FlowWorker

    if arguments.wait_for_pool:
        _wait_for_pool(arguments.pool, FlowWorker.type)
    forks = None if arguments.forks is None else Forks.inherited(arguments.forks)
    worker = FlowWorker(work_pool_name=arguments.pool, name=arguments.name, limit=arguments.limit, forks=forks)
    try:
        asyncio.run(_work(worker))
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)


def _wait_for_pool(name: str, kind: str) -> None:
    """Wait until Prefect's server is up and has the pool, of the type whose runs this worker takes."""
    import httpx
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.exceptions import ObjectNotFound
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL

    login = {"auth_string": PREFECT_API_AUTH_STRING.value(), "api_key": PREFECT_API_KEY.value()}
    with SyncPrefectClient(PREFECT_API_URL.value(), **login) as client:
        while True:
            try:
                if client.read_work_pool(name).type == kind:
                    return
            except (httpx.HTTPError, ObjectNotFound):
                pass  # not yet
            time.sleep(_LOOK_SECONDS)


async def _work(worker: "FlowWorker") -> None:
    from prefect.utilities.processutils import setup_signal_handlers_worker

    setup_signal_handlers_worker(os.getpid(), "the flow worker", print)
    try:
        await worker.start()
    except asyncio.CancelledError:
        print(f"The worker {worker.name} has stopped.")


if __name__ == "__main__":
    main()

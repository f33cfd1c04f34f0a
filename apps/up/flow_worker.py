"""The flow worker of an `up`: takes flow runs from the work pool and starts a process for each."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.up.own_flows import FlowWorker


def main() -> None:
    """Take runs from the pool until SIGINT or SIGTERM."""
    from hugginggpt.environment import POOL

    parser = argparse.ArgumentParser(prog="python -m apps.up.flow_worker", description=__doc__)
    parser.add_argument("--pool", default=POOL, help="the work pool whose runs it takes")
    parser.add_argument("--name", help="its name in Prefect")
    parser.add_argument("--limit", type=int, help="most runs at once")
    arguments = parser.parse_args()

    from hugginggpt.environment import prepare
    from hugginggpt.errors import HuggingGPTError

    try:
        prepare()
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)
    from apps.up.own_flows import FlowWorker

    worker = FlowWorker(work_pool_name=arguments.pool, name=arguments.name, limit=arguments.limit)
    try:
        asyncio.run(_work(worker))
    except HuggingGPTError as error:
        print(f"Error: {error.message}", file=sys.stderr)
        sys.exit(2)


async def _work(worker: "FlowWorker") -> None:
    from prefect.utilities.processutils import setup_signal_handlers_worker

    setup_signal_handlers_worker(os.getpid(), "the flow worker", print)
    try:
        await worker.start()
    except asyncio.CancelledError:
        print(f"The worker {worker.name} has stopped.")


if __name__ == "__main__":
    main()

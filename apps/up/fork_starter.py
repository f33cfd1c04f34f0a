"""Starts the process of a flow run as a fork. Everything else about the process is as with Prefect's own worker."""

from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun
from prefect.runner._control_channel import ControlChannel
from prefect.runner._process_manager import ProcessHandle, create_isolated_termination_scope

from apps.up.flow_run_process import run_flow
from apps.up.forks import Forks


class ForkStarter:
    """Prefect's `ProcessStarter`, for one flow run.

    Args:
        entrypoint: the flow.
        environment: the variables that Prefect gives the process, in addition to those of this one.
        folder: the working folder.
        channel: tells the process that its flow run was cancelled, before it is ended.
        forks: starts it.
    """

    def __init__(
        self, entrypoint: str, environment: dict[str, str], folder: Path, channel: ControlChannel, forks: Forks
    ) -> None:
        self._entrypoint = entrypoint
        self._environment = environment
        self._folder = folder
        self._channel = channel
        self._forks = forks

    async def start(
        self, flow_run: FlowRun, task_status: TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Start the process, report it, and wait until it ends."""
        port, token = self._channel.register(flow_run.id)
        environment = self._environment | {
            "PREFECT__CONTROL_PORT": str(port),
            "PREFECT__CONTROL_TOKEN": token,
            # The worker runs these hooks, since the process may be gone.
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",
        }
        begin = partial(self._forks.fork, run_flow, flow_run.id, self._entrypoint, environment, folder=self._folder)
        try:
            process = await anyio.to_thread.run_sync(begin)
            scope = create_isolated_termination_scope(process.pid)
        except BaseException:
            self._channel.unregister(flow_run.id)
            raise
        # Prefect declares the processes that it spawns itself, and uses no more of them than `pid` and `exitcode`.
        task_status.started(ProcessHandle(process, termination_scope=scope))  # type: ignore[arg-type]
        await anyio.wait_readable(process)
        process.join()

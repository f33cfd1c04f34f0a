"""Starts the process of a flow run as a fork. Everything else about the process is as with Prefect's own worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun
from prefect.runner._control_channel import ControlChannel
from prefect.runner._process_manager import ProcessHandle, create_isolated_termination_scope

from apps.up.flow_run_process import Known, run_flow
from apps.up.forks import Forks


@dataclass(frozen=True)
class ForkStarter:
    """Prefect's `ProcessStarter`, for one flow run.

    Attributes:
        forks: starts the process.
        entrypoint: the flow.
        environment: the variables that Prefect gives the process, in addition to those of the fork server.
        known: what the process need not ask for.
        folder: the working folder.
        channel: tells the process that its flow run was cancelled, before it is ended.
    """

    forks: Forks
    entrypoint: str
    environment: Mapping[str, str]
    known: Known
    folder: Path
    channel: ControlChannel

    async def start(
        self, flow_run: FlowRun, task_status: TaskStatus[ProcessHandle] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Start the process, report it, and wait until it ends."""
        port, token = self.channel.register(flow_run.id)
        environment = {
            **self.environment,
            "PREFECT__CONTROL_PORT": str(port),
            "PREFECT__CONTROL_TOKEN": token,
            # The worker runs these hooks, since the process may be gone.
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",
        }
        begin = partial(
            self.forks.fork, run_flow, flow_run, self.entrypoint, environment, self.known, folder=self.folder
        )
        try:
            process = await anyio.to_thread.run_sync(begin)
            scope = create_isolated_termination_scope(process.pid)
        except BaseException:
            self.channel.unregister(flow_run.id)
            raise
        # Prefect declares the processes that it spawns itself, and uses no more of them than `pid` and `exitcode`.
        task_status.started(ProcessHandle(process, termination_scope=scope))  # type: ignore[arg-type]
        await anyio.wait_readable(process)
        process.join()

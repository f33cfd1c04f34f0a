"""Starts the process of a flow run as a fork. Everything else about the process is as with Prefect's own worker."""

import os
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun
from prefect.runner._control_channel import ControlChannel
from prefect.runner._process_manager import ProcessHandle, create_isolated_termination_scope

from apps.up.forks import fork


class ForkStarter:
    """Prefect's `ProcessStarter`, for one flow run.

    Args:
        entrypoint: the flow.
        environment: the variables that Prefect gives the process, in addition to those of this one.
        folder: the working folder.
        channel: tells the process that its flow run was cancelled, before it is ended.
    """

    def __init__(self, entrypoint: str, environment: dict[str, str], folder: Path, channel: ControlChannel) -> None:
        self._entrypoint = entrypoint
        self._environment = environment
        self._folder = folder
        self._channel = channel

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
        begin = partial(fork, _run_flow, flow_run.id, self._entrypoint, environment, folder=self._folder)
        try:
            process = await anyio.to_thread.run_sync(begin)
            assert process.pid is not None
            scope = create_isolated_termination_scope(process.pid)
        except BaseException:
            self._channel.unregister(flow_run.id)
            raise
        # Prefect's own starter for forks declares the same class, and takes any with a `pid` and an `exitcode`.
        task_status.started(ProcessHandle(process, termination_scope=scope))  # type: ignore[arg-type]
        await anyio.wait_readable(process.sentinel)
        process.join()


def _run_flow(flow_run_id: UUID, entrypoint: str, environment: dict[str, Any]) -> None:
    """What `python -m prefect.engine` does."""
    os.environ.update(environment)
    from prefect import flow_engine

    # The process ends with the flow run, so the thread may be left behind: ending it takes up to a second.
    flow_engine._send_heartbeats = partial(flow_engine._send_heartbeats, join_on_exit=False)
    flow_engine._run_flow_from_runtime_entrypoint(flow_run_id, entrypoint)

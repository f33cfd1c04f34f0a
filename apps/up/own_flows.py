"""Prefect's process worker, restricted to our own flows.

Prefect's worker does what the server tells it: the pool's template may contain a command, and a deployment may contain
any entry point and steps to run before it. So anyone who can write to the server could run anything. This worker takes
the entry points from our own list of deployments; the server only says which of them to run, and with which parameters.
"""

from abc import ABC
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from apps.up.job_template import JOB_TEMPLATE
from hugginggpt.deployments import is_deployed
from hugginggpt.errors import UsageError

if TYPE_CHECKING:
    from prefect.runner._process_manager import ProcessHandle


# Prefect registers each worker class under its type unless it is abstract, and this type is taken.
class FlowWorker(ProcessWorker, ABC):
    """A worker for work pools of Prefect's type `process`."""

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """The template of a pool that this worker creates."""
        return JOB_TEMPLATE

    def _record_work_pool_snapshot(self, work_pool: WorkPool) -> None:
        super()._record_work_pool_snapshot(work_pool.model_copy(update={"base_job_template": JOB_TEMPLATE}))

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ProcessJobConfiguration,
        task_status: TaskStatus[int] | None = None,
    ) -> ProcessWorkerResult:
        """Run a flow run in a process of its own, and wait until it ends.

        Raises:
            UsageError: the flow is not one of ours.
        """
        entrypoint = await self._entrypoint(flow_run)

        async def flow_of(_: FlowRun) -> Flow[..., Any]:
            return load_flow_from_entrypoint(entrypoint)

        with TemporaryDirectory(suffix="prefect") as folder:
            async with FlowRunExecutorContext() as context:
                starter = EngineCommandStarter(
                    entrypoint=entrypoint,
                    cwd=Path(folder).resolve(),
                    env=dict(configuration.env),
                    control_channel=context.control_channel,
                    isolate_process_group=True,
                    env_overrides_settings=True,
                )
                executor = context.create_executor(flow_run, starter, resolve_flow=flow_of, propose_submitting=False)
                ended = await _ended(executor.submit, task_status or anyio.TASK_STATUS_IGNORED)
        if ended is None or ended.status_code is None:
            raise RuntimeError("The process of the flow run could not be started.")
        return ProcessWorkerResult(status_code=ended.status_code, identifier=str(ended.handle.pid))

    async def _entrypoint(self, flow_run: FlowRun) -> str:
        if flow_run.deployment_id is None:
            raise UsageError("This worker runs only deployments of HuggingGPT, and the flow run has no deployment.")
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        entrypoint = deployment.entrypoint
        if entrypoint is None or not is_deployed(entrypoint) or deployment.pull_steps:
            raise UsageError(
                f"This worker runs only deployments of HuggingGPT: {deployment.name} is not one, or was changed."
            )
        return entrypoint


async def _ended(submit: Callable[..., Any], task_status: TaskStatus[int]) -> FlowRunExecutionResult | None:
    """Wait for a process to end and return its result; the worker learns the process id when it starts."""
    ended: FlowRunExecutionResult | None = None

    async def execute(*, task_status: "TaskStatus[ProcessHandle]") -> None:
        nonlocal ended
        ended = await submit(task_status=task_status)

    async with anyio.create_task_group() as group:
        handle = await group.start(execute)
        task_status.started(handle.pid)
    return ended

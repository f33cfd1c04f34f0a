"""Prefect's worker of the type `hugginggpt`: runs our own flows, each run in a fork that has them imported.

Prefect's own workers do what the server tells them: the pool's template may contain a command, and a deployment may
contain any entry point and steps to run before it. So anyone who can write to the server could run anything. This
worker takes the entry points from our own list of deployments; the server only says which of them to run, and with
which parameters.
"""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, TypeVarTuple
from uuid import UUID

import anyio
import httpx
from anyio.abc import TaskStatus
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import Flow, FlowRun, WorkPool, WorkQueue
from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse
from prefect.flows import load_flow_from_entrypoint
from prefect.runner._flow_run_executor import FlowRunExecutionResult, FlowRunExecutorContext
from prefect.settings import get_current_settings
from prefect.types._datetime import now
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from apps.up.flow_run_process import Known
from apps.up.fork_starter import ForkStarter
from apps.up.forks import Forks
from apps.up.job_template import JOB_TEMPLATE
from hugginggpt.deployments import deployment_of, is_deployed
from hugginggpt.environment import POOL_TYPE
from hugginggpt.errors import UsageError
from hugginggpt.settings import get_settings
from hugginggpt.up_state import woken_at

if TYPE_CHECKING:
    import prefect
    from prefect.runner._process_manager import ProcessHandle

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LOOK_SECONDS = 0.05
"""How often to look whether the worker was woken, or whether its last run has ended."""

_REMEMBERED_SECONDS = 10.0
"""For how long a deployment is as it was read, and results are kept where the server said."""


class FlowJob(BaseJobConfiguration):
    """What the worker knows of a flow run's process. Neither the pool, the deployment nor the run can add to it.

    Attributes:
        entrypoint: the flow.
    """

    entrypoint: str = ""

    @classmethod
    async def resolve_for_flow_run(
        cls,
        flow_run: FlowRun,
        *,
        client: PrefectClient,
        work_pool: WorkPool,
        worker_name: str,
        worker_id: UUID | None = None,
        deployment: DeploymentResponse | None = None,
    ) -> Self:
        """What is known of a flow run.

        Raises:
            UsageError: the flow is not one of ours.
        """
        if deployment is None and flow_run.deployment_id is not None:
            deployment = await client.read_deployment(flow_run.deployment_id)
        if deployment is None:
            raise UsageError("This worker runs only deployments of HuggingGPT, and the flow run has no deployment.")
        entrypoint = deployment.entrypoint
        if entrypoint is None or not is_deployed(entrypoint) or deployment.pull_steps:
            raise UsageError(
                f"This worker runs only deployments of HuggingGPT: {deployment.name} is not one, or was changed."
            )
        flow = Flow(id=flow_run.flow_id, name=deployment_of(entrypoint).partition("/")[0], labels={})
        job = cls(entrypoint=entrypoint)
        job.prepare_for_flow_run(flow_run, deployment, flow, work_pool, worker_name, worker_id)
        return job


class FlowWorker(BaseWorker[FlowJob, BaseVariables, BaseWorkerResult]):
    """A worker for work pools of the type `hugginggpt`.

    Args:
        forks: starts the processes; a fork server of this worker's own if None, as where Prefect creates the worker.
    """

    type = POOL_TYPE
    job_configuration = FlowJob
    _display_name = "HuggingGPT"
    _description = "Runs the flows of HuggingGPT, each run in a process of its own that has them imported."

    def __init__(self, *arguments: Any, forks: Forks | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._forks = forks
        self._running: set[UUID] = set()
        self._entrypoints: dict[UUID, str] = {}
        self._queues: dict[UUID, WorkQueue] = {}
        self._entering = anyio.Lock()
        self._context: FlowRunExecutorContext | None = None
        self._stopping = anyio.Event()
        self._more_wait = False
        self._has_room_for_more = anyio.Event()

    @classmethod
    def get_default_base_job_template(cls) -> dict[str, Any]:
        """The template of a pool that this worker creates."""
        return JOB_TEMPLATE

    async def setup(self) -> None:
        """Connect to Prefect's server, and begin to wait for being woken."""
        if self._forks is None:
            # The fork server gets what a Prefect profile says from the environment, as it may read another one.
            os.environ.update(get_current_settings().to_environment_variables(exclude_unset=True))
            self._forks = Forks.own()
            with TemporaryDirectory() as folder:
                await anyio.to_thread.run_sync(self._forks.check, Path(folder))
        await super().setup()
        self.client.read_deployment = _Remembered(self.client.read_deployment)  # type: ignore[assignment, method-assign]
        self.client.update_flow_run = self._leave_to_process  # type: ignore[assignment, method-assign]
        self._result_storage = _Remembered(self.client.read_server_default_result_storage)
        assert self._runs_task_group is not None
        await self._runs_task_group.start(self._poll_when_woken)

    async def teardown(self, *exc_info: Any) -> None:
        """Wait for the runs that are at work, or stop them if the worker was interrupted; then disconnect."""
        self._stopping.set()
        await super().teardown(*exc_info)

    async def _worker_metadata(self) -> None:
        """Say nothing of Prefect's integrations: to find them, each would be imported, with all of Dask."""

    async def _poll_when_woken(self, task_status: TaskStatus[None]) -> None:
        """Look for runs as soon as one was scheduled on this machine, or as one ended while others waited."""
        home = get_settings().home_dir
        with anyio.CancelScope() as scope:
            self._scheduled_task_scopes.add(scope)  # cancelled when the worker stops
            seen = woken_at(home)
            task_status.started()
            while True:
                with anyio.move_on_after(_LOOK_SECONDS):
                    await self._has_room_for_more.wait()
                woken = woken_at(home)
                if woken != seen or self._has_room_for_more.is_set():
                    seen = woken
                    # The loop that polls regularly reports what hinders it.
                    with suppress(httpx.HTTPError):
                        await self.get_and_submit_flow_runs()

    async def _get_scheduled_flow_runs(self) -> "list[WorkerFlowRunResponse]":
        """The runs that are due, as many as there is room for. A fork starts at once, so none is taken early."""
        self._has_room_for_more = anyio.Event()
        room = None if self._limiter is None else int(self._limiter.available_tokens)
        if room == 0:
            self._more_wait = True
            return []
        body: dict[str, Any] = {"scheduled_before": str(now("UTC")), "work_queue_names": list(self._work_queues)}
        if room is not None:
            body["limit"] = room
        try:
            answer = await self.client.request(
                "POST",
                "/work_pools/{name}/get_scheduled_flow_runs",
                path_params={"name": self._work_pool_name},
                json=body,
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return []  # the next heartbeat creates the pool
        found = WorkerFlowRunResponse.model_validate_list(answer.json())
        self._more_wait = len(found) == room
        # An answer can be older than the start of a run.
        return [one for one in found if one.flow_run.id not in self._running]

    def _release_limit_slot(self, flow_run_id: UUID) -> None:
        super()._release_limit_slot(flow_run_id)
        if self._more_wait:
            self._has_room_for_more.set()

    async def run(
        self,
        flow_run: FlowRun,
        configuration: FlowJob,
        task_status: TaskStatus[int] | None = None,
    ) -> BaseWorkerResult:
        """Run a flow run in a process of its own, and wait until it ends."""
        self._running.add(flow_run.id)
        if flow_run.deployment_id is not None:
            self._entrypoints[flow_run.deployment_id] = configuration.entrypoint
        assert self._forks is not None
        try:
            context = await self._enter_context()
            with TemporaryDirectory(suffix="prefect") as folder:
                environment = {name: value for name, value in configuration.env.items() if value is not None}
                starter = ForkStarter(
                    forks=self._forks,
                    entrypoint=configuration.entrypoint,
                    environment=environment,
                    known=await self._known(flow_run, configuration),
                    folder=Path(folder),
                    channel=context.control_channel,
                )
                executor = context.create_executor(
                    flow_run, starter, resolve_flow=self._flow_of, propose_submitting=False
                )
                ended = await _ended(executor.submit, task_status or anyio.TASK_STATUS_IGNORED)
        finally:
            self._running.remove(flow_run.id)
        if ended is None:
            raise RuntimeError("The process of the flow run could not be started.")
        if ended.status_code is None:
            raise RuntimeError("The fork server died before the process of the flow run ended.")
        return BaseWorkerResult(status_code=ended.status_code, identifier=str(ended.handle.pid))

    async def _known(self, flow_run: FlowRun, configuration: FlowJob) -> Known:
        """What the process of a flow run would have to ask for."""
        objects = configuration._related_objects
        related: dict[str, object] = {
            f"flow.{flow_run.flow_id}": objects["flow"],
            f"deployment.{flow_run.deployment_id}": objects["deployment"],
            f"work-pool.{self.work_pool.name}": self.work_pool,
        }
        if (queue := flow_run.work_queue_id) is not None:
            with suppress(httpx.HTTPError):
                if queue not in self._queues:
                    self._queues[queue] = await self.client.read_work_queue(queue)
                related[f"work-queue.{queue}"] = self._queues[queue]
        storage = None  # as a process takes it that cannot ask
        with suppress(httpx.HTTPError, RuntimeError, ValueError):
            storage = (await self._result_storage()).default_result_storage_block_id
        return Known(related, storage)

    async def _leave_to_process(self, flow_run_id: UUID, infrastructure_pid: str) -> None:
        """Do not tell the id of the process of a flow run: that process does."""

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Leave it pending: its process starts at once."""

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Do not: the event of its submission names the worker."""

    async def _flow_of(self, flow_run: FlowRun) -> "prefect.Flow[..., Any]":
        assert flow_run.deployment_id is not None
        return load_flow_from_entrypoint(self._entrypoints[flow_run.deployment_id])

    async def _enter_context(self) -> FlowRunExecutorContext:
        """Prefect's connections for starting and cancelling processes, made for the first run and kept for all."""
        async with self._entering:
            if self._context is None:
                assert self._runs_task_group is not None
                self._context = await self._runs_task_group.start(self._keep_context)
            return self._context

    async def _keep_context(self, *, task_status: TaskStatus[FlowRunExecutorContext]) -> None:
        async with FlowRunExecutorContext() as context:
            task_status.started(context)
            try:
                await self._stopping.wait()
                while self._running or self._submitting_flow_run_ids:
                    await anyio.sleep(_LOOK_SECONDS)
            finally:
                # Some are left only if the worker is interrupted, and then Prefect would stop the first alone.
                for flow_run_id in context.process_manager.flow_run_ids():
                    handle = context.process_manager.get(flow_run_id)
                    if handle is not None:
                        with suppress(ProcessLookupError):
                            handle.graceful_kill()
                        await context.process_manager.remove(flow_run_id)


class _Remembered(Generic[*Ts, T]):
    """Asks Prefect's server the same again only after a while. Prefect's worker reads a deployment twice for a run."""

    def __init__(self, ask: Callable[[*Ts], Awaitable[T]]) -> None:
        self._ask = ask
        self._known: dict[tuple[*Ts], tuple[float, T]] = {}

    async def __call__(self, *about: *Ts) -> T:
        if about in self._known and time.monotonic() - self._known[about][0] < _REMEMBERED_SECONDS:
            return self._known[about][1]
        answer = await self._ask(*about)
        self._known[about] = time.monotonic(), answer
        return answer


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

"""The calls of `up` and `status` to a Prefect server."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apps.up.job_template import JOB_TEMPLATE
from hugginggpt.deployments import deployment_names
from hugginggpt.environment import POOL, POOL_TYPE

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import WorkPool
    from prefect.client.schemas.responses import DeploymentResponse


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        next_run: the next scheduled run; None without a schedule.
        pool: the work pool whose workers run it; None if that was deleted, so that nothing runs.
    """

    name: str
    next_run: datetime | None
    pool: str | None


@dataclass(frozen=True)
class Limit:
    """A global concurrency limit."""

    name: str
    slots: int
    taken: int


def set_up(api_url: str, limits: dict[str, int]) -> str | None:
    """Create or update the work pool and the limits, and store where Prefect keeps results.

    A pool that was changed gets our template, and one of another type, as earlier versions created it, is replaced.

    Returns:
        the type of the pool that was replaced; None if none was.
    """
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.server import share_results

    replaced = None
    with _client(api_url) as client:
        try:
            pool = client.read_work_pool(POOL)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=POOL, type=POOL_TYPE, base_job_template=JOB_TEMPLATE))
        else:
            if pool.type != POOL_TYPE:
                _replace(client, pool)
                replaced = pool.type
            else:
                client.update_work_pool(POOL, WorkPoolUpdate(base_job_template=JOB_TEMPLATE))
        for name, slots in limits.items():
            client.upsert_global_concurrency_limit_by_name(name, slots)
    with temporary_settings({PREFECT_API_URL: api_url}):
        share_results()
    return replaced


def _replace(client: "SyncPrefectClient", pool: "WorkPool") -> None:
    """Replace the pool by one of our type, which Prefect cannot change, and move its deployments there."""
    from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate

    moving = list(_deployments_in_pool(client))
    client.delete_work_pool(POOL)
    client.create_work_pool(
        WorkPoolCreate(
            name=POOL,
            type=POOL_TYPE,
            base_job_template=JOB_TEMPLATE,
            description=pool.description,
            is_paused=pool.is_paused,
            concurrency_limit=pool.concurrency_limit,
        )
    )
    for deployment in moving:
        client.update_deployment(deployment.id, DeploymentUpdate(work_pool_name=POOL))


def _deployments_in_pool(client: "SyncPrefectClient") -> "Iterator[DeploymentResponse]":
    from prefect.client.schemas.filters import WorkPoolFilter

    pool, offset = WorkPoolFilter.model_validate({"name": {"any_": [POOL]}}), 0
    while found := client.read_deployments(work_pool_filter=pool, offset=offset):
        yield from found
        offset += len(found)


def flow_workers(api_url: str, since: datetime | None = None) -> list[str]:
    """The names of the pool's workers that are online; empty if there is no such pool.

    Args:
        since: leave out workers whose last heartbeat is older.
    """
    import httpx
    from prefect.client.schemas.objects import WorkerStatus

    with _client(api_url) as client:
        try:
            workers = client.read_workers_for_work_pool(POOL)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return []
    return sorted(
        worker.name
        for worker in workers
        if worker.status is WorkerStatus.ONLINE
        and (since is None or (worker.last_heartbeat_time is not None and worker.last_heartbeat_time >= since))
    )


def running_flow_runs(api_url: str) -> list[str]:
    """The names of the flow runs that the pool's workers are running."""
    from prefect.client.schemas.filters import FlowRunFilter, WorkPoolFilter
    from prefect.client.schemas.objects import StateType

    running = FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.RUNNING]}}})
    pool = WorkPoolFilter.model_validate({"name": {"any_": [POOL]}})
    with _client(api_url) as client:
        return [run.name for run in client.read_flow_runs(flow_run_filter=running, work_pool_filter=pool)]


def deployments(api_url: str) -> list[Deployment]:
    """The pool's deployments, and those of `deployments.yaml` that are in no pool or another."""
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.exceptions import ObjectNotFound

    with _client(api_url) as client:
        known = {
            f"{client.read_flow(deployment.flow_id).name}/{deployment.name}": deployment
            for deployment in _deployments_in_pool(client)
        }
        for name in deployment_names():
            if name not in known:
                with suppress(ObjectNotFound):
                    known[name] = client.read_deployment_by_name(name)
        found = []
        for name, deployment in sorted(known.items()):
            upcoming = FlowRunFilter.model_validate(
                {
                    "deployment_id": {"any_": [deployment.id]},
                    "state": {"type": {"any_": [StateType.SCHEDULED]}},
                    "next_scheduled_start_time": {"after_": datetime.now(UTC)},  # earlier runs are late
                }
            )
            runs = client.read_flow_runs(
                flow_run_filter=upcoming, sort=FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC, limit=1
            )
            next_run = runs[0].next_scheduled_start_time if runs else None
            found.append(Deployment(name, next_run, deployment.work_pool_name))
    return found


def limits(api_url: str) -> list[Limit]:
    """The global concurrency limits."""
    with _client(api_url) as client:
        found = client.read_global_concurrency_limits(limit=100, offset=0)
    # Prefect creates one for each deployment with a limit, and names it by number.
    ours = [each for each in found if not each.name.startswith("deployment:")]
    return sorted((Limit(each.name, each.limit, each.active_slots or 0) for each in ours), key=lambda each: each.name)


@contextmanager
def _client(api_url: str) -> "Iterator[SyncPrefectClient]":
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY

    with SyncPrefectClient(
        api_url, auth_string=PREFECT_API_AUTH_STRING.value(), api_key=PREFECT_API_KEY.value()
    ) as client:
        yield client

"""What runs where: the state file, Prefect's server, the Dask scheduler and the trace combined."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from apps.up.prefect_api import Deployment, Limit, deployments, flow_workers, limits, running_flow_runs
from hugginggpt.cluster.address import cluster_of
from hugginggpt.cluster.workers import ExpertWorker, expert_workers
from hugginggpt.deployments import deployment_names
from hugginggpt.environment import check_api_url
from hugginggpt.errors import HuggingGPTError
from hugginggpt.services import get_trace
from hugginggpt.settings import Settings
from hugginggpt.trace.database import parse_url
from hugginggpt.up_state import Up, own_cluster, read


@dataclass(frozen=True)
class Server:
    """What the Prefect server reports.

    Attributes:
        workers: the flow workers that are online.
        runs: names of the flow runs that they are running.
        missing: names of the deployments that it should have but does not.
    """

    workers: list[str]
    runs: list[str]
    deployments: list[Deployment]
    missing: list[str]
    limits: list[Limit]

    @property
    def is_whole(self) -> bool:
        """Whether it can run every deployment."""
        return bool(self.workers) and not self.missing and all(each.pool for each in self.deployments)


@dataclass(frozen=True)
class Status:
    """Everything at one point in time.

    Attributes:
        up: None if nothing is up here.
        left: a note on an `up` that was killed or runs on another machine; empty if there is none.
        api_url: the Prefect server of the `up`, else of PREFECT_API_URL; None without either.
        dask_address: the scheduler of the expert workers, of the `up` or else of the settings; None without them.
        server: None without a server, or if it does not answer.
        experts: None without expert workers, or if their scheduler does not answer.
        database: where the trace is, without a password.
        requests: how many requests have each status, or why the trace cannot be read.
    """

    home: str
    up: Up | None
    left: str
    api_url: str | None
    dask_address: str | None
    server: Server | None
    experts: list[ExpertWorker] | None
    database: str
    requests: dict[str, int] | str

    @property
    def is_whole(self) -> bool:
        """Whether everything that should run is running."""
        return (
            (self.up is None or self.up.ready)
            and self.server is not None
            and self.server.is_whole
            and (self.dask_address is None or bool(self.experts))
            and not isinstance(self.requests, str)
        )


def status(settings: Settings) -> Status:
    """What runs for this home folder, or else on the server and cluster that the settings name.

    Raises:
        ConfigurationError: the settings of the Dask cluster cannot be used.
    """
    from prefect.settings import PREFECT_API_URL

    known = read(settings.home_dir)
    up = known if known is not None and known.is_alive else None
    if up is not None:
        api_url, cluster = up.api_url, own_cluster(settings.home_dir, up.dask_address)
    else:
        api_url = PREFECT_API_URL.value()
        check_api_url(api_url)
        cluster = cluster_of(settings) if api_url and settings.task_runner == "dask" else None
    return Status(
        home=str(settings.home_dir),
        up=up,
        left=_left(known) if known is not None and up is None else "",
        api_url=api_url,
        dask_address=None if cluster is None else cluster.address,
        server=None if api_url is None else _server(api_url),
        experts=None if cluster is None else expert_workers(cluster),
        database=parse_url(settings.database).set(query={}).render_as_string(),
        requests=_requests(),
    )


def as_data(found: Status) -> dict[str, Any]:
    """The object that `status --json` prints, without secrets."""
    data = asdict(found)
    if found.up is not None:
        secret = {"controller_fingerprint", "settings_fingerprint", "login"}
        data["up"] = found.up.model_dump(mode="json", exclude=secret) | {"ui_url": found.up.ui_url}
    plain: dict[str, Any] = json.loads(json.dumps(data, default=lambda at: at.isoformat()))
    return plain


def _left(up: Up) -> str:
    if not up.is_here:
        return f"on another machine, as {up.supervisor}"
    return "killed, but its parts may still run; `hugginggpt down` stops them"


def _server(api_url: str) -> Server | None:
    import httpx

    try:
        found = deployments(api_url)
        missing = sorted(set(deployment_names()) - {each.name for each in found})
        return Server(flow_workers(api_url), running_flow_runs(api_url), found, missing, limits(api_url))
    except httpx.HTTPError:
        return None


def _requests() -> dict[str, int] | str:
    try:
        return {str(status): count for status, count in sorted(get_trace().requests.counts().items())}
    except HuggingGPTError as error:
        return error.message

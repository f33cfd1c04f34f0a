"""What runs where, asked of everything that can tell."""

from dataclasses import dataclass

from apps.up.experts import ExpertWorker, expert_workers
from apps.up.prefect_api import Deployment, Limit, deployments, flow_workers, limits, runs_at_work
from hugginggpt.errors import HuggingGPTError
from hugginggpt.services import get_trace
from hugginggpt.settings import Settings
from hugginggpt.trace.database import parse_url
from hugginggpt.up import Up, read


@dataclass(frozen=True)
class Server:
    """What the Prefect server tells of itself.

    Attributes:
        workers: the flow workers that are online.
        runs: names of the flow runs they are on.
    """

    workers: list[str]
    runs: list[str]
    deployments: list[Deployment]
    limits: list[Limit]


@dataclass(frozen=True)
class Status:
    """Everything at one moment.

    Attributes:
        up: None when nothing is up here.
        left: what is to be said of an `up` that is not alive here; empty when there is none.
        server: None when it does not answer.
        experts: None without expert workers, or when their scheduler does not answer.
        database: where the trace is, without a password.
        requests: how many requests have each status; why the trace cannot be read when that is so.
    """

    home: str
    up: Up | None
    left: str
    server: Server | None
    experts: list[ExpertWorker] | None
    database: str
    requests: dict[str, int] | str

    @property
    def is_whole(self) -> bool:
        """Whether everything that should run does."""
        return (
            self.up is not None
            and self.up.ready
            and self.server is not None
            and bool(self.server.workers)
            and (self.up.dask_address is None or bool(self.experts))
            and not isinstance(self.requests, str)
        )


def status(settings: Settings) -> Status:
    """What runs for this home folder."""
    known = read(settings.home_dir)
    up = known if known is not None and known.is_alive else None
    return Status(
        home=str(settings.home_dir),
        up=up,
        left=_left(known) if known is not None and up is None else "",
        server=None if up is None else _server(up.api_url),
        experts=None if up is None or up.dask_address is None else expert_workers(up.dask_address),
        database=parse_url(settings.database).set(query={}).render_as_string(),
        requests=_requests(),
    )


def _left(up: Up) -> str:
    if not up.is_here:
        return f"it was brought up on another machine, by {up.supervisor}"
    return "an `up` that was killed has left its parts; `hugginggpt down` ends them"


def _server(api_url: str) -> Server | None:
    import httpx
    from prefect.exceptions import ObjectNotFound

    try:
        return Server(flow_workers(api_url), runs_at_work(api_url), deployments(api_url), limits(api_url))
    except (httpx.HTTPError, ObjectNotFound):
        return None  # it is down, or not set up yet


def _requests() -> dict[str, int] | str:
    try:
        return {str(status): count for status, count in sorted(get_trace().counts().items())}
    except HuggingGPTError as error:
        return error.message

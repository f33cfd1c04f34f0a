"""The Prefect server that flow runs are reported to. If there is none, flows start a temporary one."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import Flow
from prefect._internal.pydantic.validated_func import ValidatedFunction
from prefect.context import FlowRunContext, get_settings_context
from prefect.exceptions import ParameterTypeError
from prefect.filesystems import RemoteFileSystem
from prefect.utilities.callables import parameters_to_args_kwargs
from pydantic import ConfigDict, ValidationError

from hugginggpt.environment import RESULTS_BLOCK
from hugginggpt.settings import get_settings
from tasks.heartbeats import heartbeats, own_heartbeats
from tasks.temporary_server import check_workers_reach_server, temporary_server
from tasks.ui.client import kept_client

P = ParamSpec("P")
R = TypeVar("R")


def begin_temporary() -> None:
    """Start the temporary server, if one is needed, before the flow is called.

    Raises:
        ConfigurationError: tasks run on expert workers, which could not reach it.
    """
    check_workers_reach_server()
    temporary_server()


def write_settings() -> None:
    """Serialize the settings that flow runs of this process and its forks send to expert workers."""
    from tasks.expert_workers.task_runs import written

    with own_heartbeats():
        written(get_settings_context())


def share_results() -> None:
    """Tell Prefect's server of `HUGGINGGPT_RESULTS_URL`, if it is set, so that every machine finds it there.

    Credentials are not included: they come from each machine's environment.
    """
    url = get_settings().results_url
    if url is not None:
        RemoteFileSystem(basepath=url).save(RESULTS_BLOCK, overwrite=True)


class OwnFlow(Flow[P, R]):
    """A flow whose runs are reported to a temporary server if there is no other, and whose parameters are only data."""

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Check and convert the parameters of a run.

        Prefect would also replace each `{"$ref": ...}` in them, as JSON schemas have it, by a block of its server.

        Raises:
            ParameterTypeError: one is of the wrong type.
            SignatureMismatchError: one is unknown, or missing.
        """
        arguments, named = parameters_to_args_kwargs(self.fn, parameters)
        checked = ValidatedFunction(self.fn, config=ConfigDict(arbitrary_types_allowed=True))
        try:
            converted: dict[str, Any] = checked.validate_call_args(arguments, named)
        except ValidationError as error:
            raise ParameterTypeError.from_validation_error(error) from None
        return converted

    if not TYPE_CHECKING:

        def __call__(self, *args, **kwargs):
            """Run it in this process."""
            # Inside another flow's run, it is reported to the same server.
            server = temporary_server() if FlowRunContext.get() is None else None
            if server is None:
                with own_heartbeats(), kept_client():
                    return super().__call__(*args, **kwargs)
            with server.used(), own_heartbeats(), kept_client():
                share_results()
                return super().__call__(*args, **kwargs)


def flow(**options: Any) -> Callable[[Callable[P, R]], OwnFlow[P, R]]:
    """Like Prefect's decorator `flow`, but makes an `OwnFlow`, named by its function, with its result kept as JSON."""

    def decorate(function: Callable[P, R]) -> OwnFlow[P, R]:
        name = function.__name__.replace("_", "-")
        common: dict[str, Any] = {
            "name": name,
            "flow_run_name": name,
            "persist_result": True,
            "result_serializer": "json",
        }

        @wraps(function)
        def beating(*args: P.args, **kwargs: P.kwargs) -> R:
            with heartbeats():
                return function(*args, **kwargs)

        return OwnFlow(fn=beating, **common | options)

    return decorate

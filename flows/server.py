"""Flows that find their own Prefect server: where there is none, they start a temporary one of ours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.context import FlowRunContext

from flows.results import share_results
from tasks.temporary_server import temporary_server

P = ParamSpec("P")
R = TypeVar("R")


def begin_temporary() -> None:
    """Start the temporary server, if there is to be one, before the flow that needs it is called."""
    temporary_server()


class OwnFlow(Flow[P, R]):
    """A flow that is reported to a temporary server where there is no other."""

    if not TYPE_CHECKING:

        def __call__(self, *args, **kwargs):
            """Run it in this process."""
            # Part of another flow's run, it is reported to where that is.
            server = temporary_server() if FlowRunContext.get() is None else None
            if server is None:
                return super().__call__(*args, **kwargs)
            with server.used():
                share_results()
                return super().__call__(*args, **kwargs)


def flow(**options: Any) -> Callable[[Callable[P, R]], OwnFlow[P, R]]:
    """Prefect's decorator of that name, for a flow that finds its server as `OwnFlow` does."""

    def decorate(function: Callable[P, R]) -> OwnFlow[P, R]:
        return OwnFlow(fn=function, **options)

    return decorate

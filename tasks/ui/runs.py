"""What Prefect's pages show of a flow run: its name, its tags, its graph, and the message of its final state."""

from collections.abc import Callable, Sequence
from typing import Any

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Failed

from hugginggpt.errors import HuggingGPTError
from hugginggpt.text import one_line
from tasks.ui.posting import finish_posting, post_change
from tasks.unexpected import explaining

NAME_CHARS = 100
"""Characters of an answer in the name of a flow run."""

MESSAGE_CHARS = 200
"""Characters of an answer in the message of a flow run's final state."""


def run_name(text: str) -> str:
    """The name of a flow run that answers a request: the beginning of the request."""
    return one_line(text)[:80] or "resumed request"


def answered_name(text: str, answer: str) -> str:
    """The name of a flow run that has answered: the beginnings of the request and of its answer."""
    return f"{run_name(text)} → {one_line(answer, NAME_CHARS)}"


def final_state_of(work: Callable[[], State[Any]]) -> State[Any]:
    """Do the work of a scheduled flow, and wait until Prefect shows all of it.

    Returns:
        the final state of the flow run: the state that the work returns, or Failed with the HuggingGPTError that
        it raised.
    """
    try:
        with explaining():
            state = work()
    except HuggingGPTError as error:
        state = Failed(message=error.message, data=error)
    state.message = noting_missing(state.message, finish_posting())
    return state


def noting_missing(message: str | None, missing: Sequence[str]) -> str | None:
    """The message of a final state, with a note on what Prefect does not show of its run."""
    if not missing:
        return message
    note = f"(Prefect does not show {', '.join(missing)}: the log says why.)"
    return f"{message} {note}" if message else note


class _KeepsNothing(dict[int, Any]):
    def __setitem__(self, key: int, value: Any) -> None:
        pass


def draw_stated_edges_only() -> None:
    """Make the graph of this flow run show the edges that states imply, and no others.

    Prefect also draws an edge if an object in one task's result is an argument of another. Python has only one empty
    tuple, which would connect unrelated tasks.
    """
    if (context := FlowRunContext.get()) is not None:
        context.run_results = _KeepsNothing()


def tag_run(conversation_id: str) -> None:
    """Tag this flow run with its conversation, so that the runs of a conversation can be found."""
    post_change("the tag of the conversation", tags=[*flow_run.get_tags(), f"conversation:{conversation_id[:8]}"])


def name_run(name: str) -> None:
    """Give this flow run another name, now that more of its work is known."""
    post_change("the name of the run", name=name)

"""The flow that answers a request. Read it top to bottom: that is the product."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed
from pydantic import Field

from flows.server import flow
from hugginggpt.errors import DatabaseUnavailableError, DiskFullError, HuggingGPTError, UnexpectedError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from tasks.open import open_request, record_ending
from tasks.plan import plan_request
from tasks.respond import final_state, respond_and_record
from tasks.run import run_experts
from tasks.runner import task_runner
from tasks.select import select_models
from tasks.ui import run_name
from tasks.unexpected import explaining


def _run_name() -> str:
    return run_name(str(flow_run.parameters.get("request", "")))


@flow(
    name="answer-request",
    flow_run_name=_run_name,
    task_runner=task_runner(),
    persist_result=True,
    result_serializer="json",
    on_failure=[record_ending],
    on_crashed=[record_ending],
    on_cancellation=[record_ending],
)
def answer_request(
    # Prefect's server refuses an empty one before there is a run; elsewhere our own sentence does.
    request: Annotated[str, Field(json_schema_extra={"minLength": 1})],
    files: list[str] = [],  # noqa: B006 - Prefect shows the default in its run form
    conversation_id: str | None = None,
    options: RequestOptions = RequestOptions(),  # noqa: B008 - the same
    request_id: str | None = None,
) -> State[dict[str, Any]]:
    """Answer a request in plain language with expert models.

    Args:
        request: what is wanted, in plain language.
        files: what comes with it: URLs, data URIs, `artifact://` references, or paths; those of a deployed run lie in
            the worker's HUGGINGGPT_FILE_ROOTS.
        conversation_id: the conversation that it continues; a new one when left out.
        options: a given plan, whether to bypass the caches, and what it may take of time and money.
        request_id: the id to give a new request, or of one to resume: that takes its plan and
            choices from the trace and runs only what is unfinished.

    Returns:
        the request's report, in a state named Completed or Partial; or a HuggingGPTError, in one named Failed:
        the message says why, and the class what kind of cause it was.
    """
    try:
        with explaining(), open_request(request, files, conversation_id, options, request_id) as run:
            if run.status is not RequestStatus.RUNNING:
                return final_state(run.request_id)
            try:
                run, plan = plan_request(run)
            except (DatabaseUnavailableError, DiskFullError, UnexpectedError):
                raise  # nothing is lost: resuming goes on from here
            except HuggingGPTError as error:
                return respond_and_record(run, None, error=error)
            choices = select_models(run, plan)
            outcomes, states = run_experts(run, plan, choices)
            return respond_and_record(run, plan, outcomes, states)
    except HuggingGPTError as error:
        return Failed(message=error.message, data=error)

"""The flow that answers a request. Read it from top to bottom: it is the product."""

from typing import Annotated, Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed
from pydantic import Field

from flows.server import flow
from hugginggpt.errors import HuggingGPTError
from hugginggpt.request import RequestOptions
from hugginggpt.results import RequestStatus
from tasks.expert_workers.runner import task_runner
from tasks.open import open_request, record_ending
from tasks.plan import plan_request
from tasks.replan import replan
from tasks.respond import final_state, respond_and_record
from tasks.schedule import finished, run_experts
from tasks.select import select_models
from tasks.ui.runs import run_name
from tasks.unexpected import explaining


def _run_name() -> str:
    return run_name(str(flow_run.parameters.get("request", "")))


@flow(
    flow_run_name=_run_name,
    task_runner=task_runner(),
    on_failure=[record_ending],
    on_crashed=[record_ending],
    on_cancellation=[record_ending],
)
def answer_request(
    # Prefect's server refuses an empty request before there is a run; elsewhere, our own check does.
    request: Annotated[str, Field(json_schema_extra={"minLength": 1})],
    files: list[str] = [],  # noqa: B006 - Prefect shows the default in its run form
    conversation_id: str | None = None,
    options: RequestOptions = RequestOptions(),  # noqa: B008 - the same
    request_id: str | None = None,
) -> State[dict[str, Any]]:
    """Answer a request in plain language with expert models.

    Args:
        request: the request, in plain language.
        files: its files, as URLs, data URIs, `artifact://` references or paths; the paths of a deployed run have to be
            in the worker's HUGGINGGPT_FILE_ROOTS.
        conversation_id: the conversation to continue; a new one if omitted.
        options: a plan, whether to bypass the caches, and limits of time and money.
        request_id: the id of a new request, or of a request to resume, which takes its plan and choices from the
            trace and runs only what is unfinished.

    Returns:
        the request's report, in a state named Completed or Partial; or, in a state named Failed, a HuggingGPTError
        whose message and class say why.
    """
    try:
        # 1. Open its row in the trace, under a lease that this process renews.
        with explaining(), open_request(request, files, conversation_id, options, request_id) as run:
            if run.status is not RequestStatus.RUNNING:
                return final_state(run.request_id)
            # 2. Have the controller plan it, unless it has a plan. If no plan is valid, the request has failed.
            run, plan, no_plan = plan_request(run)
            if plan is None:
                return respond_and_record(run, None, error=no_plan)
            # 3. Choose a model for each planned task, all at once.
            selections = select_models(run, plan)
            # 4. Run each planned task as soon as the tasks that it refers to have ended.
            # 5. If a model fails, the next candidate takes over; if all fail, tasks that need the result are skipped.
            outcomes, states = run_experts(run, plan, selections)
            # 6. If tasks failed for good, have the controller plan another way for the rest, at most twice.
            while (further := replan(run, outcomes)) is not None:
                plan, before = further, finished(outcomes, states)
                outcomes, states = run_experts(run, plan, select_models(run, plan, before), before)
            # 7. In any case, have the controller write the answer, and complete the trace.
            return respond_and_record(run, plan, outcomes, states)
    except HuggingGPTError as error:
        # 8. Each stage has recorded its results, so a resumed request continues from there.
        return Failed(message=error.message, data=error)

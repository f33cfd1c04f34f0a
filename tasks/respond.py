"""Stage four: the answer, and the end of the trace. It runs whatever happened before."""

from collections.abc import Mapping
from typing import Any

from prefect import allow_failure, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.utilities.annotations import quote

from hugginggpt.controller.response import Outcome, Response, plain_rendering, respond
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ExpertError, HuggingGPTError
from hugginggpt.plan import Plan
from hugginggpt.request import RequestRun
from hugginggpt.results import RequestStatus
from hugginggpt.services import get_store, get_trace
from hugginggpt.trace.report import report
from hugginggpt.trace.story import StoryStatus, TaskEnding
from tasks.policies import BACKOFF, JITTER, can_pass, recorded_controller
from tasks.run import Ending
from tasks.ui import finish_showing, show_answer

RESPONSE_SECONDS = 300.0


def respond_and_record(
    run: RequestRun, plan: Plan | None, endings: Mapping[int, Ending], error: HuggingGPTError | None = None
) -> State[Any]:
    """Write the answer from the results and commit everything that is still missing, in one transaction.

    Args:
        plan: None when there was none; then `error` says why.
        endings: how each planned task ended.

    Returns:
        the state in which the flow run ends, with the request's report as its data.

    Raises:
        DatabaseUnavailableError: the trace cannot be written; the results stay in their stores.
    """
    finals = [allow_failure(ending.future) for ending in endings.values()]
    _respond_and_record(run, plan, quote(endings), error, wait_for=finals)
    finish_showing()
    return final_state(run.request_id)


def final_state(request_id: str) -> State[Any]:
    """The state of a flow run whose request is finished: Completed, Partial (completed, too) or Failed."""
    story = get_trace().request(request_id)
    addresses = {f.artifact.sha256: get_store().address(f.artifact) for f in story.files}
    data = report(story, addresses).model_dump(mode="json")
    if story.status is StoryStatus.COMPLETED:
        return Completed(data=data)
    if story.status is StoryStatus.PARTIAL:
        return Completed(name="Partial", message="Not everything that was planned could be done.", data=data)
    return Failed(message=story.error, data=data)


@task(
    name="respond-and-record",
    task_run_name="respond and record",
    retries=4,
    retry_delay_seconds=BACKOFF,
    retry_jitter_factor=JITTER,
    retry_condition_fn=can_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def _respond_and_record(
    run: RequestRun, plan: Plan | None, endings: Mapping[int, Ending], error: HuggingGPTError | None
) -> RequestStatus:
    outcomes = [_outcome(endings[planned.id]) for planned in plan.tasks] if plan else []
    made = [o for o in outcomes if o.result is not None]
    if plan is None or (plan.tasks and not made):
        response = plain_rendering(run.text, outcomes) if outcomes else None
        status = RequestStatus.FAILED
        error = error or ExpertError("None of the planned tasks could be done.")
        answer = Response(text=response, source="plain", problems=()) if response else None
    else:
        try:
            answer = respond(
                recorded_controller(run.request_id),
                text=run.text,
                plan=plan,
                outcomes=outcomes,
                deadline=Deadline(RESPONSE_SECONDS),
                resources=run.resources,
                history=run.history,
                known_models=_known_models(run),
            )
        except ControllerError as failure:
            answer, status, error = None, RequestStatus.FAILED, failure
        else:
            whole = len(made) == len(outcomes) and answer.source == "controller"
            status = RequestStatus.COMPLETED if whole else RequestStatus.PARTIAL
    get_trace().finish_request(
        run.request_id,
        status=status,
        response=answer.text if answer else None,
        response_source=answer.source if answer else "none",
        error=error.message if error else None,
        error_type=type(error).__name__ if error else None,
        life=run.life,
        endings=[_ending(endings[planned.id]) for planned in plan.tasks] if plan else [],
    )
    files = [artifact for o in made if o.result for artifact in o.result.outputs if artifact.preview is None]
    show_answer(answer.text if answer else f"Failed: {error.message if error else status}", files)
    return status


def _known_models(run: RequestRun) -> set[str]:
    """Every model that was a candidate: the answer may name those that ran, and no other."""
    return {c.card.id for choice in get_trace().choices(run.request_id).values() for c in choice.ranked}


def _outcome(ending: Ending) -> Outcome:
    outputs = ending.result.outputs if ending.result else ()
    return Outcome(
        task=ending.planned,
        status=ending.status,
        result=ending.result,
        error=ending.error,
        files={artifact.sha256: get_store().address(artifact) for artifact in outputs if artifact.preview is None},
    )


def _ending(ending: Ending) -> TaskEnding:
    return TaskEnding(
        task_id=ending.planned.id,
        status=ending.status,
        error=ending.error,
        seconds=ending.result.seconds if ending.result else None,
        started_at=None,
        ended_at=ending.future.state.timestamp,
        prefect_task_run_id=str(ending.future.task_run_id),
        result=ending.result,
        cached=ending.status == "cached",
    )

"""Stage four: the answer, and the end of the trace. This stage runs whatever happened before."""

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from hugginggpt.artifacts import PREVIEW_CHARS, Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.response import Response, plain_rendering, respond, respond_in_form
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ExpertError, HuggingGPTError, RequestClosedError, StorageError, rebuilt
from hugginggpt.media import text_of
from hugginggpt.plan import Plan
from hugginggpt.request_run import RequestRun
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus, TaskOutcome
from hugginggpt.services import get_store, get_trace
from hugginggpt.text import one_line
from hugginggpt.trace.file_names import stored_places
from hugginggpt.trace.lifecycle import NO_LONGER_HELD
from hugginggpt.trace.report import report
from hugginggpt.trace.story import Answer, RequestTrace
from tasks.cancelling import cancellable, why_cancelled
from tasks.edges import unsearched
from tasks.expert_workers.placement import run_controller_task
from tasks.policies import RESPOND
from tasks.recording import recorded_controller, retry_while_database_is_down
from tasks.replan import with_given_up
from tasks.ui.answer import shown_answer
from tasks.ui.artifacts import show_answer, show_how_it_went
from tasks.ui.posting import finish_posting, post_now
from tasks.ui.runs import MESSAGE_CHARS, answered_name, name_run, noting_missing
from tasks.unexpected import explained

ERROR_CHARS = 1000
"""Characters of an error in a flow run's final state: many, because the end of an error says what to do."""


def respond_and_record(
    run: RequestRun,
    plan: Plan | None,
    outcomes: Sequence[TaskOutcome] = (),
    states: Sequence[State[Any]] = (),
    error: HuggingGPTError | None = None,
) -> State[Any]:
    """Write the answer from the results, and commit it and everything else that the trace lacks in one transaction.

    Args:
        plan: None if no plan is valid; `error` then says why.
        outcomes: how each planned task ended, in the plan's order.
        states: the states of their task runs.

    Returns:
        the final state of the flow run, with the request's report or the error as its data.

    Raises:
        DatabaseUnavailableError: the trace cannot be written; the results stay in their stores.
        RequestClosedError: this process lost the request before the answer was written; the process that resumes it
            writes the answer.
    """
    if _status(run) is RequestStatus.CANCELLED:
        return final_state(run.request_id)
    post_now()  # while the answer is written
    deadline = Deadline(math.inf)
    with cancellable(run.key, deadline):
        given = map(unsearched, (run, plan, outcomes, error))
        state = run_controller_task(_respond_and_record, *given, after=states, deadline=deadline)
    state.result()
    return final_state(run.request_id, state.state_details.task_run_id)


def final_state(request_id: str, answered_by: UUID | None = None) -> State[Any]:
    """Show the answer of an ended request in Prefect, and wait until everything of this run is shown.

    Args:
        answered_by: Prefect's id of the task run that wrote the answer, if it is one of this flow run.

    Returns:
        the state of the flow run: Completed, Partial (completed, too), Cancelled or Failed. Its message has the
        beginning of the answer, or the reason why there is none, and names what could not be shown.
    """
    story = retry_while_database_is_down("The report", lambda: get_trace().requests.get(request_id))
    answer = shown_answer(story)
    if story.status is not RequestStatus.CANCELLED:
        show_how_it_went(story)
        said = answer or f"Failed: {story.error}"
        show_answer(said, story, answered_by)
        # Prefect's lists show a run's name, but not the message of its state.
        name_run(answered_name(story.text, said))
    state = _final_state(story, one_line(answer, MESSAGE_CHARS) or None)
    state.message = noting_missing(state.message, finish_posting())
    return state


def _final_state(story: RequestTrace, answer: str | None) -> State[Any]:
    data = report(story, stored_places(story, get_store())).model_dump(mode="json")
    if story.status is RequestStatus.COMPLETED:
        return Completed(message=answer, data=data)
    if story.status is RequestStatus.PARTIAL:
        return Completed(name="Partial", message=answer, data=data)
    error = story.error or "The request failed."
    if story.status is RequestStatus.CANCELLED:
        return Cancelled(message=one_line(error, ERROR_CHARS))
    return Failed(message=one_line(error, ERROR_CHARS), data=rebuilt(story.error_type, error))


@task(name="respond-and-record", task_run_name="respond and record", **RESPOND.options)
@explained
def _respond_and_record(
    run: RequestRun,
    plan: Plan | None,
    outcomes: Sequence[TaskOutcome],
    error: HuggingGPTError | None,
) -> None:
    if _status(run) is not RequestStatus.RUNNING:
        return  # A worker died after it had recorded the end, or a user cancelled the request.
    outcomes = with_given_up(run, plan, outcomes)
    status, answer, error = _answer(run, plan, outcomes, error)
    given_up = why_cancelled(run.key) == NO_LONGER_HELD
    if given_up and (answer is None or answer.source == "plain"):
        if _status(run) is not RequestStatus.RUNNING:
            return  # a worker that seemed dead has recorded the end
        raise RequestClosedError(
            f"Request {run.request_id} no longer belongs to this process; the one that resumes it writes the answer."
        )
    # The answer need not be written again.
    retry_while_database_is_down(
        "The end",
        lambda: run.trace.finish(status, Answer(answer.text, answer.source) if answer else None, error, outcomes),
    )


def _status(run: RequestRun) -> RequestStatus:
    return retry_while_database_is_down("How it stands", lambda: run.trace.status())


def _answer(
    run: RequestRun, plan: Plan | None, outcomes: Sequence[TaskOutcome], error: HuggingGPTError | None
) -> tuple[RequestStatus, Response | None, HuggingGPTError | None]:
    """The final status, the answer if there is one, and the error if the request is not completed."""
    made = [outcome for outcome in outcomes if outcome.result is not None]
    if plan is None:
        return RequestStatus.FAILED, None, error
    if plan.tasks and not made:
        response = Response(text=plain_rendering(run.text, outcomes), source="plain")
        return RequestStatus.FAILED, response, ExpertError("None of the planned tasks could be done.")
    deadline = Deadline(RESPOND.seconds)
    try:
        with cancellable(run.key, deadline):
            response = _respond(run, outcomes, deadline)
    except ControllerError as failure:
        return RequestStatus.FAILED, None, failure
    if response.source == "plain":
        return RequestStatus.PARTIAL, response, ControllerError(" ".join(response.problems))
    whole = all(outcome.result is not None and not outcome.result.undone for outcome in outcomes)
    return RequestStatus.COMPLETED if whole else RequestStatus.PARTIAL, response, None


def _respond(run: RequestRun, outcomes: Sequence[TaskOutcome], deadline: Deadline) -> Response:
    controller, schema = recorded_controller(run), run.options.answer_schema
    known_models = retry_while_database_is_down("The candidates", lambda: run.trace.candidates())
    if schema is not None:
        resources = run.resources
        if controller.knows_little:  # its reader takes texts of any length
            outcomes = [_in_full(outcome) for outcome in outcomes]
            resources = tuple(map(_with_whole_text, resources))
        return respond_in_form(
            controller,
            text=run.text,
            outcomes=outcomes,
            schema=schema,
            deadline=deadline,
            resources=resources,
            known_models=known_models,
        )
    return respond(
        controller,
        text=run.text,
        outcomes=outcomes,
        deadline=deadline,
        resources=run.resources,
        history=run.history,
        known_models=known_models,
    )


def _in_full(outcome: TaskOutcome) -> TaskOutcome:
    """An outcome with the whole texts of its outputs."""
    if outcome.result is None:
        return outcome
    items = tuple(
        item.model_copy(update={"outputs": tuple(map(_whole, item.outputs))}) for item in outcome.result.items
    )
    return outcome.model_copy(update={"result": outcome.result.model_copy(update={"items": items})})


def _with_whole_text(resource: Resource) -> Resource:
    """A file whose preview is all of its text; of a document, that of all its pages."""
    texts = resource.views(ValueType.TEXT) if resource.artifact.type is ValueType.DOCUMENT else ()
    return resource.model_copy(update={"artifact": _whole(resource.artifact, *texts)})


def _whole(artifact: Artifact, text: Artifact | None = None) -> Artifact:
    """An artifact whose preview is all of its text, unless it is no longer stored.

    Args:
        artifact: what may have a preview.
        text: the part that is its text, of a document.
    """
    if artifact.preview is not None and len(artifact.preview) == PREVIEW_CHARS:
        with suppress(StorageError):
            return artifact.model_copy(update={"preview": text_of(get_store().get(text or artifact))})
    return artifact

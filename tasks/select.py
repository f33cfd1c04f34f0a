"""Stage two: a model for each planned task (HuggingGPT, section 3.2), all at once."""

from functools import partial
from typing import Any

from prefect import task
from prefect.context import TaskRunContext
from prefect.futures import PrefectFuture

from hugginggpt.controller.selection import choose_model
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, SelectionError
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_catalog, get_controller
from hugginggpt.settings import get_settings
from tasks.cancelling import cancellable
from tasks.own_controller import candidates, submit_here
from tasks.policies import BACKOFF, JITTER, can_pass, key_of, patiently, recorded_controller, recording
from tasks.runner import submit_where_warm, workers_have_our_controller
from tasks.unexpected import explained

SELECTION_SECONDS = 120.0

Choice = ModelChoice | PrefectFuture[ModelChoice]


def select_models(run: RequestRun, plan: Plan) -> dict[int, Choice]:
    """Submit a selection for every task of the plan; one that an earlier life made stays."""
    known = patiently("The choices", lambda: run.trace.choices())
    return {
        planned.id: known.get(planned.id) or submit_selection(run, planned, fresh=run.options.fresh)
        for planned in plan.tasks
    }


def submit_selection(run: RequestRun, planned: PlannedTask, *, fresh: bool) -> PrefectFuture[ModelChoice]:
    """Submit the selection for one task."""
    selection = select_model.with_options(refresh_cache=fresh)
    if not workers_have_our_controller(planned.task):
        asked = {"run": run, "planned": planned, "apart": True}
        return submit_here(selection, asked)
    return submit_where_warm(selection, run, planned, kind=planned.task)


def _selection_key(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    run: RequestRun = parameters["run"]
    planned: PlannedTask = parameters["planned"]
    deadline = Deadline(SELECTION_SECONDS)
    try:
        with cancellable(run.key, deadline):
            found = _candidates(planned, parameters["apart"], deadline)
    except DeadlineExceededError:
        return None  # the task itself will say so
    # Sorted, since the rank also depends on what is installed, which running a choice may change.
    cards = sorted(
        [c.card.id, c.endpoint, str(c.card.revision), c.card.downloads, c.obstacle is None, _gist(c)] for c in found
    )
    controller = get_controller()
    chooser = [controller.model, controller.label]
    return key_of("select", planned.task, run.text, cards, get_settings().top_k, chooser)


def _candidates(planned: PlannedTask, apart: bool, deadline: Deadline) -> list[Candidate]:
    """The Hub has time limits of its own, and several look-ups may take longer than the request has."""
    return deadline.wait_for(lambda: candidates(planned.task, apart=apart))


def _gist(candidate: Candidate) -> str:
    """What the choice may know of the candidate's runs: as measured last, and rounded."""
    return candidate.figures.gist if candidate.figures else ""


@task(
    name="select-model",
    task_run_name="{planned.id} · select",
    tags={"controller"},
    retries=2,
    retry_delay_seconds=BACKOFF,
    retry_jitter_factor=JITTER,
    retry_condition_fn=can_pass,
    cache_key_fn=_selection_key,
    persist_result=True,
    result_serializer="json",
)
@explained
def select_model(run: RequestRun, planned: PlannedTask, apart: bool = False) -> ModelChoice:
    """Choose among the candidates that can run here; the rest is the order of falling back.

    Args:
        run: the request.
        planned: the task.
        apart: experts run in workers whose controller is another than this process's.

    Raises:
        SelectionError: none can run here.
        DeadlineExceededError: the request's time is up, or it was cancelled.
        DatabaseUnavailableError: the trace stayed away.
    """
    catalog, deadline = get_catalog(), Deadline(SELECTION_SECONDS)
    with cancellable(run.key, deadline):
        runnable = [c for c in _candidates(planned, apart, deadline) if c.obstacle is None]
        if not runnable:
            raise SelectionError(
                deadline.wait_for(lambda: catalog.why_not(planned.task))
                or f"{planned.task} can be done neither by the models of the expert workers nor by this controller: "
                "configure another with OPENAI_API_KEY or OPENAI_BASE_URL."
            )
        choice = choose_model(
            recorded_controller(run, planned.id),
            request=run.text,
            task=planned,
            candidates=runnable,
            top_k=get_settings().top_k,
            deadline=deadline,
        )
        pinned = [
            c.model_copy(update={"card": deadline.wait_for(partial(catalog.pin, c.card))})
            for c in choice.ranked[: get_settings().top_k]
        ]
    choice = choice.model_copy(update={"chosen": pinned[0], "alternatives": tuple(pinned[1:])})
    with recording("A selection"):
        run.trace.record_choice(planned.id, choice)
    return choice

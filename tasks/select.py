"""Stage two: a model for each planned task (HuggingGPT, section 3.2), all at once."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture

from hugginggpt.controller.selection import choose_given, choose_model, choose_unasked
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, SelectionError
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_catalog, get_controller
from hugginggpt.settings import get_settings
from tasks.cancelling import cancellable
from tasks.edges import unsearched
from tasks.expert_workers.own_controller import candidates, submit_here
from tasks.expert_workers.placement import run_controller_task, submit_controller_task
from tasks.expert_workers.questions import one_worker_takes, workers_have_our_controller
from tasks.policies import RANK, SELECT, refreshing
from tasks.recording import record_choices, recorded_controller, retry_while_database_is_down
from tasks.unexpected import explained


@dataclass(frozen=True)
class Selected:
    """A choice that is known before the plan's tasks begin.

    Attributes:
        choice: the models.
        by: the final state of the task run that chose them; None if an earlier life of the request did.
    """

    choice: ModelChoice
    by: State[Any] | None = None


Selection = Selected | PrefectFuture[ModelChoice]


def select_models(run: RequestRun, plan: Plan, without: Container[int] = ()) -> dict[int, Selection]:
    """Choose a model for each task of the plan but those without, unless an earlier life has chosen it.

    Choices that need neither the controller nor the Hub are made together, in one task run; for each of the others, a
    selection is submitted.
    """
    known: dict[int, ModelChoice] = {}
    if not run.is_first_life:
        known = retry_while_database_is_down("The choices", lambda: run.trace.choices())
    selections: dict[int, Selection] = {task_id: Selected(choice) for task_id, choice in known.items()}
    tasks = [planned for planned in plan.tasks if planned.id not in without]
    free = [p for p in tasks if p.id not in known and run.options.model_for(p) is None]
    selections |= _ranked(run, free)
    return {
        planned.id: selections.get(planned.id) or submit_selection(run, planned, fresh=run.options.fresh)
        for planned in tasks
    }


def submit_selection(run: RequestRun, planned: PlannedTask, *, fresh: bool) -> PrefectFuture[ModelChoice]:
    """Submit the selection for one task."""
    selection = refreshing(select_model) if fresh else select_model
    if not workers_have_our_controller(planned.task):
        return submit_here(selection, {"run": unsearched(run), "planned": unsearched(planned), "apart": True})
    return submit_controller_task(selection, unsearched(run), unsearched(planned), kinds=[planned.task])


def _ranked(run: RequestRun, tasks: Sequence[PlannedTask]) -> dict[int, Selection]:
    """The choices for which there is nothing to ask.

    This process only finds out whether there may be any. On a cluster, the worker that makes them decides, because
    another machine may have other models.
    """
    deadline = Deadline(SELECT.seconds)
    with cancellable(run.key, deadline):
        try:
            kinds = {kind for kind in {planned.task for planned in tasks} if _first_in_rank(kind, deadline)}
        except DeadlineExceededError:
            return {}  # the selections will report that
        if not kinds or not one_worker_takes(kinds):
            return {}
        ranked = unsearched([planned for planned in tasks if planned.task in kinds])
        state = run_controller_task(rank_models, unsearched(run), ranked, deadline=deadline, kinds=kinds)
    choices: dict[int, ModelChoice] = state.result() if state.is_completed() else {}
    return {task_id: Selected(choice, state) for task_id, choice in choices.items()}


@task(name="rank-models", task_run_name="select", **RANK.options)
@explained
def rank_models(run: RequestRun, tasks: Sequence[PlannedTask]) -> dict[int, ModelChoice]:
    """Choose the first in rank for each task for which neither the controller nor the Hub has to be asked.

    Returns:
        the choices by task id; a task that is missing needs a selection of its own.
    """
    deadline = Deadline(SELECT.seconds)
    with cancellable(run.key, deadline):
        first = {kind: _first_in_rank(kind, deadline) for kind in {planned.task for planned in tasks}}
    choices = {planned.id: choice for planned in tasks if (choice := first[planned.task]) is not None}
    record_choices(run, choices)
    return choices


def _first_in_rank(kind: str, deadline: Deadline) -> ModelChoice | None:
    """The choice among the models of a kind; None if the controller or the Hub has to be asked, or none can run."""

    def choose() -> ModelChoice | None:
        catalog = get_catalog()
        if not catalog.is_current(kind):
            return None
        runnable = [c for c in catalog.candidates(kind, live=False) if c.obstacle is None]
        choice = choose_unasked(get_controller(), kind, runnable, fallbacks=get_settings().fallbacks)
        return choice if choice is not None and all(catalog.is_pinned(c.card) for c in choice.ranked) else None

    return deadline.wait_for(choose)


@task(
    name="select-model",
    task_run_name="{planned.id} · select",
    tags={"controller"},
    **SELECT.options,
)
@explained
def select_model(run: RequestRun, planned: PlannedTask, apart: bool = False) -> ModelChoice:
    """Choose among the candidates that can run here; the others are the fallbacks, in order.

    Args:
        run: the request.
        planned: the task.
        apart: experts run in workers that have another controller than this process.

    Raises:
        SelectionError: no candidate can run here, or not the one that the request names.
        DeadlineExceededError: the request's time is up, or it was cancelled.
        DatabaseUnavailableError: the trace stayed unreachable.
    """
    catalog, deadline = get_catalog(), Deadline(SELECT.seconds)
    with cancellable(run.key, deadline):
        found, given = candidates(planned.task, deadline, apart=apart), run.options.model_for(planned)
        if given is not None:
            choice = choose_given(planned.task, given, found)
        else:
            choice = _choose(run, planned, [c for c in found if c.obstacle is None], deadline)
        pinned = [c.model_copy(update={"card": deadline.wait_for(partial(catalog.pin, c.card))}) for c in choice.ranked]
    choice = choice.model_copy(update={"chosen": pinned[0], "alternatives": tuple(pinned[1:])})
    record_choices(run, {planned.id: choice})
    return choice


def _choose(run: RequestRun, planned: PlannedTask, runnable: Sequence[Candidate], deadline: Deadline) -> ModelChoice:
    if not runnable:
        raise SelectionError(
            deadline.wait_for(lambda: get_catalog().why_not(planned.task))
            or f"Neither the models of the expert workers nor this controller can do {planned.task}: "
            "configure another controller with OPENAI_API_KEY or OPENAI_BASE_URL."
        )
    return choose_model(
        recorded_controller(run, planned.id),
        request=run.text,
        task=planned,
        candidates=runnable,
        top_k=get_settings().top_k,
        fallbacks=get_settings().fallbacks,
        deadline=deadline,
    )

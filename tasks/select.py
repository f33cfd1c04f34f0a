"""Stage two: a model for each planned task (HuggingGPT, section 3.2), all at once."""

from functools import partial

from prefect import task
from prefect.futures import PrefectFuture

from hugginggpt.controller.selection import choose_model
from hugginggpt.deadline import Deadline
from hugginggpt.errors import SelectionError
from hugginggpt.models.card import ModelChoice
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_catalog
from hugginggpt.settings import get_settings
from tasks.cancelling import cancellable
from tasks.expert_workers.own_controller import candidates, submit_here
from tasks.expert_workers.placement import submit_controller_task
from tasks.expert_workers.questions import workers_have_our_controller
from tasks.policies import SELECT
from tasks.recording import recorded_controller, recording, retry_while_database_is_down
from tasks.unexpected import explained

Choice = ModelChoice | PrefectFuture[ModelChoice]


def select_models(run: RequestRun, plan: Plan) -> dict[int, Choice]:
    """Submit a selection for each task of the plan, unless an earlier life has made its choice."""
    known = retry_while_database_is_down("The choices", lambda: run.trace.choices())
    return {
        planned.id: known.get(planned.id) or submit_selection(run, planned, fresh=run.options.fresh)
        for planned in plan.tasks
    }


def submit_selection(run: RequestRun, planned: PlannedTask, *, fresh: bool) -> PrefectFuture[ModelChoice]:
    """Submit the selection for one task."""
    selection = select_model.with_options(refresh_cache=fresh)
    if not workers_have_our_controller(planned.task):
        return submit_here(selection, {"run": run, "planned": planned, "apart": True})
    return submit_controller_task(selection, run, planned, kind=planned.task)


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
        SelectionError: no candidate can run here.
        DeadlineExceededError: the request's time is up, or it was cancelled.
        DatabaseUnavailableError: the trace stayed unreachable.
    """
    catalog, deadline = get_catalog(), Deadline(SELECT.seconds)
    with cancellable(run.key, deadline):
        runnable = [c for c in candidates(planned.task, deadline, apart=apart) if c.obstacle is None]
        if not runnable:
            raise SelectionError(
                deadline.wait_for(lambda: catalog.why_not(planned.task))
                or f"Neither the models of the expert workers nor this controller can do {planned.task}: "
                "configure another controller with OPENAI_API_KEY or OPENAI_BASE_URL."
            )
        choice = choose_model(
            recorded_controller(run, planned.id),
            request=run.text,
            task=planned,
            candidates=runnable,
            top_k=get_settings().top_k,
            fallbacks=get_settings().fallbacks,
            deadline=deadline,
        )
        pinned = [c.model_copy(update={"card": deadline.wait_for(partial(catalog.pin, c.card))}) for c in choice.ranked]
    choice = choice.model_copy(update={"chosen": pinned[0], "alternatives": tuple(pinned[1:])})
    with recording("A selection"):
        run.trace.record_choice(planned.id, choice)
    return choice

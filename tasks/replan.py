"""Between running and answering: another plan for what failed for good."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import get_run_logger, task

from hugginggpt.controller.call import NO_FURTHER_PLAN
from hugginggpt.controller.call import REPLAN as PURPOSE
from hugginggpt.controller.replanning import given_up, plan_rest
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, DeadlineExceededError, PlanError
from hugginggpt.plan import Plan
from hugginggpt.plan.renumber import renumbered
from hugginggpt.request_run import RequestRun
from hugginggpt.results import TaskOutcome, TaskStatus
from hugginggpt.services import get_controller
from hugginggpt.settings import get_settings
from hugginggpt.text import one_line
from tasks.cancelling import cancellable, why_cancelled
from tasks.edges import unsearched
from tasks.expert_workers.own_controller import offered_kinds
from tasks.expert_workers.placement import run_controller_task
from tasks.plan import checks_of
from tasks.policies import REPLAN
from tasks.recording import recorded_controller, recording, retry_while_database_is_down
from tasks.ui.artifacts import show_plan
from tasks.unexpected import explained


def replan(run: RequestRun, outcomes: Sequence[TaskOutcome]) -> Plan | None:
    """Plan the rest of a request anew, if tasks have failed for good and the controller knows another way.

    Finished tasks keep their ids and results. A plan that the user gave is not changed, and the embedded controller,
    which plans from the request alone, is not asked.

    Returns:
        the further plan; None if there is none.

    Raises:
        DatabaseUnavailableError: the trace stayed unreachable.
    """
    failed = [o.planned for o in outcomes if o.result is None and o.status is TaskStatus.FAILED]
    # Whoever names a model wants this one, and not another way.
    pinned = any(run.options.model_for(planned) for planned in failed)
    if not failed or pinned or not _may_replan(run) or why_cancelled(run.key) is not None:
        return None
    version, free = retry_while_database_is_down("The plan", lambda: run.trace.plan_version())
    if version > get_settings().replanning_rounds:
        return None
    deadline = Deadline(math.inf)
    with cancellable(run.key, deadline):
        try:
            kinds = deadline.wait_for(offered_kinds)
            state = run_controller_task(plan_again, unsearched(run), kinds, unsearched(outcomes), deadline=deadline)
        except DeadlineExceededError:
            return None  # the answer says so
    found: Plan | None = state.result() if state.is_completed() else None
    if found is None:
        return None
    done = [outcome.planned.id for outcome in outcomes if outcome.result is not None]
    plan = renumbered(found, keep=done, first=free).model_copy(update={"version": version + 1})
    retry_while_database_is_down("The further plan", lambda: run.trace.record_further_plan(plan))
    show_plan(plan)
    return plan


def _may_replan(run: RequestRun) -> bool:
    return run.options.plan is None and not get_controller().is_embedded


def with_given_up(run: RequestRun, plan: Plan | None, outcomes: Sequence[TaskOutcome]) -> list[TaskOutcome]:
    """How the tasks ended, with those that further plans went around and that nothing stands for."""
    if plan is None or plan.version == 1:
        return [*outcomes]
    dropped, added = retry_while_database_is_down("The earlier plans", lambda: run.trace.went_around())
    return [*outcomes, *given_up(dropped, [outcome for outcome in outcomes if outcome.planned.id in added])]


@task(name="plan-again", task_run_name="plan again", tags={"controller"}, **REPLAN.options)
@explained
def plan_again(run: RequestRun, kinds: tuple[str, ...], outcomes: Sequence[TaskOutcome]) -> Plan | None:
    """Ask the controller for another way; None if it has none, which is not an error of the request."""
    deadline, since = Deadline(REPLAN.seconds), datetime.now(UTC)
    try:
        with cancellable(run.key, deadline):
            return plan_rest(
                recorded_controller(run),
                text=run.text,
                resources=run.resources,
                kinds=kinds,
                outcomes=outcomes,
                deadline=deadline,
                checks=checks_of(run, kinds, deadline),
            )
    except (PlanError, ControllerError, DeadlineExceededError) as error:
        get_run_logger().warning("The rest was not planned anew: %s", error.message)
        refusal = f"{NO_FURTHER_PLAN}: {one_line(error.message)}"
        with recording("Why there is no further plan"):
            run.trace.refuse_call(PURPOSE, since, refusal)
        return None

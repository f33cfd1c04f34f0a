"""Stage one: from the request to a plan (HuggingGPT, section 3.1)."""

import math
from typing import Any

from prefect import task
from prefect.context import TaskRunContext

from hugginggpt.controller.planning import plan_request as ask_for_plan
from hugginggpt.deadline import Deadline
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, parse_plan
from hugginggpt.request_run import RequestRun
from hugginggpt.resources import Namespace
from hugginggpt.services import get_catalog, get_controller, get_store
from hugginggpt.settings import get_settings
from tasks.cancelling import cancellable
from tasks.own_controller import offered_kinds
from tasks.policies import key_of, patiently, recorded_controller
from tasks.runner import kinds_of_workers, run_where_warm
from tasks.ui import show_plan
from tasks.unexpected import explained

PLANNING_SECONDS = 600.0


def plan_request(run: RequestRun) -> tuple[RequestRun, Plan]:
    """Plan a request, or take the plan that it came with or was already given.

    Returns:
        the request with every file that the plan names among its resources, and the plan.

    Raises:
        UsageError: a file that the plan names cannot be accepted.
        PlanError: there is no valid plan.
        ControllerError: the controller cannot plan.
        DeadlineExceededError: its time is up, or it was cancelled.
        DatabaseUnavailableError: the trace stayed away.
        DiskFullError: there is no room for a file that the plan names.
    """
    known = patiently("The plan", lambda: run.trace.plan())
    deadline = Deadline(math.inf)
    with cancellable(run.key, deadline):
        plan, source = (known, None) if known is not None else _new_plan(run, deadline)
        given = run.options.plan is not None
        namespace = Namespace.of(run.text, run.history, run.resources, given=given, settings=get_settings())
        plan, resources = namespace.resolve(plan, get_store(), deadline)
    run = run.model_copy(update={"resources": resources})
    patiently("The files", lambda: run.trace.record_resources(resources))
    if source is not None:
        patiently("The plan", lambda: run.trace.record_plan(plan, source))
    show_plan(plan)
    return run, plan


def _new_plan(run: RequestRun, deadline: Deadline) -> tuple[Plan, str]:
    given = run.options.plan_text
    if given is None:
        kinds = deadline.wait_for(offered_kinds)
        planning = plan_with_controller.with_options(refresh_cache=run.options.fresh)
        state = run_where_warm(planning, run, kinds, deadline=deadline)
        plan: Plan = state.result()
        return plan, "cache" if state.name == "Cached" else "controller"
    plan = parse_plan(given)

    def find_obstacles() -> list[str]:
        return get_catalog().obstacles(plan, () if kinds_of_workers() is None else offered_kinds())

    obstacles = deadline.wait_for(find_obstacles)
    if obstacles:
        raise PlanError("\n".join(obstacles))
    return plan, "given"


def _plan_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    run: RequestRun = parameters["run"]
    controller = get_controller()
    return key_of(
        "plan",
        run.text,
        [[r.name, r.artifact.sha256] for r in run.resources],
        [[turn.text, turn.response] for turn in run.history],
        list(parameters["kinds"]),
        controller.model,
        controller.planner_sha256,
    )


@task(
    name="plan-request",
    task_run_name="plan",
    tags={"controller"},
    cache_key_fn=_plan_key,
    persist_result=True,
    result_serializer="json",
)
@explained
def plan_with_controller(run: RequestRun, kinds: tuple[str, ...]) -> Plan:
    """Ask the controller for a plan over the offered kinds."""
    namespace = Namespace.of(run.text, run.history, run.resources, given=False, settings=get_settings())
    deadline = Deadline(PLANNING_SECONDS)
    with cancellable(run.key, deadline):
        return ask_for_plan(
            recorded_controller(run),
            text=run.text,
            resources=run.resources,
            history=run.history,
            kinds=kinds,
            deadline=deadline,
            check=lambda plan: (
                namespace.problems(plan) + deadline.wait_for(lambda: get_catalog().obstacles(plan, kinds))
            ),
        )

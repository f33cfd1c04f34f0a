"""Stage one: from the request to a plan (HuggingGPT, section 3.1)."""

import math

from prefect import task

from hugginggpt.controller.form_plan import plan_for_form
from hugginggpt.controller.planning import Checks
from hugginggpt.controller.planning import plan_request as ask_for_plan
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DatabaseUnavailableError, DiskFullError, HuggingGPTError, PlanError, UnexpectedError
from hugginggpt.plan import Plan, parse_plan
from hugginggpt.reading import with_reading
from hugginggpt.request_run import RequestRun
from hugginggpt.resources import Namespace
from hugginggpt.services import get_catalog, get_store
from hugginggpt.settings import get_settings
from tasks.cancelling import cancellable
from tasks.edges import unsearched
from tasks.expert_workers.own_controller import offered_kinds
from tasks.expert_workers.placement import run_controller_task
from tasks.expert_workers.questions import kinds_of_workers
from tasks.policies import PLAN, refreshing
from tasks.recording import recorded_controller, retry_while_database_is_down
from tasks.ui.artifacts import show_plan
from tasks.unexpected import explained


def plan_request(run: RequestRun) -> tuple[RequestRun, Plan | None, HuggingGPTError | None]:
    """Plan a request, or use the plan that came with it or that an earlier life made.

    Returns:
        the request, whose resources now include every file that the plan names; the plan; and if there is none, the
        reason: a file that it names cannot be accepted, no plan is valid, the controller cannot plan, or the time is
        up.

    Raises:
        DatabaseUnavailableError: the trace stayed unreachable.
        DiskFullError: there is no room for a file that the plan names.
        UnexpectedError: planning failed with an unexpected exception.
    """
    try:
        return *_plan_request(run), None
    except (DatabaseUnavailableError, DiskFullError, UnexpectedError):
        raise  # the request stays open, and resuming it continues from here
    except HuggingGPTError as error:
        return run, None, error


def _plan_request(run: RequestRun) -> tuple[RequestRun, Plan]:
    known: Plan | None = None
    if not run.is_first_life:
        known = retry_while_database_is_down("The plan", lambda: run.trace.plan())
    deadline = Deadline(math.inf)
    with cancellable(run.key, deadline):
        plan, source = (known, None) if known is not None else _new_plan(run, deadline)
        given = run.options.plan is not None
        namespace = Namespace.of(run.text, run.history, run.resources, given=given, settings=get_settings())
        plan, resources = namespace.resolve(plan, get_store(), deadline)
        plan = with_reading(plan, resources) if source is not None else plan
    run = run.model_copy(update={"resources": resources})
    if source is None:
        retry_while_database_is_down("The files", lambda: run.trace.record_resources(resources))
    else:
        retry_while_database_is_down("The plan", lambda: run.trace.record_plan(plan, source, resources))
    show_plan(plan)
    return run, plan


def _new_plan(run: RequestRun, deadline: Deadline) -> tuple[Plan, str]:
    given = run.options.plan_text
    if given is None:
        kinds = deadline.wait_for(offered_kinds)
        planning = refreshing(plan_with_controller) if run.options.fresh else plan_with_controller
        state = run_controller_task(planning, unsearched(run), kinds, deadline=deadline)
        plan: Plan = state.result()
        return plan, "cache" if state.name == "Cached" else "controller"
    plan = parse_plan(given)

    def find_obstacles() -> list[str]:
        return get_catalog().obstacles(plan, () if kinds_of_workers() is None else offered_kinds(), half=True)

    obstacles = deadline.wait_for(find_obstacles)
    if obstacles:
        raise PlanError("\n".join(obstacles))
    return plan, "given"


@task(
    name="plan-request",
    task_run_name="plan",
    tags={"controller"},
    **PLAN.options,
)
@explained
def plan_with_controller(run: RequestRun, kinds: tuple[str, ...]) -> Plan:
    """Ask the controller for a plan over the offered kinds."""
    deadline, controller = Deadline(PLAN.seconds), recorded_controller(run)
    checks = checks_of(run, kinds, deadline)

    def plan() -> Plan:
        return ask_for_plan(
            controller,
            text=run.text,
            resources=run.resources,
            history=run.history,
            kinds=kinds,
            deadline=deadline,
            checks=checks,
        )

    with cancellable(run.key, deadline):
        return plan() if run.options.answer_schema is None else plan_for_form(controller, plan, run.resources, checks)


def checks_of(run: RequestRun, kinds: tuple[str, ...], deadline: Deadline) -> Checks:
    """What a plan of the controller's has to pass: it names what there is, and its kinds can run here."""
    namespace = Namespace.of(run.text, run.history, run.resources, given=False, settings=get_settings())

    def obstacles(plan: Plan, half: bool) -> list[str]:
        return deadline.wait_for(lambda: get_catalog().obstacles(plan, kinds, half=half))

    return Checks(namespace.problems, obstacles)

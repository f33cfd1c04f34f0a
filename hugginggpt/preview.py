"""Plan a request without running it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hugginggpt.controller_name import ControllerName
from hugginggpt.plan import Plan
from hugginggpt.roots import Readable

PLANNING_SECONDS = 600.0


@dataclass(frozen=True)
class Preview:
    """The plan of a request that nothing else is done for.

    Attributes:
        kinds: the kinds of task that were offered to the controller.
        obstacles: why tasks of the plan cannot run here, one sentence each.
    """

    plan: Plan
    kinds: tuple[str, ...]
    controller: ControllerName
    obstacles: tuple[str, ...] = ()


def preview(text: str, files: Sequence[str], readable: Readable | None = None) -> Preview:
    """Have the controller plan a request.

    Args:
        text: the request.
        files: its files, as absolute paths, URLs, data URIs or references.
        readable: what paths may lead to; None allows any path.

    Raises:
        UsageError: the request or one of its files cannot be accepted.
        PlanError: no plan is valid.
        ControllerError: the controller cannot plan.
    """
    from hugginggpt.controller.planning import Checks, plan_request
    from hugginggpt.deadline import Deadline
    from hugginggpt.request import check_size
    from hugginggpt.resources import Namespace, load_resources
    from hugginggpt.services import get_catalog, get_controller, get_store
    from hugginggpt.settings import get_settings

    check_size(text, files, get_settings())
    resources = tuple(load_resources(files, get_settings(), get_store(), readable=readable))
    namespace = Namespace(resources=resources, wording=text, given=False, settings=get_settings())
    catalog = get_catalog()
    kinds, controller = catalog.offered_kinds(), get_controller()
    plan = plan_request(
        controller,
        text=text,
        resources=resources,
        history=(),
        kinds=kinds,
        deadline=Deadline(PLANNING_SECONDS),
        checks=Checks(namespace.problems, lambda plan, half: catalog.obstacles(plan, half=half)),
    )
    return Preview(plan, kinds, controller.name, tuple(catalog.obstacles(plan)))

"""`plan`: only plan a request."""

import json
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option
from apps.cli.request import absolute, file_option, read_request
from apps.cli.text import printable
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from hugginggpt.controller_name import ControllerName
    from hugginggpt.plan import Plan

PLANNING_SECONDS = 600.0


EXAMPLES = """\b
Example:
  hugginggpt plan "Read this aloud" --file scan.png > plan.json
  hugginggpt ask "Read this aloud" --file scan.png --plan plan.json
"""


@click.command(epilog=EXAMPLES, short_help="Plan REQUEST and print the plan without running it.")
@click.argument("request")
@file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with the repairs and the offered kinds.")
@verbose_option
def plan(request: str, files: tuple[str, ...], as_json: bool) -> None:
    """Plan REQUEST and print the plan without running it; - reads the request from stdin.

    You can edit the plan and run it with `ask --plan`.
    """
    planned, kinds, controller = make_plan(read_request(request), [absolute(source) for source in files])
    if as_json:
        whole = {
            "plan": planned.to_list(),
            "repairs": list(planned.repairs),
            "offered_kinds": list(kinds),
            "controller": controller.model_dump(),
        }
        click.echo(terminal_json(json.dumps(whole, indent=2, ensure_ascii=False)))
        return
    click.echo(terminal_json(planned.to_json()))
    for repair in planned.repairs:
        click.echo(f"Repaired: {printable(repair)}", err=True)
    if not planned.tasks:
        click.echo("No tasks are needed: the controller answers by itself.", err=True)
    offered = f"{len(kinds)} kinds of task were offered to {controller}"
    click.echo(f"{offered}: `hugginggpt models` lists them.", err=True)


def make_plan(text: str, files: list[str]) -> tuple["Plan", tuple[str, ...], "ControllerName"]:
    """Have the controller plan a request; return the plan, the kinds that were offered, and the controller."""
    from hugginggpt.controller.planning import plan_request
    from hugginggpt.deadline import Deadline
    from hugginggpt.request import check_size
    from hugginggpt.resources import Namespace, load_resources
    from hugginggpt.services import get_catalog, get_controller, get_store
    from hugginggpt.settings import get_settings

    check_size(text, files, get_settings())
    resources = tuple(load_resources(files, get_settings(), get_store()))
    namespace = Namespace(resources=resources, wording=text, given=False, settings=get_settings())
    catalog = get_catalog()
    kinds = catalog.offered_kinds()
    planned = plan_request(
        get_controller(),
        text=text,
        resources=resources,
        history=(),
        kinds=kinds,
        deadline=Deadline(PLANNING_SECONDS),
        check=lambda plan: namespace.problems(plan) + catalog.obstacles(plan),
    )
    return planned, kinds, get_controller().name

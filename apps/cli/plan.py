"""`plan`: only plan a request."""

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from apps.cli.exits import note, verbose_option
from apps.cli.request import absolute, file_option, read_request
from apps.cli.text import printable
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from apps.http.events import Planned


EXAMPLES = """\b
Example:
  hugginggpt plan "Read this aloud" --file scan.png > plan.json
  hugginggpt ask "Read this aloud" --file scan.png --plan plan.json
"""


@click.command(epilog=EXAMPLES, short_help="Plan REQUEST and print the plan without running it.")
@click.argument("request")
@file_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object, with the repairs, the obstacles and the offered kinds.",
)
@verbose_option
def plan(request: str, files: tuple[str, ...], as_json: bool) -> None:
    """Plan REQUEST and print the plan without running it; - reads the request from stdin.

    You can edit the plan and run it with `ask --plan`. A note on stderr names each task that cannot run here, and
    says what to do about it.
    """
    planned = _planned(read_request(request), [absolute(source) for source in files])
    whole = planned["whole"]
    if as_json:
        click.echo(terminal_json(json.dumps(whole, indent=2, ensure_ascii=False)))
        return
    click.echo(terminal_json(planned["text"]))
    for repair in whole["repairs"]:
        click.echo(f"Repaired: {printable(repair)}", err=True)
    for obstacle in whole["obstacles"]:
        note(obstacle)
    if not whole["plan"]:
        click.echo("No tasks are needed: the request is answered directly.", err=True)
    kinds = f"{len(whole['offered_kinds'])} kinds of task that can run here"
    click.echo(f"Planned by {planned['controller']}; `hugginggpt models` lists the {kinds}.", err=True)


def _planned(text: str, files: list[str]) -> "Planned":
    """Have the controller plan a request, in the service if there is one."""
    from apps.cli.through_service import service
    from apps.http.client import ServiceLostError

    if (found := service(files)) is not None:
        with suppress(ServiceLostError):
            told: Planned = found.post("/plans", {"request": text, "files": files, "door": "command line"})
            return told
    from apps.http.standing import planned
    from hugginggpt.preview import preview

    return planned(preview(text, files))

"""`kinds`: list the kinds of task."""

import json
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from rich.text import Text

    from hugginggpt.catalog.kinds import KindSupport


@click.command(short_help="List the kinds of task and what runs them.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def kinds(as_json: bool) -> None:
    """List every kind of task: its inputs and outputs, where it can run, and its default model.

    `hugginggpt models` lists the models that can run on this machine.
    """
    from hugginggpt.catalog.kinds import supported_kinds

    rows = supported_kinds()
    if as_json:
        from hugginggpt.catalog.listing import kind_data

        click.echo(terminal_json(json.dumps([kind_data(row) for row in rows], indent=2, ensure_ascii=False)))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for row in rows:
        console.print(_as_text(row))


def _as_text(row: "KindSupport") -> "Text":
    from rich.text import Text

    from apps.cli.text import size

    capability, default = row.capability, row.default
    inputs = ", ".join(i.name if i.required else f"{i.name} (optional)" for i in capability.inputs)
    model = "the controller's" if default is None else default.id
    weight = f", {size(default.bytes)}" if default is not None and default.bytes else ""
    runs = f"{', '.join(row.runtimes)}: {model}{weight}" if row.runtimes else "nothing installed runs it"
    return Text.assemble(
        (capability.kind, "bold"), f"  {inputs} → {', '.join(capability.outputs)}", (f"\n  {runs}", "dim")
    )

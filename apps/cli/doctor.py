"""`doctor`: check what works here, and say how to fix the rest."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, FAILED, verbose_option
from apps.cli.text import printable
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from apps.cli.checks import Finding

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "broken": ("✗", "red")}


@click.command(short_help="Check what requests need, and say how to fix it.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def doctor(as_json: bool) -> int:
    """Check everything that requests need, and say how to fix what does not work.

    The exit code is 1 if something is broken. A warning is about something that requests can do without.
    """
    from apps.cli.checks import findings

    found = []
    for finding in findings():
        found.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        click.echo(terminal_json(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False)))
    return FAILED if any(finding.verdict == "broken" for finding in found) else COMPLETED


def _print(finding: "Finding") -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(mark, fg=colour)} {click.style(finding.part, bold=True)}: {printable(finding.detail)}")
    if finding.mend:
        click.echo(f"  {printable(finding.mend)}")

"""`keys`: the keys that open the HTTP service for other programs and people."""

import json
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, note, verbose_option
from apps.cli.options import WholeNumber
from hugginggpt.text import terminal_json

if TYPE_CHECKING:
    from hugginggpt.trace.keys import ApiKey


@click.group(short_help="Make, list and revoke keys of the HTTP service.")
@verbose_option
def keys() -> None:
    """Make, list and revoke the keys that open the HTTP service of `hugginggpt up`.

    The owner's own key is in the file api.key in HUGGINGGPT_HOME. A key made here is for another program or person: it
    shows only the requests, conversations and files that it made itself. Keys are kept as hashes.
    """


@keys.command("add", short_help="Make a key, and print it.")
@click.argument("name")
@click.option("--all", "sees_all", is_flag=True, help="Let it see all requests, conversations and files.")
@click.option("--requests", metavar="N", type=WholeNumber(1), help="Most requests at once.")
@click.option(
    "--cost", metavar="DOLLARS", type=click.FloatRange(0, 1e9), help="Most US dollars for all its requests together."
)
@verbose_option
def add(name: str, sees_all: bool, requests: int | None, cost: float | None) -> int:
    """Make a key named NAME, and print it. It cannot be shown again."""
    from hugginggpt.services import get_trace

    text = get_trace().keys.add(name, sees_all=sees_all, most_requests=requests, most_cost=cost)
    note("Keep this key: it is not shown again.")
    click.echo(text)
    return COMPLETED


@keys.command("list", short_help="List the keys.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def list_keys(as_json: bool) -> int:
    """List the keys, what they may do, and what was done with them."""
    from hugginggpt.services import get_trace

    found = get_trace().keys.all()
    if as_json:
        listed = [key.model_dump(mode="json") for key in found]
        click.echo(terminal_json(json.dumps(listed, indent=2, ensure_ascii=False)))
        return COMPLETED
    if not found:
        click.echo("There are no keys but the owner's: make one with `hugginggpt keys add NAME`.")
    for key in found:
        click.echo(_line(key))
    return COMPLETED


@keys.command("revoke", short_help="Let a key open nothing any more.")
@click.argument("name")
@verbose_option
def revoke(name: str) -> int:
    """Let the key named NAME open nothing from now on. Requests that it made go on, and stay in the trace."""
    from hugginggpt.services import get_trace

    get_trace().keys.revoke(name)
    click.echo(f"Revoked the key {name}.")
    return COMPLETED


def _line(key: "ApiKey") -> str:
    sees = "sees all requests" if key.sees_all else "sees its own requests"
    most = [] if key.most_requests is None else [f"at most {key.most_requests} at once"]
    spent = f"{key.spent:.2f}" + ("" if key.most_cost is None else f" of {key.most_cost:.2f}") + " dollars"
    revoked = [] if key.revoked_at is None else [f"revoked {key.revoked_at:%Y-%m-%d}"]
    made = f"made {key.created_at:%Y-%m-%d}"
    return f"{key.name}: " + ", ".join([sees, *most, f"{key.requests} so far, {spent}", made, *revoked])

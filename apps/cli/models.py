"""`models`: which models can do what here."""

import json
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option

if TYPE_CHECKING:
    from hugginggpt.catalog.card import Candidate


@click.command(short_help="List the candidates for each kind of task.")
@click.option("--kind", metavar="KIND", help="Only this kind of task; asks the Hub for its latest models, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def models(kind: str | None, as_json: bool) -> None:
    """List the candidates for every kind of task, best first, and why each can or cannot run here."""
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.services import get_catalog

    wanted = [_known(kind)] if kind is not None else list(CAPABILITIES)
    # One lookup is worth waiting for, one for every kind is not.
    found = {name: get_catalog().candidates(name, live=kind is not None) for name in wanted}
    if as_json:
        listed = [_as_json(candidate) for candidates in found.values() for candidate in candidates]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    from apps.cli.candidates import candidate_table

    console = Console()
    for name, candidates in found.items():
        console.print(candidate_table(name, candidates), "")
    runnable = sum(any(c.obstacle is None for c in candidates) for candidates in found.values())
    if kind is None:
        console.print(f"{runnable} of {len(found)} kinds of task can run here.")


def _known(name: str) -> str:
    from difflib import get_close_matches

    from hugginggpt.capabilities import CAPABILITIES, find_kind

    kind = find_kind(name)
    if kind is None:
        close = get_close_matches(name.lower(), CAPABILITIES, n=1)
        hint = f"; did you mean {close[0]}?" if close else ": `hugginggpt models` lists them."
        raise click.BadParameter(f"There is no task kind '{name}'{hint}", param_hint="--kind")
    return kind


def _as_json(candidate: "Candidate") -> dict[str, object]:
    card = candidate.card
    return {
        "kind": card.kind,
        "id": card.id,
        "revision": card.revision,
        "endpoint": candidate.endpoint.value,
        "runs_here": candidate.obstacle is None,
        "obstacle": candidate.obstacle,
        "installed": candidate.installed,
        "downloads": card.downloads,
        "bytes": card.bytes,
        "licence": card.licence,
        "gated": card.gated,
        "description": card.description,
    }

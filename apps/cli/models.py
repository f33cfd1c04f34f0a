"""`models`: which models can do what here, and which of them are on the disk."""

import json
from math import isfinite
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option
from hugginggpt.text import terminal_json, visible

if TYPE_CHECKING:
    from hugginggpt.models.card import Candidate, ModelCard
    from hugginggpt.models.disk import DownloadedModel
    from hugginggpt.models.figures import Figures


@click.group(invoke_without_command=True, short_help="List, fetch and prune models.")
@click.option("--kind", metavar="KIND", help="Only this kind of task; asks the Hub for its latest models, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
@click.pass_context
def models(context: click.Context, kind: str | None, as_json: bool) -> None:
    """List the candidates for every kind of task, best first, and why each can or cannot run here.

    Of a model that ran here lately it says how many of its runs succeeded, how long an input took, and
    why it failed last: what the choice of a model knows of it.

    The commands below are about the models that are downloaded, or will be.
    """
    if context.invoked_subcommand is None:
        _list_candidates(kind, as_json)
    elif kind is not None or as_json:
        raise click.UsageError(f"--kind and --json go after '{context.invoked_subcommand}', as far as it has them.")


def _list_candidates(kind: str | None, as_json: bool) -> None:
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.services import get_catalog

    wanted = [_known(kind)] if kind is not None else list(CAPABILITIES)
    # One lookup is worth waiting for, one for every kind is not.
    found = {name: get_catalog().candidates(name, live=kind is not None, ask_hub=True) for name in wanted}
    if as_json:
        listed = [_as_json(candidate) for candidates in found.values() for candidate in candidates]
        click.echo(terminal_json(json.dumps(listed, indent=2, ensure_ascii=False)))
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
    card, figures = candidate.card, candidate.figures
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
        "measured": None if figures is None else _measured(figures),
    }


def _measured(figures: "Figures") -> dict[str, object]:
    return {
        "runs": figures.runs,
        "completed": figures.completed,
        "success_rate": round(figures.completed / figures.runs, 3),
        "reliability": round(figures.reliability, 3),
        "failing": figures.failing,
        "seconds_per_input": figures.seconds,
        "last_error": figures.last_error,
    }


@models.command("fetch", short_help="Download models before they are needed.")
@click.argument("ids", metavar="[ID[@REVISION]]...", nargs=-1)
@click.option(
    "--kind", metavar="KIND", help="The best model of this kind that can run here, or say which ID is for it."
)
@verbose_option
def fetch(ids: tuple[str, ...], kind: str | None) -> None:
    """Download models into the cache of weights: those named, or the best candidate of a kind.

    With a model come those that it works with, such as a vocoder or the pipeline of a ControlNet.

    A model is a candidate for the kind that it was fetched for from then on, without a kind for the one
    that the Hub says it is for.

    Only the files that this machine's experts need are downloaded, and only safe ones. A download
    that was interrupted goes on where it was.
    """
    from hugginggpt.experts.local.runtime.download import fetch_model
    from hugginggpt.models.card import ModelCard
    from hugginggpt.models.disk import keep_card
    from hugginggpt.settings import get_settings

    if not ids and kind is None:
        raise click.UsageError("Name a model, or a kind with --kind.")
    for card in _cards(ids, None if kind is None else _known(kind)):
        works_with = [ModelCard(id=companion, kind=card.kind) for companion in card.companions]
        for model in (card, *works_with):
            folder = fetch_model(model, get_settings(), progress=True)
            click.echo(f"{visible(model.id)} is in {folder}")
        if card.kind:
            keep_card(card, get_settings().models_cache_dir)


def _cards(ids: tuple[str, ...], kind: str | None) -> "list[ModelCard]":
    """The cards of the models to fetch."""
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.catalog.known import known_cards
    from hugginggpt.errors import UsageError
    from hugginggpt.services import get_catalog

    if not ids:
        assert kind is not None
        local = get_catalog().downloads(kind)
        best = next((c for c in local if c.obstacle is None or c.installed), None)
        if best is None:
            raise UsageError(f"There is no model to download for {kind}: {_why_none(kind, local)}")
        return [get_catalog().at_existing_commit(best).card]
    kinds = CAPABILITIES if kind is None else [kind]
    known = {card.id: card for each in kinds for card in known_cards(each)}
    cards = []
    for name in ids:
        model, _, revision = name.partition("@")
        if name.endswith("@"):
            raise UsageError(f"There is no revision behind the @ of {name}.")
        card = known.get(model)
        if card is None:
            card = get_catalog().card(model, kind).model_copy(update={"revision": None})
            _refuse_another_kind(card)
        cards.append(card.model_copy(update={"revision": revision}) if revision else card)
    return cards


def _refuse_another_kind(card: "ModelCard") -> None:
    """Refuse a model of which the Hub says that it does something of other types than its kind."""
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.catalog.hub import pipeline_tag
    from hugginggpt.errors import UsageError

    # A pipeline of diffusers does more than its tag says.
    if (
        card.tag is None
        or card.tag not in CAPABILITIES
        or not card.kind
        or not pipeline_tag(card.kind)
        or card.library == "diffusers"
    ):
        return
    told, wanted = (
        ({i.type for i in row.inputs if i.required}, row.outputs)
        for row in (CAPABILITIES[card.tag], CAPABILITIES[card.kind])
    )
    if told != wanted:
        raise UsageError(
            f"{card.id} does {card.tag}, as the Hub says, and so no {card.kind}: fetch it with --kind {card.tag}, "
            "or another model."
        )


def _why_none(kind: str, local: "list[Candidate]") -> str:
    from hugginggpt.models.card import Endpoint
    from hugginggpt.services import get_catalog

    if local:
        return str(next((c for c in local if not c.card.gated), local[0]).obstacle)
    packaged = [c.card.id for c in get_catalog().candidates(kind) if c.endpoint is Endpoint.EMBEDDED]
    if packaged:
        return f"it is done by {packaged[0]}, which comes with a package."
    return "none that can run on this machine is known."


@models.command("list", short_help="List the downloaded models.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def downloaded(as_json: bool) -> None:
    """List the downloaded models, the one needed last first: size, last use, number of uses."""
    from apps.cli.text import printable, size
    from hugginggpt.upkeep.pruning import models_on_disk

    found = models_on_disk()
    if as_json:
        listed = [_downloaded_as_json(model) for model in found]
        click.echo(terminal_json(json.dumps(listed, indent=2, ensure_ascii=False)))
        return
    for model in found:
        times = "never used"
        if model.use:
            times = (
                f"used {'once' if model.use.runs == 1 else f'{model.use.runs} times'}, last {model.use.last:%Y-%m-%d}"
            )
        click.echo(f"{printable(model.id)}  {size(model.bytes)}, downloaded {model.downloaded:%Y-%m-%d}, {times}")
    click.echo(f"{len(found)} models, {size(sum(model.bytes for model in found))}")


@models.command("prune", short_help="Delete the models not needed for longest.")
@click.option("--keep-gb", metavar="N", type=click.FloatRange(min=0), required=True, help="Gigabytes that may stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@verbose_option
def prune(keep_gb: float, dry_run: bool) -> None:
    """Delete downloaded models, those needed longest ago first, until the others take at most N gigabytes."""
    from apps.cli.text import printable, size
    from hugginggpt.models.disk import bytes_of_gigabytes, models_to_delete, remove_models
    from hugginggpt.settings import get_settings
    from hugginggpt.upkeep.pruning import models_on_disk

    if not isfinite(keep_gb):
        raise click.BadParameter(f"{keep_gb} is no number of gigabytes.", param_hint="--keep-gb")
    found = models_on_disk()
    gone = models_to_delete(found, bytes_of_gigabytes(keep_gb))
    if not dry_run:
        remove_models(get_settings().models_cache_dir, gone)
    for model in gone:
        click.echo(f"{'would go' if dry_run else 'deleted'}: {printable(model.id)}  {size(model.bytes)}")
    kept = sum(model.bytes for model in found) - sum(model.bytes for model in gone)
    click.echo(f"{len(found) - len(gone)} models stay, {size(kept)}")


def _downloaded_as_json(model: "DownloadedModel") -> dict[str, object]:
    return {
        "id": model.id,
        "bytes": model.bytes,
        "downloaded": model.downloaded.isoformat(),
        "last_used": model.use.last.isoformat() if model.use else None,
        "uses": model.use.runs if model.use else 0,
    }

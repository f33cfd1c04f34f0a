"""`models`: list the models that can run here, and download or delete them."""

import json
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option
from apps.cli.options import known_kind, number_option
from hugginggpt.text import counted, terminal_json, visible

if TYPE_CHECKING:
    from hugginggpt.models.card import Candidate, ModelCard
    from hugginggpt.models.disk import DownloadedModel


@click.group(invoke_without_command=True, short_help="List, download and delete models.")
@click.option("--kind", metavar="KIND", help="List only this kind, and ask the Hub for its most downloaded models.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
@click.pass_context
def models(context: click.Context, kind: str | None, as_json: bool) -> None:
    """List the candidate models for every kind of task, best first, and why some cannot run here.

    For models that ran here lately, the list shows how many runs completed, how long an input took, and the last error.
    The choice of a model depends on the same figures.

    The commands below are about downloaded models.
    """
    if context.invoked_subcommand is None:
        _list_candidates(kind, as_json)
    elif kind is not None or as_json:
        raise click.UsageError(f"Put options after the command '{context.invoked_subcommand}', if it takes them.")


def _list_candidates(kind: str | None, as_json: bool) -> None:
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.services import get_catalog

    wanted = [known_kind(kind, "--kind")] if kind is not None else list(CAPABILITIES)
    # A lookup of one kind is worth the wait; a lookup of every kind is not.
    found = {name: get_catalog().candidates(name, live=kind is not None, ask_hub=True) for name in wanted}
    if as_json:
        from hugginggpt.catalog.listing import candidate_data

        listed = [candidate_data(candidate) for candidates in found.values() for candidate in candidates]
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


@models.command("fetch", short_help="Download models before they are needed.")
@click.argument("ids", metavar="[ID[@REVISION]]...", nargs=-1)
@click.option(
    "--kind", metavar="KIND", help="The kind of task that the models are for; without ID, fetch its best candidate."
)
@verbose_option
def fetch(ids: tuple[str, ...], kind: str | None) -> None:
    """Download the given models, or the best candidate for a kind that can run here.

    A model's companions, such as a vocoder or the pipeline of a ControlNet, are downloaded with it. From then on, the
    model is a candidate for the kind given with --kind, or else for its kind on the Hub.

    Only the files that this machine's experts need are downloaded, and only safe file formats. An
    interrupted download continues where it stopped.
    """
    from hugginggpt.experts.local.runtime.download import fetch_model
    from hugginggpt.models.card import ModelCard
    from hugginggpt.models.disk import keep_card
    from hugginggpt.settings import get_settings

    if not ids and kind is None:
        raise click.UsageError("Pass the id of a model, or a kind with --kind.")
    for card in _cards(ids, None if kind is None else known_kind(kind, "--kind")):
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
            raise UsageError(f"There is no revision after the @ in {name}.")
        card = known.get(model)
        if card is None:
            card = get_catalog().card(model, kind).model_copy(update={"revision": None})
            _refuse_another_kind(card)
        cards.append(card.model_copy(update={"revision": revision}) if revision else card)
    return cards


def _refuse_another_kind(card: "ModelCard") -> None:
    """Refuse a model if, according to the Hub, its inputs or outputs do not match its kind."""
    from hugginggpt.capabilities import CAPABILITIES
    from hugginggpt.errors import UsageError

    # A diffusers pipeline can do more than its tag says.
    if (
        card.tag is None
        or card.tag not in CAPABILITIES
        or not card.kind
        or not CAPABILITIES[card.kind].pipeline_tag
        or card.library == "diffusers"
    ):
        return
    tagged, wanted = (
        ({i.type for i in row.inputs if i.required}, row.outputs)
        for row in (CAPABILITIES[card.tag], CAPABILITIES[card.kind])
    )
    if tagged != wanted:
        raise UsageError(
            f"According to the Hub, {card.id} is for {card.tag}, not for {card.kind}: fetch it with --kind {card.tag}, "
            "or fetch another model."
        )


def _why_none(kind: str, local: "list[Candidate]") -> str:
    from hugginggpt.models.card import Endpoint
    from hugginggpt.services import get_catalog

    if local:
        return str(next((c for c in local if not c.card.gated), local[0]).obstacle)
    packaged = [c.card.id for c in get_catalog().candidates(kind) if c.endpoint is Endpoint.EMBEDDED]
    if packaged:
        return f"{packaged[0]}, which comes with an installed package, can do it."
    return "no known model can run on this machine."


@models.command("list", short_help="List the downloaded models.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@verbose_option
def downloaded(as_json: bool) -> None:
    """List the downloaded models, most recently needed first, with their size and use."""
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
    click.echo(f"{counted(len(found), 'model')}, {size(sum(model.bytes for model in found))}")


@models.command("prune", short_help="Delete the least recently needed models.")
@number_option("--keep-gb", "gigabytes", "Gigabytes to keep.", required=True)
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@verbose_option
def prune(keep_gb: float, dry_run: bool) -> None:
    """Delete downloaded models, least recently needed first, until the rest take at most N gigabytes."""
    from apps.cli.text import printable, size
    from hugginggpt.models.disk import bytes_of_gigabytes, models_to_delete, remove_models
    from hugginggpt.settings import get_settings
    from hugginggpt.upkeep.pruning import models_on_disk

    found = models_on_disk()
    gone = models_to_delete(found, bytes_of_gigabytes(keep_gb))
    if not dry_run:
        remove_models(get_settings().models_cache_dir, gone)
    for model in gone:
        click.echo(f"{'would delete' if dry_run else 'deleted'}: {printable(model.id)}  {size(model.bytes)}")
    kept = sum(model.bytes for model in found) - sum(model.bytes for model in gone)
    click.echo(f"{counted(len(found) - len(gone), 'model')} kept, {size(kept)}")


def _downloaded_as_json(model: "DownloadedModel") -> dict[str, object]:
    return {
        "id": model.id,
        "bytes": model.bytes,
        "downloaded": model.downloaded.isoformat(),
        "last_used": model.use.last.isoformat() if model.use else None,
        "uses": model.use.runs if model.use else 0,
    }

"""`prune`: delete old traces, stored results, artifacts and weights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.exits import verbose_option
from apps.cli.options import number_option

if TYPE_CHECKING:
    from hugginggpt.upkeep.pruning import Pruned


@click.command(short_help="Delete what is no longer needed.")
@number_option("--max-age-days", "days", "Delete traces, records and artifacts that are older than this.")
@number_option("--keep-artifacts-gb", "gigabytes", "Gigabytes of artifacts to keep.")
@number_option("--keep-weights-gb", "gigabytes", "Gigabytes of downloaded weights to keep.")
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@verbose_option
def prune(
    max_age_days: float | None, keep_artifacts_gb: float | None, keep_weights_gb: float | None, dry_run: bool
) -> None:
    """Delete old traces, records of results, artifacts, weights and unfinished files, like `prune-storage`.

    A conversation is deleted as a whole, and only if all of its requests have ended. Whatever a remaining
    trace refers to is kept, and so is everything that was written or used within the last hour.
    """
    from hugginggpt.environment import prepare
    from hugginggpt.upkeep.pruning import Limits, Sort, find_prunable
    from hugginggpt.upkeep.pruning import prune as prune_sort

    if max_age_days is None and keep_artifacts_gb is None and keep_weights_gb is None:
        raise click.UsageError("Say what to keep: --max-age-days, --keep-artifacts-gb or --keep-weights-gb.")
    prepare()
    limits = Limits.of(max_age_days, keep_weights_gb, keep_artifacts_gb)
    prunable = find_prunable(limits, Path(os.environ["PREFECT_LOCAL_STORAGE_PATH"]))
    for sort in Sort:
        click.echo(_line(prunable.tally(sort) if dry_run else prune_sort(prunable, sort), dry_run))


def _line(pruned: "Pruned", dry_run: bool) -> str:
    from apps.cli.text import size

    gone = "" if pruned.gone_bytes is None else f" ({size(pruned.gone_bytes)})"
    stay = "" if pruned.stay_bytes is None else f" ({size(pruned.stay_bytes)})"
    done = "would be deleted" if dry_run else "deleted"
    return f"{pruned.sort.value}: {pruned.gone}{gone} {done}, {pruned.stay}{stay} kept"

"""`prune`: old traces, records of results, artifacts and weights go."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from apps.cli.amounts import amount
from apps.cli.exits import verbose_option

if TYPE_CHECKING:
    from hugginggpt.upkeep.pruning import Pruned

F = TypeVar("F", bound=Callable[..., Any])


def _amount_option(name: str, help: str) -> Callable[[F], F]:
    return click.option(name, metavar="N", type=click.FloatRange(min=0), callback=amount, help=help)


@click.command(short_help="Delete what nobody needs any more.")
@_amount_option("--max-age-days", "Days after which traces, records and artifacts go.")
@_amount_option("--keep-artifacts-gb", "Gigabytes of artifacts that may stay.")
@_amount_option("--keep-weights-gb", "Gigabytes of downloaded weights that may stay.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@verbose_option
def prune(
    max_age_days: float | None, keep_artifacts_gb: float | None, keep_weights_gb: float | None, dry_run: bool
) -> None:
    """Delete old traces, records of results, artifacts, weights and unfinished files, as `prune-storage` does.

    A conversation goes as a whole, and never while a request of it is not finished. What a trace that stays
    refers to stays, and so does what was written or used within the last hour.
    """
    from hugginggpt.environment import prepare
    from hugginggpt.upkeep.pruning import Limits, Sort, find_prunable
    from hugginggpt.upkeep.pruning import prune as prune_sort

    if max_age_days is None and keep_artifacts_gb is None and keep_weights_gb is None:
        raise click.UsageError("Say what may stay: --max-age-days, --keep-artifacts-gb or --keep-weights-gb.")
    prepare()
    limits = Limits.of(max_age_days, keep_weights_gb, keep_artifacts_gb)
    prunable = find_prunable(limits, Path(os.environ["PREFECT_LOCAL_STORAGE_PATH"]))
    for sort in Sort:
        click.echo(_line(prunable.tally(sort) if dry_run else prune_sort(prunable, sort), dry_run))


def _line(pruned: "Pruned", dry_run: bool) -> str:
    from apps.cli.text import size

    gone = "" if pruned.gone_bytes is None else f" ({size(pruned.gone_bytes)})"
    stay = "" if pruned.stay_bytes is None else f" ({size(pruned.stay_bytes)})"
    done = "would go" if dry_run else "deleted"
    return f"{pruned.sort.value}: {pruned.gone}{gone} {done}, {pruned.stay}{stay} stay"

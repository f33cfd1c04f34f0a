"""Numbers that options take: what is none, such as nan, is wrong usage."""

from math import isfinite

import click


def amount(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Callback of an option that takes a finite number.

    Raises:
        BadParameter: it is nan or infinite.
    """
    if value is not None and not isfinite(value):
        raise click.BadParameter(f"{value} is no amount.")
    return value

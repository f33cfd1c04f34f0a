"""Options that several commands share."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A number in a range, called so in errors."""

    name = "number"


class WholeNumber(click.IntRange):
    """A whole number in a range, called so in errors."""

    name = "whole number"


@dataclass(frozen=True)
class Output:
    """How to print an answer, and the folder to copy its files to; None leaves them in the artifact store."""

    out: Path | None
    as_json: bool


def output_options(out_help: str, json_help: str) -> Callable[[F], F]:
    """Give a command `--out` and `--json`, as its argument `output`."""
    folder = click.Path(file_okay=False, path_type=Path)
    return collected(
        "output",
        Output,
        click.option("--out", metavar="DIR", type=folder, help=out_help),
        click.option("--json", "as_json", is_flag=True, help=json_help),
    )


def collected(name: str, kind: type, *options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Give a command options whose values arrive together as one argument, a dataclass with a field for each."""

    def decorate(command: F) -> F:
        @wraps(command)
        def collecting(*args: Any, **values: Any) -> Any:
            values[name] = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            return command(*args, **values)

        decorated: Any = collecting
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def finite(unit: str) -> Callable[[click.Context, click.Parameter, float | None], float | None]:
    """The callback of an option that takes a number of some unit; it refuses nan and infinity."""

    def check(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
        if value is not None and not isfinite(value):
            raise click.BadParameter(f"{value} is not a number of {unit}.")
        return value

    return check


def number_option(name: str, unit: str, help: str, required: bool = False) -> Callable[[F], F]:
    """An option that takes a number from 0 on."""
    kind = Number(min=0)
    return click.option(name, metavar="N", type=kind, callback=finite(unit), required=required, help=help)


def known_kind(name: str, option: str) -> str:
    """The kind of task that an option names."""
    from hugginggpt.capabilities import known_kind
    from hugginggpt.errors import UsageError

    try:
        return known_kind(name.strip())
    except UsageError as error:
        raise click.BadParameter(error.message, param_hint=option) from None

"""A request on the command line: its text, its files and its options."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, TypeVar

import click

from apps.cli.options import Number, collected, finite

_MOST_SHOWN = 300

F = TypeVar("F", bound=Callable[..., Any])

file_option = click.option(
    "--file", "files", metavar="PATH", multiple=True, help="A file, URL or data URI that belongs to the request."
)


@dataclass(frozen=True)
class GivenRequest:
    """The options of a request on the command line."""

    files: tuple[str, ...]
    plan_file: IO[str] | None
    conversation: str | None
    fresh: bool
    deadline: float | None
    max_cost: float | None
    models: tuple[tuple[str, str], ...]
    schema_file: IO[str] | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given besides the text."""
        limits = self.deadline or self.max_cost
        files = self.files or self.plan_file or self.schema_file
        return not (files or self.conversation or self.fresh or limits or self.models)

    @property
    def sources(self) -> list[str]:
        """The files, URLs and data URIs, with absolute paths."""
        return [absolute(source) for source in self.files]

    def check_stdin(self, request: str | None) -> None:
        """Refuse to read more than one thing from stdin.

        Args:
            request: the argument that is the request; None if there is none.

        Raises:
            UsageError: more than one is to come from there.
        """
        files = (file for file in (self.plan_file, self.schema_file) if file is not None and file.name == "<stdin>")
        if sum(1 for _ in files) + (request == "-") > 1:
            raise click.UsageError("Only one of the request, --plan and --schema can be -.")

    def options(self) -> dict[str, Any]:
        """How to answer the request, as JSON data. This reads the plan and the schema."""
        plan = None if self.plan_file is None else read_plan(self.plan_file)
        limits = {"deadline": self.deadline, "max_cost": self.max_cost}
        _check(models=dict(self.models), **limits)
        schema = None if self.schema_file is None else read_schema(self.schema_file)
        return {"plan": plan, "fresh": self.fresh, **limits, "models": dict(self.models), "answer_schema": schema}


def request_options(command: F) -> F:
    """Give a command the options of a request, as its argument `given`."""
    return collected(
        "given",
        GivenRequest,
        file_option,
        click.option(
            "--plan",
            "plan_file",
            metavar="FILE",
            type=click.File(encoding="utf-8"),
            help="Run this plan instead of asking the controller for one; - reads it from stdin.",
        ),
        click.option(
            "--conversation", metavar="ID", help="Continue this conversation; any unique beginning of its id will do."
        ),
        click.option("--fresh", is_flag=True, help="Run everything again instead of using cached results."),
        click.option(
            "--deadline",
            metavar="SECONDS",
            type=Number(min=0, min_open=True),
            callback=finite("seconds"),
            help="How long the request may take. After that, it is answered with the results so far.",
        ),
        click.option(
            "--max-cost",
            metavar="DOLLARS",
            type=Number(min=0),
            callback=finite("dollars"),
            help="How much the request may cost, in US dollars, as far as that is known. After that, the answer is a "
            "plain list of results.",
        ),
        click.option(
            "--model",
            "models",
            metavar="KIND=ID",
            multiple=True,
            callback=_pairs,
            help="Use this model for a kind of task; with a number in place of the kind, for the task of that id.",
        ),
        click.option(
            "--schema",
            "schema_file",
            metavar="FILE",
            type=click.File(encoding="utf-8"),
            help="Answer with JSON that keeps to this JSON schema of an object; - reads it from stdin.",
        ),
    )(command)


def _pairs(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(map(str.strip, text.partition("=")[::2])) for text in given]
    if any(not (what and model) for what, model in pairs):
        raise click.BadParameter("give a kind or the id of a task, an equals sign, and the id of a model.")
    whats = [what for what, _ in pairs]
    if twice := next((what for what in whats if whats.count(what) > 1), None):
        raise click.BadParameter(f"two models are given for {twice}: keep one.")
    return tuple((what, model) for what, model in pairs)


def _check(**options: Any) -> None:
    """Refuse options of a request whose values cannot be used."""
    if not any(options.values()):
        return  # what checks them takes long to import
    from pydantic import ValidationError

    from hugginggpt.errors import first_problem
    from hugginggpt.request import RequestOptions

    try:
        RequestOptions(**options)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        option = "--model" if field == "models" else f"--{field.replace('_', '-')}"
        raise click.BadParameter(f"{first_problem(error)}.", param_hint=f"'{option}'") from None


def absolute(source: str) -> str:
    """A path made absolute, since the flow may run elsewhere; URLs and data URIs stay as they are."""
    from hugginggpt import source_paths
    from hugginggpt.errors import UsageError
    from hugginggpt.text import is_storable, one_line

    if not is_storable(source):
        raise UsageError(
            f"The name of the file {one_line(source, _MOST_SHOWN)} is not valid UTF-8: rename the file or copy it."
        )
    return source_paths.absolute(source)


def read_request(argument: str) -> str:
    """The text of a request, read from stdin if the argument is `-`."""
    from hugginggpt.errors import UsageError

    # Bytes that are not UTF-8 arrive as surrogates in an argument, and unchanged from stdin.
    raw = sys.stdin.buffer.read() if argument == "-" else argument.encode("utf-8", "surrogateescape")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError("The request is not valid UTF-8: write it as UTF-8 text.") from None
    if "\x00" in text:
        raise UsageError("The request contains a NUL character: remove it.")
    return text.rstrip("\r\n") if argument == "-" else text


def read_schema(file: IO[str]) -> dict[str, Any]:
    """The schema of an answer."""
    from pydantic import ValidationError

    from hugginggpt.errors import UsageError, first_problem
    from hugginggpt.request import MOST_NESTED, RequestOptions

    try:
        given = json.loads(file.read())
    except RecursionError:
        raise UsageError(f"{file.name}: the schema is nested deeper than {MOST_NESTED} times.") from None
    except ValueError:  # UnicodeDecodeError is one
        raise UsageError(f"The schema {file.name} is not JSON: give a JSON schema of an object.") from None
    if not isinstance(given, dict):
        raise UsageError(f"The schema {file.name} is not a JSON object: give a JSON schema of an object.")
    try:
        kept = RequestOptions(answer_schema=given).answer_schema
    except ValidationError as error:
        raise UsageError(f"{file.name}: {first_problem(error)}.") from None
    assert kept is not None
    return kept


def read_plan(file: IO[str]) -> list[dict[str, Any]]:
    """The plan as the user wrote it. The flow repairs or refuses it, and records that."""
    from pydantic import ValidationError

    from hugginggpt.errors import PlanError, UsageError, first_problem
    from hugginggpt.plan.extract import extract_tasks
    from hugginggpt.request import RequestOptions

    try:
        plan = RequestOptions(plan=extract_tasks(file.read())).plan
        assert plan is not None
        return plan
    except ValidationError as error:
        raise UsageError(f"{file.name}: {first_problem(error)}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The plan {file.name} is not valid UTF-8: give a JSON list of tasks.") from None
    except PlanError as error:
        raise UsageError(f"{file.name}: {error.message}") from None

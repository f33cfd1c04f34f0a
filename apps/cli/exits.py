"""How a command ends: its exit code, and errors as one plain sentence."""

import errno
import io
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from hugginggpt import errors
from hugginggpt.errors import ConfigurationError, HuggingGPTError, UsageError

COMPLETED, FAILED, WRONG_USAGE, PARTIAL = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 130, 143  # as shells say it: 128 and the signal

_VERBOSE = "hugginggpt.verbose"

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """A group of commands whose errors reach the user as one sentence and an exit code.

    Attributes:
        began: when the command was given.
    """

    began: datetime

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Run the command line; without `args` that of this process, which began with the process."""
        from apps.cli.clock import process_start

        self.began = process_start() if args is None else datetime.now(UTC)
        return super().main(args, *others, **options)

    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        """Read the command line."""
        with _readable():
            return super().make_context(*given, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # not every terminal knows every character of an answer
        try:
            with _home_in_notes(), _readable():
                return super().invoke(ctx)
        except HuggingGPTError as error:
            _end(ctx, error.message, WRONG_USAGE if isinstance(error, UsageError | ConfigurationError) else FAILED)
        except KeyboardInterrupt:
            _end(ctx, "Interrupted.", INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click ends quietly when nobody reads on
            from hugginggpt.redaction import said

            hint = "" if verbose() else " Run it again with --verbose for the traceback."
            _end(ctx, f"Something unexpected happened: {type(error).__name__}: {said(error)}.{hint}", FAILED)


@contextmanager
def _readable() -> Iterator[None]:
    """What click says of wrong usage repeats what was given, names of files too: nothing in it acts on a terminal."""
    try:
        yield
    except click.ClickException as error:
        from apps.cli.text import printable

        said = error.format_message()
        if printable(said) == said:
            raise
        if isinstance(error, click.UsageError):
            raise click.UsageError(printable(said), error.ctx) from None
        raise click.ClickException(printable(said)) from None


def _end(ctx: click.Context, sentence: str, code: int) -> NoReturn:
    if verbose():
        from hugginggpt.redaction import redact

        click.echo(redact(traceback.format_exc()), err=True)
    complain(sentence)
    ctx.exit(code)


def complain(sentence: str) -> None:
    """Say on stderr what is wrong; each further line is another problem."""
    _say("Error", sentence)


def note(sentence: str) -> None:
    """Say on stderr what is less than it should be, although nothing failed."""
    _say("Note", sentence)


def _say(label: str, sentence: str) -> None:
    from apps.cli.text import printable

    for line in sentence.splitlines() or [""]:
        click.echo(f"{label}: {printable(line)}", err=True)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def _home_in_notes() -> Iterator[None]:
    """Show what is done to the home folder, although Prefect's log is kept out of the terminal."""
    logger = logging.getLogger("hugginggpt.home")
    notes = _Notes()
    logger.addHandler(notes)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.propagate = True


def is_refusal(error_type: str | None) -> bool:
    """Whether a request failed because it, or a file of it, could not be accepted as given.

    Args:
        error_type: name of the error's class, as the trace has it.
    """
    kind = getattr(errors, error_type or "", None)
    return isinstance(kind, type) and issubclass(kind, UsageError)


def began() -> datetime:
    """When the command that runs was given."""
    root = click.get_current_context().find_root().command
    assert isinstance(root, Commands)
    return root.began


def unwind_on_sigterm() -> None:
    """Have SIGTERM raise `SystemExit`: by default it ends the process at once, and a temporary server stays behind."""
    signal.signal(signal.SIGTERM, _unwind)


def _unwind(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def verbose_option(command: F) -> F:
    """Give a command the option `--verbose`; `verbose()` asks for it."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_VERBOSE] = True

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show Prefect's log, and the traceback of an error.",
    )(command)


def verbose() -> bool:
    """Whether the user asked for the details."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_VERBOSE))

"""How a command ends: its exit code, and each error as one plain sentence."""

import atexit
import errno
import gc
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from hugginggpt.errors import ConfigurationError, HuggingGPTError, UsageError

COMPLETED, FAILED, WRONG_USAGE, PARTIAL = 0, 1, 2, 3
INTERRUPTED, TERMINATED = 130, 143  # as in shells: 128 plus the signal's number

_OBJECTS = 100_000
"""How many new objects the garbage collector waits for."""

_VERBOSE = "hugginggpt.verbose"

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """A group of commands that return their exit codes and whose errors reach the user as one sentence.

    Attributes:
        began: when the command was started.
    """

    began: datetime
    _code: object = None
    """The exit code of this process, once it ends."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Run the command line in `args`; without it, that of this process, which began when the process started."""
        if args is not None:
            self.began = datetime.now(UTC)
            return super().main(args, *others, **options)
        from apps.cli.clock import process_start

        _open_streams()
        self.began = process_start()
        # What is imported stays: the collector need not look through it over and over.
        gc.set_threshold(_OBJECTS)
        atexit.register(self._leave)
        try:
            return super().main(args, *others, **options)
        except SystemExit as ending:
            self._code = ending.code
            raise

    def _leave(self) -> None:
        """End the process after everything that is done at its end, without tidying up what it has imported."""
        logging.shutdown()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        if isinstance(self._code, int):
            os._exit(self._code)

    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        """Read the command line."""
        with _printable_errors():
            return super().make_context(*given, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # some terminals cannot show every character of an answer
        try:
            with _home_notes(), _printable_errors():
                code = super().invoke(ctx)
        except HuggingGPTError as error:
            _end(ctx, error.message, WRONG_USAGE if isinstance(error, UsageError | ConfigurationError) else FAILED)
        except KeyboardInterrupt:
            _end(ctx, "Interrupted.", INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # click exits quietly if nobody reads the output
            from hugginggpt.redaction import said

            hint = "" if verbose() else " Run it again with --verbose for the traceback."
            _end(ctx, f"Something unexpected happened: {type(error).__name__}: {said(error)}.{hint}", FAILED)
        ctx.exit(code or COMPLETED)


def _open_streams() -> None:
    """Give a command that was started without stdout or stderr one that leads nowhere, so that nothing fails there."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


@contextmanager
def _printable_errors() -> Iterator[None]:
    """Keep control characters out of click's errors, which quote arguments and file names."""
    try:
        yield
    except click.ClickException as error:
        from apps.cli.text import printable

        message = error.format_message()
        if printable(message) == message:
            raise
        if isinstance(error, click.UsageError):
            raise click.UsageError(printable(message), error.ctx) from None
        raise click.ClickException(printable(message)) from None


def _end(ctx: click.Context, sentence: str, code: int) -> NoReturn:
    if verbose():
        from hugginggpt.redaction import redact

        click.echo(redact(traceback.format_exc()), err=True)
    complain(sentence)
    ctx.exit(code)


def complain(sentence: str) -> None:
    """Print an error to stderr; each further line is another problem."""
    _print("Error", sentence)


def note(sentence: str) -> None:
    """Print a note to stderr: something that the user should know although nothing failed."""
    _print("Note", sentence)


def _print(label: str, sentence: str) -> None:
    from apps.cli.text import printable

    for line in sentence.splitlines() or [""]:
        click.echo(f"{label}: {printable(line)}", err=True)


def kept(request_id: str) -> str:
    """A line on how to resume a request."""
    from apps.cli.text import short

    return f"Finished results are kept: `hugginggpt resume {short(request_id)}` continues."


class _NoteHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextmanager
def _home_notes() -> Iterator[None]:
    """Print log messages about the home folder as notes, because Prefect's log stays off the terminal."""
    logger = logging.getLogger("hugginggpt.home")
    notes = _NoteHandler()
    logger.addHandler(notes)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(notes)
        logger.propagate = True


def began() -> datetime:
    """When the running command was started."""
    root = click.get_current_context().find_root().command
    assert isinstance(root, Commands)
    return root.began


def unwind_on_sigterm() -> None:
    """Make SIGTERM raise `SystemExit`: by default it ends the process at once and leaves a temporary server behind."""
    signal.signal(signal.SIGTERM, _unwind)


def _unwind(signum: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


def verbose_option(command: F) -> F:
    """Give a command the option `--verbose`, which `verbose` reads."""

    def remember(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_VERBOSE] = True

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show Prefect's log and the traceback of an error.",
    )(command)


def verbose() -> bool:
    """Whether the user passed `--verbose`."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_VERBOSE))

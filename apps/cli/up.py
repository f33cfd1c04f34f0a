"""`up`: run everything that a permanent installation needs."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from apps.cli.exits import COMPLETED, verbose_option
from apps.cli.options import WholeNumber, collected
from apps.cli.text import printable

if TYPE_CHECKING:
    from hugginggpt.up_state import Up

EPILOG = """\b
Exit codes:
  0  everything ran and was stopped by Ctrl-C, a signal or `hugginggpt down`; with --detach, everything is up
  1  it is already up, or a part did not start
  2  wrong usage: a port is taken, or a setting cannot be used
"""

_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Ports:
    """Where the parts listen."""

    port: int
    dask_port: int
    service_port: int
    service_host: str


@click.command(epilog=EPILOG, short_help="Start the server, databases, deployments and workers.")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="The server's address.")
@collected(
    "ports",
    Ports,
    click.option(
        "--port",
        metavar="PORT",
        type=WholeNumber(1, 65535),
        default=4200,
        show_default=True,
        help="The server's port.",
    ),
    click.option(
        "--dask-port",
        metavar="PORT",
        type=WholeNumber(1, 65535),
        default=8786,
        show_default=True,
        help="Port of the expert workers' scheduler, on loopback.",
    ),
    click.option(
        "--service-port",
        metavar="PORT",
        type=WholeNumber(0, 65535),
        default=4201,
        show_default=True,
        help="Port of the page and the HTTP service; 0 takes any free port.",
    ),
    click.option(
        "--service-host",
        metavar="HOST",
        default="127.0.0.1",
        show_default=True,
        help="Address of the page and the HTTP service.",
    ),
)
@click.option(
    "--workers", metavar="N", type=WholeNumber(min=1), default=1, show_default=True, help="Number of flow workers."
)
@click.option(
    "--requests",
    metavar="N",
    type=WholeNumber(min=1),
    help="Requests that each flow worker runs at once. Default: the number of processors, but from 2 to 8.",
)
@click.option(
    "--expert-workers",
    metavar="N",
    type=WholeNumber(min=0),
    help="Number of processes that keep models loaded; with 0, experts run in each request's own process. "
    "Default: 1, or 0 if prefect-dask is not installed.",
)
@click.option("--detach", is_flag=True, help="Return as soon as everything is up, and leave it running.")
@verbose_option
def up(
    host: str,
    ports: Ports,
    workers: int,
    requests: int | None,
    expert_workers: int | None,
    detach: bool,
) -> int:
    """Start a Prefect server with its UI, the databases, the deployments, and workers that run them.

    Everything runs until Ctrl-C or `hugginggpt down`. Meanwhile, `ask` and all other commands with the
    same HUGGINGGPT_HOME find the server by themselves, unless PREFECT_API_URL names another, and an HTTP
    service does their work without the time that they take to start. A part that dies is restarted. Logs
    are in the folder logs in HUGGINGGPT_HOME.

    If HUGGINGGPT_DATABASE_URL is on PostgreSQL, Prefect's database is created there too, under the name of
    the trace's database followed by _prefect. Otherwise both are SQLite files in HUGGINGGPT_HOME.

    The page and the HTTP service are on loopback, too. With --service-host, they are open to other machines, for whom
    `hugginggpt keys` makes keys: this needs TLS (HUGGINGGPT_SERVICE_TLS_CERT and HUGGINGGPT_SERVICE_TLS_KEY) or a proxy
    that does it (HUGGINGGPT_SERVICE_PROXY).

    Prefect's server answers only to its own names and pages; HUGGINGGPT_ALLOWED_HOSTS adds names. Beyond
    loopback, --host needs a login, such as PREFECT_SERVER_API_AUTH_STRING=admin:a-long-secret. Anyone who has it can
    start requests and read all of them. Other clients of the server need the same value in PREFECT_API_AUTH_STRING;
    commands with this HUGGINGGPT_HOME find it by themselves.
    """
    from importlib.util import find_spec

    from hugginggpt.environment import prepare

    prepare()
    from apps.up.login import CLIENT, login
    from apps.up.parts import UpOptions
    from apps.up.supervisor import Supervisor, make_logs
    from hugginggpt.settings import get_settings

    if secret := login():
        os.environ[CLIENT] = secret
    settings = get_settings()
    if expert_workers is None:
        expert_workers = 1 if find_spec("prefect_dask") else 0
    options = UpOptions(
        host=host,
        port=ports.port,
        dask_port=ports.dask_port,
        workers=workers,
        requests=requests or min(8, max(2, settings.cpu_threads)),
        expert_workers=expert_workers,
        service_port=ports.service_port,
        service_host=ports.service_host,
    )
    make_logs(settings.home_dir)
    if detach and (code := _detach(settings.home_dir)) is not None:
        return code
    Supervisor(options, settings, report).run()
    return COMPLETED


def report(label: str, text: str) -> None:
    """Print a line about a part."""
    # A closed terminal must not keep the parts from being stopped.
    with suppress(OSError):
        click.echo(f"{label + ':':<16} {printable(text)}")


def _detach(home: Path) -> int | None:
    """Go on in a process with a session of its own, forked because it has imported what `up` needs.

    Returns:
        None in that process; in this one, the exit code, once everything is up or that process has ended.
    """
    from apps.up.supervisor import logs_of

    log = logs_of(home) / "up.log"
    log.touch()
    output = log.open("r", encoding="utf-8", errors="replace")
    output.seek(0, os.SEEK_END)
    forked = os.fork()
    if forked == 0:
        output.close()
        _become_background(log)
        return None
    with output:
        return _follow(forked, output, home)


def _become_background(log: Path) -> None:
    """Leave the terminal and whatever else the user's shell has opened for this process, and write to the log."""
    os.setsid()
    with log.open("ab") as written, open(os.devnull, "rb") as nothing:
        for file, descriptor in ((nothing, 0), (written, 1), (written, 2)):
            os.dup2(file.fileno(), descriptor)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _follow(supervisor: int, output: TextIO, home: Path) -> int:
    """Print the output of the process that runs `up` until everything is up or it has ended; return the exit code."""
    from hugginggpt.up_state import read

    try:
        while True:
            (ended, status), is_up = os.waitpid(supervisor, os.WNOHANG), _is_up(read(home), supervisor)
            for line in output:
                click.echo(line, nl=False, err=line.startswith("Error: "))
            if is_up or ended:
                return os.waitstatus_to_exitcode(status) if ended else COMPLETED
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        os.kill(supervisor, signal.SIGTERM)
        os.waitpid(supervisor, 0)
        raise


def _is_up(state: "Up | None", supervisor: int) -> bool:
    return state is not None and state.ready and state.pid == supervisor

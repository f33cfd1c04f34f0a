"""`up`: everything that a standing installation needs, by one command."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, verbose_option
from apps.cli.text import printable

if TYPE_CHECKING:
    from apps.up.parts import Wishes
    from hugginggpt.up import Up

EPILOG = """\b
Exit codes:
  0  it was up and was ended, by Ctrl-C, a signal or `hugginggpt down`; with --detach, it is up
  1  it is up already, or a part did not come up
  2  wrong usage: a port is taken, or a setting cannot be accepted as given
"""


@click.command(epilog=EPILOG, short_help="Bring up server, database, deployments and workers.")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Where the server listens.")
@click.option(
    "--port", metavar="PORT", type=click.IntRange(1, 65535), default=4200, show_default=True, help="Its port."
)
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), default=1, show_default=True, help="Flow workers: so many."
)
@click.option(
    "--requests",
    metavar="N",
    type=click.IntRange(min=1),
    help="Requests at once in each flow worker; as many as there are processors, from 2 to 8, when left out.",
)
@click.option(
    "--expert-workers",
    metavar="N",
    type=click.IntRange(min=0),
    help="Processes that keep models loaded; 0 runs experts in each request's own process. "
    "1 when left out, or 0 where prefect-dask is not installed.",
)
@click.option(
    "--dask-port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    default=8786,
    show_default=True,
    help="Port of the expert workers' scheduler, on loopback.",
)
@click.option("--detach", is_flag=True, help="Return as soon as everything is up, and leave it so.")
@verbose_option
@click.pass_context
def up(
    ctx: click.Context,
    host: str,
    port: int,
    workers: int,
    requests: int | None,
    expert_workers: int | None,
    dask_port: int,
    detach: bool,
) -> None:
    """Bring up a Prefect server with its UI, the databases, the deployments and workers for them.

    It runs until Ctrl-C or `hugginggpt down`, which end all of it. Meanwhile `ask` and every other
    command for the same HUGGINGGPT_HOME find the server by themselves, unless PREFECT_API_URL names
    another. A part that dies is started again. Logs are in the folder logs of HUGGINGGPT_HOME.

    With HUGGINGGPT_DATABASE_URL on PostgreSQL, Prefect's database is made there too, named after the
    trace's with _prefect at its end; else both are SQLite in HUGGINGGPT_HOME.

    Prefect's server answers to its own names and pages only: HUGGINGGPT_ALLOWED_HOSTS adds names.
    Beyond loopback, --host needs a login, such as PREFECT_SERVER_API_AUTH_STRING=admin:a-long-secret:
    whoever has it can start requests and read all of them. What else uses that server then needs
    the same in PREFECT_API_AUTH_STRING; the commands for this HUGGINGGPT_HOME find it by themselves.
    """
    from importlib.util import find_spec

    from hugginggpt.environment import prepare

    prepare()
    from apps.up.login import CLIENT, login
    from apps.up.parts import Wishes
    from apps.up.supervisor import Supervisor
    from hugginggpt.settings import get_settings

    if secret := login():
        os.environ[CLIENT] = secret
    settings = get_settings()
    if expert_workers is None:
        expert_workers = 1 if find_spec("prefect_dask") else 0
    wishes = Wishes(
        host=host,
        port=port,
        dask_port=dask_port,
        workers=workers,
        requests=requests or min(8, max(2, settings.cpu_threads)),
        expert_workers=expert_workers,
    )
    _check_home(settings.home_dir)
    if detach:
        ctx.exit(_detached(wishes, settings.home_dir))
    Supervisor(wishes, settings, _say).run()


def _check_home(home: Path) -> None:
    """Raise unless the logs can be written there.

    Raises:
        ConfigurationError: the home folder cannot be made or written.
    """
    from apps.up.supervisor import make_logs
    from hugginggpt.errors import ConfigurationError, HuggingGPTError

    try:
        make_logs(home)
    except HuggingGPTError as error:
        raise ConfigurationError(error.message) from None


def _say(label: str, text: str) -> None:
    # A terminal that was closed must not keep the parts from being ended.
    with suppress(OSError):
        click.echo(f"{label + ':':<16} {printable(text)}")


def _detached(wishes: "Wishes", home: Path) -> int:
    """Start it in a session of its own, and pass on what it says until it is up or ended."""
    from apps.up.supervisor import logs_of
    from hugginggpt.settings import CHECKOUT
    from hugginggpt.up import read

    log = logs_of(home) / "up.log"
    command = [sys.executable, "-m", "apps.cli", "up", "--host", wishes.host]
    for option in ("port", "dask_port", "workers", "requests", "expert_workers"):
        command += [f"--{option.replace('_', '-')}", str(getattr(wishes, option))]
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("ab") as written, log.open("r", encoding="utf-8", errors="replace") as told:
        told.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
        try:
            while True:
                ended, is_up = process.poll(), _is_up(read(home), process.pid)
                for line in told:
                    click.echo(line, nl=False, err=line.startswith("Error: "))
                if is_up or ended is not None:
                    return COMPLETED if ended is None else ended
                time.sleep(0.1)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


def _is_up(state: "Up | None", supervisor: int) -> bool:
    return state is not None and state.ready and state.pid == supervisor

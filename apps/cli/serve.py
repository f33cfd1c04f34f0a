"""`serve`: run the HTTP service alone."""

import os

import click

from apps.cli.exits import COMPLETED, verbose_option
from apps.cli.options import WholeNumber

EPILOG = """\b
Exit codes:
  0  the service ran and was stopped by Ctrl-C, a signal or `hugginggpt down`
  1  something is up already, or the service did not start
  2  wrong usage: the port is taken, there is no PREFECT_API_URL, or a setting cannot be used
"""


@click.command(epilog=EPILOG, short_help="Run the page and the HTTP service alone, beside a Prefect server.")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Address of the service.")
@click.option(
    "--port",
    metavar="PORT",
    type=WholeNumber(0, 65535),
    default=4201,
    show_default=True,
    help="Port of the service; 0 takes any free port.",
)
@verbose_option
def serve(host: str, port: int) -> int:
    """Run the page and the HTTP service without the other parts of `up`.

    They use the Prefect server that PREFECT_API_URL names, and the trace and the artifact store of the settings, which
    its flow workers have to share. Beyond loopback, --host needs the same as `hugginggpt up`.
    """
    from hugginggpt.environment import prepare

    prepare()
    from apps.cli.up import report
    from apps.up.parts import UpOptions
    from apps.up.supervisor import Supervisor
    from hugginggpt.errors import UsageError
    from hugginggpt.settings import get_settings

    if not os.environ.get("PREFECT_API_URL"):
        raise UsageError(
            "The service needs a Prefect server: name its API in PREFECT_API_URL, or run everything with "
            "`hugginggpt up`."
        )
    Supervisor(UpOptions(service_host=host, service_port=port, alone=True), get_settings(), report).run()
    return COMPLETED

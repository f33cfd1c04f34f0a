"""`expert-worker`: a process that keeps models loaded and runs experts for all flows."""

import os

import click

from apps.cli.exits import verbose_option
from apps.cli.options import WholeNumber, known_kind


def _allow_no_tls(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:  # as a setting, so that the worker's tasks have it, too
        os.environ["HUGGINGGPT_DASK_INSECURE_NO_TLS"] = "true"


@click.command("expert-worker", short_help="Run experts for the flows of all machines.")
@click.option("--address", metavar="URL", help="The scheduler's address. Default: HUGGINGGPT_DASK_ADDRESS.")
@click.option("--kinds", metavar="KIND,...", help="Take only these kinds of task. Default: all that can run here.")
@click.option(
    "--threads",
    metavar="N",
    type=WholeNumber(min=1),
    default=8,
    show_default=True,
    help="Run at most N tasks at once. Tasks that compute take turns on the CPU.",
)
@click.option("--name", metavar="NAME", help="The worker's name. Default: its host and process id.")
@click.option(
    "--scheduler", is_flag=True, help="Instead of a worker, run the scheduler, which connects workers and flows."
)
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address that the scheduler listens on."
)
@click.option(
    "--port",
    metavar="N",
    type=WholeNumber(0, 65535),
    default=8786,
    show_default=True,
    help="Port that the scheduler listens on.",
)
@click.option(
    "--insecure-no-tls",
    is_flag=True,
    expose_value=False,
    callback=_allow_no_tls,
    help="Allow addresses beyond loopback without certificates. Anyone who reaches the ports can then run code on all "
    "machines.",
)
@verbose_option
def expert_worker(
    address: str | None,
    kinds: str | None,
    threads: int,
    name: str | None,
    scheduler: bool,
    host: str,
    port: int,
) -> None:
    """Keep models loaded and run experts for all flows with HUGGINGGPT_TASK_RUNNER=dask.

    The worker waits for the scheduler, joins it, and joins again if the scheduler was away. On a machine
    with several accelerators it starts a process for each. Ctrl-C or SIGTERM stops it, and other workers
    repeat its unfinished tasks.

    Dask runs any code that it is sent. So the scheduler, workers and flows either connect over loopback or have
    certificates of one authority: HUGGINGGPT_DASK_TLS_CA_FILE, HUGGINGGPT_DASK_TLS_CERT and
    HUGGINGGPT_DASK_TLS_KEY.
    """
    from importlib.util import find_spec

    from apps.cli.exits import verbose
    from apps.cli.prefect_server import quiet
    from hugginggpt.errors import ConfigurationError

    if find_spec("distributed") is None:
        raise ConfigurationError("Expert workers need missing packages: run `pip install 'hugginggpt[dask]'`.")
    quiet()
    import dask

    from apps.up import expert_worker
    from hugginggpt.environment import prepare

    if address:  # as a setting, so that the worker's tasks have it, too
        os.environ["HUGGINGGPT_DASK_ADDRESS"] = address
    dask.config.set({"logging": {"distributed": "info" if verbose() else "warning"}})
    if scheduler:
        if address or kinds or name:
            raise click.UsageError("--address, --kinds and --name are for workers, not for the scheduler.")
        expert_worker.run_scheduler(host, port)
        return
    prepare()
    wanted = None if kinds is None else [known_kind(kind, "--kinds") for kind in kinds.split(",") if kind.strip()]
    expert_worker.run_worker(threads=threads, name=name, kinds=wanted)

"""`expert-worker`: a process that keeps models loaded and runs experts for every flow."""

import os

import click

from apps.cli.exits import verbose_option


@click.command("expert-worker", short_help="Run experts for the flows of every machine.")
@click.option("--address", metavar="URL", help="The scheduler; HUGGINGGPT_DASK_ADDRESS when left out.")
@click.option("--kinds", metavar="KIND,...", help="Take only these kinds of task; all that can run here when left out.")
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Tasks at once; those that compute take turns on the processor.",
)
@click.option("--name", metavar="NAME", help="What it is called; its host and process id when left out.")
@click.option("--scheduler", is_flag=True, help="Be the scheduler that the workers and the flows meet at.")
@click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Of the scheduler: where it listens."
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8786,
    show_default=True,
    help="Of the scheduler: where it listens.",
)
@click.option(
    "--insecure-no-tls",
    is_flag=True,
    help="Meet on other than loopback without certificates: whoever reaches the ports can run code on all machines.",
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
    insecure_no_tls: bool,
) -> None:
    """Keep models loaded and run experts for every flow that has HUGGINGGPT_TASK_RUNNER=dask.

    It joins the scheduler, waits for one that is not there yet, and comes back when it was away. On a
    machine with several accelerators it starts a process for each. Ctrl-C or SIGTERM ends it; other
    workers do again what it was at.

    Dask runs whatever it is sent. So scheduler, workers and flows meet on loopback, or have certificates
    of one authority: HUGGINGGPT_DASK_TLS_CA_FILE, HUGGINGGPT_DASK_TLS_CERT and HUGGINGGPT_DASK_TLS_KEY.
    """
    from importlib.util import find_spec

    from apps.cli.exits import verbose
    from apps.cli.prefect_server import quiet
    from hugginggpt.errors import ConfigurationError

    if find_spec("distributed") is None:
        raise ConfigurationError("Expert workers need a package that is not installed: pip install 'hugginggpt[dask]'.")
    quiet()
    import dask

    from apps.up import expert_worker
    from hugginggpt.environment import prepare

    # As settings, the tasks that a worker runs have them, too.
    if address:
        os.environ["HUGGINGGPT_DASK_ADDRESS"] = address
    if insecure_no_tls:
        os.environ["HUGGINGGPT_DASK_INSECURE_NO_TLS"] = "true"
    dask.config.set({"logging": {"distributed": "info" if verbose() else "warning"}})
    if scheduler:
        if address or kinds or name:
            raise click.UsageError("--address, --kinds and --name are a worker's, not the scheduler's.")
        expert_worker.run_scheduler(host, port)
        return
    prepare()
    found = None if kinds is None else [_known(part.strip()) for part in kinds.split(",") if part.strip()]
    expert_worker.run_worker(threads=threads, name=name, kinds=found)


def _known(name: str) -> str:
    from hugginggpt.capabilities import find_kind

    kind = find_kind(name)
    if kind is None:
        raise click.BadParameter(
            f"There is no task kind '{name}': `hugginggpt kinds` lists them.", param_hint="--kinds"
        )
    return kind

"""`status`: show what runs where."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from apps.cli.exits import COMPLETED, FAILED, verbose_option
from apps.cli.text import moment, printable
from hugginggpt.text import counted, one_line, terminal_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apps.up.status import Server, Status


@click.command(short_help="Show what runs where: server, workers, deployments, requests.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@verbose_option
def status(as_json: bool) -> int:
    """Show what `hugginggpt up` runs for this HUGGINGGPT_HOME, and what it is doing.

    If nothing is up, show the server of PREFECT_API_URL and, if HUGGINGGPT_TASK_RUNNER is dask, the expert
    workers of HUGGINGGPT_DASK_ADDRESS.

    The exit code is 0 if everything is up, and 1 if nothing is up, or something is missing or does not
    answer.
    """
    from apps.cli.prefect_server import quiet
    from hugginggpt.environment import prepare

    quiet()
    prepare()
    from apps.up.status import status as look
    from hugginggpt.settings import get_settings

    found = look(get_settings())
    if as_json:
        click.echo(terminal_json(_as_json(found)))
    else:
        for label, text in _lines(found):
            click.echo(f"{label + ':':<16} {printable(text)}")
    return COMPLETED if found.is_whole else FAILED


def _as_json(found: "Status") -> str:
    plain = asdict(found)
    if found.up is not None:
        up = found.up.model_dump(mode="json", exclude={"controller_fingerprint", "login"})
        plain["up"] = up | {"ui_url": found.up.ui_url}
    return json.dumps(plain, indent=2, ensure_ascii=False, default=lambda at: at.isoformat())


def _lines(found: "Status") -> "Iterator[tuple[str, str]]":
    up = found.up
    if up is not None:
        yield "up", f"for {found.home}" if up.ready else f"for {found.home}; not everything has started yet"
        if up.controller:
            yield "controller", up.controller
        yield "parts", ", ".join(f"{name} (process {pid})" for name, pid in up.parts.items()) or "none"
    elif found.left or found.api_url is None:
        yield "up", found.left or f"nothing for {found.home}; start it with `hugginggpt up`"
    else:
        yield "up", f"nothing for {found.home}; using the server of PREFECT_API_URL"
    if found.api_url is not None:
        yield from _of_server(found.api_url.removesuffix("/api"), up.prefect_database if up else "", found.server)
        yield from _of_experts(found)
    yield "trace", found.database
    if isinstance(found.requests, str):
        yield "requests", found.requests
    else:
        yield "requests", ", ".join(f"{count} {name}" for name, count in found.requests.items()) or "none"


def _of_experts(found: "Status") -> "Iterator[tuple[str, str]]":
    if found.dask_address is None:
        yield "expert workers", "none: experts run in each request's own process"
    elif found.experts is None:
        yield "expert workers", f"{found.dask_address} does not answer"
    elif not found.experts:
        yield "expert workers", f"none at {found.dask_address}"
    for worker in found.experts or ():
        models = ", ".join(worker.models) or "no model"
        tasks = counted(worker.at_work, "task") if worker.at_work else "no tasks"
        yield "expert worker", f"{worker.name}: {tasks}, {models} loaded"


def _of_server(url: str, database: str, server: "Server | None") -> "Iterator[tuple[str, str]]":
    if server is None:
        yield "Prefect server", f"{url} does not answer"
        return
    yield "Prefect server", f"{url}, with {database}" if database else url
    running = ", ".join(one_line(name, 60) for name in server.runs) or "nothing"
    yield "flow workers", f"{', '.join(server.workers) or 'none'}; running {running}"
    for deployment in server.deployments:
        if deployment.pool is None:
            yield "deployment", f"{deployment.name}, cannot run: its work pool was deleted"
        else:
            when = f"next run {moment(deployment.next_run)}" if deployment.next_run else "runs on demand"
            yield "deployment", f"{deployment.name}, {when}"
    for name in server.missing:
        yield "deployment", f"{name}, missing"
    if server.missing or not all(deployment.pool for deployment in server.deployments):
        yield "deployments", "apply them again with `hugginggpt down` and `hugginggpt up`, or with `prefect deploy`"
    for limit in server.limits:
        yield "limit", f"{limit.name}: {limit.taken} of {limit.slots} slots in use"

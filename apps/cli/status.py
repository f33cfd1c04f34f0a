"""`status`: show what runs where."""

import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from apps.cli.exits import COMPLETED, FAILED, verbose_option
from apps.cli.text import moment, printable
from hugginggpt.text import counted, one_line, terminal_json

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    found, is_whole = _status()
    if as_json:
        click.echo(terminal_json(json.dumps(found, indent=2, ensure_ascii=False)))
    else:
        for label, text in _lines(found):
            click.echo(f"{label + ':':<16} {printable(text)}")
    return COMPLETED if is_whole else FAILED


def _status() -> tuple[dict[str, Any], bool]:
    """What runs where, and whether everything does, from the service if there is one."""
    from apps.cli.through_service import service
    from apps.http.client import ServiceLostError, is_up

    # What a killed `up` has left running would count itself as up.
    if is_up() and (known := service()) is not None:
        with suppress(ServiceLostError):
            told = known.get("/status")
            return told["status"], told["whole"]
    from apps.cli.prefect_server import quiet
    from hugginggpt.environment import prepare

    quiet()
    prepare()
    from apps.up.status import as_data, status
    from hugginggpt.settings import get_settings

    found = status(get_settings())
    return as_data(found), found.is_whole


def _lines(found: dict[str, Any]) -> "Iterator[tuple[str, str]]":
    up, api_url, home = found["up"], found["api_url"], found["home"]
    if up is not None:
        yield "up", f"for {home}" if up["ready"] else f"for {home}; not everything has started yet"
        if up["controller"]:
            yield "controller", up["controller"]
        yield "parts", ", ".join(f"{name} (process {pid})" for name, pid in up["parts"].items()) or "none"
    elif found["left"] or api_url is None:
        yield "up", found["left"] or f"nothing for {home}; start it with `hugginggpt up`"
    else:
        yield "up", f"nothing for {home}; using the server of PREFECT_API_URL"
    if api_url is not None:
        yield from _of_server(api_url.removesuffix("/api"), up["prefect_database"] if up else "", found["server"])
        yield from _of_experts(found)
    yield "trace", found["database"]
    if isinstance(found["requests"], str):
        yield "requests", found["requests"]
    else:
        yield "requests", ", ".join(f"{count} {name}" for name, count in found["requests"].items()) or "none"


def _of_experts(found: dict[str, Any]) -> "Iterator[tuple[str, str]]":
    address = found["dask_address"]
    if address is None:
        yield "expert workers", "none: experts run in each request's own process"
    elif found["experts"] is None:
        yield "expert workers", f"{address} does not answer"
    elif not found["experts"]:
        yield "expert workers", f"none at {address}"
    for worker in found["experts"] or ():
        models = ", ".join(worker["models"]) or "no model"
        tasks = counted(worker["at_work"], "task") if worker["at_work"] else "no tasks"
        yield "expert worker", f"{worker['name']}: {tasks}, {models} loaded"


def _of_server(url: str, database: str, server: dict[str, Any] | None) -> "Iterator[tuple[str, str]]":
    if server is None:
        yield "Prefect server", f"{url} does not answer"
        return
    yield "Prefect server", f"{url}, with {database}" if database else url
    running = ", ".join(one_line(name, 60) for name in server["runs"]) or "nothing"
    yield "flow workers", f"{', '.join(server['workers']) or 'none'}; running {running}"
    for deployment in server["deployments"]:
        if deployment["pool"] is None:
            yield "deployment", f"{deployment['name']}, cannot run: its work pool was deleted"
        else:
            at = deployment["next_run"]
            when = f"next run {moment(datetime.fromisoformat(at))}" if at else "runs on demand"
            yield "deployment", f"{deployment['name']}, {when}"
    for name in server["missing"]:
        yield "deployment", f"{name}, missing"
    if server["missing"] or not all(deployment["pool"] for deployment in server["deployments"]):
        yield "deployments", "apply them again with `hugginggpt down` and `hugginggpt up`, or with `prefect deploy`"
    for limit in server["limits"]:
        yield "limit", f"{limit['name']}: {limit['taken']} of {limit['slots']} slots in use"

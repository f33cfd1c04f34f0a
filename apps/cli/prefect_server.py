"""The Prefect server that runs are reported to: the one of `PREFECT_API_URL`, or a temporary one."""

import os
import warnings

import click

from apps.cli.exits import verbose

LASTING_SERVER = "For a lasting Prefect server and its UI: `hugginggpt up`."


def quiet() -> None:
    """Keep Prefect's log out of the terminal; its server gets it all the same. Before Prefect is imported."""
    if not verbose():
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        warnings.simplefilter("ignore")


def api_url() -> str | None:
    """The server of the environment or the profile; None when a run starts a temporary one."""
    from hugginggpt.environment import check_api_url, prepare

    prepare()
    from prefect.settings import PREFECT_API_URL

    url: str | None = PREFECT_API_URL.value()
    check_api_url(url)
    return url


def problem(url: str) -> str | None:
    """Why a server cannot be used, one sentence; None when it can."""
    import httpx
    from prefect.client.orchestration import get_client

    from hugginggpt.redaction import said

    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is None:
        return None
    reason = type(error).__name__ if isinstance(error, httpx.TransportError) else said(error)
    return (
        f"The Prefect server at {url} cannot be used ({reason}): start it, "
        "or do without by `prefect config unset PREFECT_API_URL` or unsetting that variable."
    )


def usable() -> str | None:
    """The server that a run of a flow is reported to, as `api_url`; Prefect's log stays quiet from here.

    Raises:
        click.ClickException: it cannot be used.
    """
    from hugginggpt.settings import get_settings

    quiet()
    url = api_url()
    if url is not None and (obstacle := problem(url)):
        raise click.ClickException(obstacle)
    if url is not None and get_settings().results_url is not None:
        from flows.server import share_results

        share_results()
    return url


def run_url(flow_run_id: str) -> str | None:
    """Where the server's UI shows a flow run; None for a temporary server."""
    from prefect.utilities.urls import url_for

    return url_for("flow-run", flow_run_id) if api_url() is not None else None

"""The Prefect server that runs report to: the server of `PREFECT_API_URL`, or a temporary one."""

import os
import warnings

import click

from apps.cli.exits import verbose

LASTING_SERVER = "For a permanent Prefect server with its UI: `hugginggpt up`."


def quiet() -> None:
    """Keep Prefect's log off the terminal; the server still gets it. Call this before Prefect is imported."""
    if not verbose():
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        warnings.simplefilter("ignore")


def begin() -> None:
    """Start the temporary server of the run that follows, if it surely needs one, before anything heavy is imported."""
    from hugginggpt.server_process import start_early

    quiet()
    start_early()


def api_url() -> str | None:
    """The server of the environment or the profile; None if a run would start a temporary one."""
    from hugginggpt.environment import check_api_url, prepare

    prepare()
    from prefect.settings import PREFECT_API_URL

    url: str | None = PREFECT_API_URL.value()
    check_api_url(url)
    return url


def problem(url: str) -> str | None:
    """Why a server cannot be used, in one sentence; None if it can."""
    import httpx
    from prefect.client.orchestration import get_client

    from hugginggpt.redaction import said

    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
    if error is None:
        return None
    reason = type(error).__name__ if isinstance(error, httpx.TransportError) else said(error)
    return (
        f"The Prefect server at {url} cannot be used ({reason}): start it, or stop using it with "
        "`prefect config unset PREFECT_API_URL` or by unsetting that variable."
    )


def usable() -> str | None:
    """The server that a flow run reports to, which must answer; from here on, Prefect's log is off the terminal."""
    from hugginggpt.server_process import take_early
    from hugginggpt.settings import get_settings

    quiet()
    url = api_url()
    if url is not None and (needless := take_early()):
        needless.stop()
    if url is not None and (obstacle := problem(url)):
        raise click.ClickException(obstacle)
    if url is not None and get_settings().results_url is not None:
        from flows.server import share_results

        share_results()
    return url


def run_url(flow_run_id: str) -> str | None:
    """The page of a flow run in the server's UI; None for a temporary server."""
    from prefect.utilities.urls import url_for

    return url_for("flow-run", flow_run_id) if api_url() is not None else None

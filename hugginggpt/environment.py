"""The environment variables of Prefect and the Hugging Face libraries, and our names on Prefect's server.

The libraries read the variables when they are imported, so the packages that import them call `prepare` first. A value
that the user has set is never replaced.
"""

import os

from hugginggpt.addresses import holds_user
from hugginggpt.errors import ConfigurationError
from hugginggpt.packages import check_packages
from hugginggpt.redaction import keep_out_of_logs
from hugginggpt.settings import Settings, get_settings
from hugginggpt.up_state import own_cluster, read

POOL = "hugginggpt"
"""Prefect's work pool, whose workers run the deployments."""

POOL_TYPE = "hugginggpt"
"""The type of the pool and of its workers: ours, so that Prefect's own workers leave it alone."""

RESULTS_BLOCK = "hugginggpt-results"
"""Prefect's block that says where result records are stored if not in the home folder."""

ARTIFACTS_PATH = "/hugginggpt/flow_run/artifacts/"
"""Where Prefect's server, as `hugginggpt up` runs it, takes artifacts of a flow run and changes of it together."""

CONTROLLER_LIMIT, ACCELERATOR_LIMIT = "hugginggpt-controller", "hugginggpt-accelerator"
"""Prefect's global concurrency limits on controller calls and on local models that run on an accelerator."""


def prepare() -> None:
    """Set the defaults, and use what `hugginggpt up` runs, even where a Prefect profile names another server."""
    check_packages()
    set_defaults()
    _use_what_is_up(get_settings())


def set_defaults() -> None:
    """Switch telemetry off, put Prefect's result records into the home folder, and give a busy machine time.

    From here on, logs show exceptions without secrets.

    Raises:
        ConfigurationError: a setting cannot be used, or the address of Prefect's server holds a password.
    """
    settings = get_settings()
    keep_out_of_logs()
    check_api_url(os.environ.get("PREFECT_API_URL"))
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOCAL_STORAGE_PATH": str(settings.results_dir),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    }
    if settings.results_url is not None:
        defaults["PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK"] = f"remote-file-system/{RESULTS_BLOCK}"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _use_what_is_up(settings: Settings) -> None:
    up = read(settings.home_dir)
    if up is None or not up.ready or not up.is_alive:
        return
    if os.environ.setdefault("PREFECT_API_URL", up.api_url) != up.api_url:
        return  # the user's own server, so the user's own settings decide where tasks run
    if up.login is not None:
        os.environ["PREFECT_API_AUTH_STRING"] = up.login
    cluster = own_cluster(settings.home_dir, up.dask_address)
    if cluster is None or os.environ.get("HUGGINGGPT_TASK_RUNNER") not in (None, "", "dask"):
        return
    if os.environ.get("HUGGINGGPT_DASK_ADDRESS") in (None, "", cluster.address):
        os.environ.update({"HUGGINGGPT_TASK_RUNNER": "dask", **cluster.variables})
        get_settings.cache_clear()  # they were read without these variables


def check_api_url(url: str | None) -> None:
    """Raise if the address of Prefect's server, from the environment or a profile, contains a password.

    Raises:
        ConfigurationError: it does.
    """
    if url and holds_user(url):
        raise ConfigurationError(
            "PREFECT_API_URL contains a user name or password, which would be shown: "
            "set PREFECT_API_AUTH_STRING instead."
        )

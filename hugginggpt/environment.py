"""What has to stand in the environment before Prefect and the Hugging Face libraries are imported.

They read it at import, so the rooms that import them call `prepare` first. A value that the user
set is never replaced.
"""

import os

from hugginggpt.settings import get_settings


def prepare() -> None:
    """Switch telemetry off, put Prefect's result records into the home folder, and give a busy machine time."""
    settings = get_settings()
    defaults = {
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_LOCAL_STORAGE_PATH": str(settings.results_dir),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)

"""Whether two processes have the same settings, told from their environments.

A command leaves its work to the service of `hugginggpt up` only if it would do the work itself with the same settings.
Nothing heavy is imported here, because quick commands need it: the settings themselves are not read, only the variables
that they are read from.
"""

import hashlib
import hmac
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from hugginggpt import __version__

_PREFIXES = ("HUGGINGGPT_", "OPENAI_", "HF_", "PREFECT_", "AWS_", "AZURE_", "GOOGLE_", "GCS_", "FSSPEC_")
_NAMES = frozenset(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES")
)

_OF_THE_PLACE = frozenset(
    (
        "HUGGINGGPT_HOME",
        "HUGGINGGPT_TASK_RUNNER",
        "HUGGINGGPT_DASK_ADDRESS",
        "PREFECT_API_URL",
        "PREFECT_API_AUTH_STRING",
    )
)
"""Where the parts of an `up` are: they follow from its state file."""
_OTHERWISE_USED = ("HUGGINGGPT_ALLOWED_HOSTS", "HUGGINGGPT_UP_PART", "HF_HUB_DISABLE_TELEMETRY", "PREFECT_HOME")
_OTHERWISE_USED_BEGINNINGS = (
    "PREFECT_API_DATABASE_",
    "PREFECT_LOGGING_",
    "PREFECT_PROFILE",
    "PREFECT_SERVER_",
    "PREFECT_UI_",
    "PREFECT_WORKER_",
)
"""What does not change how a request is answered."""

_PATHS = frozenset(
    (
        "HUGGINGGPT_ARTIFACTS_URL",
        "HUGGINGGPT_DASK_TLS_CA_FILE",
        "HUGGINGGPT_DASK_TLS_CERT",
        "HUGGINGGPT_DASK_TLS_KEY",
        "HUGGINGGPT_DATABASE_URL",
        "HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF",
        "HUGGINGGPT_EMBEDDED_PLANNER",
        "HUGGINGGPT_EMBEDDED_READER",
        "HUGGINGGPT_FILE_ROOTS",
        "HUGGINGGPT_MODELS_CACHE",
        "PREFECT_LOCAL_STORAGE_PATH",
    )
)
"""Variables that mean something else in another working folder, if they are relative."""


def settings_fingerprint(environment: Mapping[str, str], home: Path, key: str) -> str:
    """A hash that is the same for two processes of an installation whose settings are the same.

    It covers secrets, so it is keyed: nobody who sees the hash alone can try values.

    Args:
        environment: the environment variables.
        home: the home folder.
        key: the key of the home folder's service.
    """
    # pydantic-settings ignores the case of names, and empty values.
    values = {name.upper(): value for name, value in environment.items() if value}
    counted = {name: value for name, value in values.items() if _counts(name) and not _is_default(name, value, home)}
    relative = any(name in _PATHS and not _is_absolute(value) for name, value in counted.items())
    place = [__version__, str(Path(__file__).parent), sys.prefix, _mounts(), os.getcwd() if relative else ""]
    return hmac.new(key.encode(), json.dumps([place, sorted(counted.items())]).encode(), hashlib.sha256).hexdigest()


def _mounts() -> str:
    """The namespace of this process's file systems, because a process can have a /tmp of its own."""
    try:
        return os.readlink("/proc/self/ns/mnt")
    except OSError:  # not on Linux
        return ""


def _counts(name: str) -> bool:
    if name in _OF_THE_PLACE or name in _OTHERWISE_USED or name.startswith(_OTHERWISE_USED_BEGINNINGS):
        return False
    return name.startswith(_PREFIXES) or name in _NAMES


def _is_default(name: str, value: str, home: Path) -> bool:
    """Whether our commands set it for themselves, and so perhaps for an `up` that they started."""
    if name == "PREFECT_LOCAL_STORAGE_PATH":
        return value == str(home / "results")
    return name == "PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK" and value == "remote-file-system/hugginggpt-results"


def _is_absolute(value: str) -> bool:
    if "://" in value:
        return not value.startswith("sqlite") or ":////" in value
    return value == "none" or all(part.startswith("/") for part in value.split(os.pathsep) if part)

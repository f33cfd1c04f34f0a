"""What the fork server does once, so that no fork has to.

It imports the flows and what they import when they run, and makes what would be the same in every fork.
"""

import gc
import logging
import os
from contextlib import closing, suppress
from importlib import import_module

from pydantic import BaseModel
from sqlalchemy.orm import configure_mappers

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.catalog.known import known_cards
from hugginggpt.cluster.resources import controller_resource
from hugginggpt.controller.connection import certificates
from hugginggpt.controller.prompts import compile_prompts
from hugginggpt.errors import HuggingGPTError
from hugginggpt.experts.registry import experts, is_installed, missing_packages
from hugginggpt.memory import memory_budget
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings

logger = logging.getLogger(__name__)

_FLOWS = ("answer", "evaluate", "prune", "queue", "refresh", "warm")
_WHEN_THEY_RUN = (
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "anyio._backends._asyncio",
    "apps.answering",
    "encodings.idna",
    "fastapi",
    "fsspec.implementations.chained",
    "fsspec.implementations.local",
    "graphviz",
    "hugginggpt.catalog.catalog",
    "hugginggpt.controller.client",
    "hugginggpt.experts.embedded",
    "hugginggpt.experts.local",
    "hugginggpt.experts.remote",
    "hugginggpt.media.pictures",
    "hugginggpt.submission",
    "hugginggpt.trace.migrate",
    "hugginggpt.trace.store",
    "prefect.concurrency.sync",
    "prefect.engine",
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "rich._emoji_codes",
    "stringprep",
)
_WHERE_AN_LLM_SERVER_IS_THE_CONTROLLER = (
    "openai.resources.chat.completions.completions",
    "openai.types.chat.completions",
)
_WHERE_FLOWS_RUN_EXPERTS = ("cv2", "numpy", "PIL.ImageDraw")
"""What experts import in the flows' own processes, where there are no expert workers. Extras can be missing."""


def _import_all() -> None:
    for name in _FLOWS:
        import_module(f"flows.{name}")
    for name in _WHEN_THEY_RUN:
        import_module(name)
    experts()
    compile_prompts()
    if not get_settings().uses_embedded_controller:
        for name in _WHERE_AN_LLM_SERVER_IS_THE_CONTROLLER:
            import_module(name)
        certificates()
    if get_settings().task_runner == "threads":
        for name in _WHERE_FLOWS_RUN_EXPERTS:
            with suppress(ImportError):
                import_module(name)


def _finish_models() -> None:
    """Do what Pydantic and SQLAlchemy put off until a class is used first."""
    waiting = [BaseModel]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__module__.startswith("prefect."):
            model.model_rebuild(raise_errors=False)
    configure_mappers()


def _know_what_can_run() -> None:
    """Find the packages and the memory that models are chosen by."""
    memory_budget(get_settings())
    for expert in experts():
        missing_packages(expert)
    for package in {name for kind in CAPABILITIES for card in known_cards(kind) for name in card.needs}:
        is_installed(package)


def _know_whom_to_ask() -> None:
    """Read the certificates that clients of Prefect's server need, and compute what expert workers are asked with."""
    from prefect.client.orchestration import SyncPrefectClient

    SyncPrefectClient("http://127.0.0.1")  # it connects when it is used first
    settings = get_settings()
    controller_resource(settings)
    if settings.task_runner == "dask":
        import_module("flows.server").write_settings()


def _open_trace() -> None:
    """Open the trace, and leave no connection to it, which forks must not share.

    They go on with the open trace, which has its tables and knows in SQL what was read here.
    """
    try:
        with closing(get_trace()) as trace:
            trace.requests.knows("")
            trace.models.measurement(get_settings().figures_ttl)
    except HuggingGPTError as error:
        logger.warning("Each fork opens the trace for itself: %s", error.message)
        get_trace.forget()


def share() -> None:
    """Import everything, and keep its memory shared between the forks."""
    # Whoever asks for the forks has compared its version with the server's.
    os.environ.setdefault("PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED", "false")
    # A process that has threads cannot be forked safely, and NumPy and OpenCV start some for OpenBLAS.
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    _import_all()
    if threads is None:
        del os.environ["OPENBLAS_NUM_THREADS"]
    else:
        os.environ["OPENBLAS_NUM_THREADS"] = threads
    _finish_models()
    _know_what_can_run()
    _know_whom_to_ask()
    _open_trace()
    # A collection of garbage would touch, and so copy, pages that all forks share.
    gc.collect()
    gc.freeze()

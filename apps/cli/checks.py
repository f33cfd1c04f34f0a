"""The checks of `doctor`: one function per part, each with a verdict and a remedy."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Literal

from apps.cli import prefect_server
from apps.cli.text import size
from hugginggpt.errors import HuggingGPTError
from hugginggpt.experts.device import may_have_accelerators
from hugginggpt.redaction import said
from hugginggpt.server_process import another_server_is_possible

TORCH_SECONDS = 120.0
SCARCE = 5_000_000_000
"""With fewer free bytes, there is a warning, because a model may not fit."""
EXHAUSTED = 100_000_000
"""With fewer free bytes, there is an error, because a request may not fit."""

_TORCH = """
import gc, json, os
gc.disable()
import torch
gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps([torch.__version__, gpus, torch.backends.mps.is_available()]), flush=True)
os._exit(0)
"""
"""In a separate process, because a broken driver can crash it. What it has imported is not tidied up."""

_TORCH_LIBRARY = """
import ctypes, json, os, sys
ctypes.CDLL(sys.argv[1])
print(json.dumps([sys.argv[2], [], False]), flush=True)
os._exit(0)
"""
"""The same where there is no driver: loads what torch computes with, in a fifth of the time of all of torch."""


@dataclass(frozen=True)
class Finding:
    """The state of one part.

    Attributes:
        mend: what to do about it; empty if there is nothing to do, or if the detail says it.
    """

    part: str
    verdict: Literal["ok", "warning", "broken"]
    detail: str
    mend: str = ""


def findings() -> Iterator[Finding]:
    """Check every part, even if some are broken. If the settings are, nothing else can be checked."""
    with _asked_torch() as torch:
        checks = _checks(torch)
        first, *others = checks
        finding = _examined(first, checks[first])
        yield finding
        if finding.verdict == "broken":
            return
        found = {part: SimpleQueue[Finding]() for part in others}

        def examine(parts: list[str]) -> None:
            for part in parts:
                found[part].put(_examined(part, checks[part]))

        # The embedded controller computes; the others mostly import.
        for parts in (["controller"], [part for part in others if part != "controller"]):
            Thread(target=examine, args=(parts,), name=f"doctor-{parts[0]}", daemon=True).start()
        for part in others:
            yield found[part].get()


def _examined(part: str, check: Callable[[], Finding]) -> Finding:
    try:
        return replace(check(), part=part)
    except HuggingGPTError as error:
        return Finding(part, "broken", error.message)
    except Exception as error:
        # Whatever a library raises here, the user needs to know.
        return Finding(part, "broken", f"{type(error).__name__}: {said(error)}")


@contextmanager
def _asked_torch() -> Iterator["subprocess.Popen[str] | None"]:
    """The process that asks torch for accelerators, begun before everything else; None without torch."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        yield None
        return
    library = Path(spec.origin).with_name("lib") / "libtorch_cpu.so"
    command = [sys.executable, "-P", "-c", _TORCH]
    if not may_have_accelerators() and library.is_file():
        command = [sys.executable, "-P", "-S", "-c", _TORCH_LIBRARY, str(library), version("torch")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asked:
        try:
            yield asked
        finally:
            asked.kill()


def _ok(detail: str, mend: str = "") -> Finding:
    return Finding("", "ok", detail, mend)


def _warning(detail: str, mend: str = "") -> Finding:
    return Finding("", "warning", detail, mend)


def _settings() -> Finding:
    from hugginggpt.settings import get_settings

    return _ok(f"home folder {get_settings().home_dir}, inference mode {get_settings().inference_mode}")


def _controller() -> Finding:
    from hugginggpt.services import get_controller

    controller = get_controller()
    controller.check()
    if controller.is_embedded:
        return _ok(f"{controller.model}, embedded: plans without a key; answers are put together from the results")
    return _ok(f"{controller.model} answers")


def _hub() -> Finding:
    from hugginggpt.catalog.hub import Hub
    from hugginggpt.settings import get_settings

    hub = Hub(get_settings())
    obstacle = hub.obstacle()
    if obstacle is None:
        return _ok(f"{hub.url} answers")
    return _warning(f"models cannot be looked up or downloaded: {obstacle}")


def _prefect() -> Finding:
    from hugginggpt.environment import prepare

    may_know_one = another_server_is_possible()
    prepare()
    # Prefect takes long to import, so it is asked only where it may know of a server.
    url = prefect_server.api_url() if may_know_one else None
    installed = version("prefect")
    if url is not None:
        problem = prefect_server.problem(url)
        return _ok(f"version {installed}; {url} answers") if problem is None else Finding("", "broken", problem)
    if may_know_one:
        from prefect.settings import PREFECT_SERVER_ALLOW_EPHEMERAL_MODE

        if not PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
            return Finding(
                "",
                "broken",
                "there is no server, and temporary servers are not allowed",
                f"Unset PREFECT_SERVER_ALLOW_EPHEMERAL_MODE. {prefect_server.LASTING_SERVER}",
            )
    return _ok(f"version {installed}; each run starts a temporary server", prefect_server.LASTING_SERVER)


def _expert_workers() -> Finding:
    from hugginggpt.cluster.address import cluster_of
    from hugginggpt.cluster.workers import expert_workers
    from hugginggpt.settings import get_settings

    settings = get_settings()
    if settings.task_runner != "dask":
        return _ok("none: experts run in each request's own process")
    cluster = cluster_of(settings)
    if workers := expert_workers(cluster):
        return _ok(f"{len(workers)} at {cluster.address}")
    return Finding("", "broken", f"none at {cluster.address}", "Run `hugginggpt up`, or `hugginggpt expert-worker`.")


def _database() -> Finding:
    from hugginggpt.services import get_trace
    from hugginggpt.settings import get_settings
    from hugginggpt.trace.database import parse_url

    get_trace().check()
    # The query could contain a password.
    return _ok(parse_url(get_settings().database).set(query={}).render_as_string())


def _store() -> Finding:
    from hugginggpt.services import get_store

    get_store().check()
    return _ok(get_store().location)


def _accelerator(torch: "subprocess.Popen[str] | None") -> Finding:
    from hugginggpt.settings import get_settings

    if torch is None:
        return _warning(
            "torch is not installed, so models from the Hub cannot run on this machine",
            'Run `pip install "hugginggpt[local]"`.',
        )
    answer, complaint = torch.communicate(timeout=TORCH_SECONDS)
    if torch.returncode != 0:
        reason = next(iter(complaint.strip().splitlines()[-1:]), f"exit code {torch.returncode}")
        return Finding("", "broken", f"torch does not work: {reason}", 'Run `pip install "hugginggpt[local]"` again.')
    torch_version, gpus, mps = json.loads(answer)
    if gpus or mps:
        return _ok(f"torch {torch_version} on {', '.join(gpus) or 'the GPU of this Mac'}")
    return _ok(f"none; torch {torch_version} runs on the CPU with {get_settings().cpu_threads} threads")


def _disk() -> Finding:
    from hugginggpt.settings import get_settings

    folders = {"home": get_settings().home_dir, "models": get_settings().models_cache_dir}
    free = {name: shutil.disk_usage(_existing(folder)).free for name, folder in folders.items()}
    detail = ", ".join(f"{size(free[name])} free for {name} in {folder}" for name, folder in folders.items())
    if min(free.values()) < EXHAUSTED:
        mend = "Free some space, or set HUGGINGGPT_HOME and HUGGINGGPT_MODELS_CACHE to other folders."
        return Finding("", "broken", detail, mend)
    if free["models"] < SCARCE:
        return _warning(detail, "Free some space before models are downloaded, or set HUGGINGGPT_MODELS_CACHE.")
    return _ok(detail)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _embedded() -> Finding:
    from hugginggpt.experts.registry import experts, missing_packages
    from hugginggpt.models.card import Endpoint

    ours = [expert for expert in experts() if expert.endpoint is Endpoint.EMBEDDED]
    missing = {expert.kind: reason for expert in ours if (reason := missing_packages(expert))}
    there = ", ".join(dict.fromkeys(expert.kind for expert in ours if expert.kind not in missing))
    if missing or not ours:
        return _warning(
            " ".join(missing.values()) or "none is installed",
            "" if missing else 'Run `pip install "hugginggpt[embedded]"`.',
        )
    return _ok(there)


def _checks(torch: "subprocess.Popen[str] | None") -> dict[str, Callable[[], Finding]]:
    """The check of each part, in the order in which they are shown."""
    return {
        "settings": _settings,
        "controller": _controller,
        "Hub": _hub,
        "Prefect": _prefect,
        "expert workers": _expert_workers,
        "trace database": _database,
        "artifact store": _store,
        "accelerator": partial(_accelerator, torch),
        "disk": _disk,
        "embedded experts": _embedded,
    }

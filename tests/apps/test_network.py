"""With neither key nor network configured nothing but loopback is contacted, telemetry included."""

import ipaddress
import json
import os
import subprocess
from pathlib import Path

import pytest

from hugginggpt.settings import CHECKOUT
from tests.apps.test_strangers import INSTALLED, put_strangers

# Every Python process of the run, Prefect's server too, notes each look-up and connection.
WATCH = """
import os, sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[0] if event in ("socket.getaddrinfo", "socket.gethostbyname") else arguments[1]
        host = address[0] if isinstance(address, tuple) else address
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{event}\\t{host}\\n")

sys.addaudithook(note)
"""


def is_here(host: str) -> bool:
    if host.startswith("/") or host in ("localhost", "None", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def test_a_run_contacts_nothing_but_loopback(tmp_path: Path) -> None:
    """Nor does the installed command look at the packages of somebody else in its folder that have our names."""
    put_strangers(tmp_path / "strangers")
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "connections"
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps(
            [
                {"task": "image-to-text", "id": 0, "args": {"image": "invoice.png"}},
                {"task": "text-to-speech", "id": 1, "args": {"text": "<GENERATED>-0"}},
                {"task": "canny-control", "id": 2, "args": {"image": "invoice.png"}},
                {"task": "sentence-similarity", "id": 3, "args": {"text1": "a bill", "text2": "<GENERATED>-0"}},
            ]
        )
    )
    # As on a person's own machine: nothing set that switches telemetry off, CI's variables neither.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{CHECKOUT}",
        "WATCH_LOG": str(log),
        "LANG": "C.UTF-8",
        # Tests share the machine's cores.
        "HUGGINGGPT_CPU_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [*INSTALLED, "ask", "What is the total due?", "--json"]
    command += ["--file", str(CHECKOUT / "examples" / "invoice.png"), "--plan", str(plan)]
    done = subprocess.run(command, env=environment, cwd=tmp_path / "strangers", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1,593.96" in json.loads(done.stdout)["response"]

    seen = [line.split("\t") for line in log.read_text().splitlines()]
    assert any(event == "socket.connect" for event, _ in seen), "the watch itself works"
    # ONNX Runtime's own telemetry goes past Python, but leaves its device id behind.
    assert list(tmp_path.rglob(".onnxruntime")) == []
    assert [(event, host) for event, host in seen if not is_here(host)] == []


@pytest.mark.parametrize(
    ("host", "here"), [("127.0.0.1", True), ("::1", True), ("8.8.8.8", False), ("pypi.org", False)]
)
def test_the_watch_tells_loopback_from_the_rest(host: str, here: bool) -> None:
    assert is_here(host) is here

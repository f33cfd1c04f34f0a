"""`doctor`, and `up --detach` until all is ready, against a bare `prefect server start`, where the databases exist.

    python -m benchmarks.up
"""

import tempfile
from pathlib import Path
from statistics import median

from benchmarks.commands import seconds_of, seconds_of_bare_start
from benchmarks.rows import Row, main
from tests.servers import free_port

ROUNDS = 4
DOCTOR_TARGET, UP_TARGET = 0.6, 2.5


def measure() -> list[Row]:
    """Measure them in turn; takes about a minute."""
    bare: list[float] = []
    doctor: list[float] = []
    up: list[float] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, bare_home = Path(folder) / "ours", Path(folder) / "bare"
        home.mkdir()
        bare_home.mkdir()
        for _ in range(1 + ROUNDS):  # the first creates the databases
            bare.append(seconds_of_bare_start(bare_home))
            doctor.append(seconds_of(home, "doctor"))
            ports = ("--port", str(free_port()), "--dask-port", str(free_port()))
            try:
                up.append(seconds_of(home, "up", "--detach", *ports))
            finally:
                seconds_of(home, "down")
    server, checks, ready = (median(seconds[1:]) for seconds in (bare, doctor, up))
    return [
        Row("`doctor` / a bare server start", checks / server, DOCTOR_TARGET, details=f"{checks:.1f} s / {server:.1f} s"),
        Row("`up --detach` / a bare server start", ready / server, UP_TARGET, details=f"{ready:.1f} s / {server:.1f} s"),
    ]


if __name__ == "__main__":
    main(measure)

"""Run every benchmark of docs/performance.md, one after the other, and print one table.

    python -m benchmarks [NAME ...]

Each runs in a process of its own. A name is a module's: `python -m benchmarks makespan fan_out`.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, table

MODULES = (
    "makespan",
    "fan_out",
    "ask",
    "cold",
    "queued_requests",
    "expert_workers",
    "up",
    "words",
    "memory",
    "scan",
)


def main() -> None:
    """Run the benchmarks; exit with 1 if one of them could not be run."""
    names = sys.argv[1:] or MODULES
    rows: list[Row] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            began, file = time.monotonic(), Path(folder) / f"{name}.json"
            code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", str(file)]).returncode
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            if code == 0 and file.exists():
                rows += [Row(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
            else:
                broken.append(name)
    print(table(rows))
    if broken:
        sys.exit(f"These could not be measured: {', '.join(broken)}.")


if __name__ == "__main__":
    main()

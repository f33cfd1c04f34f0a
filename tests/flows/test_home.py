"""A program of one's own that runs the flow leaves nothing in the home folder that others can read."""

import json
import os
import subprocess
import sys
from pathlib import Path

from prefect.settings import PREFECT_API_URL

from hugginggpt.settings import get_settings
from tests.servers import open_to_others

PROGRAM = """
import json, os, sys
from flows.answer import answer_request
from hugginggpt.request import RequestOptions

answer_request("Draw the edges", [sys.argv[1]], options=RequestOptions(plan=json.loads(sys.argv[2])), return_state=True)
print(oct(os.umask(0)))
"""


def test_a_program_that_lets_others_read_what_it_writes_keeps_its_umask(photo: Path) -> None:
    plan = [{"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(photo), json.dumps(plan)],
        env=os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_LOGGING_LEVEL": "CRITICAL"},
        umask=0,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0o0"]
    home = get_settings().home_dir
    assert {"trace.db", "artifacts", "results"} <= {path.name for path in home.iterdir()}
    assert list((home / "results").iterdir())
    assert open_to_others(home) == []

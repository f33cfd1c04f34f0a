"""A program of one's own that runs the flow leaves nothing in the home folder that others can read."""

import json
import os
from pathlib import Path

from prefect.settings import PREFECT_API_URL

from hugginggpt.settings import CHECKOUT, get_settings
from tests import forked
from tests.servers import open_to_others


def test_a_program_that_lets_others_read_what_it_writes_keeps_its_umask(photo: Path) -> None:
    plan = [{"task": "canny-control", "id": 0, "dep": [-1], "args": {"image": "photo.png"}}]
    environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    words = [json.dumps({"plan": plan}), "others-read", str(photo)]
    done = forked.run(words, CHECKOUT, environment, umask=0, module="tests.flows.answering")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["umask"] == 0
    home = get_settings().home_dir
    assert {"trace.db", "artifacts", "results"} <= {path.name for path in home.iterdir()}
    assert list((home / "results").iterdir())
    assert open_to_others(home) == []

"""How often the embedded model is asked for one document question, which its result answers word for word.

    python -m benchmarks.words

The real model, without a key: the flow with the invoice of the examples, against a Prefect server of its own. What is
counted is in the trace. The same question asked again has its plan and its result from the cache, so that the calls
left are those that write the answer.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, main
from tests.servers import prefect_server

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "What is the total due?"
FLOWS = f"""
import json, sys, time
from hugginggpt.environment import prepare
prepare()
from flows.answer import answer_request
from hugginggpt.services import get_trace
for request_id in ("first", "again"):
    began = time.perf_counter()
    answer_request({QUESTION!r}, [sys.argv[1]], request_id=request_id, return_state=True)
    seconds, story = time.perf_counter() - began, get_trace().requests.get(request_id)
    told = {{"status": story.status, "answer": story.response, "source": story.response_source, "seconds": seconds}}
    print(json.dumps(told | {{"stages": [call.stage for call in story.controller_calls]}}))
"""


def measure() -> list[Row]:
    """The calls of the same question asked again, and those that write the answer of the first."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        (folder / "prefect").mkdir()
        with prefect_server(folder / "prefect") as api:
            first, again = _asked(folder, api)
    return [
        Row(
            "controller calls for one document question, asked again, no key",
            len(again["stages"]),
            0,
            details=_told(again),
        ),
        Row("controller calls that write its answer, fresh", first["stages"].count("respond"), 0, details=_told(first)),
    ]


def _asked(folder: Path, api: str) -> list[dict[str, Any]]:
    ours = {"OPENAI_API_KEY", "OPENAI_BASE_URL", "HUGGINGGPT_TASK_RUNNER"}
    environment = {name: value for name, value in os.environ.items() if name not in ours} | {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "HUGGINGGPT_HOME": str(folder / "home"),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-c", FLOWS, str(ROOT / "examples" / "invoice.png")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if [one["status"] for one in told] != ["completed"] * 2:
        raise SystemExit(f"The question was not answered:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return told


def _told(asked: dict[str, Any]) -> str:
    stages = ", ".join(f"{count} {stage}" for stage, count in Counter(asked["stages"]).items()) or "no calls"
    answer = " ".join(asked["answer"].split())
    return f"{stages}; {asked['seconds']:.1f} s; answer by {asked['source']}: {answer[:80]}"


if __name__ == "__main__":
    main(measure)

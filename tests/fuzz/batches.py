"""Lines of a batch, from bytes to the trace; and those of a dataset."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.errors import StorageError, TraceError, UsageError
from hugginggpt.evaluation.datasets import read_dataset, sample_set
from hugginggpt.settings import Settings
from hugginggpt.submission import parse_submission, submit
from hugginggpt.trace.report import report
from hugginggpt.trace.store import Trace
from tests.fuzz.case import Case
from tests.fuzz.material import changed, characters, damaged, picked, pumped, raw, value
from tests.fuzz.plans import SCRAPS, graph

FIELDS = (
    "request", "files", "id", "conversation", "plan", "fresh", "deadline", "max_cost", "request_id", "Request", "",
)  # fmt: skip


def open_area(folder: Path) -> "Batches":
    """A trace and a store."""
    return Batches(folder)


class Batches:
    """Makes lines."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = Settings(database_url=f"sqlite:///{folder / 'trace.db'}")  # type: ignore[arg-type]
        self._trace = Trace.open(self._settings)
        self._store = ArtifactStore(str(folder / "artifacts"))
        (folder / "a.txt").write_text("words")
        self._samples = sample_set().read_bytes().splitlines()

    def case(self, rng: random.Random) -> Case:
        """A line, or a few of a dataset."""
        if rng.random() < 0.2:
            return self._dataset(rng)
        makers: tuple[tuple[str, int, Callable[[], bytes]], ...] = (
            ("fields", 12, lambda: _written(rng, self._line(rng))),
            ("changed", 3, lambda: raw(changed(rng, json.dumps(self._line(rng)), (*SCRAPS, *FIELDS)))),
            ("damaged", 2, lambda: damaged(rng, json.dumps(self._line(rng)).encode(), 200)),
            ("pumped", 2, lambda: raw(pumped(rng, (*SCRAPS, '{"request": ', '"files": [')))),
            ("deep", 1, lambda: _deep(rng.choice((5, 300, 990, 60_000)))),
            ("encoded", 1, lambda: _encoded(rng, self._line(rng))),
        )  # fmt: skip
        how, line = picked(rng, makers)
        return Case(
            f"parse_submission and submit: {how}",
            line,
            lambda: self._put(line),
            (UsageError, StorageError, TraceError),
        )

    def _put(self, line: bytes) -> None:
        submission = parse_submission(line)
        request_id = submit(submission, self._settings, self._store, self._trace).request_id
        story = self._trace.requests.get(request_id)
        report(story, {}).model_dump_json().encode()
        story.model_dump_json().encode()
        assert story.text.strip() == submission.request.replace("\0", "").strip(), "another request than was given"
        again = submit(submission.model_copy(update={"id": request_id}), self._settings, self._store, self._trace)
        assert (again.request_id, again.new) == (request_id, False), "the same request twice"

    def _line(self, rng: random.Random) -> dict[str, Any]:
        line: dict[str, Any] = {"request": rng.choice(("Read it", "Read it", value(rng), characters(rng)))}
        line["id"] = f"{rng.getrandbits(64):x}"
        if rng.random() < 0.2:
            line["id"] = rng.choice((value(rng), characters(rng), "a" * rng.choice((1, 128, 129, 100_000))))
        here = str(self._folder / "a.txt")
        line["files"] = [
            rng.choice((here, here, "data:,words", value(rng) if rng.random() < 0.2 else here))
            for _ in range(rng.choice((0, 0, 1, 2, 30)))
        ]
        if rng.random() < 0.3:
            line["plan"] = graph(rng, 3)
        if rng.random() < 0.2:
            line["deadline"] = rng.choice((1, 0.5, 0, -1, 1e308, 10**400, "5", True, None))
        if rng.random() < 0.2:
            line["max_cost"] = rng.choice((0, 1, -0.0, 1e-300, 1e308, 10**400, None))
        if rng.random() < 0.1:
            line["conversation"] = rng.choice((value(rng), characters(rng), None))
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            line[rng.choice(FIELDS)] = self._odd(rng)
        if rng.random() < 0.1:
            line[characters(rng)] = 1
        return line

    def _odd(self, rng: random.Random) -> Any:
        odd: tuple[Any, ...] = (
            None, True, 0, -1, 1e400, float("nan"), 10**400, "", " ", [], {}, [None], ["x"], {"a": 1}, [[]], "\ud800",
            "a\x00b", "x" * 300_000, [{}], [{"task": "\ud800", "id": float("nan"), "args": {"text": "\x00"}}],
            ["data:,x"] * 3000, [value(rng)], value(rng), graph(rng, 2) * 400,
        )  # fmt: skip
        return rng.choice(odd)

    def _dataset(self, rng: random.Random) -> Case:
        lines = [rng.choice(self._samples) for _ in range(rng.choice((1, 2, 5)))]
        at = rng.randrange(len(lines))
        text = lines[at].decode()
        row = json.loads(text)
        match rng.randrange(4):
            case 0:
                lines[at] = damaged(rng, lines[at], 300)
            case 1:
                lines[at] = raw(changed(rng, text, SCRAPS))
            case 2:
                row[rng.choice([*row, "user_request", "task_nodes", "tool_nodes", "task_steps"])] = self._odd(rng)
                lines[at] = json.dumps(row).encode()
            case _:
                start = '{"id": "1", "user_request": "x", "task_nodes": ['
                lines[at] = raw(pumped(rng, (*SCRAPS, *row, "<node-", start)))
        data = b"\n".join(lines)
        path = self._folder / "dataset.jsonl"

        def run() -> None:
            path.write_bytes(data)
            for sample in read_dataset(path, rng.choice((None, 1))).samples:
                sample.request.encode()

        return Case("read_dataset", data, run, (UsageError,))


def _written(rng: random.Random, line: dict[str, Any]) -> bytes:
    return raw(json.dumps(line, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1))))


def _encoded(rng: random.Random, line: dict[str, Any]) -> bytes:
    encoding = rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-7", "utf-32"))
    return json.dumps(line, ensure_ascii=False).encode(encoding, "replace")


def _deep(times: int) -> bytes:
    return b'{"request": "x", "plan": [{"a": ' + b'{"a":' * times + b"1" + b"}" * times + b"}]}"

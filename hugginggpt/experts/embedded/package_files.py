"""Model files that come inside a Python package."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.errors import ModelLoadError
from hugginggpt.models.card import ModelCard


def packaged_files(package: str, card: ModelCard) -> Path:
    """The folder of an installed package, once every file that the card names has the hash it should have.

    Raises:
        ModelLoadError: the package, or a file of it, is missing or is not what the card says.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelLoadError(f"The package {package}, which holds the model {card.id}, is not installed.")
    folder = Path(spec.origin).parent
    for name, wanted in card.sha256.items():
        path = next(folder.rglob(name), None)
        if path is None:
            raise ModelLoadError(f"The file {name} of {card.id} is missing: install the package {package} again.")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise ModelLoadError(
                f"The file {name} of {card.id} is not the one that the catalog expects "
                f"(SHA-256 {found[:12]}… instead of {wanted[:12]}…): install the package {package} again."
            )
    return folder

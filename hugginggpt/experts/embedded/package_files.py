"""Model files inside Python packages."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from hugginggpt.errors import ModelLoadError
from hugginggpt.models.card import ModelCard


def packaged_files(card: ModelCard, *packages: str) -> tuple[Path, ...]:
    """The folders of installed packages, after checking the hash of every file that the card names.

    Args:
        card: of the model.
        packages: importable names of the packages that contain the files.

    Raises:
        ModelLoadError: a package or a file is missing, or a file has another hash.
    """
    folders = tuple(_folder(card, package) for package in packages)
    reinstall = f"reinstall the package {' and '.join(packages)}."
    for name, wanted in card.sha256.items():
        path = next((path for folder in folders for path in folder.rglob(name)), None)
        if path is None:
            raise ModelLoadError(f"The file {name} of {card.id} is missing: {reinstall}")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != wanted:
            raise ModelLoadError(
                f"The file {name} of {card.id} does not have the hash that the catalog expects "
                f"(SHA-256 {found[:12]}… instead of {wanted[:12]}…): {reinstall}"
            )
    return folders


def _folder(card: ModelCard, package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModelLoadError(
            f"The package {package}, which contains the model {card.id}, is not installed: `hugginggpt doctor` says "
            "how to get it."
        )
    return Path(spec.origin).parent

"""Which models lie complete in the cache of downloaded weights."""

import re
from collections.abc import Collection
from pathlib import Path

from hugginggpt.models.files import needed_files

COMMIT = re.compile(r"[0-9a-f]{40}")


def installed_commit(model: str, cache: Path, revision: str | None = None, exactly: Collection[str] = ()) -> str | None:
    """The commit at which a model is installed: the wanted one, else what `main` was, else the latest.

    What cannot be read in the cache counts as not installed.

    Args:
        model: its id on the Hub.
        cache: the folder that `huggingface_hub` downloads to.
        revision: the commit that would be best.
        exactly: the files of the weights, where the model's card names them.
    """
    folder = cache / f"models--{model.replace('/', '--')}"
    wanted = (revision, _main(folder))
    snapshots = [folder / "snapshots" / w for w in wanted if w and COMMIT.fullmatch(w)]
    return next((s.name for s in (*snapshots, *_latest(folder / "snapshots")) if _is_complete(s, exactly)), None)


def _main(folder: Path) -> str | None:
    try:
        return (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def _latest(snapshots: Path) -> list[Path]:
    try:
        return sorted(snapshots.iterdir(), key=lambda s: (s.stat().st_mtime, s.name), reverse=True)
    except OSError:
        return []


def _is_complete(snapshot: Path, exactly: Collection[str]) -> bool:
    """Whether all that the model is loaded from is there. A link to a missing blob is no file."""
    try:
        names = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
        needed = needed_files(snapshot, names, exactly) if names else None
    except (OSError, ValueError, RecursionError):
        return False
    return needed is not None and all(name in names for name in needed)

"""Which models lie complete in the cache of downloaded weights."""

import json
import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}")


def installed_commit(model: str, cache: Path, revision: str | None = None) -> str | None:
    """The commit at which a model is installed: the wanted one, else what `main` was, else the latest.

    What cannot be read in the cache counts as not installed.

    Args:
        model: its id on the Hub.
        cache: the folder that `huggingface_hub` downloads to.
        revision: the commit that would be best.
    """
    folder = cache / f"models--{model.replace('/', '--')}"
    wanted = (revision, _main(folder))
    snapshots = [folder / "snapshots" / w for w in wanted if w and COMMIT.fullmatch(w)]
    return next((s.name for s in (*snapshots, *_latest(folder / "snapshots")) if _is_complete(s)), None)


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


def _is_complete(snapshot: Path) -> bool:
    """Whether weights are there, with every shard that an index names. A link to a missing blob is no file."""
    try:
        weights = {w for w in snapshot.rglob("*.safetensors") if w.is_file()}
        configured = (snapshot / "config.json").is_file() or (snapshot / "model_index.json").is_file()
        indexes = snapshot.rglob("*.safetensors.index.json")
        return configured and bool(weights) and all(_has_shards(index, weights) for index in indexes)
    except (OSError, ValueError, RecursionError):
        return False


def _has_shards(index: Path, weights: set[Path]) -> bool:
    """Whether all that an index names is there; an index that names nothing is a damaged one."""
    content = json.loads(index.read_text(encoding="utf-8"))
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        return False
    return all(isinstance(shard, str) and index.parent / shard in weights for shard in shards.values())

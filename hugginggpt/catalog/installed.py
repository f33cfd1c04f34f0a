"""Which models lie complete in the cache of downloaded weights."""

import json
import re
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{40}")


def installed_commit(model: str, cache: Path, revision: str | None = None) -> str | None:
    """The commit at which a model is installed: the wanted one, else what `main` was, else the latest.

    Args:
        model: its id on the Hub.
        cache: the folder that `huggingface_hub` downloads to.
        revision: the commit that would be best.
    """
    folder = cache / f"models--{model.replace('/', '--')}"
    main = folder / "refs" / "main"
    wanted = [revision, main.read_text(encoding="utf-8").strip() if main.is_file() else None]
    snapshots = [folder / "snapshots" / w for w in wanted if w and COMMIT.fullmatch(w)]
    if (folder / "snapshots").is_dir():
        snapshots += sorted((folder / "snapshots").iterdir(), key=lambda s: (s.stat().st_mtime, s.name), reverse=True)
    return next((s.name for s in snapshots if _is_complete(s)), None)


def _is_complete(snapshot: Path) -> bool:
    """Whether weights are there, with every shard that an index names. A link to a missing blob is no file."""
    weights = {w for w in snapshot.rglob("*.safetensors") if w.is_file()}
    configured = (snapshot / "config.json").is_file() or (snapshot / "model_index.json").is_file()
    for index in snapshot.rglob("*.safetensors.index.json"):
        shards = json.loads(index.read_text(encoding="utf-8")).get("weight_map", {}).values()
        if any(index.parent / shard not in weights for shard in shards):
            return False
    return configured and bool(weights)

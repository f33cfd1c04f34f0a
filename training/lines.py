"""Files of JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_lines(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON lines; the file appears only when it is complete."""
    partial = file.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.replace(file)

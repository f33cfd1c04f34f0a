"""What was cached counts only while the controller is the same."""

import os
from pathlib import Path

from hugginggpt.controller.version import reading_sha256
from hugginggpt.settings import Settings


def test_another_reader_or_base_model_is_another_version(tmp_path: Path) -> None:
    adapter, base = tmp_path / "reader.safetensors", tmp_path / "base.gguf"
    adapter.write_bytes(b"first")
    base.write_bytes(b"base")
    with_reader, without = Settings(embedded_reader=adapter), Settings(embedded_reader=Path("none"))
    first = reading_sha256(with_reader)
    others = [
        reading_sha256(without),
        reading_sha256(Settings(embedded_controller_gguf=base)),
    ]
    adapter.write_bytes(b"other")
    os.utime(adapter, ns=(0, 0))
    others.append(reading_sha256(with_reader))
    assert len({first, *others}) == 4
    adapter.write_bytes(b"first")
    assert reading_sha256(with_reader) == first

"""Every input of the tests, by kind of file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.files.documents import DOCUMENTS
from tests.files.input import Input
from tests.files.jpegs import JPEGS
from tests.files.pictures import PICTURES
from tests.files.refused import REFUSED
from tests.files.sounds import SOUNDS, VIDEOS
from tests.files.tables import TABLES
from tests.files.texts import TEXTS

INPUTS: Mapping[str, tuple[Input, ...]] = MappingProxyType(
    {
        "Documents": DOCUMENTS,
        "Tables": TABLES,
        "Texts": TEXTS,
        "Pictures": (*PICTURES, *JPEGS),
        "Sounds": SOUNDS,
        "Videos": VIDEOS,
        "Refused": REFUSED,
    }
)

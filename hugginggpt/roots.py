"""The folders whose files a plan or a deployed run may read."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Readable:
    """What paths among a request's files may lead to.

    Attributes:
        roots: folders that stay: a path has to be in one of them or in one of `uploads`, or is relative to it.
        uploads: folders of files that were sent. Such a file is called by its name, because its place is soon gone.
    """

    roots: Sequence[Path] = ()
    uploads: Sequence[Path] = ()

    @property
    def folders(self) -> list[Path]:
        """All of them."""
        return [*self.uploads, *self.roots]

    def is_upload(self, source: str) -> bool:
        """Whether a source is a file that was sent."""
        return Path(source).parent in self.uploads


def find_in_roots(path: str, roots: Sequence[Path]) -> Path | None:
    """The regular file at a path, with links followed, if it is in one of the folders; else None.

    Args:
        path: absolute, or relative to any of the folders; in any Unicode form.
        roots: the folders.
    """
    for root in roots:
        try:
            top = root.expanduser().resolve()
            found = existing_form(top / path).resolve()
            if found.is_relative_to(top) and found.is_file():
                return found
        except (OSError, ValueError, RuntimeError):  # not a possible file name, or no such folder
            continue
    return None


def existing_form(path: Path) -> Path:
    """The path in the Unicode form in which it exists: names come from macOS decomposed, and are typed composed."""
    if path.exists() or str(path).isascii():
        return path
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        forms = dict.fromkeys((part, unicodedata.normalize("NFC", part), unicodedata.normalize("NFD", part)))
        found = next((found / form for form in forms if (found / form).exists()), found / part)
    return found

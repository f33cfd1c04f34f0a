"""The home folder: only its owner can enter it, and everything created in it belongs to the owner alone.

Most files in it are written by libraries (Prefect, SQLite, huggingface_hub) in processes with the user's umask. So the
folder itself sets the permissions of new files: it has a default access control list, which every folder created in it
inherits and which replaces the umask. On a file system without such lists, the folder's own mode keeps others out.
"""

import logging
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from hugginggpt.errors import ConfigurationError

logger = logging.getLogger(__name__)

STATE_FILE = "up.json"
"""The name of the file that says what `hugginggpt up` runs for a home folder."""

OWNER_ONLY = 0o700
_OTHERS = 0o077
_NAMES = frozenset(("artifacts", "dask.pem", "logs", "models_cache", "prefect", "results"))
_BEGINNINGS = ("answer-queued.", "api.", "trace.db", "up.")
"""What HuggingGPT creates in its home: files and folders of these names, and files whose names begin like this."""

_HAS_LISTS = hasattr(os, "setxattr")  # on Linux
_DEFAULT_ACL = "system.posix_acl_default"
_USER, _GROUP, _OTHER = 0x01, 0x04, 0x20
_NOBODY_ELSE = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, permissions, 0xFFFFFFFF) for tag, permissions in ((_USER, 7), (_GROUP, 0), (_OTHER, 0))
)
"""Version 2 of Linux's format: one entry each for the owner, the group and all others."""


def open_home(home: Path) -> None:
    """Create the home folder, or check that it is private; quick if there is nothing to do.

    A home of an earlier version, or one that was opened to others, is made private with everything in it.

    Args:
        home: absolute, without symbolic links. If it cannot be created, the first write to it will report that.

    Raises:
        ConfigurationError: it belongs to another user, is open to others and contains more than HuggingGPT's files,
            or lies on a file system that cannot keep it private.
    """
    try:
        with suppress(FileExistsError):
            home.mkdir(mode=OWNER_ONLY, parents=True)
        status = home.stat()
    except OSError:
        return
    if not stat.S_ISDIR(status.st_mode):
        return
    if status.st_uid != os.geteuid():
        raise ConfigurationError(
            f"The home folder {home} belongs to another user: set HUGGINGGPT_HOME to a folder of your own."
        )
    is_open = bool(status.st_mode & _OTHERS)
    has_list = _has_default(home)
    if has_list and not is_open:
        return
    if not has_list and not _is_dedicated(home, status.st_mode):
        if is_open:
            raise ConfigurationError(
                f"The home folder {home} is open to other users and contains more than HuggingGPT's files: "
                f"set HUGGINGGPT_HOME to a folder of its own, such as {home / 'hugginggpt'}."
            )
        return  # it is private, and its other files are not ours to change
    if is_open:
        _close(home)
    _make_private(home)
    if is_open:
        logger.warning("The home folder %s was open to other users. It and everything in it is private now.", home)


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, in the place of one that may be there."""
    file.unlink(missing_ok=True)  # an existing file would keep its permissions
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        written.write(text)


def _is_dedicated(home: Path, mode: int) -> bool:
    """Whether a folder seems to be used by HuggingGPT alone."""
    user = Path("~").expanduser().resolve()
    if mode & stat.S_ISVTX or home == user or home in user.parents:
        return False
    return home.name == ".hugginggpt" or all(
        name in _NAMES or name.startswith(_BEGINNINGS) for name in os.listdir(home)
    )


def _close(home: Path) -> None:
    with suppress(OSError):  # on a file system without modes this fails or does nothing
        home.chmod(OWNER_ONLY)
    if home.stat().st_mode & _OTHERS:
        raise ConfigurationError(
            f"The home folder {home} is on a file system that cannot keep it private: "
            "set HUGGINGGPT_HOME to a folder on another file system."
        )


def _make_private(home: Path) -> None:
    """Remove the permissions of others. The home gets its list last, so that an interrupted run is repeated."""
    for folder, _, files in os.walk(home, topdown=False):
        for path in (*(Path(folder, name) for name in files), Path(folder)):
            # A file may have just been deleted, and only its owner can change one of another user. The home itself is
            # closed already.
            with suppress(OSError):
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & _OTHERS:
                    path.chmod(stat.S_IMODE(mode) & OWNER_ONLY)
        _set_default(Path(folder))


def _has_default(folder: Path) -> bool:
    try:
        return _HAS_LISTS and os.getxattr(folder, _DEFAULT_ACL) == _NOBODY_ELSE
    except OSError:  # the folder has no list, or the file system does not support lists
        return False


def _set_default(folder: Path) -> None:
    if not _HAS_LISTS:
        return
    with suppress(OSError):  # the file system does not support lists, or the folder was just deleted
        os.setxattr(folder, _DEFAULT_ACL, _NOBODY_ELSE)

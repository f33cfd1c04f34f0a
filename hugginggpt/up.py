"""What `hugginggpt up` runs for this home folder, as its state file tells every other process."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hugginggpt.cluster.address import Certificates, Cluster
from hugginggpt.holder import Holder, holder_name, is_dead

UNFINISHED = "up.new"
"""What the file is called while it is written."""


class Up(BaseModel):
    """One `up`, from its start to its end.

    Attributes:
        supervisor: the process that keeps the parts running, as `holder_name` names it.
        mark: what every process of its parts has in its environment.
        dask_address: where experts run; None when they run in the flows' own processes.
        prefect_database: where the server keeps its runs, without a password.
        controller: who plans, chooses and answers in its parts.
        controller_fingerprint: tells whether that is the controller of another process, too.
        parts: the process id of each part.
        ready: whether all parts have come up once.
        login: what the server asks its clients for: a secret, for the owner of the home folder alone.
    """

    model_config = ConfigDict(frozen=True)

    supervisor: str
    mark: str
    api_url: str
    dask_address: str | None
    prefect_database: str = ""
    controller: str = ""
    controller_fingerprint: str = ""
    parts: dict[str, int] = {}
    ready: bool = False
    login: str | None = Field(None, repr=False)

    @property
    def pid(self) -> int:
        """The supervisor's process id, where `is_here`."""
        holder = Holder.parse(self.supervisor)
        return holder.pid if holder else 0

    @property
    def ui_url(self) -> str:
        """Where the server's UI is."""
        return self.api_url.removesuffix("/api")

    @property
    def is_here(self) -> bool:
        """Whether it was started on this machine: a home folder can be shared."""
        theirs, ours = Holder.parse(self.supervisor), Holder.parse(holder_name())
        return theirs is not None and ours is not None and theirs.host == ours.host

    @property
    def is_alive(self) -> bool:
        """Whether its supervisor runs on this machine."""
        return self.is_here and not is_dead(self.supervisor)


def read(home: Path) -> Up | None:
    """The latest `up` of a home folder that was not taken down, alive or killed; None without one."""
    try:
        return Up.model_validate_json(_file(home).read_bytes())
    except (OSError, ValidationError):
        return None


def write(home: Path, up: Up) -> None:
    """Tell every other process; they see the old state or the new one, and nothing between."""
    unfinished = home / UNFINISHED
    unfinished.unlink(missing_ok=True)  # one that others may read would stay so
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(up.model_dump_json(indent=2) + "\n")
    unfinished.replace(_file(home))


def remove(home: Path) -> None:
    """Tell every other process that nothing is up. The certificate goes, too."""
    for file in (_file(home), certificate_file(home)):
        file.unlink(missing_ok=True)


def own_cluster(home: Path, address: str | None) -> Cluster | None:
    """The cluster of expert workers that an `up` runs.

    Args:
        home: where the `up` keeps a certificate that it makes for itself: other users of the machine reach loopback,
            too.
        address: the scheduler's; None when there are no expert workers.
    """
    certificate = certificate_file(home)
    return None if address is None else Cluster(address, Certificates(certificate, certificate))


def certificate_file(home: Path) -> Path:
    """The certificate of an `up`, which is its own authority, and its key."""
    return home / "dask.pem"


def _file(home: Path) -> Path:
    return home / "up.json"

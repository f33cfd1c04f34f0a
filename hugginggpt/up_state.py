"""The state file of `hugginggpt up` in a home folder."""

import os
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hugginggpt.cluster.address import Certificates, Cluster
from hugginggpt.holder import Holder, is_dead, this_host
from hugginggpt.home import STATE_FILE, write_private

UNFINISHED = "up.new"
"""The name of the state file while it is being written."""


class Up(BaseModel):
    """One `up`, from its start to its end.

    Attributes:
        supervisor: the process that keeps the parts running, as `holder_name` names it.
        mark: a value in the environment of every process of the parts.
        dask_address: the scheduler of the expert workers; None if experts run in the flows' own processes.
        prefect_database: the Prefect server's database, without a password.
        controller: the controller that its parts use.
        controller_fingerprint: the same for two processes if they use the same controller.
        parts: the process id of each part.
        ready: whether all parts have started.
        service_url: the HTTP service, which answers the commands of the home folder.
        page_url: the same service as browsers reach it.
        settings_fingerprint: the same for a command whose settings are those of the parts.
        login: the secret that the server requires from its clients; only for the owner of the home folder.
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
    service_url: str = ""
    page_url: str = ""
    settings_fingerprint: str = ""
    login: str | None = Field(None, repr=False)

    @property
    def pid(self) -> int:
        """The supervisor's process id, on its own machine."""
        holder = Holder.parse(self.supervisor)
        return holder.pid if holder else 0

    @property
    def ui_url(self) -> str:
        """The address of the server's UI."""
        return self.api_url.removesuffix("/api")

    @property
    def is_here(self) -> bool:
        """Whether it was started on this machine; a home folder can be shared."""
        theirs = Holder.parse(self.supervisor)
        return theirs is not None and theirs.host == this_host()

    @property
    def is_alive(self) -> bool:
        """Whether its supervisor runs on this machine."""
        return self.is_here and not is_dead(self.supervisor)


def read(home: Path) -> Up | None:
    """The latest `up` of a home folder that was not stopped, alive or killed; None without one."""
    try:
        return Up.model_validate_json(_file(home).read_bytes())
    except (OSError, ValidationError):
        return None


def write(home: Path, up: Up) -> None:
    """Publish the state. Other processes see either the old or the new one."""
    unfinished = home / UNFINISHED
    write_private(unfinished, up.model_dump_json(indent=2) + "\n")
    unfinished.replace(_file(home))


def remove(home: Path) -> None:
    """Delete the state and the certificate: nothing is up."""
    for file in (_file(home), certificate_file(home)):
        file.unlink(missing_ok=True)


def wake_flow_workers(home: Path) -> None:
    """Have the flow workers of this home folder look for runs now, instead of the next time that they would."""
    with suppress(OSError):  # they look every other second anyway
        os.close(os.open(_wake_file(home), os.O_WRONLY | os.O_CREAT, 0o600))
        os.utime(_wake_file(home))


def woken_at(home: Path) -> int:
    """When the flow workers were last woken, in nanoseconds; 0 if they never were."""
    try:
        return _wake_file(home).stat().st_mtime_ns
    except OSError:
        return 0


def own_cluster(home: Path, address: str | None) -> Cluster | None:
    """The cluster of expert workers that an `up` runs.

    Args:
        home: where the `up` keeps the certificate that it makes for itself, since other users of the machine can reach
            loopback.
        address: the scheduler's address; None without expert workers.
    """
    certificate = certificate_file(home)
    return None if address is None else Cluster(address, Certificates(certificate, certificate))


def certificate_file(home: Path) -> Path:
    """The self-signed certificate of an `up`, with its key."""
    return home / "dask.pem"


def _wake_file(home: Path) -> Path:
    return home / "up.wake"


def _file(home: Path) -> Path:
    return home / STATE_FILE

"""Where the scheduler of a Dask cluster is, and the certificates that keep everybody else out.

The processes of a cluster run any code that they are sent, so they talk only over loopback, or over TLS to processes
with a certificate of the cluster's own authority.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hugginggpt.addresses import is_loopback
from hugginggpt.errors import ConfigurationError
from hugginggpt.settings import Settings

if TYPE_CHECKING:
    from distributed.security import Security

_VARIABLES = "HUGGINGGPT_DASK_TLS_CA_FILE, _CERT and _KEY"
_REMEDY = f"name certificates in {_VARIABLES}, or, on a network that only your own machines reach,"


@dataclass(frozen=True)
class Certificates:
    """PEM files. Whoever has a certificate of the authority belongs to the cluster.

    Attributes:
        key: the private key; None if it is in the certificate's file.
    """

    authority: Path
    certificate: Path
    key: Path | None = None

    def security(self) -> "Security":
        """The security settings for Dask's processes and clients.

        Raises:
            ConfigurationError: a file cannot be read, or has the wrong contents.
        """
        from distributed.security import Security

        certificate, key = str(self.certificate), None if self.key is None else str(self.key)
        security = Security(
            require_encryption=True,
            tls_ca_file=str(self.authority),
            **{f"tls_{role}_cert": certificate for role in ("scheduler", "worker", "client")},
            **{f"tls_{role}_key": key for role in ("scheduler", "worker", "client")},
        )
        try:
            for file in filter(None, (self.authority, self.certificate, self.key)):
                file.open("rb").close()
            security.get_connection_args("client")
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise ConfigurationError(
                f"The certificates of {_VARIABLES} cannot be used ({reason}): name PEM files that belong together."
            ) from None
        return security


@dataclass(frozen=True)
class Cluster:
    """Where a Dask scheduler is.

    Attributes:
        address: `tls://host:port` with certificates, `tcp://host:port` without.
    """

    address: str
    certificates: Certificates | None = None

    @property
    def host(self) -> str:
        """The scheduler's host."""
        return urlsplit(self.address).hostname or ""

    @property
    def port(self) -> int:
        """The scheduler's port."""
        return urlsplit(self.address).port or 0

    def security(self) -> "Security | None":
        """The security settings for Dask's processes and clients; None without TLS.

        Raises:
            ConfigurationError: the certificates cannot be used.
        """
        return None if self.certificates is None else self.certificates.security()

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that lead another process to this cluster."""
        ours = self.certificates
        files = {
            "CA_FILE": ours and ours.authority,
            "CERT": ours and ours.certificate,
            "KEY": ours and ours.key,
        }
        return {
            "HUGGINGGPT_DASK_ADDRESS": self.address,
            # An empty variable counts as unset, whatever the other process inherits.
            **{f"HUGGINGGPT_DASK_TLS_{name}": str(file or "") for name, file in files.items()},
        }


def certificates_of(settings: Settings) -> Certificates | None:
    """The certificates of the settings, if there are any.

    Raises:
        ConfigurationError: one of them is missing.
    """
    authority, certificate, key = settings.dask_tls_ca_file, settings.dask_tls_cert, settings.dask_tls_key
    if authority is None and certificate is None and key is None:
        return None
    if authority is None or certificate is None:
        missing = "HUGGINGGPT_DASK_TLS_CA_FILE" if authority is None else "HUGGINGGPT_DASK_TLS_CERT"
        raise ConfigurationError(f"TLS of the Dask cluster needs {_VARIABLES}: {missing} is not set.")
    return Certificates(authority, certificate, key)


def cluster_of(settings: Settings) -> Cluster:
    """The cluster of the settings.

    Raises:
        ConfigurationError: the address does not fit the certificates, or is on another machine and without TLS.
    """
    address = settings.dask_address
    certificates = certificates_of(settings)
    parts = urlsplit(address)
    if parts.scheme == "tls" and certificates is None:
        raise ConfigurationError(f"The Dask scheduler at {address} needs certificates: name them in {_VARIABLES}.")
    if parts.scheme == "tcp" and certificates is not None:
        raise ConfigurationError(
            f"There are certificates in {_VARIABLES}, but the Dask scheduler at {address} uses none: "
            f"write tls://{parts.netloc}, or unset them."
        )
    if parts.scheme == "tcp" and not is_loopback(str(parts.hostname)) and not settings.dask_insecure_no_tls:
        raise ConfigurationError(
            f"Without TLS, anyone who answers at {address} could run code on this machine: {_REMEDY} "
            "set HUGGINGGPT_DASK_INSECURE_NO_TLS to true."
        )
    return Cluster(address, certificates)


def check_listening(host: str, settings: Settings) -> None:
    """Raise unless a scheduler may listen on this host.

    Raises:
        ConfigurationError: other machines could reach it, and there are no certificates.
    """
    if certificates_of(settings) is None and not is_loopback(host) and not settings.dask_insecure_no_tls:
        raise ConfigurationError(
            f"Without TLS, anyone who reaches a scheduler on {host} could run code on this machine: {_REMEDY} "
            "give --insecure-no-tls."
        )

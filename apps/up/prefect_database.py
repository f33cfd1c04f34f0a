"""The database of an `up`'s Prefect server: next to the trace, but separate.

Both Prefect and the trace have a table named alembic_version, so they cannot share a database.
"""

import os

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from hugginggpt.errors import ConfigurationError, DatabaseUnavailableError
from hugginggpt.redaction import said
from hugginggpt.settings import Settings
from hugginggpt.trace.database import explained, make_engine, parse_url

_VARIABLES = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL")
_LONGEST_NAME = 63
"""Bytes; PostgreSQL cuts off longer names."""

_LIBPQ = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}
"""Options that the trace's driver reads from the URL, and Prefect's driver from these variables."""


def prefect_database(settings: Settings) -> tuple[str, dict[str, str]]:
    """The database's address without secrets, and the environment variables that Prefect's server needs to use it.

    On the trace's PostgreSQL server, the database is created if it is missing.

    Raises:
        DatabaseUnavailableError: the PostgreSQL server cannot be reached, or refuses to create the database.
        ConfigurationError: the PostgreSQL server lacks an extension that Prefect needs.
    """
    for variable in _VARIABLES:
        if given := os.environ.get(variable):
            return _shown(given), {}
    trace = parse_url(settings.database)
    if trace.get_backend_name() == "sqlite":
        url = f"sqlite+aiosqlite:///{settings.home_dir / 'prefect' / 'prefect.db'}"
        return _shown(url), {_VARIABLES[0]: url}
    ours = trace.set(database=_name(trace.database or trace.username or ""))
    _create(trace, str(ours.database))
    address = {name: value for name, value in ours.query.items() if name in ("host", "port", "user", "password")}
    theirs = ours.set(drivername="postgresql+asyncpg", query=address).render_as_string(hide_password=False)
    ssl = {_LIBPQ[name]: str(value) for name, value in ours.query.items() if name in _LIBPQ}
    return _shown(theirs), {_VARIABLES[0]: theirs, **ssl}


def _name(trace: str) -> str:
    suffix = "_prefect"
    return trace.encode()[: _LONGEST_NAME - len(suffix)].decode(errors="ignore") + suffix


def _create(trace: URL, name: str) -> None:
    engine = make_engine(trace, pooled=False)
    with explained(trace), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}):
            return
        if not connection.scalar(text("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")):
            raise ConfigurationError(
                "Prefect's database needs the extension pg_trgm, which this PostgreSQL server lacks: "
                f"install PostgreSQL's contrib package there, or set {_VARIABLES[0]} to another database."
            )
        try:
            connection.execute(text(f"CREATE DATABASE {connection.dialect.identifier_preparer.quote(name)}"))
        except DBAPIError as error:
            raise DatabaseUnavailableError(
                f"Prefect's database {name} cannot be created ({said(str(error.orig))}): create it by hand, "
                f"or set {_VARIABLES[0]} to another database."
            ) from None


def _shown(url: str) -> str:
    try:
        return make_url(url).set(query={}).render_as_string()
    except ArgumentError:
        return f"the database of {_VARIABLES[0]}"

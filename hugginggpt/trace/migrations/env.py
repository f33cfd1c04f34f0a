"""How Alembic reaches the trace database.

The package hands it a connection. Called by Alembic's own command line, it takes the database of
the settings, so that a checkout writes a new revision with
`alembic revision --autogenerate -m "what changes"` (`[tool.alembic]` in pyproject.toml).
"""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from hugginggpt.settings import get_settings
from hugginggpt.trace import tables  # noqa: F401 - it fills the metadata
from hugginggpt.trace.columns import Base, CleanText, UTCDateTime
from hugginggpt.trace.database import make_engine, parse_url


def _plain_type(kind: str, item: Any, autogenerating: object) -> str | Literal[False]:
    """Write our own types into a revision as database types, so that a revision does not change when they do."""
    if kind == "type" and isinstance(item, CleanText):
        return "sa.Text()"
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def _run(connection: Connection) -> None:
    # SQLite changes a table by building it anew, which Alembic calls a batch.
    context.configure(
        connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=_plain_type
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with make_engine(parse_url(get_settings().database), pooled=False).begin() as opened:
        _run(opened)

"""The keys that open the HTTP service for clients other than the owner of the home folder."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from hugginggpt.errors import TraceError, UsageError
from hugginggpt.service_key import new_key
from hugginggpt.text import one_line
from hugginggpt.trace.database import Database
from hugginggpt.trace.rows import OPEN, SHOWN_ID, insert_for
from hugginggpt.trace.tables import ApiKeyRow, ControllerCallRow, ExpertRunRow, RequestRow, UploadRow

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class ApiKey(BaseModel):
    """A key, as far as it is kept: its text is known only to its client.

    Attributes:
        sees_all: whether it shows all requests, conversations and files, not only those made with it.
        most_requests: how many of its requests may be open at once; None for any number.
        most_cost: what all its requests together may cost, in US dollars; None for any amount.
        revoked_at: since when it opens nothing.
        requests: how many requests it has made.
        spent: what they have cost, in US dollars, as far as costs are known.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    sees_all: bool
    most_requests: int | None
    most_cost: float | None
    created_at: datetime
    revoked_at: datetime | None
    requests: int = 0
    spent: float = 0.0


class Keys:
    """The keys. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        name: str,
        *,
        sees_all: bool = False,
        most_requests: int | None = None,
        most_cost: float | None = None,
    ) -> str:
        """Make a key, and return its text, which cannot be had again.

        Args:
            name: what to call it.
            sees_all: as in `ApiKey`.
            most_requests: the same.
            most_cost: the same.

        Raises:
            UsageError: the name cannot be used, or is taken.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"'{one_line(name, SHOWN_ID)}' cannot be the name of a key: use up to 64 letters, digits, "
                "'.', '_', '@' and '-'."
            )
        text = new_key()
        with self._database.writing() as session:
            known = session.get(ApiKeyRow, name)
            if known is not None:
                state = "was revoked" if known.revoked_at else "exists"
                raise UsageError(f"A key named '{name}' {state} already: choose another name.")
            session.add(
                ApiKeyRow(
                    name=name,
                    sha256=_hash(text),
                    sees_all=sees_all,
                    most_requests=most_requests,
                    most_cost_microdollars=None if most_cost is None else round(most_cost * 1e6),
                    created_at=self._database.now(session),
                )
            )
        return text

    def find(self, text: str) -> ApiKey | None:
        """The key with that text; None if there is none, or it was revoked."""
        with self._database.reading() as session:
            row = session.scalar(select(ApiKeyRow).filter_by(sha256=_hash(text)))
            return None if row is None or row.revoked_at is not None else _key(row)

    def named(self, name: str) -> ApiKey | None:
        """The key of that name; None if there is none, or it was revoked."""
        with self._database.reading() as session:
            row = session.get(ApiKeyRow, name)
            return None if row is None or row.revoked_at is not None else _key(row)

    def all(self) -> list[ApiKey]:
        """Every key, revoked ones included, in the order of their making, with what was done with it."""
        count = select(RequestRow.key_name, func.count()).where(RequestRow.key_name.is_not(None))
        with self._database.reading() as session:
            requests = {name: number for name, number in session.execute(count.group_by(RequestRow.key_name))}
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.name)).all()
        return [
            _key(row).model_copy(update={"requests": requests.get(row.name, 0), "spent": self.spent(row.name)})
            for row in rows
        ]

    def revoke(self, name: str) -> None:
        """Let a key open nothing from now on; what was begun with it goes on.

        Raises:
            TraceError: there is no such key.
        """
        with self._database.writing() as session:
            row = session.get(ApiKeyRow, name)
            if row is None:
                raise TraceError(
                    f"There is no key named '{one_line(name, SHOWN_ID)}': `hugginggpt keys list` shows those there are."
                )
            row.revoked_at = row.revoked_at or self._database.now(session)

    def keep_uploads(self, name: str | None, hashes: Sequence[str]) -> None:
        """Remember which files the client of a key has sent, so that its requests may use them.

        Args:
            name: the key; None for the owner, whose requests may use any file.
            hashes: the SHA-256 of each file.
        """
        if name is None:
            return
        rows = [{"key_name": name, "sha256": sha256} for sha256 in dict.fromkeys(hashes)]
        with self._database.writing() as session:
            session.execute(insert_for(session, UploadRow).values(rows).on_conflict_do_nothing())

    def has_sent(self, name: str, sha256: str) -> bool:
        """Whether the client of a key has sent that file."""
        with self._database.reading() as session:
            return session.get(UploadRow, (name, sha256)) is not None

    def open_requests(self, name: str | None) -> int:
        """How many requests that were made with a key, or with any, have not ended.

        Args:
            name: the key; None for all requests.
        """
        count = select(func.count()).select_from(RequestRow).where(RequestRow.status.in_(OPEN))
        if name is not None:
            count = count.where(RequestRow.key_name == name)
        with self._database.reading() as session:
            return session.scalar(count) or 0

    def spent(self, name: str) -> float:
        """What the requests made with a key have cost, in US dollars, as far as costs are known."""
        with self._database.reading() as session:
            microdollars = sum(
                session.scalar(
                    select(func.sum(row.cost_microdollars))
                    .join(RequestRow, RequestRow.id == row.request_id)
                    .where(RequestRow.key_name == name)
                )
                or 0
                for row in (ControllerCallRow, ExpertRunRow)
            )
        return microdollars / 1e6


def _key(row: ApiKeyRow) -> ApiKey:
    most = row.most_cost_microdollars
    return ApiKey(
        name=row.name,
        sees_all=row.sees_all,
        most_requests=row.most_requests,
        most_cost=None if most is None else most / 1e6,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )


def _hash(text: str) -> str:
    # A key is random and long, so that it cannot be guessed from its hash.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

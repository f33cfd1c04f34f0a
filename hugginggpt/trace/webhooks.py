"""Webhooks: the addresses that are told when a request has ended."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from hugginggpt.trace.database import Database
from hugginggpt.trace.rows import OPEN
from hugginggpt.trace.tables import RequestRow, WebhookRow

RETRY_SECONDS = (5, 30, 120, 600, 3600, 4 * 3600, 12 * 3600)
"""The pauses before further tries; after the last, the address is given up."""

_CLAIM_SECONDS = 120
"""How long a process may take to tell an address before another process tries it, too."""


class DueWebhook(BaseModel):
    """An address to be told now.

    Attributes:
        key_name: the key that its request was made with; None for the owner's.
        tries: how often it was tried before.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str
    url: str
    key_name: str | None
    tries: int


class Webhooks:
    """The webhooks. Raises the errors of `Trace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, limit: int) -> list[DueWebhook]:
        """Webhooks of ended requests that are due; for a while, no other process gets them."""
        with self._database.writing() as session:
            now = self._database.now(session)
            due = (
                select(WebhookRow, RequestRow)
                .join(RequestRow, RequestRow.id == WebhookRow.request_id)
                .where(WebhookRow.next_try_at <= now, RequestRow.status.not_in(OPEN))
                .order_by(WebhookRow.next_try_at)
                .limit(limit)
                .with_for_update(of=WebhookRow, skip_locked=True)
            )
            claimed = []
            for webhook, request in session.execute(due).all():
                webhook.next_try_at = now + timedelta(seconds=_CLAIM_SECONDS)
                claimed.append(
                    DueWebhook(request_id=request.id, url=webhook.url, key_name=request.key_name, tries=webhook.tries)
                )
            return claimed

    def waiting(self) -> bool:
        """Whether any address is still to be told."""
        to_be_told = select(WebhookRow.request_id).where(WebhookRow.next_try_at.is_not(None)).limit(1)
        with self._database.reading() as session:
            return session.scalar(to_be_told) is not None

    def delivered(self, request_id: str) -> None:
        """Record that an address was told."""
        with self._database.writing() as session:
            webhook = session.get(WebhookRow, request_id)
            if webhook is not None:
                webhook.tries += 1
                webhook.next_try_at = webhook.error = None
                webhook.delivered_at = self._database.now(session)

    def failed(self, request_id: str, error: str, *, for_good: bool = False) -> None:
        """Record why an address could not be told; it is tried again unless that was for good, or the last try."""
        with self._database.writing() as session:
            webhook = session.get(WebhookRow, request_id)
            if webhook is None:
                return
            over = for_good or webhook.tries >= len(RETRY_SECONDS)
            pause = None if over else timedelta(seconds=RETRY_SECONDS[webhook.tries])
            webhook.tries += 1
            webhook.error = error
            webhook.next_try_at = None if pause is None else self._database.now(session) + pause

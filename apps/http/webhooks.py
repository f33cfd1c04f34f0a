"""Tells the addresses of webhooks that their requests have ended, as Standard Webhooks has it.

The message is JSON, signed with a secret that the client of a key can ask for: https://www.standardwebhooks.com.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime
from typing import Any

import httpcore
from fastapi import APIRouter, Request
from standardwebhooks.webhooks import Webhook
from starlette.concurrency import run_in_threadpool

from apps.http.callers import caller_of
from apps.http.paths import API
from hugginggpt import __version__
from hugginggpt.addresses import web_address
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ForbiddenURLError, HuggingGPTError
from hugginggpt.guarded_network import guarded_connections
from hugginggpt.redaction import said
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings
from hugginggpt.trace.story import RequestTrace
from hugginggpt.trace.webhooks import DueWebhook

logger = logging.getLogger(__name__)

router = APIRouter(prefix=API, tags=["webhooks"])

LOOK_SECONDS = 1.0
SEND_SECONDS = 20.0
"""How long an address may take to answer."""
_AT_ONCE = 10


@router.get("/webhook-secret")
async def webhook_secret(request: Request) -> dict[str, str]:
    """The secret that signs the webhooks of the caller's requests."""
    return {"secret": secret(request.app.state.key, caller_of(request).name)}


def secret(key: str, name: str | None) -> str:
    """The secret that signs webhooks.

    Args:
        key: the owner's key.
        name: the name of the key that the requests were made with; None for the owner's.
    """
    derived = hmac.new(key.encode(), f"webhooks {name or ''}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(derived).decode()}"


async def tell_forever(key: str) -> None:
    """Tell every address whose request has ended, until the service stops."""
    while True:
        try:
            due = await run_in_threadpool(_due)
        except HuggingGPTError as error:
            logger.warning("The webhooks could not be looked up: %s", error.message)
            due = []
        await asyncio.gather(*(run_in_threadpool(tell, key, webhook) for webhook in due))
        await asyncio.sleep(LOOK_SECONDS)


def _due() -> list[DueWebhook]:
    webhooks = get_trace().webhooks
    return webhooks.claim(_AT_ONCE) if webhooks.waiting() else []


def tell(key: str, webhook: DueWebhook) -> None:
    """Tell one address, and record what came of it."""
    trace = get_trace()
    try:
        body = json.dumps(_message(trace.requests.get(webhook.request_id)))
        status = _post(webhook, body, secret(key, webhook.key_name))
    except ForbiddenURLError as error:
        trace.webhooks.failed(webhook.request_id, error.message, for_good=True)
    except HuggingGPTError as error:
        trace.webhooks.failed(webhook.request_id, error.message)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        trace.webhooks.failed(webhook.request_id, f"It cannot be reached ({said(error)}).")
    else:
        if 200 <= status < 300:
            trace.webhooks.delivered(webhook.request_id)
        else:
            trace.webhooks.failed(webhook.request_id, f"It answered with HTTP {status}.", for_good=status == 410)


def _message(story: RequestTrace) -> dict[str, Any]:
    ended = story.finished_at or datetime.now(UTC)
    return {
        "type": "request.ended",
        "timestamp": ended.isoformat(),
        "data": {
            "request_id": story.request_id,
            "conversation_id": story.conversation_id,
            "status": story.status,
            "response": story.response,
            "error": story.error,
            "files": [
                file.artifact.model_dump(mode="json", include={"sha256", "mime", "bytes"}) for file in story.files
            ],
        },
    }


def _post(webhook: DueWebhook, body: str, secret: str) -> int:
    """Send a message; return the status of the answer. Redirects are not followed."""
    now = datetime.now(UTC)
    id_ = f"msg_{webhook.request_id}"
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"hugginggpt/{__version__}",
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, now, body),
    }
    url = web_address(webhook.url)
    with (
        guarded_connections(url.host, get_settings(), Deadline(SEND_SECONDS)) as connections,
        connections.stream("POST", str(url), headers=list(headers.items()), content=body.encode()) as response,
    ):
        return int(response.status)

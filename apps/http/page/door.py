"""The page as an ASGI application that is made when somebody comes: Gradio takes long to import, and much memory."""

import os
from importlib.util import find_spec
from pathlib import Path

from starlette.responses import HTMLResponse, PlainTextResponse

from apps.http.late import LateApplication
from apps.http.requests import Requests
from apps.up.guard import Message, Receive, Scope, Send

_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self' blob: data:; "
    b"worker-src 'self' blob:; frame-ancestors 'self'"
)
"""Nothing on the page comes from elsewhere, whatever an answer says."""

MISSING = "The page needs packages that are not installed: run `pip install 'hugginggpt[web]'`, and start `up` again."

_LOADING = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
<meta name="viewport" content="width=device-width"><title>HuggingGPT</title><link rel="icon" href="data:,"></head>
<body style="font:16px system-ui,sans-serif;margin:4rem auto;max-width:28rem;padding:0 1rem">
<p role="status">The page is being prepared, which takes some seconds.</p></body></html>"""


class Page(LateApplication):
    """The page.

    Args:
        requests: the requests of all doors.
        folder: where Gradio keeps files that are being sent.
    """

    def __init__(self, requests: Requests, folder: Path) -> None:
        super().__init__(lambda: _made(requests, folder))

    def prepare(self) -> None:
        """Begin to make the page, unless that has begun: somebody is about to open it."""
        if find_spec("gradio") is not None:
            super().prepare()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page."""
        self.prepare()
        if find_spec("gradio") is None:
            await PlainTextResponse(MISSING, 404)(scope, receive, send)
        elif not self.is_made and scope["type"] == "http" and scope["path"] == "/":
            await HTMLResponse(_LOADING, headers={"Cache-Control": "no-store"})(scope, receive, send)
        else:
            await super().__call__(scope, receive, _with_policy(send))


def _made(requests: Requests, folder: Path):  # type: ignore[no-untyped-def]  # a FastAPI, which knows Gradio's
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    from fastapi import FastAPI

    from apps.http.page.blocks import mounted

    return mounted(FastAPI(openapi_url=None), requests)


def _with_policy(send: Send) -> Send:
    async def with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            # Gradio lets pages elsewhere in, and the guard in front does not.
            headers = [pair for pair in message.get("headers", ()) if not pair[0].startswith(b"access-control-")]
            message = {**message, "headers": [*headers, (b"content-security-policy", _POLICY)]}
        await send(message)

    return with_policy

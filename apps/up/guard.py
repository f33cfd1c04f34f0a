"""Decides which browser pages may talk to our server: only its own pages, under its own names.

A browser lets any page send requests to any address, loopback included, and a page whose host name resolves to
loopback can even read the answers. So the guard refuses a request before it reaches the server if

- its Host is not one of the server's names, so that a foreign name that resolves to the server is of no use;
- its Origin is another site, over HTTP and over websockets, to which browsers do not apply CORS;
- its Sec-Fetch-Site says that a page elsewhere caused it, unless it only opens one of the server's pages.

Clients other than browsers send neither Origin nor Sec-Fetch-Site, so only their Host is checked.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from hugginggpt.addresses import is_same_origin, parse_authority

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")

_FRAMED = "frame-ancestors 'self'"  # no other site can frame our pages
_HEADERS = ((b"cross-origin-resource-policy", b"same-origin"), (b"x-content-type-options", b"nosniff"))
_SHARED = ((b"cross-origin-resource-policy", b"cross-origin"), (b"x-content-type-options", b"nosniff"))


class Guard:
    """An ASGI application in front of another.

    Args:
        names: the hosts that the server answers to; IPv6 addresses without brackets.
        is_shared: whether pages elsewhere may show what a request asks for.
        policy: more of the content security policy of its pages, as the header has it.
    """

    def __init__(
        self,
        application: Application,
        names: Iterable[str],
        is_shared: Callable[[Scope], bool] = lambda scope: False,
        policy: str = "",
    ) -> None:
        self._application = application
        self._names = frozenset(name.lower() for name in names)
        self._is_shared = is_shared
        whole = "; ".join(filter(None, [_FRAMED, policy]))
        self._policy = ((b"content-security-policy", whole.encode("latin-1")), *_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
        elif (objection := self._objection(scope)) is None:
            await self._application(
                scope, receive, _with_policy(send, _SHARED if self._is_shared(scope) else self._policy)
            )
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": objection})
        else:
            await _refuse(send, objection, self._policy)

    def _objection(self, scope: Scope) -> str | None:
        """Why the request is refused, in one sentence; None if it is not."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        (host, *more) = headers.get("host") or [""]
        addressed = parse_authority(host)
        if more or addressed is None or addressed.host not in self._names:
            return "This server does not answer to that host name: HUGGINGGPT_ALLOWED_HOSTS can add it."
        if self._is_shared(scope):
            return None
        if not all(is_same_origin(origin, host) for origin in headers.get("origin", [])):
            return "This server answers only to its own pages."
        site = set(headers.get("sec-fetch-site", []))
        if site <= {"same-origin", "none"} or _opens_a_page(scope, headers):
            return None
        return "This server answers only to its own pages."


def _opens_a_page(scope: Scope, headers: dict[str, list[str]]) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == ["navigate"]
        and headers.get("sec-fetch-dest") == ["document"]
    )


def _with_policy(send: Send, policy: Headers) -> Send:
    async def with_policy(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *policy]}
        await send(message)

    return with_policy


async def _refuse(send: Send, objection: str, policy: Headers) -> None:
    body = json.dumps({"detail": objection}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *policy]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})

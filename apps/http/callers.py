"""Who is calling: the owner of the home folder, or the client of another key."""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse

from apps.http.errors import refusal, status_of
from apps.http.sessions import COOKIE, whose
from apps.up.guard import Application, Receive, Scope, Send
from hugginggpt.errors import HuggingGPTError
from hugginggpt.file_links import is_signed
from hugginggpt.service_key import is_key
from hugginggpt.services import get_trace
from hugginggpt.trace.keys import ApiKey

NO_KEY = "This needs a key: send `Authorization: Bearer KEY`. The owner's is in the file api.key of the home folder."


@dataclass(frozen=True)
class Caller:
    """Who is calling.

    Attributes:
        key: the key, without its text; None for the owner.
    """

    key: ApiKey | None = None

    @property
    def is_owner(self) -> bool:
        """Whether it is the owner."""
        return self.key is None

    @property
    def name(self) -> str | None:
        """The name of the key, as the trace keeps it."""
        return None if self.key is None else self.key.name

    @property
    def only(self) -> str | None:
        """The key whose requests, conversations and files it may see; None if it may see all."""
        return None if self.key is None or self.key.sees_all else self.key.name


def caller_of(connection: HTTPConnection) -> Caller:
    """Who sent a request."""
    caller: Caller = connection.scope["hugginggpt.caller"]
    return caller


async def gone(request: Request) -> None:
    """Wait until the caller has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Entrance:
    """An ASGI application in front of another, which finds out who is calling before anything else of it is read.

    Args:
        application: the other.
        key: the owner's key.
        open_to_all: the paths that need no key.
        login: the path of the page that asks for one, for browsers.
    """

    def __init__(self, application: Application, key: str, open_to_all: frozenset[str], login: str) -> None:
        self._application = application
        self._key = key
        self._open = open_to_all
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or scope["path"] in self._open:
            await self._application(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except HuggingGPTError as error:  # the trace is out of reach
            await refusal(type(error).__name__, error.message, status_of(error))(scope, receive, send)
            return
        if caller is not None:
            await self._application({**scope, "hugginggpt.caller": caller}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif _is_browser(scope):
            await RedirectResponse(self._login, 303)(scope, receive, send)
        else:
            await refusal("Unauthorized", NO_KEY, 401, {"WWW-Authenticate": "Bearer"})(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        if follows_signed_link(self._key, scope):
            return Caller()  # for this file alone
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        if given:
            scheme, _, text = given[0].partition(" ")
            return await self.holder(text.strip()) if len(given) == 1 and scheme.lower() == "bearer" else None
        name = whose(self._key, _cookie(scope))
        if name is None:
            return None
        if not name:
            return Caller()
        key = await run_in_threadpool(get_trace().keys.named, name)
        return None if key is None else Caller(key)

    async def holder(self, text: str) -> Caller | None:
        """Who has the key with that text; None if it opens nothing."""
        if is_key(self._key, text):
            return Caller()
        key = await run_in_threadpool(get_trace().keys.find, text)
        return None if key is None else Caller(key)


def follows_signed_link(key: str, scope: Scope) -> bool:
    """Whether a call asks for a file by a link that was signed with that key."""
    reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    return reads and is_signed(key, scope["path"], scope.get("query_string", b"").decode("latin-1"))


def _cookie(scope: Scope) -> str:
    cookies: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                return ""
    found = cookies.get(COOKIE)
    return "" if found is None else found.value


def _is_browser(scope: Scope) -> bool:
    """Whether somebody opens a page, rather than a program asking for data."""
    headers = dict(scope["headers"])
    return scope["method"] in ("GET", "HEAD") and b"text/html" in headers.get(b"accept", b"")

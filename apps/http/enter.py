"""`/enter`: how a browser gets in, with the link that `up` prints, or with a key."""

from html import escape

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from apps.http.callers import Entrance
from apps.http.paths import ENTER, MANIFEST
from apps.http.sessions import COOKIE, SESSION_SECONDS, session, take_link_token
from hugginggpt.settings import get_settings

router = APIRouter(include_in_schema=False)

_MOST_KEY = 200


@router.get(ENTER)
async def enter(request: Request, token: str = "") -> Response:
    """Let the browser in that brings a new link's token; ask any other for a key."""
    request.app.state.page.prepare()
    if token != "" and await run_in_threadpool(_is_new, token):
        return _let_in(request, "")
    used = "This link was used before: `hugginggpt page` makes another." if token else ""
    return HTMLResponse(_page(used), 403 if token else 200)


@router.get(MANIFEST)
async def manifest() -> Response:
    """What the page is called, for browsers, which ask without the cookie."""
    return JSONResponse({"name": "HuggingGPT", "start_url": "./", "display": "browser"})


@router.post(ENTER)
async def enter_with_key(request: Request) -> Response:
    """Let the browser in that brings a key."""
    entrance: Entrance = request.app.state.entrance
    async with request.form(max_files=0) as form:
        text = str(form.get("key", "")).strip()
    caller = await entrance.holder(text) if 0 < len(text) <= _MOST_KEY else None
    if caller is None:
        return HTMLResponse(_page("This key opens nothing here."), 403)
    return _let_in(request, caller.name or "")


def _is_new(token: str) -> bool:
    return take_link_token(get_settings().home_dir, token)


def _let_in(request: Request, who: str) -> Response:
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        session(request.app.state.key, who),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _page(problem: str) -> str:
    said = f'<p role="alert">{escape(problem)}</p>' if problem else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>HuggingGPT</title><link rel="icon" href="data:,">
<style>body{{font:16px system-ui,sans-serif;max-width:28rem;margin:4rem auto;padding:0 1rem}}
input{{width:100%;font:inherit;padding:.5rem;box-sizing:border-box}}button{{font:inherit;padding:.5rem 1rem}}</style>
</head><body><h1>HuggingGPT</h1>{said}
<p>Open the link that <code>hugginggpt up</code> or <code>hugginggpt page</code> prints, or give a key.</p>
<form method="post" action="{ENTER}"><p><label>Key <input name="key" type="password" required autofocus></label></p>
<p><button>Enter</button></p></form></body></html>"""

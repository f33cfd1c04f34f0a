"""The page's parts, and what happens when they are used."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from fastapi import FastAPI
from pydantic import ValidationError

from apps.http.callers import Caller
from apps.http.page import words
from apps.http.paths import ENTER
from apps.http.requests import NewRequest, Requests, Watch
from hugginggpt.errors import ForbiddenError, HuggingGPTError, TooManyRequestsError, TraceError, UsageError
from hugginggpt.origin import Door
from hugginggpt.resources import artifact_reference
from hugginggpt.settings import get_settings
from hugginggpt.submission import objection
from hugginggpt.trace.story import RequestTrace

Message = dict[str, Any]
_LISTED = 30
_KEPT_SECONDS = 3600
_AT_ONCE = 50

_PRIVATE: dict[str, Any] = {
    "api_visibility": "private",
    "concurrency_limit": _AT_ONCE,
    "show_progress": "hidden",  # and not announced, as every event would be
}

_EXAMPLES = Path(__file__).parents[3] / "examples"
"""In a checkout."""
_TRIES = [
    (text, name)
    for text, name in (
        ("Read the text on this invoice, summarise it, say it aloud.", "invoice.png"),
        ("Write down what is said in this recording.", "message.wav"),
        ("Say 'Good morning, everybody' aloud.", None),
        ("Is this review positive or negative? 'The food was cold, but the staff was kind.'", None),
    )
    if name is None or (_EXAMPLES / name).is_file()
][:3]
"""What the first page offers, with a file or without one."""

_STYLE = """
footer {display: none !important}
.plan img {max-width: 100%; height: auto; border: 0; background: none}
audio {width: 320px; max-width: 100%}
.conversation {height: auto !important; max-height: none !important; min-height: 300px}
.conversation .bubble-wrap {height: auto; overflow: visible}
.conversation .message-row .md img {width: auto !important; max-width: 100% !important; max-height: 70vh !important}
.conversation .user-row .md img {max-height: 240px !important}
.conversation .icon-button-wrapper.top-panel {display: none}
.conversation .placeholder {padding: 0 1rem}
.beside {position: sticky; top: 1rem; align-self: flex-start}
.told {position: fixed; z-index: 1000; top: 1rem; left: 50%; transform: translateX(-50%); width: min(36rem, 90vw);
  padding: .75rem 1rem; border-radius: .5rem; background: #7c2d12; color: #fff}
"""


class _Parts(NamedTuple):
    """What changes on the page."""

    chat: gr.Chatbot
    asked: gr.MultimodalTextbox
    graph: gr.Markdown
    details: gr.Column
    steps: gr.Markdown
    plan: gr.Textbox
    stop: gr.Button
    conversation: gr.State
    request_id: gr.State
    kept: gr.BrowserState
    earlier: gr.Dropdown


def mounted(app: FastAPI, requests: Requests) -> FastAPI:
    """The page on an application."""
    blocks = _Blocks(requests).made()
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=_STYLE,
        head=f"<script>{(Path(__file__).parent / 'page.js').read_text('utf-8')}</script>",
        max_file_size=get_settings().max_file_bytes,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        show_error=False,
    )
    return app


class _Blocks:
    """The page of everybody; what belongs to one browser is in its states."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._shown: dict[str, str] = {}
        """The request that each open page follows."""

    def made(self) -> gr.Blocks:
        """The page."""
        with gr.Blocks(
            title="HuggingGPT", analytics_enabled=False, fill_width=True, delete_cache=(_KEPT_SECONDS, _KEPT_SECONDS)
        ) as page:
            conversation, request_id = gr.State(None), gr.State(None)
            kept = gr.BrowserState(None, storage_key="hugginggpt-request", secret="hugginggpt")
            gr.Markdown("# HuggingGPT")
            with gr.Row():
                with gr.Column(scale=3, min_width=320):
                    chat = gr.Chatbot(
                        label="Conversation",
                        show_label=False,
                        height="auto",
                        autoscroll=False,
                        elem_classes=["conversation"],
                        buttons=["copy"],
                        feedback_options=None,
                        placeholder=words.WELCOME,
                        examples=[
                            {"text": text, "files": [str(_EXAMPLES / name)]} if name else {"text": text}
                            for text, name in _TRIES
                        ],
                    )
                    asked = gr.MultimodalTextbox(
                        label="Request",
                        show_label=False,
                        placeholder="What is to be done?",
                        sources=["upload", "microphone"],
                        file_count="multiple",
                        lines=1,
                        autofocus=True,
                        max_plain_text_length=get_settings().max_request_chars,
                    )
                    with gr.Row():
                        stop = gr.Button("Stop", variant="stop", size="sm", min_width=80, interactive=False)
                        new = gr.Button("New conversation", size="sm", min_width=80)
                with gr.Column(scale=2, min_width=320, elem_classes=["beside"]):
                    graph = gr.Markdown(words.NO_PLAN_YET, elem_classes=["plan"], label="Plan")
                    with gr.Column(visible=False) as details:
                        with gr.Accordion("Steps, models and reasons", open=False):
                            steps = gr.Markdown()
                        with gr.Accordion("Edit the plan", open=False):
                            gr.Markdown(words.ABOUT_PLANS)
                            plan = gr.Textbox(label="Plan", lines=4, max_lines=30)
                            again = gr.Button("Run this plan")
                    with gr.Accordion("Earlier requests", open=False):
                        earlier = gr.Dropdown(label="Request", choices=[], value=None, interactive=True)
                        refresh = gr.Button("Update this list", size="sm")
            self._parts = _Parts(
                chat, asked, graph, details, steps, plan, stop, conversation, request_id, kept, earlier
            )
            shown = list(self._parts)
            files = [[file["path"] for file in example.get("files", ())] for example in chat.examples]
            chat.keep_in_cache.update(*files)
            self._tries: list[dict[str, Any]] = [
                {"text": text, "files": paths} for (text, _), paths in zip(_TRIES, files, strict=True)
            ]
            trying = chat.example_select(self._try, None, [asked], **_PRIVATE)
            for event in (asked.submit, trying.then):
                event(self._ask, [asked, chat, conversation], shown, **_PRIVATE)
            again.click(self._run_plan, [plan, chat, request_id], shown, **_PRIVATE)
            stop.click(self._stop, [request_id], None, **_PRIVATE)
            new.click(self._new, None, shown, **_PRIVATE)
            earlier.input(_chosen, [earlier], [request_id], **_PRIVATE)
            page.load(self._again, [kept], [request_id], **_PRIVATE)
            following = request_id.change(self._follow, [request_id], shown, trigger_mode="multiple", **_PRIVATE)
            for event in (page.load, refresh.click, request_id.change, following.then):
                event(self._earlier, None, [earlier], **_PRIVATE)
            page.unload(self._leave)
        return page

    async def _try(self, chosen: gr.SelectData) -> dict[str, Any]:
        """Ask what an example asks."""
        example: dict[str, Any] = self._tries[chosen.index]
        return example

    async def _ask(
        self, asked: dict[str, Any], chat: list[Message], conversation: str | None, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        """Send what was typed, with its files."""
        paths = [Path(path) for path in asked.get("files") or ()]
        content = {"request": str(asked.get("text") or ""), "conversation": conversation}
        async for update in self._send(request, content, chat, paths):
            yield update

    async def _run_plan(
        self, plan: str, chat: list[Message], request_id: str | None, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        """Run an edited plan for the request that is shown, with its files."""
        assert request_id is not None  # otherwise there is no such button
        story = await self._requests.get(_caller(request), request_id)
        files = [artifact_reference(resource) for resource in story.resources if not resource.earlier]
        content = {"request": story.text, "conversation": story.conversation_id, "files": files, "plan": plan}
        async for update in self._send(request, content, chat, []):
            yield update

    async def _send(
        self, request: gr.Request, content: dict[str, Any], chat: list[Message], paths: Sequence[Path]
    ) -> AsyncIterator[dict[Any, Any]]:
        """Have a request answered. What was typed stays until it is taken."""
        names = ", ".join(path.name for path in paths)
        said = [*chat, _asks(content["request"]), *([_asks(f"Files: {names}")] if names else [])]
        parts = self._parts
        yield {parts.chat: [*said, _working("Starting")]}
        try:
            new = NewRequest.model_validate(content)
            taken = await self._requests.create(_caller(request), new, Door.PAGE, paths)
        except ValidationError as error:
            yield {parts.chat: [*said, _says(f"**Refused.** {objection(error.errors())}")]}
        except (UsageError, ForbiddenError, TooManyRequestsError) as error:
            yield {parts.chat: [*said, _says(f"**Refused.** {error.message}")]}
        except HuggingGPTError as error:
            yield {parts.chat: [*said, _says(f"**Not begun.** {error.message}")]}
        else:
            yield {parts.asked: gr.update(value=None), parts.request_id: taken["request_id"]}

    async def _again(self, kept: str | None, request: gr.Request) -> str | None:
        """The request that this browser showed last, if there still is one."""
        with suppress(TraceError):
            return kept and (await self._requests.get(_caller(request), kept)).request_id
        return None

    async def _follow(self, name: str | None, request: gr.Request) -> AsyncIterator[dict[Any, Any]]:
        """Show a request with its conversation, and how far it comes, to its end or until another one is shown."""
        session, caller, parts = str(request.session_hash), _caller(request), self._parts
        nothing: dict[Any, Any] = dict.fromkeys(parts, gr.skip())
        if name is None:
            yield nothing
            return
        self._shown[session] = name
        story = await self._requests.get(caller, name)
        until, after = await self._turns(caller, story)
        yield {parts.kept: name, parts.conversation: story.conversation_id, parts.plan: ""}
        written = ""
        async for event in self._requests.watch(caller, name, Watch(), None, 30.0):
            story = await self._requests.get(caller, name)
            if self._shown.get(session) != name:
                yield nothing  # or Gradio shows once more what was shown last
                return
            if event is None:
                continue
            kind, told = event
            over = kind != "progress"
            if over:
                until, after = await self._turns(caller, story)  # what went on at the same time may have ended
            if kind == "failed":
                said = _says(words.STOPPED if story.in_line else f"**Failed.** {told['message']}")  # type: ignore[typeddict-item]
            else:
                said = _says(words.answer(story)) if over else _working(words.working(story))
            update = {
                parts.chat: [*until, said, *after],
                parts.graph: words.picture(story),
                parts.details: gr.update(visible=story.plan is not None),
                parts.steps: words.steps(story),
                parts.stop: gr.update(interactive=not over),
            }
            if story.plan is not None and story.plan.to_json() != written:  # what somebody changed in it stays
                update[parts.plan] = written = story.plan.to_json()
            yield update

    async def _turns(self, caller: Caller, story: RequestTrace) -> tuple[list[Message], list[Message]]:
        """What was said in a conversation up to a request, and after it."""
        until: list[Message] = []
        after: list[Message] = []
        said, known = until, set[str]()
        for summary in reversed(await self._requests.latest(caller, _LISTED, story.conversation_id)):
            turn = await self._requests.get(caller, summary.request_id)
            said += map(_asks, words.question(turn, known))
            known |= {turn.request_id, *(file.artifact.sha256 for file in turn.resources)}
            if turn.request_id == story.request_id:
                said = after
            else:
                said.append(_says(words.answer(turn)))
        return until, after

    async def _stop(self, request_id: str | None, request: gr.Request) -> None:
        """Cancel the request that is shown."""
        if request_id is not None:
            await self._requests.cancel(_caller(request), request_id, "on the page")

    async def _new(self, request: gr.Request) -> dict[Any, Any]:
        """Begin a new conversation."""
        parts = self._parts
        self._leave(request)
        return {
            parts.chat: [],
            parts.asked: None,
            parts.graph: words.NO_PLAN_YET,
            parts.details: gr.update(visible=False),
            parts.stop: gr.update(interactive=False),
            parts.conversation: None,
            parts.request_id: None,
            parts.kept: None,
            parts.earlier: gr.update(value=None),
        }

    async def _earlier(self, request: gr.Request) -> Any:
        """The latest requests, to choose from."""
        latest = await self._requests.latest(_caller(request), _LISTED)
        return gr.update(choices=[(words.earlier(summary), summary.request_id) for summary in latest])

    def _leave(self, request: gr.Request) -> None:
        self._shown.pop(str(request.session_hash), None)


def _chosen(name: str | None) -> str | None:
    return name


def _caller(request: gr.Request) -> Caller:
    asked = request.request
    caller = None if asked is None else asked.scope.get("hugginggpt.caller")
    if not isinstance(caller, Caller):
        raise gr.Error(f"Open {ENTER} again.", print_exception=False)
    return caller


def _asks(text: str) -> Message:
    return {"role": "user", "content": text}


def _says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _working(text: str) -> Message:
    return {"role": "assistant", "content": "", "metadata": {"title": text, "status": "pending"}}

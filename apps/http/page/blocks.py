"""The page's parts, and what happens when they are used."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from pydantic import ValidationError

from apps.http.callers import Caller
from apps.http.page import words
from apps.http.paths import ENTER
from apps.http.requests import NewRequest, Requests, Watch
from hugginggpt.errors import HuggingGPTError, UsageError
from hugginggpt.origin import Door
from hugginggpt.resources import artifact_reference
from hugginggpt.settings import get_settings
from hugginggpt.submission import objection
from hugginggpt.trace.story import RequestTrace

Message = dict[str, Any]
_LISTED = 30
_KEPT_SECONDS = 3600
_AT_ONCE = 50

_STYLE = """
footer {display: none !important}
.plan img {max-width: 100%; height: auto; border: 0; background: none}
audio {width: 320px; max-width: 100%}
"""


def mounted(app: FastAPI, requests: Requests) -> FastAPI:
    """The page on an application."""
    blocks = _Blocks(requests).made()
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=_STYLE,
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

    def made(self) -> gr.Blocks:
        """The page."""
        with gr.Blocks(
            title="HuggingGPT", analytics_enabled=False, fill_width=True, delete_cache=(_KEPT_SECONDS, _KEPT_SECONDS)
        ) as page:
            conversation, request_id = gr.State(None), gr.State(None)
            gr.Markdown("# HuggingGPT")
            with gr.Row():
                with gr.Column(scale=3, min_width=320):
                    chat = gr.Chatbot(
                        label="Conversation",
                        height=480,
                        buttons=["copy"],
                        feedback_options=None,
                        placeholder="For example: “Read this invoice, and say the total aloud.”",
                    )
                    asked = gr.MultimodalTextbox(
                        label="Request",
                        placeholder="What is to be done?",
                        sources=["upload", "microphone"],
                        file_count="multiple",
                        lines=1,
                        autofocus=True,
                        max_plain_text_length=get_settings().max_request_chars,
                    )
                    with gr.Row():
                        stop = gr.Button("Stop", variant="stop", interactive=False)
                        new = gr.Button("New conversation")
                with gr.Column(scale=2, min_width=320):
                    graph = gr.Markdown(elem_classes=["plan"], label="Plan")
                    with gr.Accordion("Steps, models and reasons", open=False):
                        steps = gr.Markdown("There is no plan yet.")
                    with gr.Accordion("Edit the plan", open=False):
                        plan = gr.Textbox(label="Plan", lines=8, max_lines=30, placeholder="The plan comes here.")
                        again = gr.Button("Run this plan")
                    with gr.Accordion("Earlier requests", open=False):
                        earlier = gr.Dropdown(label="Request", choices=[], value=None, interactive=True)
                        refresh = gr.Button("Look again")
            shown: list[Any] = [chat, asked, graph, steps, plan, stop, conversation, request_id]
            asking = asked.submit(
                self._ask, [asked, chat, conversation], shown, api_visibility="private", concurrency_limit=_AT_ONCE
            )
            running = again.click(
                self._run_plan, [plan, chat, request_id], shown, api_visibility="private", concurrency_limit=_AT_ONCE
            )
            stop.click(self._stop, [request_id], None, api_visibility="private", concurrency_limit=_AT_ONCE)
            new.click(self._new, None, shown, api_visibility="private", cancels=[asking, running])
            earlier.input(self._look, [earlier], shown, api_visibility="private", concurrency_limit=_AT_ONCE)
            for event in (page.load, refresh.click, asking.then, running.then):
                event(self._earlier, None, [earlier], api_visibility="private", concurrency_limit=_AT_ONCE)
            self._parts = shown
        return page

    async def _ask(
        self, asked: dict[str, Any], chat: list[Message], conversation: str | None, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        """Answer what was typed, with its files."""
        paths = [Path(path) for path in asked.get("files") or ()]
        text = str(asked.get("text") or "")
        async for update in self._answer(request, {"request": text, "conversation": conversation}, chat, paths):
            yield update

    async def _run_plan(
        self, plan: str, chat: list[Message], request_id: str | None, request: gr.Request
    ) -> AsyncIterator[dict[Any, Any]]:
        """Run an edited plan for the request that is shown, with its files."""
        if request_id is None:
            raise gr.Error("There is no request whose plan could be run: ask something first.", print_exception=False)
        story = await self._requests.get(_caller(request), request_id)
        files = [artifact_reference(resource) for resource in story.resources if not resource.earlier]
        content = {"request": story.text, "conversation": story.conversation_id, "files": files, "plan": plan}
        async for update in self._answer(request, content, chat, []):
            yield update

    async def _answer(
        self, request: gr.Request, content: dict[str, Any], chat: list[Message], paths: Sequence[Path]
    ) -> AsyncIterator[dict[Any, Any]]:
        box, asked, graph, steps, plan, stop, conversation, request_id = self._parts
        caller = _caller(request)
        said: list[Message] = [*chat, *_question(content["request"], paths)]
        yield {box: [*said, _working("Starting")], asked: gr.update(value=None), stop: gr.update(interactive=True)}
        try:
            new = NewRequest.model_validate(content)
            taken = await self._requests.create(caller, new, Door.PAGE, paths)
            name = taken["request_id"]
            yield {request_id: name}
            async for event in self._requests.watch(caller, name, Watch(), None, 30.0):
                if event is None:
                    continue
                kind, told = event
                if kind == "failed":
                    raise UsageError(str(told["message"]))  # type: ignore[typeddict-item]
                story = await self._requests.get(caller, name)
                if kind == "progress":
                    yield {
                        box: [*said, _working(words.working(told))],  # type: ignore[arg-type]
                        graph: words.picture(story),
                        steps: words.steps(story),
                        plan: _written(story),
                    }
                else:
                    yield {
                        box: [*said, _says(words.answer(story))],
                        conversation: story.conversation_id,
                        stop: gr.update(interactive=False),
                    }
        except ValidationError as error:
            yield {box: [*said, _says(objection(error.errors()))], stop: gr.update(interactive=False)}
        except HuggingGPTError as error:
            yield {box: [*said, _says(f"**Refused.** {error.message}")], stop: gr.update(interactive=False)}

    async def _stop(self, request_id: str | None, request: gr.Request) -> None:
        """Cancel the request that is shown."""
        if request_id is not None:
            await self._requests.cancel(_caller(request), request_id)

    async def _new(self) -> dict[Any, Any]:
        """Begin a new conversation."""
        box, asked, graph, steps, plan, stop, conversation, request_id = self._parts
        return {
            box: [],
            asked: None,
            graph: "",
            steps: "There is no plan yet.",
            plan: "",
            stop: gr.update(interactive=False),
            conversation: None,
            request_id: None,
        }

    async def _look(self, name: str | None, request: gr.Request) -> dict[Any, Any]:
        """Show an earlier request, and what was said before and after it."""
        box, _, graph, steps, plan, _, conversation, request_id = self._parts
        if name is None:
            return {request_id: None}
        caller = _caller(request)
        story = await self._requests.get(caller, name)
        told = await self._requests.latest(caller, _LISTED, story.conversation_id)
        said: list[Message] = []
        for summary in reversed(told):
            turn = await self._requests.get(caller, summary.request_id)
            said += [{"role": "user", "content": turn.text}, _says(words.answer(turn))]
        return {
            box: said,
            graph: words.picture(story),
            steps: words.steps(story),
            plan: _written(story),
            conversation: story.conversation_id,
            request_id: story.request_id,
        }

    async def _earlier(self, request: gr.Request) -> Any:
        """The latest requests, to choose from."""
        latest = await self._requests.latest(_caller(request), _LISTED)
        return gr.update(choices=[(words.earlier(summary), summary.request_id) for summary in latest], value=None)


def _caller(request: gr.Request) -> Caller:
    asked = request.request
    caller = None if asked is None else asked.scope.get("hugginggpt.caller")
    if not isinstance(caller, Caller):
        raise gr.Error(f"Open {ENTER} again.", print_exception=False)
    return caller


def _question(text: str, paths: Sequence[Path]) -> list[Message]:
    files = ", ".join(path.name for path in paths)
    return [{"role": "user", "content": text + (f"\n\nFiles: {files}" if files else "")}]


def _says(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _working(text: str) -> Message:
    return {"role": "assistant", "content": "", "metadata": {"title": text, "status": "pending"}}


def _written(story: RequestTrace) -> str:
    return "" if story.plan is None else json.dumps(story.plan.to_list(), indent=1, ensure_ascii=False)

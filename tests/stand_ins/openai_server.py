"""An OpenAI-compatible server on loopback that answers from a script, and misbehaves on demand.

A script gives replies by stage: "plan", "select", "respond", "answer" (a direct one), "check" or
the kind of a text task; "*" stands for any other. Each stage's replies are given in turn, and the
last one again and again. Without a script no task is planned, the first model is chosen and every
answer is "OK.".

`python -m tests.stand_ins.openai_server --script FILE` prints the base URL. The file is JSON:
`{"plan": [{"tasks": [...]}, {"misbehave": "rate_limited", "retry_after": 1}], "respond": "..."}`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

PROMPTS = Path(__file__).resolve().parents[2] / "prompts"
# Whose wording tells a stage when there is no schema to name it.
_MARKED_BY = {
    "planning": "plan",
    "selection": "select",
    "_answering": "respond",
    "_direct": "answer",
    "check": "check",
    "summarization": "summarization",
    "summarization_merge": "summarization",
    "translation": "translation",
    "question-answering": "question-answering",
    "document-question-answering": "document-question-answering",
    "conversational": "conversational",
    "text-generation": "text-generation",
    "text2text-generation": "text2text-generation",
}


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        content: the answer's text, or parts.
        beside: fields of the message beside its content.
        status: HTTP status; anything but 200 makes it an error.
        code: the error's code, and `param` the parameter it is about.
        error: the whole JSON body, in place of a completion or of an error in OpenAI's form.
        location: where a redirect leads.
        finish: finish_reason of the choice.
        usage: what it says about tokens, in place of an estimate.
        hang: never answer.
        cut_off: break the connection in the middle of the body.
        body: the whole body, in place of a completion.
        delay: seconds before the answer.
        tokens: completion tokens to report, in place of an estimate.
        headers: further headers.
        endless: the body goes on for a gigabyte; "squeezed" for one that a megabyte unpacks to.
    """

    content: Any = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    code: str | None = None
    param: str | None = None
    message: str = "The stand-in was told to refuse."
    error: Any = None
    location: str | None = None
    retry_after: float | None = None
    finish: str = "stop"
    usage: Any = None
    hang: bool = False
    cut_off: bool = False
    body: bytes | None = None
    delay: float = 0.0
    tokens: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: Literal["", "long", "squeezed"] = ""


def rate_limited(retry_after: float | None = None) -> Reply:
    return Reply(status=429, code="rate_limit_exceeded", message="Slow down.", retry_after=retry_after)


def out_of_quota() -> Reply:
    return Reply(status=429, code="insufficient_quota", message="You exceeded your current quota.")


def wrong_key() -> Reply:
    return Reply(status=401, code="invalid_api_key", message="Incorrect API key provided.")


def unknown_model() -> Reply:
    return Reply(status=404, code="model_not_found", message="The model does not exist.")


def broken() -> Reply:
    return Reply(status=500, message="Internal error.")


def hangs() -> Reply:
    return Reply(hang=True)


def cut_off() -> Reply:
    return Reply("This answer will never", cut_off=True)


def at_limit(content: str) -> Reply:
    return Reply(content, finish="length")


def in_prose(value: Any) -> Reply:
    return Reply(f"Sure! Here it is:\n```json\n{json.dumps(value)}\n```\nTell me if you need more.")


def invalid_json() -> Reply:
    return Reply('{"tasks": [{"task": "image-to-te')


def loading() -> Reply:
    """A llama.cpp server that is not ready."""
    return Reply(status=503, error={"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}})


def thinking(content: Any, how: str = "tags") -> Reply:
    """An answer with thoughts that hold a draft, in one of the ways that servers show them.

    Args:
        content: the answer.
        how: "tags", "no beginning", "thought tags", "brackets", "channels", "parts" or "a field of its own".
    """
    said = content if isinstance(content, str) else json.dumps(content)
    draft = f"Hm. First I thought of {json.dumps(DRAFT)}, but no."
    match how:
        case "tags":
            return Reply(f"<think>\n{draft}\n</think>\n\n{said}")
        case "no beginning":
            return Reply(f"{draft}\n</think>\n\n{said}")
        case "thought tags":
            return Reply(f"<thought>{draft}</thought>{said}")
        case "brackets":
            return Reply(f"[THINK]{draft}[/THINK]{said}")
        case "channels":
            return Reply(
                f"<|channel|>analysis<|message|>{draft}<|end|><|start|>assistant<|channel|>final<|message|>{said}"
            )
        case "parts":
            thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": draft}]}
            return Reply([thoughts, {"type": "text", "text": said}])
        case "a field of its own":
            return Reply(said, beside={"reasoning_content": draft})
    raise ValueError(how)


DRAFT = [{"task": "image-to-text", "id": k, "dep": [-1], "args": {"image": "draft.jpg"}} for k in range(3)]
"""A plan that no model means: it only thinks of it."""


def only_thinking(closed: bool = False) -> Reply:
    """Thoughts that used up the token limit."""
    return Reply(f"<think>\nLet me see. {json.dumps(DRAFT)}" + "</think>" * closed, finish="length")


def answer_in_thoughts(value: Any) -> Reply:
    """A server that takes everything for thoughts."""
    return Reply("", beside={"reasoning_content": json.dumps(value)})


def tool_call(arguments: Any, saying: str | None = None) -> Reply:
    return tool_calls([("plan", arguments)], saying)


def tool_calls(calls: Sequence[tuple[str, Any]], saying: str | None = None) -> Reply:
    """Calls of tools, each a name and its arguments."""
    made = [
        {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for n, (name, arguments) in enumerate(calls)
    ]
    return Reply(saying, beside={"tool_calls": made}, finish="tool_calls")


def declined(words: str = "I cannot help with that.") -> Reply:
    return Reply(None, beside={"refusal": words})


def error_in_success(message: str = "Upstream is overloaded", code: Any = 502) -> Reply:
    """OpenRouter's way."""
    return Reply(error={"error": {"message": message, "code": code}})


def broken_off() -> Reply:
    return Reply("Half of the ans", finish="error")


def unfinished() -> Reply:
    """What gpt-5 says if its thoughts need more than the limit."""
    message = "Could not finish the message because max_tokens or model output limit was reached."
    return Reply(status=400, code="invalid_request_error", message=message)


def listed_error(delay: str = "0.2s") -> Reply:
    """Gemini's way."""
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    error = {"code": 429, "message": "Resource exhausted.", "status": "RESOURCE_EXHAUSTED", "details": [info]}
    return Reply(status=429, error=[{"error": error}])


def text_error(message: str = "Model crashed.") -> Reply:
    """LM Studio's way."""
    return Reply(status=500, error={"error": message})


def redirected(to: str) -> Reply:
    return Reply(status=301, error={}, location=to)


MISBEHAVIOUR: dict[str, Callable[..., Reply]] = {
    "rate_limited": rate_limited,
    "out_of_quota": out_of_quota,
    "wrong_key": wrong_key,
    "unknown_model": unknown_model,
    "broken": broken,
    "hangs": hangs,
    "cut_off": cut_off,
    "at_limit": at_limit,
    "in_prose": in_prose,
    "invalid_json": invalid_json,
    "loading": loading,
    "thinking": thinking,
    "only_thinking": only_thinking,
    "answer_in_thoughts": answer_in_thoughts,
    "tool_call": tool_call,
    "declined": declined,
    "error_in_success": error_in_success,
    "broken_off": broken_off,
    "unfinished": unfinished,
    "listed_error": listed_error,
    "text_error": text_error,
    "redirected": redirected,
}


@dataclass(frozen=True)
class RecordedCall:
    """One request, as it came in. The key itself is not kept, only whether it was the right one, and where it was."""

    stage: str
    correction: bool
    request: dict[str, Any]
    right_key: bool
    query: str = ""
    in_api_key: bool = False

    @property
    def text(self) -> str:
        """Everything that the messages say."""
        return "\n".join(message["content"] for message in self.request["messages"])

    @property
    def structure(self) -> str | None:
        """The response_format that was asked for."""
        wanted = self.request.get("response_format")
        return wanted["type"] if wanted else None

    @property
    def choices(self) -> list[str]:
        """The ids that selection's schema allows."""
        schema = (self.request.get("response_format") or {}).get("json_schema", {}).get("schema", {})
        return list(schema.get("properties", {}).get("id", {}).get("enum", ()))


Scripted = Reply | str | dict[str, Any] | list[Any] | Callable[[RecordedCall], Any]
Script = Mapping[str, Scripted | Sequence[Scripted]]


def stage_of(request: dict[str, Any]) -> str:
    """The stage of a request: the name of its schema, else the prompt that its wording comes from."""
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return str(wanted["json_schema"]["name"])
    said = "\n".join(str(message["content"]) for message in request["messages"])
    return next((stage for file, stage in _MARKED_BY.items() if any(mark in said for mark in _marks(file))), "*")


def _marks(file: str) -> list[str]:
    """What only this template says: its first fixed line, and its fixed sentences."""
    lines = (PROMPTS / f"{file}.j2").read_text(encoding="utf-8").splitlines()
    fixed = [line.split("{")[0].strip() for line in lines if re.match(r"[A-Z][^{]{6,}", line)]
    return fixed[:1] + [line for line in fixed[1:] if line.endswith(".")]


@dataclass
class OpenAIServer:
    """The server, running inside a `with` block.

    Args:
        script: replies by stage.
        key: the key to accept; None to accept anything.
        structures: the response formats it understands; others are refused with 400.
        refused_parameters: parameters that are refused with 400, as some models do.
        knows_system: takes system messages; otherwise they are refused, as Gemma's template does.
    """

    script: Script = field(default_factory=dict)
    key: str | None = None
    structures: tuple[str, ...] = ("json_schema", "json_object")
    refused_parameters: tuple[str, ...] = ()
    knows_system: bool = True
    port: int = 0
    calls: list[RecordedCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.abandoned = threading.Event()  # set when a client gave up on a hanging call
        self.most_at_once = 0
        self._at_once = 0

    def __enter__(self) -> OpenAIServer:
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """The base URL, for OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def stages(self) -> list[str]:
        """The stages of the calls so far."""
        return [call.stage for call in self.calls]

    def reply(self, request: dict[str, Any], key: str | None, query: str, azure_key: str | None) -> Reply:
        """Record a request and say what to do with it."""
        right_key = self.key is None or key == self.key
        corrected = any(message["role"] == "assistant" for message in request["messages"])
        in_api_key = azure_key is not None and azure_key == self.key
        call = RecordedCall(stage_of(request), corrected, request, right_key, query, in_api_key)
        with self._lock:
            self.calls.append(call)
            if not right_key:
                return wrong_key()
            if call.structure is not None and call.structure not in self.structures:
                return Reply(status=400, param="response_format", message=f"{call.structure} is not supported.")
            refused = next((name for name in self.refused_parameters if name in request), None)
            if refused is not None:
                return Reply(status=400, param=refused, code="unsupported_parameter")
            if not self.knows_system and any(message["role"] == "system" for message in request["messages"]):
                return Reply(status=500, message="Jinja Exception: System role not supported")
            scripted = self._next(call)
        while callable(scripted):
            scripted = scripted(call)
        if isinstance(scripted, dict) and "misbehave" in scripted:
            options = dict(scripted)
            return MISBEHAVIOUR[options.pop("misbehave")](**options)
        if isinstance(scripted, Reply):
            return scripted
        return Reply(scripted if isinstance(scripted, str) else json.dumps(scripted))

    def _next(self, call: RecordedCall) -> Any:
        stage = call.stage if call.stage in self.script else "*"
        if stage not in self.script:
            return _usual(call)
        replies = self.script[stage]
        if not isinstance(replies, list | tuple):
            return replies
        turn = self._given.get(stage, 0)
        self._given[stage] = turn + 1
        return replies[min(turn, len(replies) - 1)]

    def entered(self, step: int) -> None:
        """Count requests under way."""
        with self._lock:
            self._at_once += step
            self.most_at_once = max(self.most_at_once, self._at_once)


def _usual(call: RecordedCall) -> Any:
    if call.stage == "plan":
        return {"tasks": []}
    if call.stage == "select":
        listed = call.choices or re.findall(r"^- (.+?) \| ", call.text, re.MULTILINE)
        return {"id": listed[0], "reason": "It is listed first."}
    return "OK."


def _handler(server: OpenAIServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": []})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path, _, query = self.path.partition("?")
            if path != "/v1/chat/completions":
                return self._send(404, {"error": {"message": "No such route."}})
            request = json.loads(body)
            key = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            server.entered(1)
            try:
                self._answer(request, server.reply(request, key, query, self.headers.get("api-key")))
            finally:
                server.entered(-1)

        def _answer(self, request: dict[str, Any], reply: Reply) -> None:
            if reply.hang:
                return self._hang()
            time.sleep(reply.delay)
            if reply.endless:
                return self._endless(reply)
            if reply.body is not None:
                return self._bytes(reply.status, reply.body, {"Content-Type": "text/html"})
            if reply.error is not None:
                headers = {} if reply.location is None else {"Location": reply.location}
                return self._send(reply.status, reply.error, headers)
            if reply.status != 200:
                error = {"message": reply.message, "type": reply.code, "code": reply.code, "param": reply.param}
                headers = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
                return self._send(reply.status, {"error": error}, headers)
            self._send(200, _completion(request, reply), reply.headers, cut_off=reply.cut_off)

        def _endless(self, reply: Reply) -> None:
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            if reply.endless == "squeezed":
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            packed = zlib.compressobj(wbits=31 if reply.endless == "squeezed" else -15)
            pack = packed.compress if reply.endless == "squeezed" else bytes
            with contextlib.suppress(OSError):  # the client has read enough
                self.wfile.write(pack(f'{{"error": {{"message": "{reply.message}", "more": "'.encode()))
                for _ in range(1000):
                    self.wfile.write(pack(b"a" * 1_000_000))

        def _hang(self) -> None:
            """Wait until the client gives up or the server stops."""
            self.connection.settimeout(0.05)
            while not server._stopping.is_set():
                try:
                    if not self.connection.recv(1, socket.MSG_PEEK):
                        break
                except TimeoutError:
                    continue
                except OSError:
                    break
            server.abandoned.set()
            self.close_connection = True

        def _send(self, status: int, value: Any, headers: Mapping[str, str] = {}, cut_off: bool = False) -> None:
            body = json.dumps(value).encode()
            self._bytes(status, body, {"Content-Type": "application/json", **headers}, cut_off)

        def _bytes(self, status: int, body: bytes, headers: Mapping[str, str], cut_off: bool = False) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut_off else body)
            self.close_connection = self.close_connection or cut_off

    return Handler


def _completion(request: dict[str, Any], reply: Reply) -> dict[str, Any]:
    prompt = sum(len(message["content"]) for message in request["messages"]) // 4
    written = len(str(reply.content or "")) // 4 if reply.tokens is None else reply.tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": reply.content, **reply.beside},
                "finish_reason": reply.finish,
            }
        ],
        "usage": usage if reply.usage is None else reply.usage,
    }


def main() -> None:
    """Serve a script until interrupted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--script", type=Path, help="JSON file of replies by stage")
    parser.add_argument("--port", type=int, default=0, help="port; a free one when 0")
    parser.add_argument("--key", help="key to accept; any when not given")
    parser.add_argument("--log", type=Path, help="file that gets each request, one JSON object a line")
    given = parser.parse_args()
    script = json.loads(given.script.read_text(encoding="utf-8")) if given.script else {}
    with OpenAIServer(script, key=given.key, port=given.port) as server:
        print(server.url, flush=True)
        written = 0
        try:
            while True:
                time.sleep(0.2)
                for call in server.calls[written:]:
                    written += 1
                    if given.log is not None:
                        with given.log.open("a", encoding="utf-8") as log:
                            log.write(json.dumps({"stage": call.stage, "request": call.request}) + "\n")
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()

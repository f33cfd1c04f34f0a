"""The door for MCP hosts, with fastmcp's client: over HTTP and stdio, in both eras of the protocol."""

import asyncio
import io
import json
import os
import sys
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from PIL import Image

from apps.http.mcp import MISSING, prepare
from hugginggpt.results import RequestStatus
from hugginggpt.service_key import read_key
from hugginggpt.services import get_trace, reset
from hugginggpt.trace.story import RequestTrace
from tests.apps.installation import COMMAND, Installation
from tests.apps.test_api import OWNER, put_in_line, url  # noqa: F401
from tests.apps.test_api import client as api
from tests.apps.test_ask import EDGES, SUMMARY
from tests.servers import wait_until
from tests.stand_ins.openai_server import OpenAIServer

prepare()
pytest.importorskip("fastmcp", reason="the extra `mcp` is not installed")

from fastmcp import Client  # noqa: E402
from fastmcp.client.client import CallToolResult  # noqa: E402
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport  # noqa: E402
from fastmcp.exceptions import ToolError  # noqa: E402
from mcp import MCPError  # noqa: E402
from mcp_types import BlobResourceContents, ResourceLink, TextContent, TextResourceContents  # noqa: E402

T = TypeVar("T")
AnyClient = Client[Any]
Connect = Callable[..., AnyClient]


def over_http(address: str, key: str, **options: Any) -> AnyClient:
    return Client(StreamableHttpTransport(f"{address}/mcp", headers={"Authorization": f"Bearer {key}"}), **options)


def over_stdio(installation: Installation, **options: Any) -> AnyClient:
    words = [*COMMAND[1:], "mcp"]
    # What hosts set; the settings are those of the `up`.
    environment = {"HUGGINGGPT_HOME": str(installation.home), "PYTHONPATH": os.getcwd()}
    return Client(StdioTransport(COMMAND[0], words, env=environment, cwd=str(installation.folder)), **options)


def using(client: AnyClient, use: Callable[[AnyClient], Awaitable[T]]) -> T:
    """What comes of the use of a client."""

    async def used() -> T:
        async with client:
            return await use(client)

    return asyncio.run(used())


def call(client: AnyClient, tool: str, **arguments: Any) -> CallToolResult:
    return using(client, lambda client: client.call_tool(tool, arguments))


def refusal(client: AnyClient, tool: str, **arguments: Any) -> str:
    with pytest.raises(ToolError) as refused:
        call(client, tool, **arguments)
    return str(refused.value)


def text(result: CallToolResult) -> str:
    (first, *_) = result.content
    assert isinstance(first, TextContent)
    return first.text


def outcome(result: CallToolResult) -> dict[str, Any]:
    assert result.structured_content is not None
    return result.structured_content


# In the service, without the processes that answer requests


@pytest.fixture(params=["auto", "legacy"])
def owner(request: pytest.FixtureRequest, url: str) -> Callable[[], AnyClient]:  # noqa: F811
    return lambda: over_http(url, OWNER, mode=request.param)


def test_a_host_sees_the_tools_and_what_they_do(owner: Callable[[], AnyClient]) -> None:
    async def listed(client: AnyClient) -> None:
        tools = {tool.name: tool for tool in await client.list_tools()}
        assert list(tools) == ["ask", "submit", "status", "result", "cancel", "plan", "kinds"]
        for tool in tools.values():
            assert tool.description and tool.annotations and tool.output_schema
        reading = {name for name, tool in tools.items() if tool.annotations and tool.annotations.read_only_hint}
        assert reading == {"status", "result", "plan", "kinds"}
        asked = tools["ask"].input_schema["properties"]
        assert set(asked) == {"request", "files", "conversation", "options", "wait_seconds"}
        assert {"deadline", "max_cost", "models", "plan", "fresh"} <= set(asked["options"]["properties"])
        assert [one.uri_template for one in await client.list_resource_templates()] == ["files://{sha256}"]
        kinds = await client.call_tool("kinds", {})
        assert "summarization(text: text) -> text" in text(kinds).splitlines()
        assert {"kind": "summarization", "inputs": ["text: text"], "outputs": ["text"]} in outcome(kinds)["kinds"]

    using(owner(), listed)


def test_without_a_key_there_is_no_mcp(url: str) -> None:  # noqa: F811
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for headers in ({}, {"Authorization": "Bearer hgpt_wrong"}):
        answer = httpx.post(f"{url}/mcp", json=asked, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    headers = {"Authorization": f"Bearer {OWNER}", "Accept": "application/json, text/event-stream"}
    for path in ("/mcp", "/mcp/"):
        assert httpx.post(url + path, json=asked, headers=headers, timeout=60).status_code == 200
        large = httpx.post(url + path, content=iter([b"x" * 2**20] * 201), headers=headers, timeout=60)
        assert large.status_code == 413


def test_without_fastmcp_the_service_names_the_extra(url: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    answer = httpx.post(f"{url}/mcp", json={}, headers={"Authorization": f"Bearer {OWNER}"})
    assert (answer.status_code, answer.json()["message"]) == (404, MISSING)


def test_what_waits_in_line_is_shown_and_can_be_cancelled(url: str, owner: Callable[[], AnyClient]) -> None:  # noqa: F811
    with api(url, OWNER) as over_api:
        request_id = put_in_line(over_api)["request_id"]
    for tool, more in (("status", {}), ("result", {"wait_seconds": 0}), ("result", {"wait_seconds": 0.5})):
        found = call(owner(), tool, request_id=request_id[:10], **more)
        assert outcome(found)["request_id"] == request_id
        assert (outcome(found)["status"], outcome(found)["answer"]) == ("queued", None)
        assert "is not finished yet (Waiting in line)" in text(found) and "`result`" in text(found)
    cancelled = call(owner(), "cancel", request_id=request_id)
    assert (outcome(cancelled)["status"], text(cancelled)) == ("cancelled", f"Request {request_id} is cancelled.")
    again = call(owner(), "cancel", request_id=request_id)
    assert "had already ended: it is cancelled" in text(again)
    assert text(call(owner(), "result", request_id=request_id)) == f"Request {request_id} was cancelled."


def test_a_wrong_call_gets_one_sentence(owner: Callable[[], AnyClient]) -> None:
    assert refusal(owner(), "ask") == "'request' cannot be used: missing required argument."
    assert "There is no request 'nowhere'" in refusal(owner(), "status", request_id="nowhere")
    for tool, wrong, said in (
        ("ask", {"wait_seconds": -1}, "'wait_seconds' cannot be used"),
        ("ask", {"files": "not a list"}, "'files' cannot be used"),
        ("ask", {"nothing": 1}, "'nothing' cannot be used"),
        ("ask", {"options": {"deadline": 0}}, "'options.deadline' cannot be used"),
        ("ask", {"options": {"nothing": 0}}, "'options.nothing' cannot be used"),
        ("ask", {"request": "a\x00b"}, "'request' cannot be used"),
        ("submit", {"conversation": "nowhere"}, "nowhere"),
        ("plan", {"files": ["/etc/passwd"]}, "/etc/passwd"),
    ):
        sentence = refusal(owner(), tool, **({"request": "Read it"} | wrong))
        assert said in sentence and "\n" not in sentence and "pydantic" not in sentence, sentence


def test_a_key_sees_only_what_it_made(url: str) -> None:  # noqa: F811
    mine, other = (get_trace().keys.add(name) for name in ("mine", "other"))
    with api(url, mine) as over_api:
        sent = over_api.post("/files", files=[("files", ("note.txt", b"My own."))]).json()[0]
        request_id = put_in_line(over_api, files=[sent["reference"]])["request_id"]

    async def seen(client: AnyClient) -> str:
        (found,) = await client.read_resource(f"files://{sent['sha256']}")
        assert isinstance(found, TextResourceContents)
        assert (found.text, found.mime_type) == ("My own.", "text/plain")
        return str(outcome(await client.call_tool("status", {"request_id": request_id}))["request_id"])

    assert using(over_http(url, mine), seen) == using(over_http(url, OWNER), seen) == request_id
    for tool in ("status", "result", "cancel"):
        assert "There is no request" in refusal(over_http(url, other), tool, request_id=request_id)
    asked = {"request": "Read it", "files": [sent["reference"]]}
    assert "There is no file" in refusal(over_http(url, other), "submit", **asked)
    with pytest.raises(MCPError, match="There is no such file"):
        using(over_http(url, other), lambda client: client.read_resource(f"files://{sent['sha256']}"))


def test_a_large_file_is_named_by_its_link(url: str) -> None:  # noqa: F811
    noise = io.BytesIO()
    Image.frombytes("RGB", (1800, 1800), os.urandom(1800 * 1800 * 3)).save(noise, "PNG")
    with api(url, OWNER) as over_api:
        sent = over_api.post("/files", files=[("files", ("noise.png", noise.getvalue()))]).json()[0]
        put_in_line(over_api, files=[sent["reference"]])
    with pytest.raises(MCPError, match="fetch it from http") as refused:
        using(over_http(url, OWNER), lambda client: client.read_resource(f"files://{sent['sha256']}"))
    fetched = httpx.get(str(refused.value).rpartition(" ")[2].rstrip("."))
    assert (fetched.headers["content-type"], len(fetched.content)) == ("image/png", sent["bytes"])


# With an `up`


@pytest.fixture
def here(stood_up: Installation) -> Installation:
    return stood_up


@pytest.fixture
def controller(here: Installation, stand_in: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    """The stand-in, and the trace of the installation."""
    stand_in.script = {}
    monkeypatch.setenv("HUGGINGGPT_HOME", str(here.home))
    reset()
    yield stand_in
    reset()


@pytest.fixture(params=["http", "http, legacy", "stdio", "stdio, legacy"])
def connect(request: pytest.FixtureRequest, here: Installation) -> Connect:
    """Clients of the installation."""
    transport, _, mode = request.param.partition(", ")
    era = {"mode": mode} if mode else {}
    if transport == "stdio":
        return lambda **options: over_stdio(here, **era, **options)
    key = read_key(here.home)
    assert key is not None
    return lambda **options: over_http(here.state["service_url"], key, **era, **options)


def summary() -> list[dict[str, Any]]:
    """A plan to summarise a text that no test has had summarised."""
    return [SUMMARY | {"id": 0, "args": {"text": f"A text about {uuid.uuid4().hex}."}}]


class Pause:
    """A controller that summarises once it may."""

    def __init__(self, controller: OpenAIServer) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        controller.script = {"summarization": self._summarise, "respond": "It is done."}

    def _summarise(self, call: object) -> str:
        self.reached.set()
        self.go_on.wait(120)
        return "It is short."


def latest() -> RequestTrace:
    return get_trace().requests.get(get_trace().requests.latest(1)[0].request_id)


@pytest.mark.slow
def test_a_picture_comes_back_as_a_resource_and_a_link(
    connect: Connect, controller: OpenAIServer, here: Installation
) -> None:
    controller.script = {"respond": "The edges are drawn."}
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async def use(client: AnyClient) -> None:
        asked = {"request": "Draw the edges.", "files": [here.photo.as_uri()], "options": {"plan": [EDGES]}}
        if not isinstance(client.transport, StdioTransport):
            asked["files"] = [str(here.photo)]
        made = await client.call_tool("ask", asked)
        found = outcome(made)
        assert (found["status"], found["answer"]) == ("completed", "The edges are drawn.")
        values = [progress for progress, _, _ in told]
        assert values == sorted(set(values)) and told[-1][2]
        assert any(total == 1 for _, total, _ in told)
        (file,) = found["files"]
        assert (file["name"], file["mime"]) == ("photo-edges.png", "image/png")
        (link,) = [one for one in made.content if isinstance(one, ResourceLink)]
        assert (str(link.uri), link.name, link.size) == (file["uri"], file["name"], file["bytes"])
        (read,) = await client.read_resource(file["uri"])
        assert isinstance(read, BlobResourceContents) and read.mime_type == "image/png"
        fetched = httpx.get(file["url"])
        assert fetched.headers["content-type"] == "image/png" and len(fetched.content) == file["bytes"]
        more = await client.call_tool(
            "ask", {"request": "Thanks.", "conversation": found["conversation_id"], "options": {"plan": []}}
        )
        assert outcome(more)["conversation_id"] == found["conversation_id"]
        assert latest().door == "mcp"

    using(connect(progress_handler=hear), use)


@pytest.mark.slow
def test_a_long_request_goes_on_after_the_call(connect: Connect, controller: OpenAIServer) -> None:
    pause = Pause(controller)

    async def use(client: AnyClient) -> None:
        begun = await client.call_tool(
            "ask", {"request": "Summarise it.", "options": {"plan": summary()}, "wait_seconds": 0.1}
        )
        assert outcome(begun)["status"] in ("queued", "running") and "Call `result`" in text(begun)
        request_id = outcome(begun)["request_id"]
        await asyncio.to_thread(pause.reached.wait, 120)
        standing = outcome(await client.call_tool("status", {"request_id": request_id}))
        assert (standing["steps_done"], len(standing["steps"]), standing["answer"]) == (0, 1, None)
        pause.go_on.set()
        done = await client.call_tool("result", {"request_id": request_id, "wait_seconds": 100})
        assert (outcome(done)["status"], outcome(done)["answer"]) == ("completed", "It is done.")
        assert text(done).startswith("It is done.")

    using(connect(), use)


@pytest.mark.slow
def test_a_cancelled_call_stops_its_request(connect: Connect, controller: OpenAIServer) -> None:
    pause = Pause(controller)

    async def use(client: AnyClient) -> None:
        asked = {"request": "Summarise it.", "options": {"plan": summary()}}
        calling = asyncio.create_task(client.call_tool("ask", asked))
        await asyncio.to_thread(pause.reached.wait, 120)
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling
        await asyncio.to_thread(wait_until, lambda: latest().status is RequestStatus.CANCELLED)
        begun = await client.call_tool("submit", asked)
        stopped = await client.call_tool("cancel", outcome(begun))
        assert outcome(stopped)["status"] == "cancelled"

    try:
        using(connect(), use)
    finally:
        pause.go_on.set()


@pytest.mark.slow
@pytest.mark.parametrize("connect", ["http", "stdio"], indirect=True)
def test_a_failed_request_is_an_error_that_says_why(connect: Connect, controller: OpenAIServer) -> None:
    impossible = [{"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "nowhere.png"}}]
    said = refusal(connect(), "ask", request="Read it.", options={"plan": impossible})
    assert said == latest().error
    assert "cannot be used" in refusal(connect(), "submit", request="Read it.", options={"deadline": -1})
    assert "nowhere.txt" in refusal(connect(), "plan", request="Read it.", files=["/tmp/nowhere.txt"])
    planned = call(connect(), "plan", request="Say hello.")
    assert outcome(planned)["plan"] == [] and "No tasks are needed" in text(planned)


@pytest.mark.slow
@pytest.mark.parametrize("connect", ["http, legacy", "stdio"], indirect=True)
def test_a_request_outlives_the_service(connect: Connect, controller: OpenAIServer, here: Installation) -> None:
    pause = Pause(controller)

    async def use(client: AnyClient) -> None:
        calling = asyncio.create_task(
            client.call_tool("ask", {"request": "Sum it up.", "options": {"plan": summary()}})
        )
        await asyncio.to_thread(pause.reached.wait, 120)
        (service,) = [one for one in here.processes() if "apps.http.server" in one.cmdline()]
        service.terminate()
        with pytest.raises((ToolError, MCPError)):
            await calling
        await asyncio.to_thread(service.wait, 60)

        async def is_back() -> bool:
            with suppress(MCPError, ToolError):
                return outcome(await client.call_tool("status", {"request_id": latest().request_id})) is not None
            return False

        while not await is_back():
            await asyncio.sleep(0.5)

    try:
        using(connect(), use)
        assert latest().status is not RequestStatus.CANCELLED
    finally:
        pause.go_on.set()


def test_where_nothing_is_up_a_host_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    down = Installation(tmp_path / "down")

    async def use(client: AnyClient) -> None:
        assert len(await client.list_tools()) == 7
        for tool, asked in (("kinds", {}), ("ask", {"request": "Hello."}), ("status", {"request_id": "x"})):
            with pytest.raises(ToolError, match=r"^Nothing is up: start the service with `hugginggpt up`\.$"):
                await client.call_tool(tool, asked)

    using(over_stdio(down), use)


def test_stdout_belongs_to_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    down = Installation(tmp_path / "down")
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "a host", "version": "1"},
        },
    }

    async def said() -> tuple[int | None, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "mcp",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=down.folder,
            env=down.environment | {"PYTHONPATH": os.getcwd()},
        )
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        answer = await process.stdout.readline()
        process.stdin.close()
        rest, noted = await process.stdout.read(), await process.stderr.read()
        assert rest == b""
        return await process.wait(), answer, noted

    code, answer, noted = asyncio.run(said())
    assert json.loads(answer)["result"]["serverInfo"]["name"] == "hugginggpt"
    assert (code, noted) == (0, b"Note: Nothing is up: start the service with `hugginggpt up`.\n")

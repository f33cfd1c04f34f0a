"""Calls of the HTTP service by a client whose key may see nothing of what is there: raw bytes over a connection."""

import json
import logging
import os
import random
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.case import Case
from tests.fuzz.material import changed, characters, damaged, picked, pumped, raw, value

SECRET = "what-only-the-owner-may-read"
OWNER = "hgpt_" + "o" * 43

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "")
PATHS = (
    "/", "/enter", "/api/v1/requests", "/api/v1/requests/{id}", "/api/v1/requests/{id}/events", "/api/v1/health",
    "/api/v1/requests/{id}/cancel", "/api/v1/requests/{id}/resume", "/api/v1/requests/{id}/interrupt", "/api/v1/plans",
    "/api/v1/conversations", "/api/v1/conversations/{conversation}", "/api/v1/latest-conversation", "/api/v1/status",
    "/api/v1/files", "/api/v1/files/{sha256}", "/api/v1/files/{sha256}/a.txt", "/api/v1/files/../../api.key",
    "/api/v1/files/%2e%2e%2f%2e%2e%2fapi.key", "/api/v1/webhook-secret", "/api/v1/openapi.json", "/v1/models",
    "/v1/chat/completions", "/v1/responses", "/v1/responses/resp_{id}", "/mcp", "/gradio_api/file=/etc/passwd", "/..",
)  # fmt: skip
SCRAPS = (
    "{", "}", "[", "]", '"', ":", ",", '{"request": ', '"files": [', "null", "1e999", "\\ud800", "\\u0000",
    '{"messages": [', '{"role": "user", "content": ', "--x\r\n",
)  # fmt: skip
SOURCES = ("{secret}", "file://{secret}", "artifact://{sha256}/a.txt", "/etc/passwd", "http://127.0.0.1/", "data:,x")

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
PATIENCE = 120.0
"""The first call of the page imports Gradio."""
_MOST_READ = 2**21
_SILENCE_SECONDS = 0.5
"""What is damaged may announce more than it sends."""


def open_area(folder: Path) -> "Doors":
    """A service, and something in it that is not the client's."""
    return Doors(folder)


class Doors:
    """Makes calls."""

    def __init__(self, folder: Path) -> None:
        os.environ["HUGGINGGPT_HOME"] = str(folder / "home")
        # What is not refused waits in line: no server is there to run it.
        os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
        import uvicorn

        from apps.http.application import application
        from apps.http.callers import follows_signed_link
        from apps.http.work import Work
        from apps.up.forks import Forks
        from apps.up.guard import LOOPBACK_NAMES, Guard
        from hugginggpt.services import get_store, get_trace, reset
        from hugginggpt.settings import get_settings
        from hugginggpt.submission import Submission, submit

        reset()
        secret = folder / "secret.txt"
        secret.write_text(SECRET)
        asked = Submission(request=f"Read it: {SECRET}", files=(str(secret),), id="owner-s")
        submit(asked, get_settings(), get_store(), get_trace())
        story = get_trace().requests.get("owner-s")
        self._names = {
            "id": "owner-s",
            "conversation": story.conversation_id,
            "sha256": story.resources[0].artifact.sha256,
            "secret": str(secret),
        }
        self._key = get_trace().keys.add("stranger")
        self._log = _Kept()
        logging.getLogger().addHandler(self._log)
        served = Guard(
            application(OWNER, "http://ui", Work(folder, Forks.own())),
            LOOPBACK_NAMES,
            lambda scope: follows_signed_link(OWNER, scope),
        )
        server = uvicorn.Server(uvicorn.Config(served, log_level="warning"))
        listening = socket.create_server(("127.0.0.1", 0))
        self._address = listening.getsockname()
        threading.Thread(target=server.run, args=([listening],), daemon=True).start()
        # The page is made when somebody comes, which takes seconds.
        self._send(raw(f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n\r\n"))

    def case(self, rng: random.Random) -> Case:
        """A call."""
        makers: tuple[tuple[str, int, Callable[[], bytes]], ...] = (
            ("fields", 12, lambda: self._call(rng, self._body(rng))),
            (
                "changed",
                4,
                lambda: self._call(rng, raw(changed(rng, self._body(rng).decode("utf-8", "replace"), SCRAPS))),
            ),
            ("pumped", 2, lambda: self._call(rng, raw(pumped(rng, SCRAPS)))),
            ("form", 4, lambda: self._form(rng)),
            ("damaged", 2, lambda: damaged(rng, self._call(rng, self._body(rng)), 300)),
        )
        how, call = picked(rng, makers)
        return Case(f"the HTTP service: {how}", call, lambda: self._send(call), patience=PATIENCE)

    def _call(self, rng: random.Random, body: bytes, content_type: str = "application/json") -> bytes:
        path = self._filled(rng.choice(PATHS))
        if rng.random() < 0.2:
            path += rng.choice(("?", "/", "%", "#", ";", "//", "?limit=", "?token=", "?since=", "?until=9&signature="))
            path += "".join(character for character in value(rng) if character.isascii() and character.isprintable())
        headers = {
            "Host": rng.choice(("127.0.0.1",) * 12 + ("localhost", "evil.example", "[::1]", "")),
            "Authorization": rng.choice((f"Bearer {self._key}",) * 20 + ("Bearer x", "Basic eDp4", "Bearer", "")),
            "Content-Type": rng.choice((content_type, content_type, content_type, "text/plain", "multipart/form-data")),
            "Content-Length": str(len(body)),
        }
        for name in ("Cookie", "Range", "Idempotency-Key", "Last-Event-ID", "Accept", "Origin", "Transfer-Encoding"):
            if rng.random() < 0.03:
                headers[name] = rng.choice(
                    ("hugginggpt=x", "bytes=0-", "bytes=5-1", "chunked", "text/html", value(rng))
                )
        lines = [f"{rng.choice(METHODS[:2] * 16 + METHODS)} {path} HTTP/1.1"]
        lines += [f"{name}: {text}" for name, text in headers.items() if text]
        return raw("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n") + body

    def _body(self, rng: random.Random) -> bytes:
        source = self._filled(rng.choice(SOURCES))
        odd = rng.choice((value(rng), characters(rng), None, [], {}, 5, "Read it"))
        ours = {"request": "Read it", "start": "later"}
        said = {"type": "file", "file": {"file_id": source}}
        body = rng.choice(
            (
                {**ours, "request": odd, "files": [source], "id": rng.choice((None, "owner-s", value(rng)))},
                {**ours, "conversation": self._names["conversation"]},
                {**ours, "door": rng.choice(("command line", "page", odd)), "files": [source]},
                {**ours, "webhook": rng.choice(("http://127.0.0.1/", odd))},
                {**ours, "plan": odd, "deadline": odd},
                {"messages": odd},
                {"messages": [{"role": "user", "content": odd}, {"role": odd}]},
                {"messages": [{"role": "user", "content": [said]}]},
                {"input": odd, "previous_response_id": "resp_owner-s"},
                {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "result", "arguments": odd}},
                odd,
            )
        )
        return raw(json.dumps(body, ensure_ascii=rng.random() < 0.5))

    def _form(self, rng: random.Random) -> bytes:
        parts = []
        for _ in range(rng.randint(0, 4)):
            name = rng.choice(("request", "files", "options", "key", value(rng)))
            file = rng.choice(("", f'; filename="{value(rng)}"', '; filename="../../x"'))
            text = rng.choice(("Read it", '{"start": "later"}', self._filled(rng.choice(SOURCES)), value(rng)))
            parts.append(f'--x\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{text}\r\n')
        body = raw("".join(parts) + rng.choice(("--x--\r\n", "--x", "")))
        return self._call(rng, body, rng.choice(("multipart/form-data; boundary=x", "multipart/form-data; boundary=")))

    def _filled(self, text: str) -> str:
        for name, known in self._names.items():
            text = text.replace(f"{{{name}}}", known)
        return text

    def _send(self, call: bytes) -> None:
        with socket.create_connection(self._address, timeout=PATIENCE) as connection:
            try:
                connection.sendall(call)
                answer = _all_of(connection)
            except (BrokenPipeError, ConnectionResetError):
                return  # it has hung up on us
        status = _STATUS.match(answer)
        assert status is not None or not answer, f"this is not HTTP: {answer[:100]!r}"
        assert status is None or int(status[1]) < 500 or int(status[1]) == 503, answer.decode("utf-8", "replace")
        for kept in (SECRET, OWNER, self._key):
            assert raw(kept) not in answer, f"the answer tells {kept}"
            assert kept not in self._log.text, f"the log tells {kept}"


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.text = (self.text + self.format(record))[-100_000:]


def _all_of(connection: socket.socket) -> bytes:
    """What a connection says to its end, as far as that is bounded; after a silence, no more is sent to it."""
    found = bytearray()
    connection.settimeout(_SILENCE_SECONDS)
    while len(found) < _MOST_READ:
        try:
            some = connection.recv(65536)
        except TimeoutError:
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(PATIENCE)
            continue
        if not some:
            break
        found += some
    return bytes(found)

"""An inference provider on loopback: `POST /models/<id>` for three tasks, as the real one answers.

What is posted tells the task: JSON `{"inputs": text}` is text classification, a picture object
detection, sound speech recognition. Set `script` to have it misbehave.

`python -m tests.stand_ins.inference_server` prints its base URL and serves until it is stopped.
"""

import argparse
import io
import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

Misbehaviour = Literal[
    "loading",
    "busy",
    "failing",
    "unauthorized",
    "forbidden",
    "unpaid",
    "missing",
    "refusing",
    "hang",
    "drip",
    "nonsense",
]

_REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "loading": (503, {"error": "Model is currently loading", "estimated_time": 20.0}),
    "busy": (429, {"error": "Too many requests"}),
    "failing": (500, {"error": "Internal server error"}),
    "unauthorized": (401, {"error": "Invalid username or password."}),
    "forbidden": (403, {"error": "This token may not call Inference Providers"}),
    "unpaid": (402, {"error": "You have exceeded your monthly included credits for Inference Providers."}),
    "missing": (404, {"error": "Model not found"}),
    "refusing": (400, {"error": "unable to load the file"}),
}

SENTIMENT = [[{"label": "NEGATIVE", "score": 0.02}, {"label": "POSITIVE", "score": 0.98}]]
OBJECTS = [
    {"score": 0.99, "label": "cat", "box": {"xmin": 5, "ymin": 6, "xmax": 30, "ymax": 40}},
    {"score": 0.91, "label": "remote", "box": {"xmin": 32, "ymin": 10, "xmax": 60, "ymax": 20}},
]
TRANSCRIPT = {"text": " Hello from far away."}


@dataclass(frozen=True)
class Received:
    """One request, as it came in."""

    path: str
    token: str | None
    content_type: str
    body: bytes


class InferenceServer:
    """The stand-in provider. A context manager; `url` is its base URL while it runs.

    Args:
        script: how it misbehaves, one entry per request; after the last it behaves. May be added to.
        port: 0 takes a free one.

    Attributes:
        received: every request since the start, in order.
    """

    def __init__(self, script: Iterable[Misbehaviour] = (), *, port: int = 0) -> None:
        self.script: deque[Misbehaviour] = deque(script)
        self.received: list[Received] = []
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "InferenceServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve_forever(self) -> None:
        """Serve in this thread."""
        self._server.serve_forever()


def _answer(content_type: str, body: bytes) -> tuple[int, Any]:
    if content_type.startswith("image/"):
        from PIL import Image

        Image.open(io.BytesIO(body)).verify()
        return 200, OBJECTS
    if content_type.startswith("audio/"):
        import soundfile

        soundfile.read(io.BytesIO(body))
        return 200, TRANSCRIPT
    if content_type.startswith("application/json") and isinstance(json.loads(body).get("inputs"), str):
        return 200, SENTIMENT
    return 400, {"error": f"cannot tell what to do with {content_type or 'no content type'}"}


def _handler(server: InferenceServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content_type = self.headers.get("Content-Type", "")
            token = self.headers.get("Authorization", "").removeprefix("Bearer ") or None
            server.received.append(Received(self.path, token, content_type, body))
            how = server.script.popleft() if server.script else None
            if not self.path.startswith("/models/"):
                how = "missing"
            match how:
                case None:
                    self._send(*_answer(content_type, body))
                case "hang":
                    server._stopping.wait()
                case "drip":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000000")
                    self.end_headers()
                    while not server._stopping.wait(0.05):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                case "nonsense":
                    self._send(200, "hello")
                case refusal:
                    status, answer = _REFUSALS[refusal]
                    self._send(status, answer | {"token": token})

        def _send(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a stand-in for an inference provider on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", nargs="*", default=[], help="how to misbehave, one word per request")
    arguments = parser.parse_args()
    server = InferenceServer(arguments.script, port=arguments.port)
    print(server.url, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

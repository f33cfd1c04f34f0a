"""An inference provider on loopback: `POST /models/<org>/<name>`, as the real one answers.

The name of the model tells the task: `org/summarization` summarises, and the catalog's models for fill-mask fill masks.
Of any other name what is posted tells it: JSON `{"inputs": text}` is text classification, a picture object detection,
sound speech recognition. Set `script` to have it misbehave.

`python -m tests.stand_ins.inference_server` prints its base URL and serves until it is stopped.
"""

import argparse
import base64
import io
import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal

from hugginggpt.models.bundled import bundled_cards

Misbehaviour = Literal[
    "loading",
    "loading long",
    "busy",
    "failing",
    "unauthorized",
    "forbidden",
    "unpaid",
    "missing",
    "gone",
    "refusing",
    "empty",
    "hang",
    "drip",
    "nonsense",
]

_REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "loading": (503, {"error": "Model is currently loading", "estimated_time": 0.2}),
    "loading long": (503, {"error": "Model is currently loading", "estimated_time": 900.0}),
    "busy": (429, {"error": "Too many requests"}),
    "failing": (500, {"error": "Internal server error"}),
    "unauthorized": (401, {"error": "Invalid username or password."}),
    "forbidden": (403, {"error": "This token may not call Inference Providers"}),
    "unpaid": (402, {"error": "You have exceeded your monthly included credits for Inference Providers."}),
    "missing": (404, {"error": "Model not found"}),
    "gone": (410, {"error": "https://api-inference.huggingface.co is no longer supported."}),
    "refusing": (400, {"error": "unable to load the file"}),
}

SENTIMENT = [[{"label": "NEGATIVE", "score": 0.02}, {"label": "POSITIVE", "score": 0.98}]]
OBJECTS = [
    {"score": 0.99, "label": "cat", "box": {"xmin": 5, "ymin": 6, "xmax": 30, "ymax": 40}},
    {"score": 0.91, "label": "remote", "box": {"xmin": 32, "ymin": 10, "xmax": 60, "ymax": 20}},
]
TRANSCRIPT = {"text": " Hello from far away."}


def png(colour: str = "teal", size: tuple[int, int] = (8, 6), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def flac(seconds: float = 0.1, rate: int = 8000) -> bytes:
    """A recording of one tone."""
    import numpy as np
    import soundfile

    buffer = io.BytesIO()
    times = np.arange(int(seconds * rate)) / rate
    soundfile.write(buffer, 0.5 * np.sin(2 * np.pi * 440 * times), rate, format="FLAC")
    return buffer.getvalue()


def mp4() -> bytes:
    """A video of three frames."""
    from PIL import Image

    from hugginggpt.experts.video import encode_video

    return encode_video([Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")], 4).data


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "system_fingerprint": "f",
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "<think>Well.</think> Good day."},
        }
    ],
}
_LABELS = [{"label": "dull", "score": 0.25}, {"label": "bright", "score": 0.75}]

ANSWERS: dict[str, Any] = {
    "text-classification": SENTIMENT,
    "token-classification": [
        {"entity_group": "LOC", "score": 0.9, "word": "paris", "start": 11, "end": 16},
        {"entity_group": "PER", "score": 0.8, "word": "ada", "start": 0, "end": 3},
    ],
    "zero-shot-classification": [{"label": "sea", "score": 0.9}, {"label": "land", "score": 0.1}],
    "fill-mask": [
        {"sequence": "it was good", "score": 0.4, "token": 1, "token_str": " good"},
        {"sequence": "it was bad", "score": 0.5, "token": 2, "token_str": " bad"},
    ],
    "summarization": [{"summary_text": " In short."}],
    "translation": [{"translation_text": "Guten Tag"}],
    "question-answering": {"answer": "Paris", "score": 0.9, "start": 11, "end": 16},
    "text2text-generation": [{"generated_text": "Four"}],
    "conversational": _CHAT,
    "text-generation": _CHAT,
    "image-text-to-text": _CHAT,
    "feature-extraction": [[[3.0, 0.0], [3.0, 8.0]]],
    "sentence-similarity": [0.5],
    "table-question-answering": {"answer": "7", "coordinates": [[0, 1]], "cells": ["7"], "aggregator": "NONE"},
    "tabular-classification": ["good", "bad"],
    "object-detection": OBJECTS,
    "image-classification": _LABELS,
    "zero-shot-image-classification": _LABELS,
    "image-segmentation": [{"label": "sea", "score": 0.9, "mask": _b64(png("white", (4, 4), "L"))}],
    "image-to-text": [{"generated_text": "a house by the sea"}],
    "visual-question-answering": [{"answer": "two", "score": 0.4}, {"answer": "three", "score": 0.6}],
    "document-question-answering": [{"answer": "1,204.50", "score": 0.9, "start": 3, "end": 3}],
    "automatic-speech-recognition": TRANSCRIPT,
    "audio-classification": _LABELS,
    "audio-to-audio": [{"blob": _b64(flac()), "content-type": "audio/flac", "label": "label_0"}],
    "text-to-image": png,
    "image-to-image": png,
    "text-to-video": mp4,
    "image-to-video": mp4,
    "text-to-speech": flac,
}
"""What is answered for each kind, in the shapes of the real API; made bytes where that sends bytes."""


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
        cost: what it reports that a chat has cost, in US dollars; None to report nothing.
    """

    cost: float | None = None

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


def _answer(path: str, content_type: str, body: bytes) -> tuple[int, Any]:
    kind = path.split("/")[3] if path.count("/") > 2 else ""
    if kind in ANSWERS:
        answer = ANSWERS[kind]
        return 200, answer() if callable(answer) else answer
    if content_type.startswith("image/"):
        from PIL import Image

        Image.open(io.BytesIO(body)).verify()
        return 200, OBJECTS
    if content_type.startswith("audio/"):
        import soundfile

        soundfile.read(io.BytesIO(body))
        return 200, TRANSCRIPT
    if content_type.startswith("application/json") and "messages" in json.loads(body):
        return 200, _CHAT
    if content_type.startswith("application/json") and isinstance(json.loads(body).get("inputs"), str):
        fills = path.removeprefix("/models/") in {card.id for card in bundled_cards()["fill-mask"]}
        return 200, ANSWERS["fill-mask"] if fills else SENTIMENT
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
                    status, answer = _answer(self.path, content_type, body)
                    if server.cost is not None and isinstance(answer, dict) and "usage" in answer:
                        answer = answer | {"usage": answer["usage"] | {"cost": server.cost}}
                    self._send(status, answer)
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
                case "empty":
                    self._send(200, [])
                case refusal:
                    status, answer = _REFUSALS[refusal]
                    self._send(status, answer | {"token": token})

        def _send(self, status: int, value: Any) -> None:
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            kind = "application/octet-stream" if isinstance(value, bytes) else "application/json"
            self.send_header("Content-Type", kind)
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

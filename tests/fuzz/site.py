"""A web server on loopback that answers byte for byte what it is told."""

import socket
import socketserver
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What is sent, piece by piece.

    Attributes:
        pause: seconds before each piece but the first.
        hangs: whether the connection stays open and silent after the last one.
    """

    pieces: Sequence[bytes]
    pause: float = 0.0
    hangs: bool = False


class Site:
    """The server. Every path that has no answer of its own gets the answer of the case."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.visits = 0
        site = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                site.visits += 1
                with suppress(OSError):
                    site._answer(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        asked = b""
        while b"\r\n\r\n" not in asked and len(asked) < 1 << 20:
            received = connection.recv(1 << 16)
            if not received:
                return
            asked += received
        path = asked.partition(b" ")[2].partition(b" ")[0].decode("latin-1")
        answer = self.answers.get(path) or self.answers[""]
        for number, piece in enumerate(answer.pieces):
            if number and answer.pause:
                time.sleep(answer.pause)
            connection.sendall(piece)
        if answer.hangs:
            with suppress(TimeoutError):
                connection.recv(1)

"""The server that the settings name, with what all its callers share: its connection and its slots."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from hugginggpt.addresses import shown
from hugginggpt.controller.connection import Connection
from hugginggpt.controller.prompts import MORE_CONTEXT, Room
from hugginggpt.costs import OPENAI_URL
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.settings import Settings


class Server:
    """One OpenAI-compatible server, or the embedded one. Thread-safe; nothing is connected before it is needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.is_embedded = settings.uses_embedded_controller
        self.slots = threading.BoundedSemaphore(settings.controller_concurrency)
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    @property
    def model(self) -> str:
        """The model's name."""
        if not self.is_embedded:
            return self.settings.controller_model
        from hugginggpt.controller.embedded import server as embedded

        return embedded.model_name(self.settings)

    @property
    def context_tokens(self) -> Room:
        """Token budget of one call, including the answer."""
        if not self.is_embedded:
            return Room(self.settings.controller_context_tokens, MORE_CONTEXT)
        from hugginggpt.controller.embedded import server as embedded

        return embedded.context_tokens(self.settings)

    @property
    def label(self) -> str:
        """The server's name for error messages."""
        if self.is_embedded:
            return "the embedded controller"
        return shown(self.settings.openai_base_url or OPENAI_URL)

    def connection(self) -> Connection:
        """The connection, opened now if it is not."""
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Connection:
        if self.is_embedded:
            from hugginggpt.controller.embedded import server as embedded
            from hugginggpt.controller.embedded.connection import LocalConnection

            address = embedded.start(self.settings)
            return LocalConnection(address.base_url, address.key)
        key = self.settings.openai_api_key
        return Connection(
            self.settings.openai_base_url or OPENAI_URL, key.get_secret_value() if key is not None else None
        )

    @contextlib.contextmanager
    def slot(self, deadline: Deadline | None) -> Iterator[None]:
        """Take one of the places for calls at once, and of the processor if the model runs here."""
        while not self.slots.acquire(timeout=0.1):
            if deadline is not None:
                deadline.check()
        try:
            with computing(deadline) if self.is_embedded else contextlib.nullcontext():
                yield
        finally:
            self.slots.release()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

"""The one way into the trace: methods to record requests and to query them, by topic.

Every write is one short transaction, and may come twice, because a retry or a resumed run repeats it. Every write to a
request locks the request's row, so nothing is written once the request is finished.
"""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from sqlalchemy import select

from hugginggpt.settings import Settings
from hugginggpt.trace.database import Database, parse_url
from hugginggpt.trace.evaluations import Evaluations
from hugginggpt.trace.keys import Keys
from hugginggpt.trace.lifecycle import Lifecycle
from hugginggpt.trace.migrate import migrate
from hugginggpt.trace.models import Models
from hugginggpt.trace.pruning import Pruning
from hugginggpt.trace.queue import Queue
from hugginggpt.trace.recording import RunTrace
from hugginggpt.trace.requests import Requests
from hugginggpt.trace.tables import RequestRow
from hugginggpt.trace.webhooks import Webhooks


class Trace:
    """The trace database. Safe to share between threads; `open` makes one.

    Every method of every topic raises `DatabaseUnavailableError` when the database cannot be reached or written, and
    every method that writes to a request raises `TraceError` when that request is unknown or finished.

    Attributes:
        lifecycle: how a request begins, changes hands and ends.
        queue: the requests in line.
        requests: everything that happened for a request, and lists of requests.
        keys: the keys of the HTTP service's clients.
        models: the cards of models, and the figures from their runs.
        evaluations: evaluations of controllers.
        webhooks: the addresses that are told of ended requests.
        pruning: finds and deletes old conversations.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.lifecycle = Lifecycle(database)
        self.queue = Queue(database)
        self.requests = Requests(database)
        self.keys = Keys(database)
        self.models = Models(database)
        self.evaluations = Evaluations(database)
        self.webhooks = Webhooks(database)
        self.pruning = Pruning(database)
        self._runs: WeakValueDictionary[tuple[str, int], RunTrace] = WeakValueDictionary()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, settings: Settings) -> Trace:
        """Open the database of the settings, after creating or migrating it if necessary.

        Raises:
            ConfigurationError: its URL cannot be used.
            DatabaseUnavailableError: it cannot be reached or written.
            TraceError: it is newer than this code.
        """
        url = parse_url(settings.database)
        migrate(url)
        return cls(Database(url))

    def run(self, request_id: str, life: int) -> RunTrace:
        """The trace of one life of a request; the same one for all threads that use it at the same time."""
        with self._lock:
            run = self._runs.get((request_id, life))
            if run is None:
                run = self._runs[request_id, life] = RunTrace(self._database, request_id, life)
            return run

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def check(self) -> None:
        """Raise unless the database can be read and written."""
        with self._database.writing() as session:
            # A database that cannot be written refuses to lock a row; SQLite refuses the transaction itself.
            session.execute(select(RequestRow.id).limit(1).with_for_update())

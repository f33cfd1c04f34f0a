"""The fork server: a process that has the flows imported and forks others, in milliseconds each.

    python -m apps.up.fork_server --requests FD

It ends when nobody is left who could ask it and all its forks have ended. SIGTERM, which `down` sends to every process
of an `up`, makes it take no more requests; it goes on until its forks have ended, to report how.

`multiprocessing` has a fork server, too, but each process that uses it starts one of its own, and they would all hold
the same modules.
"""

import argparse
import os
import pickle
import signal
import socket
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess

from apps.up.forks import NUMBER

_FORK = get_context("fork")
_MOST_FDS = 4


def main() -> None:
    """Import the flows, and fork until nobody can ask any more, or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m apps.up.fork_server", description=__doc__)
    parser.add_argument("--requests", type=int, required=True, help="file descriptor of the socket with the requests")
    requests = socket.socket(fileno=parser.parse_args().requests)
    from apps.up import preloaded

    preloaded.share()
    ForkServer(requests).run()


class ForkServer:
    """Takes requests from a socket: one byte each, with the descriptors of what the fork gets.

    These are: a channel, over which the fork reads what to do and tells its id, and the fork server its exit code; the
    standard output and error; and, if it was given one, the connection of the function that is called.
    """

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._forks: dict[int, tuple[ForkProcess, socket.socket]] = {}
        """By sentinel."""
        self._is_stopping = False

    def run(self) -> None:
        """Serve until the end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
        signal.signal(signal.SIGTERM, self._stop)
        while self._forks or not self._is_stopping:
            ready = wait([*self._forks, *([] if self._is_stopping else [self._requests])])
            for sentinel in self._forks.keys() & set(ready):
                self._report(*self._forks.pop(sentinel))
            if self._requests in ready and not self._is_stopping:
                self._take()

    def _stop(self, signum: int, frame: object) -> None:
        self._is_stopping = True
        if not self._forks:
            raise SystemExit

    def _take(self) -> None:
        asked, descriptors, _, _ = socket.recv_fds(self._requests, 1, _MOST_FDS)
        if not asked:
            self._is_stopping = True
            return
        for each in descriptors:
            os.set_inheritable(each, False)
        channel, *others = descriptors
        with socket.socket(fileno=channel) as talk:
            process = _FORK.Process(target=self._begin, args=(talk, others))
            # Until the fork has a handler of its own.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            process.start()
            self._forks[process.sentinel] = process, talk.dup()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for each in others:
            os.close(each)

    def _begin(self, channel: socket.socket, descriptors: list[int]) -> None:
        """What a fork does."""
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        # Who has asked for another fork would otherwise wait for this one, too.
        for _, other in self._forks.values():
            other.close()
        self._requests.close()
        output, error, *connection = descriptors
        for own, standard in ((output, 1), (error, 2)):
            os.dup2(own, standard)
            os.close(own)
        channel.sendall(NUMBER.pack(os.getpid()))
        with channel.makefile("rb") as file:
            folder, target, args = pickle.load(file)
        os.chdir(folder)
        target(*map(Connection, connection), *args)

    @staticmethod
    def _report(process: ForkProcess, channel: socket.socket) -> None:
        process.join()
        with channel, suppress(OSError):  # who asked for it may have ended
            channel.sendall(NUMBER.pack(process.exitcode))


if __name__ == "__main__":
    main()

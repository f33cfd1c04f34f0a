"""Have the service of `hugginggpt up` do the work of a command. Nothing heavy is imported here.

Where there is no service, or it would do something else than the command itself, the command does its work itself. If
the service is lost on the way, the command waits for it to come back, because what works on the request goes on.
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from apps.cli.exits import INTERRUPTED, TERMINATED, began, complain, kept, unwind_on_sigterm, verbose
from apps.cli.progress import showing
from apps.cli.text import short
from apps.http.client import Service, ServiceLostError, find_service, is_up
from hugginggpt.errors import HuggingGPTError, rebuilt

if TYPE_CHECKING:
    from apps.http.events import Ended

BACK_SECONDS = 60.0
"""How long to wait for a lost service, which `up` starts again."""
MOST_LOST = 5
"""After the service was lost so often for one request, the command does without it."""
_PAUSE = 0.25


def service(files: Sequence[str] = ()) -> Service | None:
    """The service, if it can do the work of this command, except for showing Prefect's log.

    Args:
        files: what the command is given; some, such as /dev/stdin, only its own process can read.
    """
    return None if verbose() or any(map(_is_only_here, files)) else find_service()


def _is_only_here(source: str) -> bool:
    return any(path.startswith(("/dev/", "/proc/")) for path in (source, os.path.realpath(source)))


def may_be_id(name: str) -> bool:
    """Whether a text that a user typed may begin an id. If not, it is not for the service to say what is wrong."""
    return re.fullmatch(r"[A-Za-z0-9._-]+", name) is not None


def path_of(request_id: str, *more: str) -> str:
    """The address of a request, by its id or a beginning of that."""
    return "/".join(["/requests", request_id, *more])


def conversation(service: Service | None, name: str | None) -> str | None:
    """The id of the conversation whose id begins with a text, or of the latest.

    Args:
        service: where to look for it, rather than in the trace.
        name: the text; None for the latest, which there may be none of.

    Raises:
        TraceError: no conversation, or more than one, has an id that begins like this.
    """
    if service is not None and (name is None or may_be_id(name)):
        path = "/latest-conversation" if name is None else f"/conversations/{name}"
        with suppress(ServiceLostError):
            found: str | None = service.get(path)["conversation_id"]
            return found
    from hugginggpt.services import get_trace

    requests = get_trace().requests
    return requests.latest_conversation() if name is None else requests.conversation(name)


def known_request(service: Service, name: str) -> dict[str, Any] | None:
    """The request whose id begins with a text, and whether it was answered; None if the service cannot tell.

    Raises:
        TraceError: no request, or more than one, has an id that begins like this.
    """
    if not may_be_id(name):
        return None
    try:
        found: dict[str, Any] = service.get(path_of(name))
    except ServiceLostError:
        return None
    return found


def answer(service: Service, asked: Mapping[str, Any]) -> "Ended | None":
    """Have a new request answered at once, and show its progress.

    Args:
        service: the service.
        asked: the request with its id, as the service takes it.

    Returns:
        The ended request; None if the service was lost before it took the request, and does not come back.

    Raises:
        HuggingGPTError: the request could not be started or finished.
        click.exceptions.Exit: the command was interrupted.
    """

    def begin(service: Service) -> int:
        lives: int = service.post("/requests", {**asked, "start": "now", "door": "command line"})["lives"]
        return lives

    # Beginning the same request again does nothing if it has begun.
    return _Following(service, asked["id"]).answered(begin, again=begin)


def resume(service: Service, request_id: str) -> "Ended | None":
    """Have a request resumed, and show its progress; returns and raises like `answer`."""

    def begin(service: Service) -> int:
        lives: int = service.post(path_of(request_id, "resume"))["lives"]
        return lives

    return _Following(service, request_id).answered(begin)


def answered(service: Service, request_id: str) -> "Ended | None":
    """A request that was answered before, without the page of its run; None if the service is lost."""
    with suppress(ServiceLostError):
        for event in service.events(request_id, lives=0, since=began(), waits="waiting", resumes=False):
            if event.name == "ended":
                ended: Ended = event.data
                ended["page"] = None
                return ended
    return None


def wait(service: Service, request_id: str) -> "Ended | None":
    """Wait until a request that others answer has ended, and show its progress.

    Returns:
        The ended request; None if the service was lost and does not come back.
    """
    return _Following(service, request_id).watched(lives=0, waits="waiting for a worker", resumes=True)


class _Following:
    """A request that is followed to its end, and the service that tells of it."""

    def __init__(self, service: Service, request_id: str) -> None:
        self._service = service
        self._request_id = request_id
        self._lost = 0

    def answered(
        self, begin: Callable[[Service], int], again: Callable[[Service], int] | None = None
    ) -> "Ended | None":
        """Have it begun, and wait for its end.

        Args:
            begin: has a service begin it, and returns how many processes had worked on it before.
            again: the same for a service that came back.
        """
        unwind_on_sigterm()
        try:
            while True:
                try:
                    lives = begin(self._service)
                    break
                except ServiceLostError:
                    if not self._is_back():
                        return None
            ended = self.watched(lives=lives, again=again)
        except (KeyboardInterrupt, SystemExit) as ending:
            complain(self._interrupted())
            raise click.exceptions.Exit(TERMINATED if isinstance(ending, SystemExit) else INTERRUPTED) from None
        if ended is None:
            raise HuggingGPTError(
                f"The service of `hugginggpt up` stopped before the request had ended: `hugginggpt resume "
                f"{short(self._request_id)}` shows its answer or continues."
            )
        return ended

    def watched(
        self,
        *,
        lives: int,
        waits: str = "waiting",
        resumes: bool = False,
        again: Callable[[Service], int] | None = None,
    ) -> "Ended | None":
        """Show its progress until it has ended."""
        came_back = False
        with showing(plain=verbose()) as show:
            while True:
                try:
                    if came_back and again is not None:
                        again(self._service)
                    for event in self._service.events(
                        self._request_id, lives=lives, since=began(), waits=waits, resumes=resumes
                    ):
                        if event.name == "progress":
                            show(event.data)
                        elif event.name == "failed":
                            failed = event.data
                            break
                        elif event.name == "ended":
                            ended: Ended = event.data
                            return ended
                    else:
                        raise ServiceLostError
                    break
                except ServiceLostError:
                    if not self._is_back():
                        return None
                    came_back = True
        if failed["begun"] and not resumes:
            click.echo(kept(self._request_id), err=True)
        raise rebuilt(failed["type"], failed["message"])

    def _is_back(self) -> bool:
        """Wait until the service is there again; return False if it does not come back."""
        self._lost += 1
        deadline = time.monotonic() + BACK_SECONDS
        while self._lost <= MOST_LOST and is_up() and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            if (found := find_service()) is not None:
                self._service = found
                return True
        return False

    def _interrupted(self) -> str:
        """Have the request stopped, and say what became of it."""
        self._service.close()
        try:
            told = self._service.post(path_of(self._request_id, "interrupt"))
        except (ServiceLostError, HuggingGPTError):
            told = {"stopped": False, "begun": True}
        if not told["begun"]:
            return "Interrupted before the request started."
        if not told["stopped"]:
            return f"Interrupted, but the request goes on: `hugginggpt cancel {short(self._request_id)}` stops it."
        return f"Interrupted. {kept(self._request_id)}"

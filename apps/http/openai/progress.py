"""How far a request has come, as lines of which each is said once: what a reasoning model would think aloud."""

from collections.abc import Iterator

from apps.http.events import Progress, Step


class Thoughts:
    """What has been said of a request."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def new(self, progress: Progress) -> str:
        """What has changed since the last time, a line each; empty if nothing has."""
        return "".join(f"{line}\n" for about, line in _lines(progress) if self._is_new(about, line))

    def _is_new(self, about: str, line: str) -> bool:
        if self._said.get(about) == line:
            return False
        self._said[about] = line
        return True


def _lines(progress: Progress) -> Iterator[tuple[str, str]]:
    for step in progress["steps"]:
        yield f"plan of {step['name']}", f"Planned: {step['planned']}"
    for step in progress["steps"]:
        if _has_begun(step):
            yield step["name"], f"{step['name']}: {step['standing']}"
    yield "headline", progress["headline"]


def _has_begun(step: Step) -> bool:
    return step["running"] or step["status"] != "planned"

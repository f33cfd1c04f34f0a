"""How far a request has come, as lines of which each is said once: what a reasoning model would think aloud."""

from apps.http.events import Progress


class Thoughts:
    """What has been said of a request."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def new(self, progress: Progress) -> str:
        """What has not been said yet, a line each."""
        begun = [step for step in progress["steps"] if step["running"] or step["status"] != "planned"]
        lines = [f"Planned: {step['planned']}" for step in progress["steps"]]
        lines += [f"{step['name']}: {step['standing']}" for step in begun]
        new = [line for line in (*lines, progress["headline"]) if line not in self._said]
        self._said.update(new)
        return "".join(f"{line}\n" for line in new)

"""What became of requests while something was killed: who answers them, and whether anything was done twice."""

from collections import Counter
from typing import TYPE_CHECKING

from hugginggpt.holder import Holder

if TYPE_CHECKING:
    from hugginggpt.trace.story import RequestTrace


def at_work() -> list[int]:
    """The processes that answer requests now, whoever began them."""
    from hugginggpt.services import get_trace

    requests = get_trace().requests
    stories = [requests.get(one.request_id) for one in requests.latest(1000) if one.status == "running"]
    lives = [story.lives[-1] for story in stories if story.lives]
    holders = [Holder.parse(life.holder) for life in lives if life.ended_at is None]
    return [holder.pid for holder in holders if holder is not None]


def times_finished(story: "RequestTrace") -> int:
    """How often a request was answered to its end, which is to be once."""
    return sum(life.ending == "finished" for life in story.lives)


def numbers_of_lives(stories: "list[RequestTrace]") -> dict[int, int]:
    """How many requests had so many lives."""
    return dict(sorted(Counter(len(story.lives) for story in stories).items()))


def completions(stories: "list[RequestTrace]") -> list[int]:
    """How often each task of the requests was completed."""
    return [sum(attempt.status == "completed" for attempt in task.attempts) for s in stories for task in s.tasks]

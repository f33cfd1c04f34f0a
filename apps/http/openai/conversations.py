"""Which conversation of ours a client goes on with. The protocol has none: its clients send all messages each time."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from apps.http.addresses import signed_links
from apps.http.callers import caller_of
from apps.http.openai.answers import answer_of, without_links
from apps.http.openai.messages import Message, parted
from apps.http.requests import requests_of
from hugginggpt.results import RequestStatus

MOST_LOOKED_AT = 100
"""Of how many of the caller's latest requests the answer may be the one that was quoted."""


async def continued(call: Request, messages: Sequence[Message]) -> str | None:
    """The conversation of the caller whose last turn is the last exchange before the user's last message.

    Returns:
        None if there is none.
    """
    before, _ = parted(messages)
    asked = next((message.text for message in reversed(before) if message.role == "user"), None)
    if asked is None or before[-1].role != "assistant":
        return None
    requests, caller, answered = requests_of(call), caller_of(call), _bare(before[-1].text)
    newest: set[str] = set()
    for summary in await requests.latest(caller, MOST_LOOKED_AT):
        is_last = summary.conversation_id not in newest
        newest.add(summary.conversation_id)
        has_answer = summary.status in (RequestStatus.COMPLETED, RequestStatus.PARTIAL)
        if is_last and has_answer and summary.text.strip() == asked.strip():
            story = await requests.get(caller, summary.request_id)
            ours = _bare((await run_in_threadpool(answer_of, story, signed_links(call))).said)
            if answered == ours or answered.startswith(f"{ours} "):
                return summary.conversation_id
    return None


def _bare(text: str) -> str:
    return " ".join(without_links(text).split())

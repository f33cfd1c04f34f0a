"""Which conversation of ours a client goes on with. The protocol has none: its clients send all messages each time."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool

from apps.http.addresses import Address
from apps.http.callers import Caller
from apps.http.openai.answers import answer_of, without_links
from apps.http.openai.messages import Message
from apps.http.requests import Requests, Watch

MOST_LOOKED_AT = 100
"""Of how many of the caller's latest requests the answer may be the one that was quoted."""


async def continued(requests: Requests, caller: Caller, address: Address, messages: Sequence[Message]) -> str | None:
    """The conversation whose last turn is the last exchange before the user's last message.

    Args:
        requests: all requests.
        caller: who has to see it.
        address: of files, as in the answer.
        messages: what was said.

    Returns:
        None if there is none.
    """
    last = max(number for number, message in enumerate(messages) if message.role == "user")
    before = messages[:last]
    if not before or before[-1].role != "assistant":
        return None
    asked = next((message.text for message in reversed(before) if message.role == "user"), None)
    if asked is None:
        return None
    answered = _bare(before[-1].text)
    newest: set[str] = set()
    for summary in await requests.latest(caller, MOST_LOOKED_AT):
        is_last = summary.conversation_id not in newest
        newest.add(summary.conversation_id)
        if not is_last or summary.response is None or summary.text.strip() != asked.strip():
            continue
        story = await requests.get(caller, summary.request_id)
        ended = await run_in_threadpool(requests.ended, story, address, Watch())
        ours = _bare(answer_of(ended).said)
        if answered == ours or answered.startswith(f"{ours} "):
            return summary.conversation_id
    return None


def _bare(text: str) -> str:
    return " ".join(without_links(text).split())

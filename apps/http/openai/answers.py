"""The answer to a request, as a chat application shows it."""

import json
import re
from dataclasses import dataclass

from apps.http.events import Ended
from apps.http.paths import FILES
from hugginggpt.artifacts import Artifact
from hugginggpt.services import get_store

_LINK = re.compile(rf"!?\[((?:[^\]\\]|\\.)*)\]\([^)\s]*{re.escape(FILES)}/[^)\s]*\)")
_THOUGHTS = re.compile(r"<details type=\"reasoning\".*?</details>|<think>.*?</think>", re.DOTALL)
_MARKS = re.compile(r"[\[\]\\`*_<>]")


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        text: Markdown with links to the files; JSON, if the request has a schema.
        prompt_tokens: what the controller has read for it.
        completion_tokens: what the controller has written for it.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0


def answer_of(ended: Ended) -> Answer:
    """The answer to a request that has ended, with links in the place of paths, and media that it does not name last.

    Args:
        ended: the request; its report has the addresses of the files for the client.
    """
    report = ended["report"]
    text: str = report["response"] or ""
    addresses = {file["sha256"]: file["path"] for file in report["files"]}
    unnamed: list[str] = []
    for file in ended["files"]:
        artifact = Artifact.model_validate(file["artifact"])
        address = addresses.get(artifact.sha256)
        if address is None:
            continue
        place = re.escape(get_store().address(artifact))
        if ended["form"]:
            text = re.sub(place, json.dumps(address)[1:-1], text)
            continue
        link = _link(file["name"] + artifact.ending, address, artifact)
        # A controller may have written a link, or put the path into quotes.
        named = re.sub(rf"(?<=\]\(){place}(?=\))", address.replace("\\", r"\\"), text)
        named = re.sub(rf"`?{place}`?", link.replace("\\", r"\\"), named)
        if named == text and artifact.preview is None:
            unnamed.append(link)
        text = named
    calls = report["controller"]
    return Answer("\n\n".join([text, *unnamed]), calls["prompt_tokens"], calls["completion_tokens"])


def _link(name: str, address: str, artifact: Artifact) -> str:
    shown = _MARKS.sub(lambda match: f"\\{match[0]}", name)
    return f"{'!' if artifact.mime.startswith('image/') else ''}[{shown}]({address})"


def without_links(text: str) -> str:
    """An answer that a client quotes, with the names of our files in the place of links, and without its thoughts."""
    return _LINK.sub(r"\1", _THOUGHTS.sub("", text)).strip()

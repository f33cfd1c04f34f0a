"""What a language model says, apart from what it thinks aloud.

Models think in tags (`<think>...</think>`, in brackets or in special tokens), or on channels (gpt-oss's `analysis`,
with the answer on `final`). Servers take such marks out, or only the first one, or none; or they send thoughts as parts
of the content, or in fields of their own. Around an answer they may leave marks of the model's template, or of its
training (`<answer>...</answer>`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A tag is one of thoughts if its name ends so: `think`, `seed:think`, `longcat_think`, `thought_process`.
_NAMES = (
    r"(?:(?:\w{1,20}:)?(?:reason|reasoning|reflection|analysis|scratchpad|inner_monologue|internal_monologue)"
    r"|[\w:]{0,20}?(?:think|thinking|thoughts?)(?:_process)?)"
)
_OPENING = "|".join((
    rf"<{_NAMES}\s?>", rf"&lt;{_NAMES}&gt;", r"<\|think(?:ing)?\|>",
    r"\[(?:BEGIN_)?THINK\]", r"◁think▷", r"<\|(?:begin_of_thought|START_THINKING|begin_of_thinking)\|>",
    r"<unused94>", r"<\|channel>thought\b",
))  # fmt: skip
_CLOSING = "|".join((
    rf"</{_NAMES}\s?>", rf"&lt;/{_NAMES}&gt;", r"<\|/think(?:ing)?\|>",
    r"\[/?(?:END_)THINK\]", r"\[/THINK\]", r"◁/think▷", r"<\|(?:end_of_thought|END_THINKING|end_of_thinking)\|>",
    r"<unused95>", r"<channel\|>",
))  # fmt: skip
# Thoughts at the beginning of a text, in other marks: ReAct's, Granite's, in a block of code, or folded away.
_PLAIN = re.compile(
    r"\s*(?:Thought:(?P<react>.*?)^\s*Final Answer:|Here is my thought process:(?P<granite>.*?)Here is my response:"
    r"|```(?:thinking|thoughts?|reasoning)\n(?P<block>.*?)^```[ \t]*$"
    r'|<details type="reasoning"[^<>]*>(?P<folded>.*?)</details>)',
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(
    rf"(?P<closing>{_CLOSING})|(?:(?P<begins>^|(?<=[>\]▷]))[ \t]*+)?(?P<opening>{_OPENING})",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTES = "`\"'"
# Between marks in the middle of a line that are spoken of: "<think> and </think>", "<think>...</think>".
_SPOKEN_OF = re.compile(r"(?:\W[^\n]{0,59})?")
_FENCE = "```"
_CHANNEL = re.compile(
    r"<\|(?:channel\|>\s*+(?P<name>\w++)(?P<to>[^<]*+)(?:<\|constrain\|>[^<]*+)?|start\|>\s*+assistant\s*+)<\|message\|>"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
# What is left of the marks of channels where a server takes out special tokens.
_BARE_BEGIN, _BARE_END = re.compile(r"\s*(?:analysis(?=[^a-z ])|(?=assistantfinal))"), "assistantfinal"
# What a template puts around what each side says. Servers take such marks out, unless they do not know them.
_TEMPLATE = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|endoftext|end_of_text|begin_of_text|end|eos|return|endofturn|user|observation"
    r"|(?:START|END)_(?:RESPONSE|OF_TURN_TOKEN)|CHATBOT_TOKEN)\|>"
    r"|<\|(?:im_start|start)\|>(?:assistant\b)?|<\|start_header_id\|>assistant<\|end_header_id\|>|<\|assistant\|>"
    r"|<start_of_turn>(?:model\b)?|<(?:end_of_turn|turn\||bos|eos|end_of_utterance)>"
    r"|<\uff5c(?:begin|end)\u2581of\u2581sentence\uff5c>"
)
_WRAPPED = re.compile(
    r"<(?P<tag>(?:final_)?answer|(?P<usual>output|response|solution))>(?P<inside>.*)</(?P=tag)>"
    r"|<\|begin_of_(?P<mark>box|solution)\|>(?P<boxed>.*)<\|end_of_(?P=mark)\|>",
    re.DOTALL | re.IGNORECASE,
)

_FIELDS_OF_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_FIELDS_OF_TEXT = ("text", "thinking", "reasoning", "summary", "refusal", "content")
_MOST_PARTS = 1000
_MOST_NESTED = 8


@dataclass(frozen=True)
class Spoken:
    """A model's words.

    Attributes:
        said: what it says.
        thoughts: what it thinks aloud.
        refusal: why it declines, if it does.
    """

    said: str
    thoughts: str = ""
    refusal: str = ""


def spoken_in(message: Mapping[str, Any]) -> Spoken:
    """What a message of the OpenAI protocol says.

    Args:
        message: its content may be a text, a list of parts, or nothing.
    """
    content = list(_parts(message.get("content")))
    thoughts = [text for kind, text in content if kind == "thought"]
    refusals = [text for _, text in _parts(message.get("refusal"))] or [t for kind, t in content if kind == "refusal"]
    apart = without_thoughts("".join(text for kind, text in content if kind == "said"))
    for field in _FIELDS_OF_THOUGHTS:
        thoughts += [text for _, text in _parts(message.get(field))]
    thoughts.append(apart.thoughts)
    return Spoken(
        apart.said,
        "\n".join(dict.fromkeys(text.strip() for text in thoughts if text.strip())),
        " ".join(text.strip() for text in refusals if text.strip()),
    )


def without_thoughts(text: str) -> Spoken:
    """A model's text without what it thinks aloud, which is returned beside it, and without marks around it.

    Thoughts whose end is missing reach until the end of the text, those whose beginning is missing from its start.
    """
    if is_json(text):
        return Spoken(text.strip())
    apart = _apart(text)
    return Spoken(_bare(apart.said, bool(apart.thoughts)), apart.thoughts)


def _apart(text: str) -> Spoken:
    if "<|message|>" in text and _CHANNEL.search(text):
        return _on_channels(text)
    if (begin := _BARE_BEGIN.match(text)) and _BARE_END in text:
        thoughts, _, spoken = text[begin.end() :].rpartition(_BARE_END)
        return Spoken(spoken.strip(), thoughts.strip())
    if plain := _PLAIN.match(text):
        return Spoken(text[plain.end() :].strip(), (plain[plain.lastgroup or 0] or "").strip())
    return _in_tags(text)


def is_json(text: str) -> bool:
    """Whether a text is an object or a list of JSON, and nothing else."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def _parts(content: Any, kind: str = "said", deeper: int = _MOST_NESTED) -> Iterator[tuple[str, str]]:
    """The texts of a message's content, each with what it is: said, a thought, or a refusal."""
    if deeper <= 0:
        return
    if isinstance(content, str):
        yield kind, content
    elif isinstance(content, list):
        for part in content[:_MOST_PARTS]:
            yield from _parts(part, kind, deeper - 1)
    elif isinstance(content, Mapping):
        sort = str(content.get("type", "")).lower()
        if any(word in sort for word in ("think", "reason", "thought")) or content.get("thought") is True:
            kind = "thought"
        elif "refusal" in sort:
            kind = "refusal"
        inside = next((content[name] for name in _FIELDS_OF_TEXT if isinstance(content.get(name), str | list)), None)
        if inside is None and (given := content.get("json", content if not sort else None)):
            inside = json.dumps(given)
        yield from _parts(inside, kind, deeper - 1)


def _on_channels(text: str) -> Spoken:
    said, thoughts, called = list[str](), list[str](), list[str]()
    for channel in _CHANNEL.finditer(text):
        end = _CHANNEL_END.search(text, channel.end())
        part = text[channel.end() : end.start() if end else len(text)].strip()
        name = channel["name"]
        if name is None or name.lower() == "final":
            said.append(part)
        elif "to=" in channel["to"] and is_json(part):
            called.append(part)  # a call of a tool, in which an answer in a form can be
        else:
            thoughts.append(part)
    return Spoken("\n".join(filter(None, said or called[-1:])), "\n".join(filter(None, thoughts)))


def _in_tags(text: str) -> Spoken:
    said, thoughts = list[str](), list[str]()
    position = looked = fences = 0
    inside = False
    spoken_of: re.Match[str] | None = None
    for mark in _MARK.finditer(text):
        fences += text.count(_FENCE, looked, mark.start())
        looked = mark.start()
        if _is_quoted(text, mark) or (not inside and fences % 2):
            continue
        if mark["opening"]:
            if inside:
                continue
            if mark["begins"] is None:
                spoken_of = spoken_of or mark
                continue
            said.append(text[position : mark.start()])
            position, inside = mark.end(), True
        elif not inside and spoken_of is not None and _SPOKEN_OF.fullmatch(text, spoken_of.end(), mark.start()):
            spoken_of = None
        elif spoken_of is not None and not inside:
            said.append(text[position : spoken_of.start()])
            thoughts.append(text[spoken_of.end() : mark.start()])
            position, spoken_of, fences = mark.end(), None, 0
            if said[-1].endswith(" ") and text[position : position + 1] == " ":
                position += 1
        else:
            between = text[position : mark.start()]
            # Without a beginning of its own, it ends the thoughts that everything before was.
            thoughts += [between] if inside else [*said, between]
            said = said if inside else []
            position, inside, fences, spoken_of = mark.end(), False, 0, None
    (thoughts if inside else said).append(text[position:])
    return Spoken("".join(said).strip(), "\n".join(part.strip() for part in thoughts if part.strip()))


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    start, end = mark.span("opening" if mark["opening"] else "closing")
    return text[start - 1 : start] in _QUOTES and text[end : end + 1] in _QUOTES and start > 0 and end < len(text)


def _bare(said: str, after_thoughts: bool) -> str:
    """What a model says, without marks of its template at the beginning and the end, and without tags around it all."""
    begin, end = 0, len(said)
    marks = list(_TEMPLATE.finditer(said))
    for mark in marks:
        if said[begin : mark.start()].strip():
            break
        begin = mark.end()
    for mark in reversed(marks):
        if mark.start() < begin or said[mark.end() : end].strip():
            break
        end = mark.start()
    text = said[begin:end].strip()
    inside = text.removeprefix("<s>").removesuffix("</s>")
    text = text if "<s>" in inside or "</s>" in inside else inside.strip()  # elsewhere they strike words out
    found = _WRAPPED.fullmatch(text)
    # Of what was asked for, a tag of these names may be a part.
    if found is None or (found["usual"] and not after_thoughts) or f"</{found['tag']}>" in (found["inside"] or ""):
        return text
    return (found["inside"] or found["boxed"] or "").strip()

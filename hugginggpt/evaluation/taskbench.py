"""TaskBench (arXiv 2311.18760): its tools as kinds of task, and its form of a plan.

Its plans are lists of `{"task", "arguments"}`, where `<node-j>` in an argument refers to the result
of entry j. Arguments have no names: the type of a literal, by its looks, or the output of the tool
that a reference names counts as the name.
"""

import ast
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, find_kind
from hugginggpt.evaluation.metrics import Argument, Graph, Node
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.references import references_in

_REFERENCE = re.compile(r"<node-(\d{1,9})>")
_ENDINGS = {
    "image": ("jpg", "png", "jpeg", "gif", "bmp", "tiff", "svg", "ico"),
    "audio": ("mp3", "wav", "wma", "ogg", "aac", "flac", "aiff", "au"),
    "video": ("mp4", "avi", "mov", "flv", "wmv", "mkv", "webm", "m4v", "mpg", "mpeg"),
}
_MEDIA = tuple(_ENDINGS)


@dataclass(frozen=True)
class Published:
    """The scores of a system on the Hugging Face domain, in percent, as TaskBench published them."""

    system: str
    node_f1: float
    edge_f1: float
    name_f1: float
    value_f1: float


PUBLISHED = (
    Published("gpt-4", 81.5, 54.7, 77.3, 60.9),
    Published("claude-2", 79.0, 43.5, 63.0, 43.1),
    Published("gpt-3.5-turbo", 69.5, 33.4, 55.9, 36.3),
    Published("text-davinci-003", 59.4, 29.4, 52.5, 36.0),
    Published("vicuna-13b", 50.8, 7.3, 28.3, 11.9),
)


@dataclass(frozen=True)
class Tool:
    """A tool of the Hugging Face domain.

    Attributes:
        kind: our kind of task for it; two tools may share one.
        inputs: the kind's inputs that the tool takes.
        output: the type of its result, as a parameter name.
    """

    tool: str
    kind: str
    inputs: tuple[str, ...]
    output: str


@lru_cache(maxsize=1)
def tools() -> tuple[Tool, ...]:
    """Every tool of the Hugging Face domain."""
    rows = json.loads(Path(__file__).with_name("taskbench_tools.json").read_text(encoding="utf-8"))
    return tuple(Tool(**{**row, "inputs": tuple(row["inputs"])}) for row in rows)


def tool_named(name: str) -> Tool | None:
    """The tool with that name, however its words are joined."""
    return _tools_by_name().get(_plain(name))


@lru_cache(maxsize=1)
def _tools_by_name() -> dict[str, Tool]:
    return {_plain(tool.tool): tool for tool in tools()}


def known_name(name: str) -> str | None:
    """What a task with that name counts as: a tool, else one of our kinds; None if it is neither."""
    tool, kind = tool_named(name), find_kind(name)
    if tool is None and kind is not None:
        tool = next((tool for tool in tools() if tool.kind == kind), None)
    return kind if tool is None else tool.tool


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())


def task_nodes(plan: Plan) -> list[dict[str, Any]]:
    """Our plan in TaskBench's form. A kind without a tool keeps its name."""
    places = {task.id: place for place, task in enumerate(plan.tasks)}
    return [_task_node(task, places) for task in plan.tasks]


def _task_node(task: PlannedTask, places: dict[int, int]) -> dict[str, Any]:
    alike = [tool for tool in tools() if tool.kind == task.task]
    tool = max(alike, key=lambda tool: len(task.args.keys() & {*tool.inputs}), default=None)
    inputs = tool.inputs if tool is not None else tuple(i.name for i in task.capability.inputs)
    values = [task.args[name] for name in inputs if name in task.args]
    elements = [element for value in values for element in (value if isinstance(value, list) else [value])]
    return {
        "task": task.task if tool is None else tool.tool,
        "arguments": [
            text
            for element in elements
            # Only the first reference in a text would count.
            for text in ([f"<node-{places[k]}>" for k in references_in(element)] or [str(element)])
        ],
    }


def graph_of_nodes(nodes: list[Any]) -> Graph:
    """A plan in TaskBench's form as a graph.

    A reference to the node itself, or to no node, does not count as an argument.

    Raises:
        ValueError: it is not in that form; the message is the end of a sentence.
    """
    read = [_read_node(node) for node in nodes]
    outputs = [_output(task) for task, _ in read]
    return tuple(
        Node(task, tuple(a for text in texts if (a := _argument(text, place, outputs)) is not None))
        for place, (task, texts) in enumerate(read)
    )


def _read_node(node: Any) -> tuple[str, list[str]]:
    name = next((node[key] for key in ("task", "tool") if key in node), None) if isinstance(node, dict) else None
    if not isinstance(name, str):
        raise ValueError("has a task node without the name of a task")
    return known_name(name) or name, _texts(node.get("arguments"))


def _texts(arguments: Any) -> list[str]:
    """The arguments of a node: a list, an object, a single argument, or a text that holds one of these."""
    if isinstance(arguments, str):
        arguments = _written(arguments)
    if isinstance(arguments, dict):
        arguments = [arguments] if "value" in arguments else list(arguments.values())
    if not isinstance(arguments, list):
        arguments = [arguments]
    return [text for argument in arguments if (text := _text(argument)) is not None]


def _written(arguments: str) -> Any:
    """The list or object that a text spells in JSON or Python; otherwise the text itself."""
    for read in (json.loads, ast.literal_eval) if arguments.lstrip().startswith(("[", "{")) else ():
        try:
            found = read(arguments.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list | dict):
            return found
    return arguments


def _text(argument: Any) -> str | None:
    """One argument: a scalar, a list of arguments, or an object with an argument as its value; None for null."""
    if isinstance(argument, dict):
        return _text(argument.get("value", next(iter(argument.values()), None)))
    if isinstance(argument, list):
        texts = [text for element in argument if (text := _text(element)) is not None]
        return " ".join(texts) if texts else None
    return None if argument is None else str(argument)


def _argument(text: str, place: int, outputs: list[str]) -> Argument | None:
    found = _REFERENCE.search(text)
    if found is None:
        return Argument(_content_type(text), text)
    source = int(found.group(1))
    return Argument(outputs[source], source=source) if source != place and source < len(outputs) else None


def _content_type(text: str) -> str:
    """The type of a literal, by the file endings in it."""
    return next((kind for kind, endings in _ENDINGS.items() if any(f".{e}" in text for e in endings)), "text")


def _output(task: str) -> str:
    """The output of a task as a parameter name; for our kinds without a tool, their first output."""
    tool = tool_named(task)
    if tool is not None:
        return tool.output
    made = CAPABILITIES[task].outputs[0].value if task in CAPABILITIES else "text"
    return made if made in _MEDIA else "text"

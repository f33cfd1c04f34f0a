"""Pipeline notation: a plan as a shell user would write it, `scan.png > read > summarize`.

The embedded planner writes its plans in it: there are no ids to count and no braces to close, it
cannot refer to what does not exist, and most steps take one token. `docs/embedded-planner.md` shows all of it.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from hugginggpt.capabilities import CAPABILITIES, Capability, Input, ValueType
from hugginggpt.errors import PlanError
from hugginggpt.plan.limits import MAX_CHARS, MAX_TASKS, check_length
from hugginggpt.plan.model import Argument, Plan, PlannedTask, Scalar
from hugginggpt.plan.parse import parse_plan
from hugginggpt.plan.references import reference, references_in, refuse_references, sole_reference

NOTHING = "none"

PIPED = "{}"
"""Where the piped value goes in the text of a `TEMPLATED` kind."""

TEMPLATED = frozenset(kind for kind, capability in CAPABILITIES.items() if capability.templated)
"""The kinds whose text may be a template around the piped value."""

INPUT_WORDS = {"target_language": "to", "source_language": "from"}
"""The words for inputs that do not go by their own names."""

_INPUTS = {word: name for name, word in INPUT_WORDS.items()}

_MOST_NESTED = 20  # nested pairs of parentheses

_BARE = re.compile(r"[\w./~:%?&+#@!*;$'-]+")
_TOKEN = re.compile(
    r'[^\S\n]*+(?:(?P<text>"(?:[^"\\]++|\\.)*+")|(?P<name>[a-z]\w*+)=|(?P<mark>[>,()\n])|(?P<bare>[^\s>,()"=]++))'
)


def word_of(capability: Capability) -> str:
    """The word for a kind. The name of the kind may be read in its place."""
    return capability.word or capability.kind


def quoted(text: str) -> str:
    """A text as the notation writes it."""
    return json.dumps(text, ensure_ascii=False)


def named(name: str) -> str:
    """A file, a language or another name as the notation writes it: bare where it can be."""
    return name if _BARE.fullmatch(name) and name != NOTHING else quoted(name)


def written_number(value: Argument) -> str:
    """The value of a parameter as the notation writes it: `0.5`, `2`."""
    return str(value).removesuffix(".0")


def piped_input(capability: Capability, args: Mapping[str, Argument]) -> str:
    """The input that is piped: the context of a question, else the first."""
    return "context" if "context" in args and capability.input("context") else capability.inputs[0].name


def write_notation(
    plan: Plan, names: Collection[str] = (), results: Mapping[int, Mapping[str, ValueType]] = MappingProxyType({})
) -> str:
    """The plan in pipeline notation; an order that only `dep` asks for is lost.

    Args:
        plan: one whose texts hold no more than one reference each.
        names: values of text inputs that are the names of files.
        results: names and types of the results of each task. They are written in brackets behind its step, which is
            written only once; where its result is needed again, its name is written.

    Raises:
        PlanError: it is longer than a plan may be, because the steps to a result are repeated wherever it is used.
    """
    tasks = {task.id: task for task in plan.tasks}
    used = {k for task in plan.tasks for k in task.needs}
    writing = _Writing(tasks, names, results)
    return _joined("\n", (writing.pipeline(task) for task in plan.tasks if task.id not in used)) or NOTHING


def _joined(mark: str, parts: Iterable[str]) -> str:
    """The parts joined; their length is counted first.

    Raises:
        PlanError: the result is longer than a plan may be.
    """
    counted, length = [], 0
    for part in parts:
        length += len(part) + len(mark)
        if length > MAX_CHARS:
            raise PlanError(f"In pipeline notation the plan is longer than {MAX_CHARS:,} characters.")
        counted.append(part)
    return mark.join(counted)


class _Writing:
    def __init__(
        self,
        tasks: Mapping[int, PlannedTask],
        names: Collection[str],
        results: Mapping[int, Mapping[str, ValueType]],
    ) -> None:
        self._tasks, self._names, self._results = tasks, names, results
        self._pipelines: dict[int, str] = {}

    def pipeline(self, task: PlannedTask, wanted: Input | None = None) -> str:
        """The pipeline that ends with a task, or the names of the results that another input wants of it."""
        results = self._results.get(task.id, {})
        if task.id not in self._pipelines:
            self._pipelines[task.id] = self._pipeline(task) + (f" [{', '.join(results)}]" if results else "")
        elif found := [name for name, type in results.items() if wanted and wanted.accepts(type)]:
            return ", ".join(map(named, found))
        return self._pipelines[task.id]

    def _pipeline(self, task: PlannedTask) -> str:
        piped = piped_input(task.capability, task.args)
        value, words = task.args[piped], [word_of(task.capability)]
        if task.task in TEMPLATED and (split := self._template(task.task, value)):
            value, template = split
            words.append(f"{piped}={quoted(template)}")
        for wanted in task.capability.inputs:
            if wanted.name in task.args and wanted.name != piped:
                word = INPUT_WORDS.get(wanted.name, wanted.name)
                words.append(f"{word}={self._written(task.args[wanted.name], wanted)}")
        for name in task.capability.parameters:
            if name in task.args:
                words.append(f"{name}={written_number(task.args[name])}")
        k = sole_reference(value)
        into = task.capability.input(piped)
        source = self.pipeline(self._tasks[k], into) if k is not None else self._written(value, into)
        return _joined(" > ", [source, _joined(" ", words)])

    def _template(self, kind: str, value: Argument) -> tuple[Argument, str] | None:
        """The value to pipe and the template for it; None if no template fits."""
        texts = [str(text) for text in (value if isinstance(value, list) else [value])]
        inside = [self._inside(kind, text) for text in texts]
        templates = {text.replace(words, PIPED) for text, words in zip(texts, inside, strict=True) if words}
        if None in inside or len(templates) != 1:
            return None
        return list(filter(None, inside)) if isinstance(value, list) else inside[0] or "", templates.pop()

    def _inside(self, kind: str, text: str) -> str | None:
        """What the template leaves open in a text: its one result, the file at its end, the text to rewrite."""
        results = references_in(text)
        if results:
            return reference(results[0]) if len(results) == 1 and sole_reference(text) is None else None
        found = [name for name in self._names if text.endswith(f" {name}") and text.count(name) == 1]
        if not found and kind == "text2text-generation":
            found = [rest for rest in [text.partition(": ")[2]] if rest and text.count(rest) == 1]
        return max(found, key=len, default=None)

    def _written(self, value: Argument, wanted: Input | None) -> str:
        if isinstance(value, list):
            return _joined(", ", (self._written(element, wanted) for element in value))
        k = sole_reference(value)
        if k is not None:
            inner = self.pipeline(self._tasks[k], wanted)
            return f"({inner})" if " > " in inner else inner
        text = str(value)
        free = wanted is None or (wanted.type is ValueType.TEXT and wanted.name not in INPUT_WORDS)
        return quoted(text) if free and text not in self._names else named(text)


def read_notation(text: str) -> Plan:
    """Read a plan in pipeline notation.

    Raises:
        PlanError: the text cannot be read, or the plan is not valid.
    """
    check_length(text)
    return parse_plan(json.dumps(_Reading(text).tasks()))


class _Reading:
    """One pass over the tokens, a list of tasks growing as steps are met."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._ids: dict[str, int] = {}
        self._tasks: list[dict[str, object]] = []
        self._left = MAX_CHARS
        self._kinds = {word_of(capability): kind for kind, capability in CAPABILITIES.items()}

    def tasks(self) -> list[dict[str, object]]:
        """The tasks in the paper's format."""
        if self._tokens == [("bare", NOTHING)]:
            return []
        if not self._tokens:
            raise PlanError(f"The plan is empty; a plan without steps is written '{NOTHING}'.")
        while self._at < len(self._tokens):
            if not self._next_is("\n"):
                self._pipeline()
                if self._at < len(self._tokens) and not self._next_is("\n"):
                    raise PlanError(f"The plan has {self._found()} where a line should end.")
        return self._tasks

    def _pipeline(self, depth: int = 0) -> Argument:
        if depth > _MOST_NESTED:
            raise PlanError("The plan nests too many parentheses.")
        value = self._values(depth)
        self._take("mark", ">")
        value = self._step(value, depth)
        while self._next_is(">"):
            value = self._step(value, depth)
        return value

    def _step(self, piped: Argument, depth: int) -> str:
        word = self._take("bare")
        kind = self._kinds.get(word, word)
        capability = CAPABILITIES.get(kind)
        if capability is None:
            raise PlanError(f"The plan names the kind '{kind}', which does not exist.")
        args: dict[str, Argument] = {}
        while self._kind_of_next() == "name":
            name = self._take("name")
            args[_INPUTS.get(name, name)] = self._values(depth)
        template = args.get("text")
        if kind in TEMPLATED and isinstance(template, str) and PIPED in template:
            args["text"] = self._filled(template, piped)
        else:
            free = next((i.name for i in capability.inputs if i.name not in args), None)
            if free is None:
                raise PlanError(f"The plan pipes something into {kind}, whose inputs are all named.")
            args[free] = piped
        return reference(self._task(kind, args))

    def _filled(self, template: str, piped: Argument) -> Argument:
        """The template with the piped value in its places; the length is counted first.

        Raises:
            PlanError: the plan would hold too much.
        """
        values = [str(value) for value in (piped if isinstance(piped, list) else [piped])]
        once = len(template) - template.count(PIPED) * len(PIPED)
        self._left -= len(values) * once + template.count(PIPED) * sum(map(len, values))
        if self._left < 0:
            raise PlanError(
                f"With what is piped into its texts, the plan has more than {MAX_CHARS:,} characters: "
                "give long texts as files, or split the request."
            )
        filled: list[Scalar] = [template.replace(PIPED, value) for value in values]
        return filled if isinstance(piped, list) else filled[0]

    def _task(self, kind: str, args: dict[str, Argument]) -> int:
        """The id of the task; the same step on the same inputs is the same task."""
        key = json.dumps([kind, args], sort_keys=True)
        if key not in self._ids:
            if len(self._tasks) == MAX_TASKS:
                raise PlanError(f"The plan has more than {MAX_TASKS} tasks: split the request.")
            self._ids[key] = len(self._tasks)
            self._tasks.append({"task": kind, "id": len(self._tasks), "args": args})
        return self._ids[key]

    def _values(self, depth: int) -> Argument:
        """One value, or a list without duplicates."""
        values: list[Scalar] = []
        while True:
            value = self._value(depth)
            values += value if isinstance(value, list) else [value]
            if not self._next_is(","):
                values = list(dict.fromkeys(values))
                return values[0] if len(values) == 1 else values

    def _value(self, depth: int) -> Argument:
        if self._next_is("("):
            value = self._pipeline(depth + 1)
            if not self._next_is(")"):
                raise PlanError("A pipeline in parentheses is not closed.")
            return value
        text = self._text() if self._kind_of_next() == "text" else self._take("bare")
        refuse_references(text)
        return text

    def _text(self) -> str:
        written = self._take("text")
        try:
            return str(json.loads(written, strict=False))
        except ValueError:
            raise PlanError(f"The plan has {written[:60]}, which is not a valid text.") from None

    def _kind_of_next(self) -> str | None:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else None

    def _next_is(self, mark: str) -> bool:
        """Whether the mark comes next; if so, move past it."""
        found = self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark)
        self._at += found
        return found

    def _take(self, kind: str, mark: str = "") -> str:
        if self._kind_of_next() != kind or (mark and self._tokens[self._at][1] != mark):
            wanted = {"bare": "kind or value", "mark": mark}.get(kind, kind)
            raise PlanError(f"The plan has {self._found()} where a {wanted} is expected.")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _found(self) -> str:
        return repr(self._tokens[self._at][1]) if self._at < len(self._tokens) else "the end"


def _tokens(text: str) -> list[tuple[str, str]]:
    text = text.strip()
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise PlanError(f"The plan cannot be read from '{text[at : at + 40]}' on.")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens

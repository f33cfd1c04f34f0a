"""The embedded planner: the small model, trained to plan in pipeline notation.

It reads the request and the names of the available files, and writes under a grammar that allows only
known kinds, typed edges, names that exist and texts from the request.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller.call import PLAN
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.document_tables import asked_of_tables
from hugginggpt.controller.embedded.file_questions import other_ways, reading_plan
from hugginggpt.controller.embedded.fitting import fitting
from hugginggpt.controller.embedded.grammar import plan_grammar
from hugginggpt.controller.embedded.listening import with_speech
from hugginggpt.controller.embedded.named_pages import only_pages
from hugginggpt.controller.embedded.other_languages import in_english
from hugginggpt.controller.embedded.server import OTHER_CONTROLLER, planner_options
from hugginggpt.controller.embedded.sources import ReadRequest
from hugginggpt.controller.embedded.target_columns import with_target_columns
from hugginggpt.controller.embedded.turns import ShownRequest, shown_request
from hugginggpt.controller.prompts import Cuttable, Prompt, Room, render_within
from hugginggpt.conversation import without_hearing_ourselves
from hugginggpt.deadline import Deadline
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.limits import MAX_CHARS, MAX_TASKS
from hugginggpt.plan.notation import read_notation
from hugginggpt.plan.references import refuse_references
from hugginggpt.request import Exchange
from hugginggpt.resource import Resource

PROMPT = "embedded/planning"

_PROMPT_TOKENS = Room(1200, OTHER_CONTROLLER)
_PLAN_TOKENS = 600
_SHOWN_CHARS = 60
_MOST_PROBLEMS = 5
_PASSAGE = re.compile(r"(?<![\w-])passage-\d+(?![\w-]|\.\w)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)+)')


def plan_in_notation(
    controller: Controller,
    *,
    text: str,
    resources: Sequence[Resource],
    history: Sequence[Exchange],
    deadline: Deadline | None,
    check: Callable[[Plan], list[str]],
) -> Plan:
    """Have the embedded planner plan a request, and mend the plan by rules about its files.

    It may use every kind of the table, so that a request for a kind that cannot run here is recognised
    and not bent into another kind. It is up to `check` to refuse such a plan.

    Args:
        controller: an embedded controller that has a planner.
        text: the request.
        resources: files of the request and results of earlier turns.
        history: earlier turns, oldest first.
        deadline: when planning has to be done.
        check: returns the caller's objections to a plan, one sentence each.

    Returns:
        A plan without objections; empty if the controller is to answer directly.

    Raises:
        PlanError: the caller objects, or no plan can be read; it lists every problem.
        ControllerError: and its subclasses, as `Controller.chat` raises them.
    """
    text = in_english(text) or text
    documents = {r.name: r.types for r in resources if r.parts is not None}
    request = shown_request(text, [(r.name, r.main_type) for r in resources], history, documents)
    grammar = request_grammar(request)
    extra = {"grammar": grammar} | planner_options(controller.settings)

    def ask(prompt: Prompt) -> str:
        return controller.chat(prompt, stage=PLAN, max_tokens=_PLAN_TOKENS, extra=extra, deadline=deadline)

    def read(written: str) -> tuple[Plan | None, list[str]]:
        plan, problems = _read(written, request.read)
        return plan and without_hearing_ourselves(plan, history), problems

    written = ask(planner_prompt(request))
    plan, problems = read(written)
    if plan is None:
        repair = {"written": Cuttable(written), "problems": problems[:_MOST_PROBLEMS]}
        written = ask(render_within("embedded/planning_repair", _PROMPT_TOKENS, **_data(request), **repair))
        plan, problems = read(written)
    if plan is None:
        raise PlanError("\n".join([_not_understood(written, request), *problems]))
    plan = with_speech(plan, text, resources)
    plan = reading_plan(text, plan, resources, check) or plan
    plan = other_ways(fitting(plan, text, resources), resources, check)
    plan = asked_of_tables(plan, resources, check)
    plan = only_pages(plan, text, resources)
    plan = with_target_columns(text, plan, resources)
    objections = check(plan)
    if objections:
        raise PlanError("\n".join(objections))
    return plan


def planner_prompt(request: ShownRequest) -> Prompt:
    """The planner's prompt, the same in training and in use."""
    return render_within(PROMPT, _PROMPT_TOKENS, **_data(request))


def request_grammar(request: ShownRequest) -> str:
    """The grammar of the plans that are possible for a request."""
    names = {type: [s.name for s in request.sources if type in s.types] for type in ValueType}
    # A picture may show a table.
    names[ValueType.TABLE] = list(dict.fromkeys(names[ValueType.TABLE] + names[ValueType.IMAGE]))
    repeated = [text for turn in request.turns for text in turn.texts]
    return plan_grammar(CAPABILITIES, names, request.read.text, repeated)


def _data(request: ShownRequest) -> dict[str, Any]:
    return {
        "request": Cuttable(request.read.text),
        "sources": [{"name": source.name, "label": source.label} for source in request.sources],
        "history": request.turns,
    }


def _read(written: str, request: ReadRequest) -> tuple[Plan | None, list[str]]:
    try:
        return with_passages(read_notation(written), request), []
    except PlanError as error:
        return None, error.problems


def _not_understood(written: str, request: ShownRequest) -> str:
    """One sentence on the part of the request that the unreadable lines are about."""
    unread = [line for line in written.split("\n", MAX_TASKS)[:MAX_TASKS] if _read(line, request.read)[0] is None]
    words = {word for line in unread for word in re.split(r"[\s,()\"]+", line)}
    names = [source.name for source in request.sources if {*source.name.split()} <= words]
    texts = [text.replace('\\"', '"') for line in unread for text in _TEXT.findall(line)]
    part = ", ".join(f"'{words[:_SHOWN_CHARS]}'" for words in names or texts)
    subject = f"The part of the request about {part}" if part else "The request"
    return f"{subject} was not understood; say it in other words."


def with_passages(plan: Plan, read: ReadRequest) -> Plan:
    """The plan with every passage in the place of its name.

    Raises:
        PlanError: a passage contains a reference, or the passages are longer than a plan may be.
    """

    def full(value: Any) -> Any:
        if isinstance(value, list):
            return [full(element) for element in value]
        return _PASSAGE.sub(words, value) if isinstance(value, str) else value

    names = (match.group() for t in plan.tasks for text in _texts_of(t) for match in _PASSAGE.finditer(text))
    length = 0
    for name in names:
        length += len(read.passages.get(name, ""))
        if length > MAX_CHARS:
            raise PlanError(
                f"With the request's long passages, the plan has more than {MAX_CHARS:,} characters: "
                "give long texts as files, or split the request."
            )

    def words(match: re.Match[str]) -> str:
        passage = read.passages.get(match.group(), match.group())
        refuse_references(passage)
        return passage

    tasks = [t.model_copy(update={"args": {name: full(value) for name, value in t.args.items()}}) for t in plan.tasks]
    return plan.model_copy(update={"tasks": tuple(tasks)})


def _texts_of(task: PlannedTask) -> Iterator[str]:
    values = (element for value in task.args.values() for element in (value if isinstance(value, list) else [value]))
    return (value for value in values if isinstance(value, str))

"""Stage one: from a request to a valid plan."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hugginggpt.capabilities import CAPABILITIES, Capability, Input, ValueType
from hugginggpt.controller.call import PLAN
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded import server as embedded
from hugginggpt.controller.embedded.planner import plan_in_notation
from hugginggpt.controller.passages import by_relevance
from hugginggpt.controller.prompts import Cuttable, Prompt, cuttable, prompt_data, render_within, shorten
from hugginggpt.conversation import without_hearing_ourselves
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, PlanError
from hugginggpt.plan import Plan, parse_plan, plan_schema
from hugginggpt.plan.references import replace_references
from hugginggpt.request import Exchange
from hugginggpt.resource import Resource
from hugginggpt.text import visible

_ANSWER_TOKENS = 1500
_ANSWER_SHARE = 4  # at most one part in this many of a small context is reserved for the answer
_PREVIEW_CHARS = 400
_MOST_PROBLEMS = 12
_MOST_NEAR = 3
_UNUSED = (
    "No task uses {files}. Plan the tasks that read or change what the request is about; if it is about none of these, "
    'answer {{"tasks": []}} again.'
)


@dataclass(frozen=True)
class Checks:
    """What a plan has to pass. Each check returns a sentence for each objection.

    Attributes:
        problems: why the plan cannot run at all.
        obstacles: why tasks of it cannot run here; if the second argument is true, only if no task can.
    """

    problems: Callable[[Plan], list[str]] = lambda plan: []
    obstacles: Callable[[Plan, bool], list[str]] = lambda plan, half: []


def plan_request(
    controller: Controller,
    *,
    text: str,
    resources: Sequence[Resource],
    history: Sequence[Exchange],
    kinds: Iterable[str],
    deadline: Deadline | None,
    checks: Checks,
) -> Plan:
    """Have the controller plan a request, and plan again if the plan cannot run.

    A plan of which a part cannot run here is planned again once, and then counts as it is: half is better than none.

    Args:
        controller: the controller that plans.
        text: the request.
        resources: what the plan may name: files of the request and results of earlier turns.
        history: earlier turns, oldest first.
        kinds: the kinds that can run here.
        deadline: when planning has to be done.
        checks: what a plan has to pass.

    Returns:
        A plan without objections; empty if the controller is to answer directly.

    Raises:
        PlanError: the second plan cannot run either; it lists every problem.
        ControllerError: and its subclasses, as `Controller.chat` raises them.
    """
    text = visible(text)
    if controller.is_embedded and embedded.plans_in_notation(controller.settings):
        return plan_in_notation(
            controller,
            text=text,
            resources=resources,
            history=history,
            deadline=deadline,
            check=lambda plan: checks.problems(plan) + checks.obstacles(plan, True),
        )
    offered = tuple(dict.fromkeys(kinds))
    if not offered:
        return Plan()
    answer_tokens = answer_room(controller)
    budget = controller.context_tokens - answer_tokens
    data = planning_data(text, resources, history, offered)
    data["missing"] = [kind for kind in CAPABILITIES if kind not in offered]

    def ask(prompt: Prompt) -> str:
        return controller.chat(
            prompt, stage=PLAN, max_tokens=answer_tokens, schema=plan_schema(tuple(CAPABILITIES)), deadline=deadline
        )

    def read(answer: str) -> _Draft:
        return _read(answer, offered, history, checks)

    answer = ask(render_within("planning", budget, **data))
    first = draft = read(answer)
    if not (draft.problems or draft.plan.tasks) and (unused := own_files(resources)):
        draft = replace(draft, obstacles=[_UNUSED.format(files=", ".join(unused))])
    if draft.problems or draft.obstacles:
        told = [*draft.problems, *draft.obstacles]
        repair = {"answer": shorten(answer, 4 * answer_tokens), "problems": told[:_MOST_PROBLEMS]}
        try:
            draft = read(ask(render_within("planning_repair", budget, **data, **repair)))
        except ControllerError:
            if first.problems:
                raise
    if _only_leaves_out(draft, first):
        draft = first
    if draft.problems:
        raise PlanError("\n".join(draft.problems))
    return draft.plan


def own_files(resources: Sequence[Resource]) -> list[str]:
    """The names of the files that came with a request itself."""
    return [resource.name for resource in resources if not resource.earlier]


def _only_leaves_out(second: "_Draft", first: "_Draft") -> bool:
    """Whether a second plan is worse than the first one, or only says nothing of what cannot run here.

    Half of the first plan is better than none of the second, and the user is told what is missing of it.
    """
    if second is first or not first.impossible:
        return False
    if second.problems:
        return not first.problems
    other = Counter(task.task for task in second.plan.tasks) - Counter(task.task for task in first.plan.tasks)
    return not other and len(second.plan.tasks) < len(first.plan.tasks)


def answer_room(controller: Controller) -> int:
    """The most tokens that a plan may take."""
    return min(_ANSWER_TOKENS, controller.context_tokens // _ANSWER_SHARE)


def planning_data(
    text: str, resources: Sequence[Resource], history: Sequence[Exchange], offered: Sequence[str]
) -> dict[str, Any]:
    """What the prompts for plans show."""
    turns = zip(history, shown_turns(history), strict=True)
    demos = [demo for demo in prompt_data("planning_demos") if {t["task"] for t in demo["tasks"]} <= {*offered}]
    return {
        "request": text,
        "resources": shown_resources(resources, _PREVIEW_CHARS),
        "history": [shown | {"tasks": _shown_tasks(turn)} for turn, shown in turns],
        "kinds": [_described_kind(CAPABILITIES[kind]) for kind in offered],
        "missing": [],
        "demos": _nearest_last(demos, text, resources),
    }


def _nearest_last(demos: Sequence[Any], text: str, resources: Sequence[Resource]) -> list[Any]:
    """The demonstrations, with those last that share the request's rarest words and the types of its files."""
    types = " ".join(resource.main_type.value for resource in resources)
    shown = [f"{demo['request']} {' '.join(demo['resources'])}" for demo in demos]
    return [demos[n] for n in reversed(by_relevance(shown, f"{text} {types}"))]


def shown_resources(resources: Sequence[Resource], preview_chars: int) -> list[dict[str, Any]]:
    """Resources as a prompt shows them: name, type, and the beginning and end of a text."""
    return [
        {
            "name": resource.name,
            "type": _described_type(resource),
            "preview": Cuttable(shorten(resource.artifact.preview, preview_chars)) if resource.artifact.preview else "",
        }
        for resource in resources
    ]


def _described_type(resource: Resource) -> str:
    """Its type; of a document also how long it is, and what it can be used as."""
    if resource.parts is None or resource.artifact.type is not ValueType.DOCUMENT:
        return resource.artifact.type.value
    parts, told = resource.parts, []
    if parts.pages > 1:
        told.append(f"{parts.pages} pages")
    if parts.tables:
        told.append("1 table" if parts.tables == 1 else f"{parts.tables} tables")
    uses = [type.value for type in (ValueType.TEXT, ValueType.IMAGE, ValueType.TABLE) if type in resource.types]
    return f"document{', ' if told else ''}{', '.join(told)}, usable as {' or '.join(uses)}"


def shown_turns(history: Sequence[Exchange]) -> list[dict[str, str]]:
    """Earlier turns as a prompt shows them."""
    return [{"text": turn.text, "response": turn.response} for turn in history]


def _shown_tasks(turn: Exchange) -> list[dict[str, Any]]:
    """What an earlier turn did, with the names of results in the place of references."""

    def names(task_id: int) -> list[str]:
        return [result.name for result in turn.results_of(task_id)]

    def shown(value: Any) -> Any:
        if isinstance(value, list):
            return [shown(element) for element in value]
        return replace_references(value, lambda k: ", ".join(names(k))) if isinstance(value, str) else value

    return [
        {"task": task.task, "args": cuttable({n: shown(v) for n, v in task.args.items()}), "results": names(task.id)}
        for task in (turn.plan.tasks if turn.plan else ())
    ]


@dataclass(frozen=True)
class _Draft:
    """A plan as the controller wrote it.

    Attributes:
        problems: why it cannot run at all.
        obstacles: why parts of it cannot run here, and what may do nearly the same.
        impossible: there are obstacles, and nothing else is wrong with it.
    """

    plan: Plan
    problems: list[str]
    obstacles: list[str]
    impossible: bool = False


def _read(
    answer: str,
    offered: Sequence[str],
    history: Sequence[Exchange],
    checks: Checks,
) -> _Draft:
    try:
        plan = without_hearing_ourselves(parse_plan(answer), history)
    except PlanError as error:
        return _Draft(Plan(), error.problems, [])
    lacking = checks.obstacles(plan, False)
    wrong = checks.problems(plan)
    problems = wrong + (checks.obstacles(plan, True) if lacking else [])
    foreign = [task for task in plan.tasks if task.task not in offered]
    if not lacking:
        problems += [f"Task {task.id} is of the kind {task.task}, which cannot run here." for task in foreign]
    hints = [_near(kind, offered) for kind in dict.fromkeys(task.task for task in foreign)]
    return _Draft(plan, problems, [*lacking, *filter(None, hints)], impossible=bool(lacking) and not wrong)


def _near(kind: str, offered: Sequence[str]) -> str:
    """Which of the offered kinds take and make what another kind does."""
    wanted = CAPABILITIES[kind]
    alike = [k for k in offered if k != kind and _shape(CAPABILITIES[k]) == _shape(wanted)]
    return f"In place of {kind}, {' or '.join(alike[:_MOST_NEAR])} may do nearly the same." if alike else ""


def _shape(capability: Capability) -> tuple[frozenset[ValueType], ValueType]:
    """The types that a kind needs, and the one that it makes first of all."""
    return frozenset(wanted.type for wanted in capability.inputs if wanted.required), capability.outputs[0]


def _described_kind(capability: Capability) -> dict[str, str]:
    arguments = [_described_input(wanted) for wanted in capability.inputs]
    arguments += [_described_parameter(name, capability) for name in capability.parameters if name != "seed"]
    return {
        "kind": capability.kind,
        "arguments": ", ".join(arguments),
        "results": " and ".join(output.value for output in capability.outputs),
        "description": capability.description,
    }


def _described_input(wanted: Input) -> str:
    listed = "list of " if wanted.many else ""
    return f"{wanted.name}{'' if wanted.required else '?'}: {listed}{wanted.type.value}"


def _described_parameter(name: str, capability: Capability) -> str:
    limits = capability.ranges.get(name)
    return f"{name}?: number" + (f" from {limits.least:g} to {limits.most:g}, 1 is usual" if limits else "")

"""Stage four: the answer, written from the results and checked against them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import Artifact, Resource
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.answers import (
    QUOTED_CHARS,
    distinct_texts,
    invented,
    question_in,
    quotation,
    tidied,
)
from hugginggpt.controller.embedded.planner import PastTurn
from hugginggpt.controller.grounding import repeated_words, unfounded
from hugginggpt.controller.passages import condensed
from hugginggpt.controller.planning import described, past
from hugginggpt.controller.prompts import Cuttable, Prompt, cuttable, render_within, shorten
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError
from hugginggpt.plan import Plan
from hugginggpt.results import ItemResult, TaskOutcome
from hugginggpt.text import visible

STAGE = "respond"

_ANSWER_TOKENS = 800
_ANSWER_SHARE = 4  # of a small context, at most this part is kept for the answer
_SMALL_ANSWER_TOKENS = 80
_PREVIEW_CHARS = 400
_MOST_QUOTABLE = 3
_PLAIN_CHARS = 1500
_MOST_PROBLEMS = 12


class Response(BaseModel):
    """The answer to a request.

    Attributes:
        source: "controller" when the controller wrote it, "plain" when it is the bare rendering.
        problems: why it is the bare rendering, one sentence each.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    source: Literal["controller", "plain"]
    problems: tuple[str, ...] = ()


def respond(
    controller: Controller,
    *,
    text: str,
    plan: Plan,
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    resources: Sequence[Resource] = (),
    history: Sequence[PastTurn] = (),
    known_models: Collection[str] = (),
) -> Response:
    """Answer a request from its results.

    Every path, address, file, hash, model and number in the answer has to stand in what the
    controller was given. What does not is sent back once; after that, or when the controller
    fails, the answer is the plain rendering. For an empty plan the controller answers directly,
    and numbers are its own.

    Args:
        controller: who writes.
        text: the request.
        plan: empty when the controller is to answer directly.
        outcomes: one per planned task.
        deadline: how long the controller may take.
        resources: the request's files.
        history: earlier turns, for a direct answer.
        known_models: ids of models that may be named only if they ran.

    Raises:
        ControllerError: and its kinds: the plan is empty and the controller gives no answer.
    """
    text = visible(text)
    if plan.tasks:
        return _from_results(controller, text, outcomes, deadline, resources, known_models)
    return _directly(controller, text, deadline, resources, history, known_models)


def plain_rendering(text: str, outcomes: Sequence[TaskOutcome]) -> str:
    """The facts as they are: every task with its model and what it gave, or why it gave nothing.

    Args:
        text: the request.
        outcomes: one per planned task.
    """
    done = sum(outcome.result is not None for outcome in outcomes)
    request = shorten(" ".join(text.split()), 200)
    lines = [f"{done} of {len(outcomes)} tasks were done for: {request}"]
    for outcome in outcomes:
        result = outcome.result
        if result is None:
            lines.append(f"\n{outcome.planned.name}: {outcome.status}. {outcome.error or ''}".rstrip())
            continue
        lines.append(f"\n{outcome.planned.name}, by {result.model} ({result.endpoint}):")
        for item in result.items:
            lines += [f"  {line}" for line in _plain_item(item, outcome.files)]
    return "\n".join(lines)


def _plain_item(item: ItemResult, files: Mapping[str, str]) -> Iterator[str]:
    if item.error is not None:
        yield f"failed: {item.error}"
    for artifact in item.outputs:
        if artifact.preview is not None:
            yield from shorten(artifact.preview.strip(), _PLAIN_CHARS).splitlines() or ["(an empty text)"]
        else:
            yield f"{artifact.type}: {files.get(artifact.sha256, artifact.sha256)}"


def _from_results(
    controller: Controller,
    text: str,
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    resources: Sequence[Resource],
    known_models: Collection[str],
) -> Response:
    try:
        if controller.embedded:
            answer, problems = _by_small_model(controller, text, outcomes, deadline)
        else:
            answer, problems = _by_model(controller, text, outcomes, deadline, resources, known_models)
    except ControllerError as error:
        answer, problems = "", [error.message]
    if problems:
        return Response(text=plain_rendering(text, outcomes), source="plain", problems=tuple(problems))
    return Response(text=answer, source="controller")


def _by_model(
    controller: Controller,
    text: str,
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    resources: Sequence[Resource],
    known_models: Collection[str],
) -> tuple[str, list[str]]:
    tasks = [_facts(outcome) for outcome in outcomes]
    data = {"request": text, "resources": described(resources, _PREVIEW_CHARS), "tasks": tasks}
    given = [text, *_strings(tasks), *_strings_of(resources)]
    counts = _counts(outcomes, resources)
    return _ask_checked(
        controller,
        "response",
        data,
        lambda answer: unfounded(answer, given, counts=counts, known_models=known_models),
        deadline,
    )


def _by_small_model(
    controller: Controller, text: str, outcomes: Sequence[TaskOutcome], deadline: Deadline | None
) -> tuple[str, list[str]]:
    """A sentence or two from the texts; then the texts themselves, what was made, and what was not."""
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    texts = distinct_texts(visible(a.preview) for result in results for a in result.outputs if a.preview is not None)
    if not texts:
        texts = [
            f"{o.planned.task} made {o.result.outputs[0].type}." for o in outcomes if o.result and o.result.outputs
        ]
    data = {"texts": cuttable(texts), "question": question_in(text), "request": text}
    for name in ("response_embedded", "response_embedded_correction"):
        prompt = render_within(name, controller.context_tokens - _SMALL_ANSWER_TOKENS, **data)
        answer = tidied(controller.chat(prompt, stage=STAGE, max_tokens=_SMALL_ANSWER_TOKENS, deadline=deadline))
        if not invented(answer, [text, *texts]):
            break
    else:
        # The last results are the likeliest answer, and such a model leans to what comes first.
        quotable = [condensed(given, QUOTED_CHARS) for given in reversed(texts)][:_MOST_QUOTABLE]
        answer = quotation(controller, text, quotable, stage=STAGE, deadline=deadline)
    found = [shorten(found, _PLAIN_CHARS) for found in texts if found not in answer]
    return "\n\n".join([answer, *found, *_made(outcomes), *_undone(outcomes)]), []


def _directly(
    controller: Controller,
    text: str,
    deadline: Deadline | None,
    resources: Sequence[Resource],
    history: Sequence[PastTurn],
    known_models: Collection[str],
) -> Response:
    data = {"request": text, "resources": described(resources, _PREVIEW_CHARS), "history": past(history)}
    given = [text, *_strings(data["history"]), *_strings_of(resources)]

    def problems_of(answer: str) -> list[str]:
        return unfounded(answer, given, numbers=False, known_models=known_models)

    answer, problems = _ask_checked(controller, "answer", data, problems_of, deadline)
    if controller.embedded:
        answer = tidied(answer)
    if problems:
        withheld = "The controller's answer was withheld, because it names what does not exist here: "
        return Response(text=withheld + " ".join(problems), source="plain", problems=tuple(problems))
    return Response(text=answer, source="controller")


def _ask_checked(
    controller: Controller,
    name: str,
    data: dict[str, Any],
    problems_of: Callable[[str], list[str]],
    deadline: Deadline | None,
) -> tuple[str, list[str]]:
    """An answer, corrected once if need be, and what is still wrong with it."""
    answer_tokens = min(_ANSWER_TOKENS, controller.context_tokens // _ANSWER_SHARE)
    budget = controller.context_tokens - answer_tokens

    def ask(prompt: Prompt) -> str:
        return controller.chat(prompt, stage=STAGE, max_tokens=answer_tokens, deadline=deadline)

    answer = ask(render_within(name, budget, **data))
    problems = problems_of(answer)
    if problems:
        correction = {"answer": Cuttable(answer), "problems": problems[:_MOST_PROBLEMS]}
        answer = ask(render_within(f"{name}_correction", budget, **data, **correction))
        problems = problems_of(answer)
    return answer, problems


def _facts(outcome: TaskOutcome) -> dict[str, Any]:
    """One outcome as data for the controller."""
    facts: dict[str, Any] = {
        "id": outcome.planned.id,
        "task": outcome.planned.task,
        "args": cuttable(outcome.planned.args),
        "status": outcome.status.value,
    }
    if outcome.result is None:
        return facts | {"error": outcome.error or "unknown"}
    items = [_item_facts(item, outcome.files) for item in outcome.result.items]
    results = items if outcome.result.is_list else items[0]
    return facts | {"model": outcome.result.model, "runs": outcome.result.endpoint.value, "result": results}


def _item_facts(item: ItemResult, files: Mapping[str, str]) -> Any:
    return {"error": item.error} if item.error is not None else [_output_facts(a, files) for a in item.outputs]


def _output_facts(artifact: Artifact, files: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": artifact.type.value}
    if artifact.preview is not None:
        facts["text"] = Cuttable(artifact.preview)
    if artifact.sha256 in files:
        facts["file"] = files[artifact.sha256]
    return facts


def _made(outcomes: Sequence[TaskOutcome]) -> list[str]:
    return [
        f"{outcome.planned.task} made {address}"
        for outcome in outcomes
        if outcome.result is not None
        for artifact in outcome.result.outputs
        if (address := outcome.files.get(artifact.sha256)) is not None
    ]


def _undone(outcomes: Sequence[TaskOutcome]) -> list[str]:
    tasks = [f"Not done: {o.planned.name}. {o.error or ''}".rstrip() for o in outcomes if o.result is None]
    elements = [
        f"Not done: element {number} of {o.planned.name}. {item.error}"
        for o in outcomes
        if o.result is not None
        for number, item in enumerate(o.result.items, 1)
        if item.error is not None
    ]
    return tasks + elements


def _counts(outcomes: Sequence[TaskOutcome], resources: Sequence[Resource]) -> set[int]:
    """Numbers that an answer may say of the results without their standing in them."""
    done = [outcome.result for outcome in outcomes if outcome.result is not None]
    counts = {len(outcomes), len(done), len(outcomes) - len(done), len(resources)}
    counts |= {len(result.items) for result in done} | {len(result.outputs) for result in done}
    counts.add(sum(len(result.outputs) for result in done))
    found = (a.preview for r in done for a in r.outputs if a.type is ValueType.STRUCTURED and a.preview)
    return counts | repeated_words(found)


def _strings_of(resources: Sequence[Resource]) -> list[str]:
    return [text for r in resources for text in (r.name, r.source, r.artifact.preview or "")]


def _strings(data: Any) -> Iterator[str]:
    """Every text and number in the data, as text."""
    if isinstance(data, dict):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _strings(value)
    else:
        yield str(data)

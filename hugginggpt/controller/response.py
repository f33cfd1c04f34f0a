"""Stage four: writing the answer from the results, and checking it against them."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.answer_form import Given, form_problems, read_form, written_form
from hugginggpt.controller.call import RESPOND
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded.composition import compose
from hugginggpt.controller.embedded.direct import direct_answer
from hugginggpt.controller.embedded.form_reading import filled_from
from hugginggpt.controller.grounding import repeated_words, unfounded
from hugginggpt.controller.not_done import not_done
from hugginggpt.controller.planning import own_files, shown_resources, shown_turns
from hugginggpt.controller.prompts import Cuttable, Prompt, cuttable, render_within, shorten
from hugginggpt.controller.text_tasks import reader_of
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, DeadlineExceededError
from hugginggpt.plan import PlannedTask
from hugginggpt.plan.model import elements
from hugginggpt.request import Exchange
from hugginggpt.resource import Resource
from hugginggpt.results import ItemResult, TaskOutcome
from hugginggpt.text import counted, visible

_ANSWER_TOKENS = 800
_ANSWER_SHARE = 4  # at most one part in this many of a small context is reserved for the answer
_PREVIEW_CHARS = 400
_PLAIN_CHARS = 1500
_MOST_PROBLEMS = 12
_MOST_SAID = 3  # problems that the user is told
_UNUSED = "The controller's answer was not used"


class Response(BaseModel):
    """The answer to a request.

    Attributes:
        source: "controller" if the controller wrote it, "results" if the results are the answer, word for word,
            "form" if it is JSON that keeps to a schema, "fixed" if it is a fixed text, "plain" if it is the plain list
            of results.
        problems: why it is the plain list, one sentence each, for the user.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    source: Literal["controller", "results", "form", "fixed", "plain"]
    problems: tuple[str, ...] = ()


def respond(
    controller: Controller,
    *,
    text: str,
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    resources: Sequence[Resource] = (),
    history: Sequence[Exchange] = (),
    known_models: Collection[str] = (),
) -> Response:
    """Answer a request from its results.

    The answer may only contain paths, addresses, files, hashes, models and numbers that the controller
    was given. An answer with anything else is sent back once. If that does not help, or the controller fails, the
    answer is the plain list of results. Without outcomes the controller answers directly, and its numbers are not
    checked. The embedded controller writes nothing from results: the answer is put together. Without outcomes, the
    packaged model does not write either: the answer is a fixed text.

    Args:
        controller: the controller that writes.
        text: the request.
        outcomes: one per planned task; empty if the controller is to answer directly.
        deadline: when the controller has to be done.
        resources: the request's files.
        history: earlier turns, for a direct answer.
        known_models: ids of models that may only be named if they ran.

    Raises:
        ControllerError: there are no outcomes, and the controller gives no answer.
    """
    text = visible(text)
    if outcomes and controller.is_embedded:
        composed = compose(text, outcomes, [resource.name for resource in resources])
        unread = [name for name in own_files(resources) if not any(_takes(o.planned, name) for o in outcomes)]
        return Response(text=_with_unread(composed, unread), source="results")
    if outcomes:
        return _from_results(controller, text, outcomes, deadline, resources, known_models)
    if controller.knows_little:
        return Response(text=direct_answer(text, resources), source="fixed")
    return _directly(controller, text, deadline, resources, history, known_models)


def respond_in_form(
    controller: Controller,
    *,
    text: str,
    outcomes: Sequence[TaskOutcome],
    schema: Mapping[str, Any],
    deadline: Deadline | None,
    resources: Sequence[Resource] = (),
    known_models: Collection[str] = (),
) -> Response:
    """Answer a request with JSON that keeps to a schema and holds only values from the results.

    The packaged model does not write it; its reader is asked for each value. If the form has problems after one
    correction, the answer is the plain list of results.

    Args:
        controller: the controller that writes.
        text: the request.
        outcomes: one per planned task.
        schema: JSON schema of an object.
        deadline: when the controller has to be done.
        resources: the request's files.
        known_models: ids of models that may only be named if they ran.

    Raises:
        ControllerError: there are no outcomes, and the controller gives no answer.
    """
    tasks = [_facts(outcome) for outcome in outcomes]
    results = [*_previews(outcomes), *(r.artifact.preview or "" for r in resources)]
    given = Given(
        texts=[text, *_strings(tasks), *_strings_of(resources), *results],
        results=results,
        counts=_counts(outcomes, resources),
        known_models=known_models,
        knows_verdicts=controller.knows_little,
    )

    def problems_of(answer: str) -> list[str]:
        return form_problems(read_form(answer), schema, given, deadline)

    try:
        if controller.knows_little:
            unusable = "The form could not be filled in"
            answer = _read_form_in(results, schema, controller, deadline)
            problems = problems_of(answer)
        else:
            unusable = _UNUSED
            data = {
                "request": visible(text),
                "resources": shown_resources(resources, _PREVIEW_CHARS),
                "tasks": tasks,
                "schema": schema,
            }
            answer, problems = _ask_checked(controller, "form", data, problems_of, deadline, schema=dict(schema))
    except (ControllerError, DeadlineExceededError) as error:
        if not outcomes:
            raise ControllerError(error.message) from error
        return _plain(text, outcomes, error.message)
    if problems:
        return _plain(text, outcomes, f"{unusable}: {_clauses(problems)}.")
    return Response(text=written_form(read_form(answer)), source="form")


def _previews(outcomes: Sequence[TaskOutcome]) -> Iterator[str]:
    """The texts that tasks made, each once."""
    made = (artifact for outcome in outcomes if outcome.result is not None for artifact in outcome.result.outputs)
    yield from dict.fromkeys(artifact.preview for artifact in made if artifact.preview)


def _read_form_in(
    texts: Sequence[str], schema: Mapping[str, Any], controller: Controller, deadline: Deadline | None
) -> str:
    """What the reader finds for a form in texts, as JSON."""
    reader = reader_of(controller)
    if reader is None:
        raise ControllerError(
            "The embedded controller cannot fill in a form without its reader; set HUGGINGGPT_EMBEDDED_READER, "
            "or OPENAI_API_KEY or OPENAI_BASE_URL."
        )
    return json.dumps(filled_from("\n\n".join(dict.fromkeys(texts)), schema, reader, deadline))


def _plain(text: str, outcomes: Sequence[TaskOutcome], why: str) -> Response:
    return Response(text=plain_rendering(text, outcomes), source="plain", problems=(why,))


def _rejection(problems: Sequence[str]) -> str:
    """Why an answer was not used, for the user, from what is wrong with it."""
    return f"{_UNUSED}, because {_clauses(problems)}."


def _clauses(problems: Sequence[str]) -> str:
    """Sentences on what is wrong as clauses of one sentence, the first few of them."""
    clauses = [problem.removeprefix("The form: ").removesuffix(".") for problem in problems]
    shown = [f"it {c[3:]}" if c.startswith("It ") else f"the {c[4:]}" if c.startswith("The ") else c for c in clauses]
    more = len(shown) - _MOST_SAID
    return "; ".join(shown[:_MOST_SAID]) + (f"; and {counted(more, 'further problem')}" if more > 0 else "")


def plain_rendering(text: str, outcomes: Sequence[TaskOutcome]) -> str:
    """The bare facts: every task with its model and its results, or why there are none.

    Args:
        text: the request.
        outcomes: one per planned task.
    """
    done = sum(outcome.result is not None for outcome in outcomes)
    if not done:
        return "\n".join(not_done(outcomes))
    request = shorten(" ".join(text.split()), 200)
    lines = [f"{_share(done, len(outcomes))} done for: {request}"]
    for outcome in outcomes:
        result = outcome.result
        if result is None:
            why = " ".join(filter(None, [outcome.error, outcome.obstacle]))
            lines.append(f"\n{outcome.planned.name}: {outcome.status}. {why}".rstrip())
            continue
        lines.append(f"\n{outcome.planned.name}, by {result.model} ({result.endpoint}):")
        for item in result.items:
            lines += [f"  {item.part}:"] if item.part else []
            lines += [f"  {line}" for line in _plain_item(item, outcome.files)]
    return "\n".join(lines)


def _share(done: int, planned: int) -> str:
    """How many tasks were done, as the beginning of a sentence."""
    if done == planned:
        return "The task was" if planned == 1 else "All tasks were"
    return f"{done} of {planned} tasks {'was' if done == 1 else 'were'}"


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
        answer, problems = _by_model(controller, text, outcomes, deadline, resources, known_models)
    except ControllerError as error:
        return _plain(text, outcomes, error.message)
    if problems:
        return _plain(text, outcomes, _rejection(problems))
    # What to do about it is said in our words, whatever the controller makes of it.
    told = not_done(outcomes, [resource.name for resource in resources])
    lacking = [line for line in told if line not in answer]
    return Response(text="\n\n".join([answer, *(["\n".join(lacking)] if lacking else [])]), source="controller")


def _by_model(
    controller: Controller,
    text: str,
    outcomes: Sequence[TaskOutcome],
    deadline: Deadline | None,
    resources: Sequence[Resource],
    known_models: Collection[str],
) -> tuple[str, list[str]]:
    tasks = [_facts(outcome) for outcome in outcomes]
    data = {"request": text, "resources": shown_resources(resources, _PREVIEW_CHARS), "tasks": tasks}
    given = [text, *_strings(tasks), *_strings_of(resources)]
    counts = _counts(outcomes, resources)
    return _ask_checked(
        controller,
        "response",
        data,
        lambda answer: unfounded(answer, given, counts=counts, known_models=known_models),
        deadline,
    )


def _directly(
    controller: Controller,
    text: str,
    deadline: Deadline | None,
    resources: Sequence[Resource],
    history: Sequence[Exchange],
    known_models: Collection[str],
) -> Response:
    data = {"request": text, "resources": shown_resources(resources, _PREVIEW_CHARS), "history": shown_turns(history)}
    given = [text, *_strings(data["history"]), *_strings_of(resources)]

    def problems_of(answer: str) -> list[str]:
        return unfounded(answer, given, numbers=False, known_models=known_models)

    answer, problems = _ask_checked(controller, "answer", data, problems_of, deadline)
    if problems:
        rejection = _rejection(problems)
        return Response(text=rejection, source="plain", problems=(rejection,))
    return Response(text=_with_unread(answer, own_files(resources)), source="controller")


def _takes(planned: PlannedTask, name: str) -> bool:
    """Whether a task takes a file."""
    return any(name in str(element) for value in planned.args.values() for element in elements(value))


def _with_unread(answer: str, files: Sequence[str]) -> str:
    return f"{answer}\n\nNot read: {', '.join(files)}." if files else answer


def _ask_checked(
    controller: Controller,
    name: str,
    data: dict[str, Any],
    problems_of: Callable[[str], list[str]],
    deadline: Deadline | None,
    schema: dict[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """An answer, corrected once if necessary, and what is still wrong with it."""
    answer_tokens = min(_ANSWER_TOKENS, controller.context_tokens // _ANSWER_SHARE)
    budget = controller.context_tokens - answer_tokens

    def ask(prompt: Prompt) -> str:
        return controller.chat(prompt, stage=RESPOND, max_tokens=answer_tokens, schema=schema, deadline=deadline)

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
    made = {"error": item.error} if item.error is not None else [_output_facts(a, files) for a in item.outputs]
    return {"part": item.part, "result": made} if item.part else made


def _output_facts(artifact: Artifact, files: Mapping[str, str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"type": artifact.type.value}
    if artifact.preview is not None:
        facts["text"] = Cuttable(artifact.preview)
    if artifact.sha256 in files:
        facts["file"] = files[artifact.sha256]
    return facts


def _counts(outcomes: Sequence[TaskOutcome], resources: Sequence[Resource]) -> set[int]:
    """Numbers that an answer may state although they are not in the results, because they count the results."""
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

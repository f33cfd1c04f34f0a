"""Stage two: choosing a model for each planned task."""

import json
import shlex
from collections.abc import Sequence
from difflib import get_close_matches

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.call import SELECT
from hugginggpt.controller.client import Controller
from hugginggpt.controller.prompts import Cuttable, cuttable, render_within
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, SelectionError
from hugginggpt.experts.registry import plugin_cards
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Candidate, Endpoint, ModelChoice
from hugginggpt.plan import PlannedTask
from hugginggpt.plan.meant import objects_in
from hugginggpt.text import one_line

_ANSWER_TOKENS = 200
_DESCRIPTION_CHARS = 100
_REASON_CHARS = 300
_MOST_READ = 20_000
_CLOSE = 0.8
"""How much an id has to resemble a name to be taken for what was meant."""


def choose_model(
    controller: Controller,
    *,
    request: str,
    task: PlannedTask,
    candidates: Sequence[Candidate],
    top_k: int,
    fallbacks: int,
    deadline: Deadline | None,
) -> ModelChoice:
    """Choose among the candidates that can run here; the next in rank are the fallbacks.

    The controller sees the first `top_k`, and its answer is limited to their ids. A single candidate
    needs no question. If the controller gives no usable answer, the first in rank is chosen and the
    reason says so.

    Args:
        controller: the controller that chooses.
        request: the user's request.
        task: the planned task.
        candidates: every model of the task's kind, in rank order.
        top_k: how many candidates the controller sees.
        fallbacks: how many models to try after the chosen one fails.
        deadline: when the controller has to be done.

    Raises:
        SelectionError: no candidate can run here.
    """
    runnable = [candidate for candidate in candidates if candidate.obstacle is None]
    if not runnable:
        obstacles = dict.fromkeys(c.obstacle.rstrip(".") for c in candidates if c.obstacle)
        why = "; ".join(list(obstacles)[:3]) or "the catalog has none"
        raise SelectionError(f"No model can do {task.task} here: {why}.")
    if (unasked := choose_unasked(controller, task.task, runnable, fallbacks=fallbacks)) is not None:
        return unasked
    best = runnable[: 1 + fallbacks]
    shown = _keyed(runnable[:top_k])
    try:
        answer = _ask(controller, request, task, shown, deadline)
    except ControllerError as error:
        return _first(task.task, best, f"First in rank, because the controller made no choice: {error.message}", True)
    key, reason = _read(answer)
    chosen = shown.get(key)
    if chosen is None:
        return _first(task.task, best, "First in rank, because the controller named no model on the list.", True)
    rest = tuple(candidate for candidate in runnable if candidate is not chosen)[:fallbacks]
    reason = reason or "The controller gave no reason."
    return ModelChoice(kind=task.task, chosen=chosen, reason=reason, chosen_by="controller", alternatives=rest)


def choose_unasked(
    controller: Controller, kind: str, runnable: Sequence[Candidate], *, fallbacks: int
) -> ModelChoice | None:
    """Choose among candidates that can run here, if that takes no question to the controller; else return None."""
    if len(runnable) == 1:
        return _first(kind, runnable, "It is the only model that can run here.")
    if runnable and controller.is_embedded:
        return _first(kind, runnable[: 1 + fallbacks], "First in rank; the embedded controller does not choose.")
    return None


def choose_given(kind: str, model: str, candidates: Sequence[Candidate]) -> ModelChoice:
    """The model that the request names, at every endpoint where it can run.

    Raises:
        SelectionError: it is not known for the kind, or it cannot run here.
    """
    named = [candidate for candidate in candidates if candidate.card.id == model]
    runnable = [candidate for candidate in named if candidate.obstacle is None]
    if not named:
        raise SelectionError(_unknown(kind, model, candidates))
    if not runnable:
        raise SelectionError(f"The model of the request cannot run here: {named[0].obstacle}")
    first, *others = runnable
    reason = "The request names it."
    return ModelChoice(kind=kind, chosen=first, reason=reason, chosen_by="request", alternatives=tuple(others))


def _unknown(kind: str, model: str, candidates: Sequence[Candidate]) -> str:
    """What to do about a model that is not among the candidates of a kind."""
    ids = list(dict.fromkeys(candidate.card.id for candidate in candidates))
    name, _, revision = model.partition("@")
    shown, lists = one_line(model, _REASON_CHARS), f"`hugginggpt models --kind {kind}` lists the models"
    unknown = f"No model {shown} is known for {kind}"
    same = next((known for known in ids if known.lower() == name.lower()), None)
    if same is not None:
        return f"{unknown}: did you mean {same}{', without a revision' if revision else ''}?"
    # A model that comes with a package is never fetched.
    if packaged := [other for other in CAPABILITIES if name.lower() in _in_packages(other)]:
        for_others = ", ".join(other for other in packaged if other != kind)
        return f"{shown} is for {for_others}, not for {kind}: {lists}." if for_others else f"{unknown}: {lists}."
    close = get_close_matches(name, ids, n=1, cutoff=_CLOSE)
    or_else = f"did you mean {close[0]}? Otherwise," if close else f"{lists}; or"
    return f"{unknown}: {or_else} run `hugginggpt models fetch {shlex.quote(shown)} --kind {kind}`."


def _in_packages(kind: str) -> set[str]:
    """The models of a kind that come with a package, in lower case."""
    known = (*plugin_cards(kind), *bundled_cards().get(kind, ()))
    return {card.id.lower() for card in known if Endpoint.EMBEDDED in card.runs_on}


def _first(kind: str, ranked: Sequence[Candidate], reason: str, provisional: bool = False) -> ModelChoice:
    first, *rest = ranked
    return ModelChoice(
        kind=kind,
        chosen=first,
        reason=reason,
        chosen_by="ranking",
        provisional=provisional,
        alternatives=tuple(rest),
    )


def _keyed(candidates: list[Candidate]) -> dict[str, Candidate]:
    """The candidates by the name that the controller may answer: the id, with the endpoint if two share an id."""
    ids = [candidate.card.id for candidate in candidates]
    return {c.card.id if ids.count(c.card.id) == 1 else f"{c.card.id} ({c.endpoint})": c for c in candidates}


def _ask(
    controller: Controller, request: str, task: PlannedTask, shown: dict[str, Candidate], deadline: Deadline | None
) -> str:
    models = [
        {
            "id": key,
            "endpoint": candidate.endpoint.value,
            "downloads": candidate.card.downloads,
            "here": one_line(candidate.figures.gist) if candidate.figures else "",
            "languages": one_line(", ".join(candidate.card.languages[:8]), _DESCRIPTION_CHARS),
            "description": one_line(candidate.card.description)[:_DESCRIPTION_CHARS],
        }
        for key, candidate in shown.items()
    ]
    prompt = render_within(
        "selection",
        controller.context_tokens - _ANSWER_TOKENS,
        request=Cuttable(request),
        task={"task": task.task, "args": cuttable(task.args)},
        description=task.capability.description,
        models=models,
    )
    schema = {
        "type": "object",
        "properties": {"id": {"type": "string", "enum": list(shown)}, "reason": {"type": "string"}},
        "required": ["id", "reason"],
        "additionalProperties": False,
    }
    return controller.chat(prompt, stage=SELECT, max_tokens=_ANSWER_TOKENS, schema=schema, deadline=deadline)


def _read(answer: str) -> tuple[str, str]:
    """The id and the reason in an answer, whose JSON may be inside other text; empty texts if there is no such JSON."""
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = next((one for one in reversed(objects_in(answer)) if "id" in one), None)
    if not isinstance(found, dict):
        return "", ""
    return str(found.get("id") or "").strip(), one_line(str(found.get("reason") or ""))[:_REASON_CHARS]

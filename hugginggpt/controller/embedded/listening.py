"""Speech: for requests to be read to, which the planner may take for requests to read, and at the end of a plan."""

import re
from collections.abc import Sequence

from hugginggpt.capabilities import ValueType
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.model import free_id
from hugginggpt.plan.references import reference, references_in, sole_reference
from hugginggpt.resource import Resource

_READ, _SPEAK, _HEAR = "image-to-text", "text-to-speech", "automatic-speech-recognition"

_SOMEONE = (
    r"(?:me|us|him|her|them|(?:my|our|the) (?:\w+ )?"
    r"(?:mum|mom|mother|dad|father|gran\w*|wife|husband|kids?|children|son|daughter|class))"
)
_TO_HEAR = re.compile(
    rf"(?:(?:,? ?\b(?:and|then))* )?\bread "
    rf"(?:(?:[^\s.,;:!?]+ ){{0,6}}?(?:to {_SOMEONE}|aloud|out(?: loud)?)|{_SOMEONE})\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"(?:\bnot|n't|\bnever|\bwithout|\bno need to|\balready|\bwas|\bhas)(?: \w+){0,2} ?$", re.IGNORECASE)
_SAY = r"(?:say|speak|announce|pronounce)"
_ALOUD = re.compile(r"(?:,? (?:aloud|out loud))?[.!]?$", re.IGNORECASE)
_VERB = re.compile(rf"(?:please )?{_SAY}(?: (?:aloud|out loud))?[:,]? (?=\w)", re.IGNORECASE)
_QUOTED = re.compile(
    rf"\b{_SAY}\b[^\"“”.!?]{{0,30}}[\"“](?P<said>[^\"“”]+)[\"”]|"
    rf"\bread (?:aloud|out loud)[,:]? [\"“](?P<read>[^\"“”]+)[\"”]",
    re.IGNORECASE,
)


def with_speech(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """The plan that also speaks what it reads or answers, if the request wants something read to someone.

    A plan without tasks becomes one that speaks the text of the only file.

    Args:
        plan: what the planner planned.
        text: the request.
        resources: the request's files and the results of earlier turns.
    """
    plan = _said_as_quoted(_without_verbs(_spoken_last(plan), text), text)
    said = text
    for resource in resources:
        said = said.replace(resource.name, "it")
    wish = _TO_HEAR.search(said)
    if wish is None or _NOT.search(said[: wish.start()]) or any(task.task == _SPEAK for task in plan.tasks):
        return plan
    tasks = [_without(wish.group(), task) for task in plan.tasks]
    spoken = _last_text(tasks)
    if not tasks:
        own = [resource for resource in resources if not resource.earlier]
        types = own[0].types if len(own) == 1 else frozenset()
        if ValueType.TEXT in types:
            spoken = own[0].name
        elif ValueType.IMAGE in types:
            tasks = [PlannedTask(task=_READ, id=0, args={"image": own[0].name})]
            spoken = reference(0)
    if spoken is None:
        return plan
    speech = _waiting(PlannedTask(task=_SPEAK, id=free_id(tasks), args={"text": spoken}))
    repairs = (*plan.repairs, "The request wants something read to someone, so that it is spoken.")
    return plan.model_copy(update={"tasks": (*tasks, speech), "repairs": repairs})


def _spoken_last(plan: Plan) -> Plan:
    """The plan that speaks what is made of a text, where it would write down its own speech to go on from there."""
    by_id = {task.id: task for task in plan.tasks}
    for heard in plan.tasks:
        spoken = sole_reference(heard.args.get("audio")) if heard.task == _HEAR else None
        later = [task for task in plan.tasks if heard.id in task.needs]
        if spoken is None or by_id[spoken].task != _SPEAK or len(later) != 1:
            continue
        text, value = by_id[spoken].args["text"], reference(heard.id)
        args = {name: text if given == value else given for name, given in later[0].args.items()}
        going_on = _waiting(later[0].model_copy(update={"args": args}))
        if heard.id in going_on.needs:
            continue
        tasks = [going_on if task is later[0] else task for task in plan.tasks if task.id not in (heard.id, spoken)]
        last = _last_text(tasks)
        if last is None:
            continue
        speech = _waiting(by_id[spoken].model_copy(update={"args": {**by_id[spoken].args, "text": last}}))
        repairs = (*plan.repairs, "The speech comes last: what is spoken need not be written down again.")
        return plan.model_copy(update={"tasks": (*tasks, speech), "repairs": repairs})
    return plan


def _without_verbs(plan: Plan, text: str) -> Plan:
    """The plan that says what the request wants said, without the verb that asks for it."""

    def without(task: PlannedTask) -> PlannedTask:
        words = task.args.get("text")
        if task.task != _SPEAK or not isinstance(words, str) or re.search(f'["“]{re.escape(words)}', text):
            return task
        plain = _VERB.sub("", words, count=1)
        if re.search(rf"\b{_SAY} {re.escape(plain)}", text, re.IGNORECASE):
            plain = _ALOUD.sub("", plain) or plain
        return task.model_copy(update={"args": {**task.args, "text": plain}})

    return plan.model_copy(update={"tasks": tuple(map(without, plan.tasks))})


def _said_as_quoted(plan: Plan, text: str) -> Plan:
    """The plan whose only speech says the words that the request quotes, and not what another task makes."""
    quotes = [match["said"] or match["read"] for match in _QUOTED.finditer(text)]
    speeches = [task for task in plan.tasks if task.task == _SPEAK]
    given = {value for task in plan.tasks for value in task.args.values() if isinstance(value, str)}
    if len(quotes) != 1 or len(speeches) != 1 or quotes[0] in given or references_in(quotes[0]):
        return plan
    made = sole_reference(speeches[0].args["text"])
    if made is None:
        return plan
    speech = _waiting(speeches[0].model_copy(update={"args": {**speeches[0].args, "text": quotes[0]}}))
    tasks = [speech if task is speeches[0] else task for task in plan.tasks]
    # What only read a text to be said is of no use any more.
    tasks = [task for task in tasks if not (task.id == made and task.task == _READ and not _is_used(task, tasks))]
    repairs = (*plan.repairs, "What is said stands in quotes in the request.")
    return plan.model_copy(update={"tasks": tuple(tasks), "repairs": repairs})


def _is_used(task: PlannedTask, tasks: Sequence[PlannedTask]) -> bool:
    return any(task.id in other.needs for other in tasks)


def _waiting(task: PlannedTask) -> PlannedTask:
    return task.model_copy(update={"dep": task.needs})


def _last_text(tasks: Sequence[PlannedTask]) -> str | None:
    """A reference to the last wanted text, rather one that is read than one that is made."""
    used = {task_id for task in tasks for task_id in task.needs}
    texts = [task for task in tasks if task.id not in used and task.capability.outputs[0] is ValueType.TEXT]
    last = next(reversed([task for task in texts if task.task == _READ] or texts), None)
    return reference(last.id) if last is not None else None


def _without(wish: str, task: PlannedTask) -> PlannedTask:
    """The task, whose question does not contain the wish to hear the answer."""
    question = task.args.get("text")
    if not task.capability.answers or not isinstance(question, str):
        return task
    rest = question.replace(wish, "").strip(" ,;")
    return task.model_copy(update={"args": {**task.args, "text": rest}}) if rest else task

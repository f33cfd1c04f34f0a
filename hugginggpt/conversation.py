"""What a conversation holds for its next turn: the names of earlier results, and which text was spoken."""

from collections.abc import Iterator, Mapping, Sequence

from hugginggpt.capabilities import Input, ValueType
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.model import Argument, Scalar
from hugginggpt.plan.notation import TEMPLATED
from hugginggpt.plan.references import reference, references_in, sole_reference
from hugginggpt.request import EarlierResult, Exchange
from hugginggpt.text import one_line

SPEAKING, HEARING = "text-to-speech", "automatic-speech-recognition"
_CHANGING = "audio-to-audio"  # the words stay the same
_SHOWN_CHARS = 60


def result_name(turn: int, task_id: int, number: int, ending: str) -> str:
    """The name by which later turns know a result: `turn1-0.png`, and `turn1-0-2.png` for a task's second output.

    Args:
        turn: which turn of the conversation, from 1.
        number: which output of the task, from 1.
        ending: of the file, with its dot.
    """
    return f"turn{turn}-{task_id}{f'-{number}' if number > 1 else ''}{ending}"


def fitting(results: Sequence[EarlierResult], wanted: Input) -> list[EarlierResult]:
    """The results that an input takes: those of its type, or else those that it accepts."""
    exact = [result for result in results if result.type is wanted.type]
    return exact or [result for result in results if wanted.accepts(result.type)]


def spoken_texts(history: Sequence[Exchange]) -> dict[str, Scalar]:
    """What the recordings that earlier turns made by speaking say: their names, each with its text.

    The text is as the plan has it: the name of a file or result, or the words. Recordings of texts that were put
    together from several results are left out.
    """
    spoken: dict[str, Scalar] = {}
    for turn in history:
        for task in turn.plan.tasks if turn.plan else ():
            if task.task not in (SPEAKING, _CHANGING):
                continue
            wanted = task.capability.inputs[0]
            for result in turn.results_of(task.id):
                source = _source(task.args[wanted.name], wanted, result.item, turn)
                text = source if task.task == SPEAKING else spoken.get(str(source))
                if text is not None:
                    spoken[result.name] = text
    return spoken


def _source(value: Argument, wanted: Input, item: int, turn: Exchange) -> Scalar | None:
    """What an argument held for one element of its task; None if that has no name."""
    if isinstance(value, list):
        # A reference in a list may stand for several elements.
        single = all(len({r.item for r in turn.results_of(k)}) == 1 for k in references_in(value))
        if not single or item >= len(value):
            return None
        value, item = value[item], 0
    k = sole_reference(value)
    if k is not None:
        made = fitting([result for result in turn.results_of(k) if result.item == item], wanted)
        return made[0].name if made else None
    return None if references_in(value) else value


def without_hearing_ourselves(plan: Plan, history: Sequence[Exchange]) -> Plan:
    """The plan with texts in the place of recordings that an earlier turn made by speaking these texts.

    A step that only writes down such a recording for other steps is left out; each change is added to the repairs.
    """
    spoken = spoken_texts(history)
    if not spoken:
        return plan
    heard = {
        task.id: texts
        for task in plan.tasks
        if task.task == HEARING
        and (texts := _texts(task.args["audio"], spoken))
        and _takes_only_whole(task.id, plan.tasks)
    }
    tasks = tuple(_reading(task, heard, spoken) for task in plan.tasks if task.id not in heard)
    repairs = [*plan.repairs, *_explained(plan, heard, spoken)]
    return plan.model_copy(update={"tasks": tasks, "repairs": tuple(repairs)})


def _texts(value: Argument, spoken: Mapping[str, Scalar]) -> list[Scalar]:
    """The texts of these recordings; none if one of them has none."""
    names = value if isinstance(value, list) else [value]
    texts = [spoken[str(name)] for name in names if str(name) in spoken]
    return texts if len(texts) == len(names) else []


def _takes_only_whole(task_id: int, tasks: Sequence[PlannedTask]) -> bool:
    """Whether the result of a task is used, and only where a text can take its place."""
    uses = [
        (task, element)
        for task in tasks
        for value in task.args.values()
        for element in (value if isinstance(value, list) else [value])
        if task_id in references_in(element)
    ]
    return bool(uses) and all(
        sole_reference(element) == task_id
        or (task.task in TEMPLATED and str(element).endswith(f" {reference(task_id)}") and _once(element, task_id))
        for task, element in uses
    )


def _once(element: Scalar, task_id: int) -> bool:
    return references_in(element) == [task_id] and str(element).count(reference(task_id)) == 1


def _reading(task: PlannedTask, heard: Mapping[int, list[Scalar]], spoken: Mapping[str, Scalar]) -> PlannedTask:
    """The task with texts in the place of recordings and of what was heard in them."""

    def read(element: Scalar, wanted: Input | None) -> list[Scalar]:
        k = sole_reference(element)
        if k is not None:
            return heard.get(k, [element])
        for k in references_in(element):
            if k in heard:
                return [str(element).removesuffix(reference(k)) + str(text) for text in heard[k]]
        is_recording = wanted is not None and wanted.type is ValueType.TEXT and str(element) in spoken
        return [spoken[str(element)]] if is_recording else [element]

    args: dict[str, Argument] = {}
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        elements = [new for old in (value if isinstance(value, list) else [value]) for new in read(old, wanted)]
        args[name] = elements if isinstance(value, list) or len(elements) > 1 else elements[0]
    return task.model_copy(update={"args": args, "dep": tuple(k for k in task.dep if k not in heard)})


def _explained(plan: Plan, heard: Mapping[int, list[Scalar]], spoken: Mapping[str, Scalar]) -> Iterator[str]:
    for task in plan.tasks:
        for name, value in task.args.items():
            wanted = task.capability.input(name)
            if wanted is None or not (task.id in heard or wanted.type is ValueType.TEXT):
                continue
            for element in value if isinstance(value, list) else [value]:
                if str(element) in spoken:
                    text = one_line(str(spoken[str(element)]), _SHOWN_CHARS)
                    yield (
                        f"Task {task.id} ({task.task}) took '{element}', which is '{text}' spoken; the text was taken."
                    )

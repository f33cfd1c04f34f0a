"""Plans by rule for questions that the planner did not take to a file: a question about a file reads the file."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.direct import small_talk
from hugginggpt.controller.embedded.fitting import is_about_a_picture
from hugginggpt.controller.embedded.questions import asked_in
from hugginggpt.errors import PlanError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.references import reference, refuse_references
from hugginggpt.resource import Resource

_MOST_FILES = 4
"""How many files a question that names none of them is put to."""
_MOST_QUESTIONS = 4

_SPEECH, _HEAR, _ANSWER = "text-to-speech", "automatic-speech-recognition", "question-answering"
_CLASSIFY, _READ, _TRANSLATE = "text-classification", "image-to-text", "translation"
_FROM_NOWHERE = (_ANSWER, "conversational", "text-generation")
_LOOK, _ASK, _QUERY = "visual-question-answering", "document-question-answering", "table-question-answering"
_WITH_TEXT = (ValueType.TEXT, ValueType.TABLE, ValueType.STRUCTURED)

_WANTS_A_FACT = re.compile(
    r"(?:and |so |please )*(?:who|whose|whom|when|where|which|what|how (?:much|many|long|often|old))(?:'?s)?\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"(?:please |can you |could you )*(?:tell|give) me (?P<what>(?:the|his|her|its|my)(?: [\w-]+){1,6})[.?!]?",
    re.IGNORECASE,
)
# What sorting a text by its words tells.
_CLASSES = re.compile(
    r"\b(?:tone|moods?|sentiments?|feel(?:s|ings?)?|felt|emotions?|attitude|spam|topics?|subjects?|kinds?|sorts?|types?|"
    r"categor\w+|opinions?|impression|positive|negative|rat(?:e|ing)|class\w*|labels?)\b",
    re.IGNORECASE,
)
_ALL_TEXT = re.compile(
    r"\b(?:says?|written|write|reads?|text|texts|words|contents?|summary|gist|shows?|see)\b", re.IGNORECASE
)
_ALOUD = re.compile(
    r"\b(?:aloud|loud|hear\w*|listen\w*|sp(?:eak|oken)\w*|speech|voice|sounds?|audio|read|tell|say it|say that)\b",
    re.IGNORECASE,
)
# What a document would not say of itself.
_SEEN = re.compile(
    r"\b(?:colou?rs?|wear(?:s|ing)?|hold(?:s|ing)?|sitting|standing|look(?:s|ing)? like|background|foreground|"
    r"in (?:the|this) (?:photo|picture|image|drawing)|person|people|man|woman|child in|dogs?|cats?|animals?|weather)\b",
    re.IGNORECASE,
)


def reading_plan(
    text: str, plan: Plan, resources: Sequence[Resource], check: Callable[[Plan], list[str]]
) -> Plan | None:
    """The plan that asks the request's files; None if the plan of the planner stands.

    It stands if it works on a file or a text, if no file came with the request, or if the request asks nothing.
    Questions whose answers were to be spoken are answered aloud.

    Args:
        text: the request.
        plan: what the planner planned.
        resources: the request's files and the results of earlier turns.
        check: returns objections to a plan, one sentence each.

    Raises:
        PlanError: nothing can answer a question about such a file, or it is not clear which file it is about.
    """
    own = [resource for resource in resources if not resource.earlier]
    if not own or small_talk(text, has_files=True) is not None:
        return None
    questions = asked_in(text)[:_MOST_QUESTIONS]
    repair = "No file of the request was used; its questions are put to its files."
    aloud = any(task.task == _SPEECH for task in plan.tasks)
    if not _is_from_nowhere(plan, resources):
        repair = "The plan did not answer the question, which is put to the files of the request."
        aloud = False
        questions = [question for question in [_left_aside(text, questions, plan, resources)] if question]
    if not questions:
        return None
    tasks: list[PlannedTask] = []
    for question in questions:
        refuse_references(question)
        for file in _files_of(question, own):
            tasks += _runnable(question, file, len(tasks), check)
            if aloud:
                tasks.append(_task(_SPEECH, len(tasks), text=reference(len(tasks) - 1)))
    return Plan(tasks=tuple(tasks), repairs=(repair,))


def other_ways(plan: Plan, resources: Sequence[Resource], check: Callable[[Plan], list[str]]) -> Plan:
    """The plan with each question about a file asked in a way that can run here, where its own way cannot.

    A question about what is seen stays one: a document would not say it.

    Args:
        plan: what the planner planned.
        resources: the request's files and the results of earlier turns.
        check: returns objections to a plan, one sentence each.
    """
    ways = {task.id: _other_way(task, resources, check) for task in plan.tasks if task.task in (_LOOK, _ASK, _QUERY)}
    found = {task_id: way for task_id, way in ways.items() if way is not None}
    if not found:
        return plan
    repairs = tuple(
        f"Task {k} ({plan.task(k).task}) cannot run here and became {way.task}." for k, way in found.items()
    )
    tasks = tuple(found.get(task.id, task) for task in plan.tasks)
    return plan.model_copy(update={"tasks": tasks, "repairs": (*plan.repairs, *repairs)})


def _other_way(
    task: PlannedTask, resources: Sequence[Resource], check: Callable[[Plan], list[str]]
) -> PlannedTask | None:
    """Another way to ask a file what a task asks it; None if the task can run, or nothing else can."""
    question, name = task.args.get("text"), task.args.get("table" if task.task == _QUERY else "image")
    file = next((resource for resource in resources if resource.name == name), None)
    if file is None or not isinstance(question, str) or task.needs or not check(Plan(tasks=(task,))):
        return None
    is_document = file.artifact.type is ValueType.DOCUMENT
    if task.task == _LOOK and (_SEEN.search(question) or (is_document and is_about_a_picture(question))):
        return None
    for way in _ways(question, file, task.id):
        if way[0].task != task.task and not check(Plan(tasks=tuple(way))):
            return way[0].model_copy(update={"dep": task.dep})
    return None


def _left_aside(text: str, questions: Sequence[str], plan: Plan, resources: Sequence[Resource]) -> str | None:
    """The only question of a request whose plan does something else; None if there is none."""
    asked = questions[0] if len(questions) == 1 and len(questions[0]) * 2 > len(text) else _asked_for(text)
    used = {task_id for task in plan.tasks for task_id in task.needs}
    ends = [task for task in plan.tasks if task.id not in used]
    if asked is None or len(ends) != 1 or not (_asked_for(text) or _WANTS_A_FACT.match(asked)):
        return None
    if ends[0].task == _CLASSIFY:
        return None if _CLASSES.search(asked) else asked
    if ends[0].task == _SPEECH:
        return None if _ALOUD.search(text) else asked
    if ends[0].task == _READ:
        name = ends[0].args.get("image")
        is_document = any(r.name == name and r.artifact.type is ValueType.DOCUMENT for r in resources)
        return asked if is_document and not _ALL_TEXT.search(asked) else None
    if ends[0].task == _TRANSLATE:
        language = str(ends[0].args.get("target_language", ""))
        return None if language.lower() in text.lower() or re.search("transl|language|version", text, re.I) else asked
    return None


def _asked_for(text: str) -> str | None:
    """The question in `Tell me the total.`; None if a request asks for anything else."""
    match = _TOLD.fullmatch(text.strip())
    return None if match is None or _ALL_TEXT.search(text) else f"What is {match['what']}?"


def _is_from_nowhere(plan: Plan, resources: Sequence[Resource]) -> bool:
    """Whether a plan only answers, talks or writes, and uses no file or text for that."""
    begun = [task for task in plan.tasks if not task.needs]
    return all(task.task in _FROM_NOWHERE and not _uses_a_text(task, resources) for task in begun)


def _uses_a_text(task: PlannedTask, resources: Sequence[Resource]) -> bool:
    if "context" in task.args:
        return True
    text = task.args.get("text")
    named = (name for r in resources if r.main_type in _WITH_TEXT for name in (r.name, r.source))
    return any(text == name or (task.capability.templated and str(text).endswith(f" {name}")) for name in named)


def _files_of(question: str, files: Sequence[Resource]) -> Sequence[Resource]:
    """The files that a question is about: those that it names, else all.

    Raises:
        PlanError: they are too many.
    """
    named = [f for f in files if any(_is_named(n, question) for n in (f.name, PurePosixPath(f.name).stem))]
    if len(named or files) > _MOST_FILES:
        raise PlanError(f'The question "{question}" may be about any of the {len(files)} files: name one of them.')
    return named or files


def _is_named(name: str, question: str) -> bool:
    return len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", question, re.IGNORECASE) is not None


def _runnable(question: str, file: Resource, first: int, check: Callable[[Plan], list[str]]) -> list[PlannedTask]:
    """The tasks of the first way to answer a question from a file that can run here.

    Raises:
        PlanError: none can; what the last one lacks.
    """
    objections = [
        f"Questions about {file.artifact.type} files such as {file.name} cannot be answered: attach a picture, a "
        "recording, a text or a table."
    ]
    for tasks in _ways(question, file, first):
        objections = check(Plan(tasks=tuple(tasks)))
        if not objections:
            return tasks
    raise PlanError("\n".join(objections))


def _ways(question: str, file: Resource, first: int) -> Iterator[list[PlannedTask]]:
    """The ways to answer a question from a file, the likeliest first; their tasks are numbered from `first`."""
    match file.main_type:
        case ValueType.IMAGE:
            for kind in (_LOOK, _ASK) if _SEEN.search(question) else (_ASK, _LOOK):
                yield [_task(kind, first, image=file.name, text=question)]
        case ValueType.TABLE:
            yield [_task(_QUERY, first, table=file.name, text=question)]
            yield [_task(_ANSWER, first, text=question, context=file.name)]
        case ValueType.TEXT | ValueType.STRUCTURED:
            yield [_task(_ANSWER, first, text=question, context=file.name)]
        case ValueType.AUDIO:
            heard = _task(_HEAR, first, audio=file.name)
            yield [heard, _task(_ANSWER, first + 1, text=question, context=reference(first))]


def _task(kind: str, task_id: int, **args: str) -> PlannedTask:
    task = PlannedTask(task=kind, id=task_id, args=dict(args))
    return task.model_copy(update={"dep": task.needs})

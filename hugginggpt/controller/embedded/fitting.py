"""Plans mended by what their files are: writing is read, a picture in a document is looked at, a question is answered.

The planner sees the names of files and one type of each. It was trained on pictures, texts, tables and sounds, so that
with a document it may choose what would be right for a picture.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.question_words import AUXILIARY
from hugginggpt.controller.embedded.questions import asked_in
from hugginggpt.media.input_formats import TIFF
from hugginggpt.naming import named_file
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.model import elements, free_id
from hugginggpt.plan.references import reference, sole_reference
from hugginggpt.resource import Resource

_READ, _SUMMARIZE, _ANSWER = "image-to-text", "summarization", "question-answering"
_LOOK, _ASK = "visual-question-answering", "document-question-answering"
_MATCH, _LABEL = "zero-shot-image-classification", "zero-shot-classification"

_WRITINGS = re.compile(
    r"\b(?:letters?|e-?mails?|mails?|messages?|fax(?:es)?|faxed|notes?|notices?|texts?|documents?|papers?|pages?|articles?|"
    r"reports?|contracts?|leases?|invoices?|bills?|receipts?|forms?|statements?|reviews?|complaints?|memos?|minutes|"
    r"reminders?|certificates?|leaflets?|flyers?|brochures?|tickets?|says|written|wording)\b",
    re.IGNORECASE,
)
_DEPICTED = re.compile(
    r"\b(?:(?:in|on|of|is|are|does|do) (?:the|this|that|each|his|her|its|their) (?:[\w-]+ )?"
    r"(?:photos?|photographs?|pictures?|images?|drawings?|sketch(?:es)?|illustrations?|charts?|graphs?|diagrams?|logos?)|"
    r"look(?:s|ing)? like)\b",
    re.IGNORECASE,
)
_NAMED = r"(?:this|that|it|these|the|my|our|your|his|her|they|all)"
_ABOUT = re.compile(
    rf"\bwhat(?:'?s| is| was|'re| are)? {_NAMED}(?: [\w.-]+){{0,3}}? about(?: in short| exactly| please)?[?.! ]*$",
    re.IGNORECASE,
)
_SAYS = re.compile(
    rf"\bwhat (?:do|does|did) {_NAMED}(?: [\w.-]+){{0,2}}? (?:say|tell me|tell us)[?.! ]*$|"
    rf"\bwhat(?:'?s| is| {AUXILIARY})? (?:in|written (?:in|on)) {_NAMED}(?: [\w.-]+){{0,2}}[?.! ]*$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:sum|total|average|mean|median|count|maximum|max|minimum|min|highest|lowest|largest|smallest|most|least) "
    r"(?:of|in|for|column|values?|prices?|costs?|numbers?|amounts?)\b",
    re.IGNORECASE,
)
_FROM_SUMMARY = re.compile(r"\b(?:summary|summaries|gist)\b", re.IGNORECASE)


def fitting(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """The plan with steps that fit what its files are.

    Args:
        plan: what the planner planned.
        text: the request.
        resources: the request's files and the results of earlier turns.
    """
    rules: tuple[Callable[[Plan, str, Sequence[Resource]], Plan], ...] = (
        _labelled_by_its_text,
        _asked_of_the_whole,
        _looked_at_or_read,
        _summarised,
        _counted,
        _as_text,
    )
    for rule in rules:
        plan = rule(plan, text, resources)
    return plan


def is_about_a_picture(question: str) -> bool:
    """Whether a question about a document is about a photo, a chart or another picture in it."""
    return _DEPICTED.search(question) is not None


def _labelled_by_its_text(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """Labels for a picture of writing are those of its text."""
    tasks, free = [], free_id(plan.tasks)
    for task in plan.tasks:
        if task.task == _MATCH and _is_writing(task, text, resources):
            read = PlannedTask(task=_READ, id=free, args={"image": task.args["image"]}, dep=task.dep)
            args = {"text": reference(read.id), "labels": task.args["labels"]}
            tasks += [read, _changed(task, _LABEL, args)]
            free += 1
        else:
            tasks.append(task)
    return _repaired(plan, tasks, "What a text is about is told by its words: it is read before it is labelled.")


def _is_writing(task: PlannedTask, text: str, resources: Sequence[Resource]) -> bool:
    """Whether a picture that is to be labelled shows a text: the file says so, or the request outside its labels."""
    files = [named_file(value, resources) for value in elements(task.args["image"])]
    if any(file is None for file in files):
        return False
    for words in (*(file.name for file in files if file), *map(str, elements(task.args["labels"]))):
        text = text.replace(words, " ")
    return _WRITINGS.search(text) is not None or all(file is not None and _holds_pages(file) for file in files)


def _holds_pages(file: Resource) -> bool:
    """Whether a file is a document, or the pages of a fax or scan."""
    is_scan = file.artifact.mime == TIFF.mime and file.parts is not None and file.parts.pages > 1
    return file.artifact.type is ValueType.DOCUMENT or is_scan


def _asked_of_the_whole(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """A question beside a summary is put to the whole text: the summary may leave the answer out."""
    if _FROM_SUMMARY.search(text):
        return plan
    by_id = {task.id: task for task in plan.tasks}

    def asked(task: PlannedTask) -> PlannedTask:
        summary = sole_reference(task.args.get("context"))
        if task.task != _ANSWER or summary is None or by_id[summary].task != _SUMMARIZE:
            return task
        return _changed(task, _ANSWER, {**task.args, "context": by_id[summary].args["text"]})

    return _repaired(
        plan, [asked(task) for task in plan.tasks], "The question is put to the whole text, not its summary."
    )


def _looked_at_or_read(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """A question about what is seen in a document looks at its pages; any other reads them."""
    asked = asked_in(text)

    def fit(task: PlannedTask) -> PlannedTask:
        name = task.args.get("context" if task.task == _ANSWER else "image")
        file = named_file(name, resources)
        if task.task not in (_ANSWER, _ASK, _LOOK, _READ) or file is None or name is None:
            return task
        if file.artifact.type is not ValueType.DOCUMENT or ValueType.IMAGE not in file.types:
            return task
        question = task.args.get("text") if task.task != _READ else asked[0] if len(asked) == 1 else None
        if not isinstance(question, str) or sole_reference(question) is not None or _is_used(task, plan):
            return task
        kind = _LOOK if is_about_a_picture(question) else _ASK if task.task == _LOOK else task.task
        return task if kind == task.task else _changed(task, kind, {"image": name, "text": question})

    tasks = [fit(task) for task in plan.tasks]
    return _repaired(plan, tasks, "A question about a picture in a document looks at its pages, any other reads them.")


def _summarised(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """What a text is about is its summary, and so is what it says where its pages cannot be shown."""
    asked = asked_in(text)
    tasks, free = [], free_id(plan.tasks)
    for task in plan.tasks:
        whole = task.args.get("context" if task.task == _ANSWER else "image")
        file = named_file(whole, resources)
        is_reading = task.task == _READ and file is not None and file.artifact.type is ValueType.DOCUMENT
        question = asked[0] if is_reading and len(asked) == 1 and not _is_used(task, plan) else task.args.get("text")
        if whole is None or task.task not in (_ANSWER, _ASK, _READ) or not _asks_for_the_whole(question, task.task):
            tasks.append(task)
            continue
        if task.task == _ASK and (file is None or ValueType.TEXT not in file.types):
            tasks.append(PlannedTask(task=_READ, id=free, args={"image": whole}, dep=task.dep))
            whole, free = reference(free), free + 1
        tasks.append(_changed(task, _SUMMARIZE, {"text": whole}))
    return _repaired(plan, tasks, "What a text is about is its summary.")


def _asks_for_the_whole(question: object, kind: str) -> bool:
    if not isinstance(question, str):
        return False
    return _ABOUT.search(question) is not None or (kind == _ANSWER and _SAYS.search(question) is not None)


def _counted(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """The sum of a column is asked of the table, and no summary."""
    if not _COUNTED.search(text) or _FROM_SUMMARY.search(text) or re.search(r"\bsummari[sz]e", text, re.IGNORECASE):
        return plan

    def asked(task: PlannedTask) -> PlannedTask:
        table = task.args.get("text")
        file = named_file(table, resources)
        if task.task != _SUMMARIZE or file is None or table is None or file.main_type is not ValueType.TABLE:
            return task
        return _changed(task, "table-question-answering", {"table": table, "text": text})

    return _repaired(plan, [asked(task) for task in plan.tasks], "A sum or another number is asked of the table.")


def _as_text(plan: Plan, text: str, resources: Sequence[Resource]) -> Plan:
    """The text of a document that has one is taken from it, without reading pictures of its pages."""
    read = {
        task.id: task.args["image"]
        for task in plan.tasks
        if task.task == _READ
        and (file := named_file(task.args.get("image"), resources)) is not None
        and file.artifact.type is ValueType.DOCUMENT
        and file.parts is not None
        and not file.parts.unread
    }

    def taken(task: PlannedTask) -> PlannedTask:
        args = dict(task.args)
        for name, value in task.args.items():
            wanted, source = task.capability.input(name), sole_reference(value)
            if source in read and wanted is not None and wanted.type is ValueType.TEXT:
                args[name] = read[source]
        return task if args == task.args else _changed(task, task.task, args)

    tasks = [taken(task) for task in plan.tasks]
    needed = {task_id for task in tasks for task_id in task.needs}
    tasks = [task for task in tasks if task.id not in read or task.id in needed or not _is_used(task, plan)]
    return _repaired(plan, tasks, "The document has a text, so that its pages need not be read.")


def _repaired(plan: Plan, tasks: Sequence[PlannedTask], repair: str) -> Plan:
    if tuple(tasks) == plan.tasks:
        return plan
    return plan.model_copy(update={"tasks": tuple(tasks), "repairs": (*plan.repairs, repair)})


def _changed(task: PlannedTask, kind: str, args: dict[str, Any]) -> PlannedTask:
    """The task with other arguments; it waits for what these need, and for nothing that only the old ones needed."""
    changed = task.model_copy(update={"task": kind, "args": args})
    return changed.model_copy(update={"dep": tuple(sorted({*changed.needs, *set(task.dep) - set(task.needs)}))})


def _is_used(task: PlannedTask, plan: Plan) -> bool:
    return any(task.id in other.needs for other in plan.tasks)

"""Plans that use documents: pages that are pictures are read first, and a question is put to the whole text."""

from collections.abc import Iterator, Sequence
from itertools import count

from hugginggpt.capabilities import ValueType
from hugginggpt.naming import find_resource, named_at_the_end
from hugginggpt.plan import Plan, PlannedTask, Scalar
from hugginggpt.plan.references import reference
from hugginggpt.resource import Resource

_READ, _ASK, _ANSWER = "image-to-text", "document-question-answering", "question-answering"


def with_reading(plan: Plan, resources: Sequence[Resource]) -> Plan:
    """The plan with what its documents need.

    A text that stands in pictures of pages is read by a task of its own, once, whoever needs it. A question about a
    document is answered from its text, because asking each page would give an answer for each.

    Args:
        plan: a valid plan that names resources by their names.
        resources: what it names.
    """
    if all(resource.parts is None for resource in resources):
        return plan
    free = count(max((task.id for task in plan.tasks), default=-1) + 1)
    reading: dict[str, PlannedTask] = {}
    repairs: list[str] = []
    tasks = []
    for planned in plan.tasks:
        task = _asking_text(planned, resources)
        if task is not planned:
            repairs.append(f"Task {task.id} ({planned.task}) became {task.task}, from the text of the document.")
        for name, value, document in _unread(task, resources):
            if document not in reading:
                reading[document] = PlannedTask(task=_READ, id=next(free), args={"image": document})
                repairs.append(f"Task {reading[document].id} reads the pages of {document} that are pictures.")
            read = reading[document]
            text = str(value).removesuffix(document) + reference(read.id)
            task = task.model_copy(
                update={"args": {**task.args, name: text}, "dep": tuple(sorted({*task.dep, read.id}))}
            )
        tasks.append(task)
    return plan.model_copy(
        update={"tasks": (*reading.values(), *tasks), "repairs": (*plan.repairs, *repairs)} if repairs else {}
    )


def _asking_text(task: PlannedTask, resources: Sequence[Resource]) -> PlannedTask:
    """A question about a document as one about its text; any other task as it is."""
    image, question = task.args.get("image"), task.args.get("text")
    wanted = task.capability.input("image")
    if task.task != _ASK or wanted is None or not isinstance(image, str) or question is None:
        return task
    document = find_resource(image, wanted, resources)
    if document is None or document.artifact.type is not ValueType.DOCUMENT:
        return task
    return task.model_copy(update={"task": _ANSWER, "args": {"text": question, "context": image}})


def _unread(task: PlannedTask, resources: Sequence[Resource]) -> Iterator[tuple[str, Scalar, str]]:
    """The arguments of a task that need the text of a document with pages that are pictures.

    Yields:
        the name of the argument, its value, and how it names the document.
    """
    for name, value in task.args.items():
        wanted = task.capability.input(name)
        if wanted is None or wanted.type is not ValueType.TEXT or isinstance(value, list):
            continue
        document = find_resource(value, wanted, resources)
        named = str(value)
        if document is None and (at_the_end := named_at_the_end(task.task, value, wanted, resources)) is not None:
            document, named = at_the_end, at_the_end.name
        if document is not None and document.parts is not None and document.parts.unread:
            yield name, value, named

"""Plans that use documents: pages that are pictures are read first, and a question is put to the whole text."""

from collections.abc import Sequence
from itertools import count

from hugginggpt.capabilities import CAPABILITIES, Input, ValueType
from hugginggpt.naming import find_resource, named_at_the_end
from hugginggpt.plan import Plan, PlannedTask, Scalar
from hugginggpt.plan.model import Argument, elements, free_id
from hugginggpt.plan.references import reference
from hugginggpt.resource import Resource

_READ, _ASK, _ANSWER = "image-to-text", "document-question-answering", "question-answering"
_PAGES = CAPABILITIES[_READ].inputs[0]


def with_reading(plan: Plan, resources: Sequence[Resource]) -> Plan:
    """The plan with what its documents need.

    A text that stands in pictures of pages is read by a task of its own, once, whoever needs it. A question about a
    document, or about a picture with several pages, is answered from its text, because asking each page would give an
    answer for each.

    Args:
        plan: a valid plan that names resources by their names.
        resources: what it names.
    """
    if all(resource.parts is None for resource in resources):
        return plan
    reading = _Reading(plan, resources)
    tasks = [reading.fed(task) for task in plan.tasks]
    if not reading.repairs:
        return plan
    return plan.model_copy(
        update={"tasks": (*reading.tasks.values(), *tasks), "repairs": (*plan.repairs, *reading.repairs)}
    )


class _Reading:
    """What has to be read for the tasks of a plan.

    Attributes:
        tasks: the tasks that read, by what they read.
        repairs: what was changed, one sentence each.
    """

    def __init__(self, plan: Plan, resources: Sequence[Resource]) -> None:
        self.tasks: dict[str, PlannedTask] = {}
        self.repairs: list[str] = []
        self._resources = resources
        self._free = count(free_id(plan.tasks))

    def fed(self, task: PlannedTask) -> PlannedTask:
        """The task with the texts of documents in the place of pages that are pictures."""
        if task.task == _ASK and all(map(self._has_pages, elements(task.args["image"]))):
            self.repairs.append(f"Task {task.id} ({_ASK}) became {_ANSWER}, from the text of the document.")
            args = {"text": task.args["text"], "context": task.args["image"]}
            task = task.model_copy(update={"task": _ANSWER, "args": args})
        args = {name: self._argument(task, name, value) for name, value in task.args.items()}
        if args == task.args:
            return task
        task = task.model_copy(update={"args": args})
        return task.model_copy(update={"dep": tuple(sorted({*task.dep, *task.needs}))})

    def _argument(self, task: PlannedTask, name: str, value: Argument) -> Argument:
        wanted = task.capability.input(name)
        if wanted is None or wanted.type is not ValueType.TEXT:
            return value
        texts = [self._text(element, task, wanted) for element in elements(value)]
        return texts if isinstance(value, list) else texts[0]

    def _text(self, value: Scalar, task: PlannedTask, wanted: Input) -> Scalar:
        """A reference to what is read, if a value names pages that are pictures, or ends with such a document."""
        document, named = find_resource(value, _PAGES, self._resources), str(value)
        if document is None and (ending := named_at_the_end(task.task, value, wanted, self._resources)) is not None:
            document, named = ending, ending.name
        if document is None or document.parts is None or not document.parts.unread:
            return value
        if named not in self.tasks:
            self.tasks[named] = PlannedTask(task=_READ, id=next(self._free), args={"image": named})
            self.repairs.append(f"Task {self.tasks[named].id} reads the pages of {named} that are pictures.")
        return str(value).removesuffix(named) + reference(self.tasks[named].id)

    def _has_pages(self, value: Scalar) -> bool:
        document = find_resource(value, _PAGES, self._resources)
        if document is None or document.parts is None:
            return False
        return document.artifact.type is ValueType.DOCUMENT or document.parts.pages > 1

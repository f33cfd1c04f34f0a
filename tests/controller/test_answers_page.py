"""The table of docs/answers.md: each plan with its results gives the answer that stands beside it."""

from pathlib import PurePosixPath

import pytest

from hugginggpt.artifacts import Artifact
from hugginggpt.controller.embedded.composition import compose
from hugginggpt.controller.embedded.direct import direct_answer
from hugginggpt.controller.embedded.sources import named_in
from hugginggpt.media.input_formats import by_ending
from hugginggpt.models.card import Endpoint
from hugginggpt.plan import PlannedTask
from hugginggpt.plan.notation import read_notation
from hugginggpt.results import ItemResult, TaskOutcome, TaskResult, TaskStatus
from hugginggpt.settings import CHECKOUT
from tests.controller.samples import text_artifact

PAGE = (CHECKOUT / "docs" / "answers.md").read_text("utf-8")
ROWS = [
    [cell.strip().replace("<br>", "\n") for cell in line.strip("|").split(" | ")]
    for line in PAGE.partition("| request |")[2].splitlines()[2:]
    if line.startswith("| ")
]
FAILED, SKIPPED, NEXT = "✗ ", "–", " · "


def outputs(result: str) -> tuple[Artifact, ...]:
    """The outputs of a step: a text, files, or both."""
    found = []
    for part in result.split(" + "):
        format = by_ending(PurePosixPath(part).suffix) if " " not in part else None
        if format is None or format.type is None or format.type.value == "text":
            found.append(text_artifact(part))
        else:
            found.append(Artifact(sha256=part, type=format.type, mime=format.mime, bytes=1))
    return tuple(found)


def outcome(planned: PlannedTask, result: str) -> TaskOutcome:
    if result.startswith(FAILED):
        return TaskOutcome(planned=planned, status=TaskStatus.FAILED, error=result.removeprefix(FAILED))
    if result == SKIPPED:
        return TaskOutcome(planned=planned, status=TaskStatus.SKIPPED)
    made = outputs(result)
    done = TaskResult(
        task_id=planned.id,
        kind=planned.task,
        items=(ItemResult(outputs=made),),
        model="m",
        revision=None,
        endpoint=Endpoint.EMBEDDED,
    )
    files = {a.sha256: f"out/{a.sha256}" for a in made if a.preview is None}
    return TaskOutcome(planned=planned, status=TaskStatus.COMPLETED, result=done, files=files)


def answered(request: str, plan: str, results: str) -> str:
    tasks = read_notation(plan.replace("`", "")).tasks
    if not tasks:
        return direct_answer(request, [])
    steps = results.split(NEXT)
    assert len(steps) == len(tasks), "a result for each step"
    return compose(request, [outcome(t, r) for t, r in zip(tasks, steps, strict=True)], list(named_in(plan)))


def test_there_are_fifteen() -> None:
    assert len(ROWS) == 15


@pytest.mark.parametrize(("request_text", "plan", "results", "answer"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_the_answer_is_the_one_on_the_page(request_text: str, plan: str, results: str, answer: str) -> None:
    assert answered(request_text, plan, results) == answer

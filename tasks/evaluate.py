"""Evaluating how well a controller plans: open an evaluation, plan the samples in batches, score."""

import math
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import task_run
from prefect.states import Completed

from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, UsageError
from hugginggpt.evaluation.datasets import Dataset, Sample, read_dataset, sample_set
from hugginggpt.evaluation.prediction import common_failure, predict
from hugginggpt.evaluation.report import make_report
from hugginggpt.evaluation.subject import ControllerChoice, Subject, settings_with, subject_of
from hugginggpt.roots import find_in_roots
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings
from hugginggpt.text import one_line
from tasks.cancelling import cancellable, cancelled_on_error
from tasks.limits import controller_slot
from tasks.policies import PLAN_SAMPLE
from tasks.roots import readable
from tasks.ui.artifacts import show_scores
from tasks.ui.runs import name_run
from tasks.unexpected import explained

BATCH = 16
"""The most samples in one task run: enough that the cost of a task run in Prefect does not matter."""

SHOWN = 10
"""The most earlier evaluations whose scores are shown beside the new ones."""

_LIFE = 1  # each flow run has a name of its own, and one life


@dataclass(frozen=True)
class OpenEvaluation:
    """An evaluation while a flow run works on it.

    Attributes:
        id: its row in the trace.
        run: the name by which the work of this flow run is cancelled.
        left: the samples that have no prediction yet.
        at_once: how many samples are planned at the same time.
    """

    id: str
    run: str
    dataset: Dataset
    subject: Subject
    left: Sequence[Sample]
    controller: Controller
    at_once: int


@contextmanager
def open_evaluation(
    path: str | None, choice: ControllerChoice | None, limit: int | None, fresh: bool
) -> Iterator[OpenEvaluation]:
    """Begin an evaluation, or continue one that was interrupted.

    If the block raises an error, planning that is under way is cancelled.

    Args:
        path: of the dataset; None for the sample set.
        choice: the controller that plans; None for the controller of the settings.
        limit: use only the first samples, this many.
        fresh: begin a new evaluation.

    Raises:
        UsageError: the dataset, the limit or the choice of controller cannot be accepted.
        ControllerError: the controller does not work.
        DatabaseUnavailableError: the trace cannot be reached; nothing was spent.
    """
    dataset = read_dataset(sample_set() if path is None else _readable(path), limit)
    settings = settings_with(get_settings(), choice)
    subject, run = subject_of(dataset, settings), uuid.uuid4().hex
    evaluations = get_trace().evaluations
    latest = None if fresh else evaluations.latest(subject)
    known = {} if latest is None else evaluations.predictions(latest)
    if latest is not None and common_failure(known.values(), samples=1) is not None:
        evaluations.forget(latest)  # what other batches recorded when the evaluation stopped
        known = {}
    left = [sample for sample in dataset.samples if sample.position not in known]
    controller = Controller.from_settings(settings)
    with closing(controller), cancelled_on_error((run, _LIFE), "The evaluation was stopped."):
        if left:
            controller.check()  # this also loads an embedded model, which does not count as planning
        yield OpenEvaluation(
            id=evaluations.open(subject, str(dataset.path), run, fresh=fresh),
            run=run,
            dataset=dataset,
            subject=subject,
            left=left,
            controller=controller,
            # The embedded model answers one call after another, and waiting does not count as planning.
            at_once=1 if controller.is_embedded else settings.controller_concurrency,
        )


def _readable(path: str) -> Path:
    limits = readable()
    found = Path(path) if limits is None else find_in_roots(path, limits.folders)
    if found is None:
        raise UsageError(
            f"The dataset {path} is not in a folder that may be read here: name its folder in HUGGINGGPT_FILE_ROOTS."
        )
    return found


def plan_samples(evaluation: OpenEvaluation) -> None:
    """Plan every sample that has no prediction yet, several at a time.

    Raises:
        ControllerError: the controller does not work, or every plan fails for one reason. What was planned is kept.
    """
    left = evaluation.left
    samples = len(evaluation.dataset.samples)
    name_run(
        f"evaluate-planner: {one_line(evaluation.dataset.path.name, 80)}, {len(left)} of {samples} requests to plan"
    )
    size = max(1, min(BATCH, math.ceil(len(left) / evaluation.at_once)))
    waiting = deque(left[start : start + size] for start in range(0, len(left), size))
    running: list[PrefectFuture[None]] = []
    while waiting or running:
        while waiting and len(running) < evaluation.at_once:
            batch = waiting.popleft()
            running.append(plan_batch.submit(batch, evaluation.id, evaluation.run, evaluation.controller, samples))
        finished = next(iter(as_completed(running)))
        running.remove(finished)
        finished.result()


def _batch_name() -> str:
    samples: Sequence[Sample] = task_run.parameters["samples"]
    return f"plan {samples[0].position + 1} to {samples[-1].position + 1}"


@task(name="plan-batch", task_run_name=_batch_name, tags={"controller"}, **PLAN_SAMPLE.options)
@explained
def plan_batch(samples: Sequence[Sample], evaluation_id: str, run: str, controller: Controller, whole: int) -> None:
    """Plan samples one after another; record each as soon as it is planned.

    Args:
        samples: those to plan.
        evaluation_id: the evaluation that they belong to.
        run: the name by which the work of this flow run is cancelled.
        controller: the controller that plans.
        whole: how many samples the evaluation has.

    Raises:
        ControllerError: the controller does not work, or has failed for one reason with every sample so far.
    """
    for sample in samples:
        deadline = Deadline(PLAN_SAMPLE.seconds)
        with cancellable((run, _LIFE), deadline):
            prediction = predict(controller, sample, deadline=deadline, slot=controller_slot)
        get_trace().evaluations.record(evaluation_id, prediction)
        if common_failure([prediction], samples=1) is not None:
            _stop_at_a_common_failure(evaluation_id, whole)


def _stop_at_a_common_failure(evaluation_id: str, samples: int) -> None:
    evaluations = get_trace().evaluations
    reason = common_failure(evaluations.predictions(evaluation_id).values(), samples)
    if reason is not None:
        evaluations.forget(evaluation_id)  # they do not count as predictions
        raise ControllerError(f"Every plan failed for one reason. {reason}")


def score(evaluation: OpenEvaluation) -> State[Any]:
    """Score the predictions, record the scores, and show them in Prefect beside the scores of earlier evaluations.

    Returns:
        the final state of the flow run, with the scores as its data.
    """
    predictions = get_trace().evaluations.predictions(evaluation.id)
    report = make_report(evaluation.id, evaluation.dataset, evaluation.subject, predictions)
    earlier = get_trace().evaluations.reports(report.dataset_sha256, SHOWN)
    get_trace().evaluations.record_report(report)
    show_scores(report, [(at, other) for at, other in earlier if other.evaluation_id != report.evaluation_id])
    message = f"{report.model}: node F1 {report.node_f1} %, edge F1 {report.edge_f1} %."
    return Completed(message=message, data=report.model_dump(mode="json"))

"""Evaluating the planning: open, plan what is left in batches, score."""

import math
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import task_run
from prefect.states import Completed

from hugginggpt.controller.client import Controller
from hugginggpt.deadline import Deadline
from hugginggpt.errors import UsageError
from hugginggpt.evaluation.datasets import Dataset, Sample, read_dataset, sample_set
from hugginggpt.evaluation.prediction import predict
from hugginggpt.evaluation.report import make_report
from hugginggpt.evaluation.subject import ControllerChoice, Subject, settings_with, subject_of
from hugginggpt.roots import find_in_roots
from hugginggpt.services import get_trace
from hugginggpt.settings import get_settings
from hugginggpt.text import one_line
from tasks.cancelling import cancel, cancellable
from tasks.limits import controller_slot
from tasks.plan import PLANNING_SECONDS
from tasks.roots import readable_roots
from tasks.ui import name_run, show_scores
from tasks.unexpected import explained

BATCH = 16
"""Samples in one task run, at most: enough that what Prefect takes for a task run does not count."""

SHOWN = 10
"""Evaluations of the same dataset whose scores are shown beside the new ones, at most."""

_LIFE = 1  # every run of the flow has a name of its own, and lives once


@dataclass(frozen=True)
class OpenEvaluation:
    """An evaluation while a flow run works on it.

    Attributes:
        id: its row in the trace.
        run: name of this flow run's work, by which it is cancelled.
        left: the samples without a prediction.
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
    """Begin an evaluation, or go on with one, as soon as nothing speaks against it.

    Whatever is still being planned when the block raises is cancelled.

    Args:
        path: the dataset's; that of the sample set when None.
        choice: who plans; the controller of the settings when None.
        limit: take only so many of the first samples.
        fresh: begin a new evaluation.

    Raises:
        UsageError: the dataset, the limit or the choice of controller cannot be accepted.
        ControllerError: the controller is out of order.
        DatabaseUnavailableError: the trace cannot be reached; nothing was spent.
    """
    dataset = read_dataset(sample_set() if path is None else _readable(path), limit)
    settings = settings_with(get_settings(), choice)
    subject, run = subject_of(dataset, settings), uuid.uuid4().hex
    evaluations = get_trace().evaluations
    latest = None if fresh else evaluations.latest(subject)
    known = {} if latest is None else evaluations.predictions(latest)
    left = [sample for sample in dataset.samples if sample.position not in known]
    controller = Controller.from_settings(settings)
    try:
        if left:
            controller.check()  # also loads an embedded model, which is no part of planning
        yield OpenEvaluation(
            id=evaluations.open(subject, str(dataset.path), run, fresh=fresh),
            run=run,
            dataset=dataset,
            subject=subject,
            left=left,
            controller=controller,
            # The embedded model answers one call after the other, and waiting is not planning.
            at_once=1 if controller.embedded else settings.controller_concurrency,
        )
    except BaseException:
        cancel((run, _LIFE), "The evaluation was stopped.")
        raise
    finally:
        controller.close()


def _readable(path: str) -> Path:
    roots = readable_roots()
    found = Path(path) if roots is None else find_in_roots(path, roots)
    if found is None:
        raise UsageError(
            f"The dataset {path} is in none of the folders that may be read here: name its folder in "
            "HUGGINGGPT_FILE_ROOTS."
        )
    return found


def plan_samples(evaluation: OpenEvaluation) -> None:
    """Plan every sample that has no prediction yet, several at a time.

    Raises:
        ControllerError: the controller is out of order. What was planned is kept.
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
            running.append(plan_batch.submit(batch, evaluation.id, evaluation.run, evaluation.controller))
        finished = next(iter(as_completed(running)))
        running.remove(finished)
        finished.result()


def _batch_name() -> str:
    samples: Sequence[Sample] = task_run.parameters["samples"]
    return f"plan {samples[0].position + 1} to {samples[-1].position + 1}"


@task(name="plan-batch", task_run_name=_batch_name, tags={"controller"}, cache_policy=NO_CACHE, persist_result=False)
@explained
def plan_batch(samples: Sequence[Sample], evaluation_id: str, run: str, controller: Controller) -> None:
    """Plan samples one after the other, each recorded as soon as it is planned."""
    for sample in samples:
        deadline = Deadline(PLANNING_SECONDS)
        with cancellable((run, _LIFE), deadline):
            prediction = predict(controller, sample, deadline=deadline, slot=controller_slot)
        get_trace().evaluations.record(evaluation_id, prediction)


def score(evaluation: OpenEvaluation) -> State[Any]:
    """Score the predictions; record the scores, and show them in Prefect beside those of the last runs.

    Returns:
        the state in which the flow run ends, with the scores as its data.
    """
    predictions = get_trace().evaluations.predictions(evaluation.id)
    report = make_report(evaluation.id, evaluation.dataset, evaluation.subject, predictions)
    earlier = get_trace().evaluations.reports(report.dataset_sha256, SHOWN)
    get_trace().evaluations.record_report(report)
    show_scores(report, [(at, other) for at, other in earlier if other.evaluation_id != report.evaluation_id])
    message = f"{report.model}: node F1 {report.node_f1} %, edge F1 {report.edge_f1} %."
    return Completed(message=message, data=report.model_dump(mode="json"))

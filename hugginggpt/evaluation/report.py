"""The scores of an evaluation, as `evaluate --json` prints them."""

import math
import statistics
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from hugginggpt.evaluation.datasets import Dataset, Form
from hugginggpt.evaluation.metrics import (
    Group,
    Pair,
    accuracy,
    edges_of,
    edit_distance,
    exact_set_rate,
    names_of,
    overlap,
    superfluous_rate,
    tasks_of,
    values_of,
)
from hugginggpt.evaluation.prediction import Prediction
from hugginggpt.evaluation.subject import ControllerChoice, Subject


class GroupScores(BaseModel):
    """The paper's metrics over one group of requests: in percent, except the edit distance, from 0 to 1.

    Attributes:
        accuracy: share of plans with exactly the right tasks.
        precision: of the planned tasks, as are `recall` and `f1`; null in the group none.
        edit_distance: for sequences only.
    """

    model_config = ConfigDict(frozen=True)

    samples: int
    accuracy: float
    precision: float | None
    recall: float | None
    f1: float | None
    edit_distance: float | None


class EvaluationReport(BaseModel):
    """How well a controller planned a dataset. Scores are in percent.

    Attributes:
        form: `own` or `taskbench`.
        node_f1: F1 of the task names, micro-averaged over the samples.
        edge_f1: of the edges; `name_f1` of the parameter names, `value_f1` of the parameter values.
        exact: share of samples with exactly the right set of task names.
        superfluous: share of samples with a task too many; null in reports of older versions.
        valid: share of samples with a valid plan; the others count as empty plans.
        prompt_tokens: over all samples, as are `completion_tokens` and `calls`.
    """

    model_config = ConfigDict(frozen=True)

    evaluation_id: str
    dataset: str
    dataset_sha256: str
    form: Form
    controller: ControllerChoice
    model: str
    planner_sha256: str
    samples: int
    node_f1: float
    edge_f1: float
    name_f1: float
    value_f1: float
    exact: float
    superfluous: float | None = None
    valid: float
    seconds_median: float
    seconds_p95: float
    seconds_mean: float
    calls: int
    prompt_tokens: int
    completion_tokens: int
    by_group: dict[Group, GroupScores]


def make_report(
    evaluation_id: str, dataset: Dataset, subject: Subject, predictions: Mapping[int, Prediction]
) -> EvaluationReport:
    """Score a prediction for every sample of the dataset.

    Args:
        predictions: by the sample's position in the dataset.
    """
    made = [predictions[sample.position] for sample in dataset.samples]
    pairs = [
        (sample.graph, dataset.graph_of(prediction.plan) if prediction.plan is not None else ())
        for sample, prediction in zip(dataset.samples, made, strict=True)
    ]
    grouped = {
        group: [pair for sample, pair in zip(dataset.samples, pairs, strict=True) if sample.group is group]
        for group in Group
    }
    seconds = sorted(prediction.seconds for prediction in made)
    return EvaluationReport(
        evaluation_id=evaluation_id,
        dataset=str(dataset.path),
        form=dataset.form,
        **subject.model_dump(),
        samples=len(made),
        node_f1=_percent(overlap(pairs, tasks_of).f1),
        edge_f1=_percent(overlap(pairs, edges_of).f1),
        name_f1=_percent(overlap(pairs, names_of).f1),
        value_f1=_percent(overlap(pairs, values_of).f1),
        exact=_percent(exact_set_rate(pairs)),
        superfluous=_percent(superfluous_rate(pairs)),
        valid=_percent(sum(prediction.plan is not None for prediction in made) / len(made)),
        seconds_median=round(statistics.median(seconds), 3),
        seconds_p95=round(seconds[math.ceil(0.95 * len(seconds)) - 1], 3),
        seconds_mean=round(statistics.fmean(seconds), 3),
        calls=sum(prediction.calls for prediction in made),
        prompt_tokens=sum(prediction.prompt_tokens for prediction in made),
        completion_tokens=sum(prediction.completion_tokens for prediction in made),
        by_group={group: _scores(group, pairs) for group, pairs in grouped.items() if pairs},
    )


def _scores(group: Group, pairs: Sequence[Pair]) -> GroupScores:
    tasks = overlap(pairs, tasks_of) if group is not Group.NONE else None
    return GroupScores(
        samples=len(pairs),
        accuracy=_percent(accuracy(pairs)),
        precision=_percent(tasks.precision) if tasks else None,
        recall=_percent(tasks.recall) if tasks else None,
        f1=_percent(tasks.f1) if tasks else None,
        edit_distance=round(edit_distance(pairs), 3) if group is Group.SEQUENCE else None,
    )


def _percent(share: float) -> float:
    return round(100 * share, 2)

"""The flow that measures how well a controller plans."""

from typing import Any

from prefect import flow

from hugginggpt.evaluation.subject import ControllerChoice
from tasks.evaluate import open_evaluation, plan_samples, score


@flow(name="evaluate-planning", flow_run_name="evaluate {dataset}", persist_result=True, result_serializer="json")
def evaluate_planning(
    dataset: str, controller: ControllerChoice | None = None, limit: int | None = None, fresh: bool = False
) -> dict[str, Any]:
    """Have a controller plan the requests of a dataset, and score its plans. Nothing is run.

    A sample that was planned before by the same controller with the same prompts and weights is not
    planned again.

    Args:
        dataset: path of a file of JSON lines, in the project's own form or in TaskBench's.
        controller: the one of the settings when left out.
        limit: take only so many of the first samples, 1 at least.
        fresh: plan every sample again, in a new evaluation.

    Returns:
        the scores, as `hugginggpt evaluate --json` prints them.

    Raises:
        UsageError: the dataset, the limit or the choice of controller cannot be accepted.
        ControllerError: the controller is out of order. What was planned is kept.
    """
    with open_evaluation(dataset, controller, limit, fresh) as evaluation:
        plan_samples(evaluation)
        return score(evaluation).model_dump(mode="json")

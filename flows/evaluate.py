"""The flow that measures how well a controller plans."""

from typing import Any

from prefect.client.schemas.objects import State

from flows.server import flow
from hugginggpt.evaluation.subject import ControllerChoice
from tasks.evaluate import open_evaluation, plan_samples, score
from tasks.ui.runs import final_state_of


@flow()
def evaluate_planner(
    dataset: str | None = None,
    controller: ControllerChoice | None = None,
    limit: int | None = None,
    fresh: bool = False,
) -> State[dict[str, Any]]:
    """Have a controller plan the requests of a dataset, and score its plans. The plans are not run.

    Samples that the same controller has planned before, with the same prompts and weights, are not planned again. The
    scores are shown beside the scores of earlier evaluations of the same dataset.

    Args:
        dataset: path of a file of JSON lines, in our format or TaskBench's; if omitted, the requests that come with the
            package. The path of a deployed run has to be in the worker's HUGGINGGPT_FILE_ROOTS.
        controller: the controller that plans; if omitted, the controller of the settings.
        limit: use only the first samples, this many, at least 1; if omitted, all.
        fresh: plan every sample again, in a new evaluation.

    Returns:
        the scores, as `hugginggpt evaluate --json` prints them. In a state named Failed, a UsageError: the dataset,
        the limit or the choice of controller cannot be accepted; or a ControllerError: the controller does not work.
        The plans so far are kept.
    """

    def evaluate() -> State[Any]:
        with open_evaluation(dataset, controller, limit, fresh) as evaluation:
            plan_samples(evaluation)
            return score(evaluation)

    return final_state_of(evaluate)

"""How each stage is retried, limited in time and cached: one policy for each stage, which its task object reads."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff

from hugginggpt.binding import Fingerprint, fingerprint, seed_for
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.version import planner_sha256, reading_sha256
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, PassingError
from hugginggpt.experts.version import code_sha256
from hugginggpt.models.card import Candidate, ModelChoice
from hugginggpt.plan import PlannedTask
from hugginggpt.request_run import RequestRun
from hugginggpt.services import get_catalog, get_controller
from hugginggpt.settings import get_settings
from hugginggpt.upkeep.warming import LOADING_SECONDS
from tasks.cancelling import cancellable
from tasks.expert_workers.own_controller import candidates, needs_controller

R = TypeVar("R")

CacheKey = Callable[[TaskRunContext, dict[str, Any]], str | None]

_JITTER = 0.5
"""The fraction by which a wait may be longer, so that tasks that failed together do not retry together."""


@dataclass(frozen=True)
class Policy:
    """How a stage is retried, limited in time and cached.

    Attributes:
        seconds: the deadline of one try, which the stage itself checks.
        retries: how many times a temporary failure is tried again.
        backoff: seconds before the first retry; each further wait is twice as long.
        cache_key: makes the key that a result is cached under; None if results are not cached.
    """

    seconds: float = math.inf
    retries: int = 0
    backoff: float = 1.0
    cache_key: CacheKey | None = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of Prefect's task object."""
        if self.cache_key is None:
            results: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}
        else:
            results = {
                "cache_key_fn": self.cache_key,
                "persist_result": True,
                "result_serializer": "json",
                "refresh_cache": False,
            }
        return results | {
            "retries": self.retries,
            "retry_delay_seconds": exponential_backoff(self.backoff),
            "retry_jitter_factor": _JITTER,
            "retry_condition_fn": _can_pass,
        }


@cache
def refreshing(task: Task[..., R]) -> Task[..., R]:
    """The task, but one that ignores cached results. Prefect reads the source of a task each time it makes one."""
    return task.with_options(refresh_cache=True)


def _can_pass(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Prefect's retry condition: only failures that may be temporary are retried."""
    return isinstance(state.data, PassingError) or isinstance(state.result(raise_on_failure=False), PassingError)


# Cache keys


def _key_of(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _plan_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    run: RequestRun = parameters["run"]
    controller = get_controller()
    return _key_of(
        "plan",
        run.text,
        [r.model_dump(mode="json", exclude={"source", "notes"}) for r in run.resources],
        [turn.model_dump(mode="json") for turn in run.history],
        list(parameters["kinds"]),
        controller.model,
        planner_sha256(controller),
        *(["for a form"] if run.options.answer_schema is not None else []),
    )


def _selection_key(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    run: RequestRun = parameters["run"]
    planned: PlannedTask = parameters["planned"]
    deadline = Deadline(SELECT.seconds)
    try:
        with cancellable(run.key, deadline):
            found = candidates(planned.task, deadline, apart=parameters["apart"])
    except DeadlineExceededError:
        return None  # the task itself will report that
    # Sorted, because the rank also depends on what is installed, which running a choice may change.
    cards = sorted(
        [c.card.id, c.endpoint, str(c.card.revision), c.card.downloads, c.obstacle is None, _gist(c)] for c in found
    )
    controller, settings = get_controller(), get_settings()
    chooser = [controller.model, controller.label]
    limits, given = [settings.top_k, settings.fallbacks], run.options.model_for(planned)
    return _key_of("select", planned.task, run.text, cards, limits, chooser, given)


def _gist(candidate: Candidate) -> str:
    """What the choice may depend on of the candidate's runs: its latest figures, rounded."""
    return candidate.figures.gist if candidate.figures else ""


def _expert_key(context: TaskRunContext, parameters: dict[str, Any]) -> str | None:
    planned: PlannedTask = parameters["planned"]
    choice: ModelChoice = parameters["choice"]
    inputs = fingerprint(planned, parameters["run"].resources, parameters["upstream"])
    answering = list(map(get_catalog().with_own_controller, choice.ranked))
    at = [] if parameters["without_controller"] or not any(map(needs_controller, answering)) else _controller_parts()
    models = [[c.name, c.endpoint, *_code_parts(c, inputs), *(at if needs_controller(c) else [])] for c in answering]
    return _key_of("expert", inputs.sha256, seed_for(planned, inputs), models) if inputs.whole else None


def _code_parts(candidate: Candidate, inputs: Fingerprint) -> list[str]:
    """What tells another version of our code from this one, where the result depends on it."""
    code = code_sha256(candidate.endpoint, reads=inputs.reads)
    return [code] if code is not None else []


def _controller_parts() -> list[str]:
    """What tells our controller from another of the same name: its server; of the embedded one how it reads."""
    controller = get_controller()
    return [controller.label, *([reading_sha256(controller.settings)] if controller.is_embedded else [])]


# Answering a request

PLAN = Policy(seconds=600, cache_key=_plan_key)
REPLAN = Policy(seconds=600)
RANK = Policy()
SELECT = Policy(seconds=120, retries=2, cache_key=_selection_key)
EXPERT = {kind: Policy(row.timeout, row.retries, cache_key=_expert_key) for kind, row in CAPABILITIES.items()}
SETTLE = Policy()
RESPOND = Policy(seconds=300)

# Scheduled flows

START_RUN = Policy()
REFRESH_KIND = Policy(retries=3, backoff=5)
LOAD_MODEL = Policy(seconds=LOADING_SECONDS, retries=2, backoff=10)
FIND_PRUNABLE = Policy(retries=2)
PRUNE_SORT = Policy(retries=2)
PLAN_SAMPLE = Policy(seconds=PLAN.seconds)

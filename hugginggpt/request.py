"""What belongs to a request: its options, its limits, and the earlier turns."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator, with_config
from typing_extensions import TypedDict

from hugginggpt.answer_schema import schema_problem
from hugginggpt.capabilities import ValueType, close_kind, find_kind
from hugginggpt.errors import UsageError
from hugginggpt.plan import Plan, PlannedTask
from hugginggpt.plan.extract import ID_KEYS
from hugginggpt.plan.ids import as_id
from hugginggpt.settings import Settings
from hugginggpt.text import is_storable, one_line, storable, storable_json

MOST_NESTED = 20
"""Levels of lists and objects in a given plan; a real plan has fewer."""

MOST_QUOTED = 50
"""Earlier exchanges that a request may quote."""
MOST_QUOTED_CHARS = 100_000
"""Their characters, in all."""

_MOST_NAME = 200
_MOST_SHOWN = 60
_TASK_ID = re.compile(r"\d{1,4}")
_MOST_INTEGER = 2**53
"""The largest integer that every JSON reader reads exactly."""


@with_config(ConfigDict(extra="forbid"))
class QuotedExchange(TypedDict):
    """An earlier exchange that a client quotes, because it was not answered here.

    Attributes:
        request: what the user asked.
        answer: what was answered; empty if nothing was.
    """

    request: str
    answer: str


class RequestOptions(BaseModel):
    """How a request is to be answered.

    A plan, a schema and a history may be given as JSON text, too. Where options are written as JSON, as for Prefect,
    they are text: Prefect takes some objects in JSON for references to its blocks and variables.

    Attributes:
        plan: a plan in the paper's format, to run as it is instead of asking the controller for one.
        fresh: run everything again and replace cached results.
        deadline: how many seconds the request may take from its beginning; resuming it by hand starts the time anew.
        max_cost: how many US dollars the controller, and the remote experts that report their costs, may cost.
        models: ids of models to use instead of choosing, by kind or by the id of a task.
        answer_schema: a JSON schema of the answer, which is then an object that keeps to it, as text.
        history: earlier exchanges that were not answered here, oldest first. They come before the turns of the
            request's conversation.
    """

    # Otherwise, a misspelt option would be ignored.
    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: list[dict[str, Any]] | None = Field(None, description="A plan to run instead of asking the controller.")
    fresh: bool = Field(False, description="Run everything again instead of taking cached results.")
    deadline: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Seconds it may take; then it is answered with the results so far."
    )
    max_cost: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="US dollars that it may cost, as far as costs are known."
    )
    models: dict[str, str] = Field({}, description="Models to use instead of choosing, by kind or by task id.")

    answer_schema: dict[str, Any] | None = Field(None, description="JSON schema of the answer.")

    history: tuple[QuotedExchange, ...] = Field(
        (), description="Earlier exchanges that were not answered here, each with `request` and `answer`."
    )

    @field_validator("plan", mode="before", json_schema_input_type=list[dict[str, Any]] | str | None)
    @classmethod
    def _plan_of(cls, given: Any) -> Any:
        return _unwritten(given, "plan")

    @field_validator("answer_schema", mode="before", json_schema_input_type=dict[str, Any] | str | None)
    @classmethod
    def _schema_of(cls, given: Any) -> Any:
        return _unwritten(given, "schema")

    @field_validator("history", mode="before", json_schema_input_type=list[QuotedExchange] | str)
    @classmethod
    def _history_of(cls, given: Any) -> Any:
        return _unwritten(given, "history")

    @field_serializer("plan", "answer_schema", "history", when_used="json-unless-none")
    def _written(self, value: object) -> str:
        return json.dumps(value)

    @field_validator("plan")
    @classmethod
    def _can_be_kept(cls, plan: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        # The plan goes through Prefect's JSON and the trace's before it is read.
        if plan is None:
            return None
        for depth, value in _inside(plan):
            if depth > MOST_NESTED:
                raise ValueError(f"the plan is nested deeper than {MOST_NESTED} times")
            if isinstance(value, int) and abs(value) > _MOST_INTEGER:
                raise ValueError("the plan contains a number that is too large")
        try:
            kept: list[dict[str, Any]] = json.loads(storable_json(plan))
        except ValueError:
            raise ValueError("the plan contains NaN or infinity") from None
        for raw in kept:
            _check_model(raw)
        return kept

    @field_validator("answer_schema")
    @classmethod
    def _can_be_kept_to(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is None:
            return None
        if any(depth > MOST_NESTED for depth, _ in _inside(schema)):
            raise ValueError(f"the schema is nested deeper than {MOST_NESTED} times")
        try:
            kept: dict[str, Any] = json.loads(storable_json(schema))
        except ValueError:
            raise ValueError("the schema contains NaN or infinity") from None
        if (problem := schema_problem(kept)) is not None:
            raise ValueError(f"the schema cannot be used: {problem}")
        return kept

    @field_validator("history")
    @classmethod
    def _can_be_quoted(cls, history: tuple[QuotedExchange, ...]) -> tuple[QuotedExchange, ...]:
        if len(history) > MOST_QUOTED:
            raise ValueError(f"the history has more than {MOST_QUOTED} exchanges: leave out the oldest")
        if sum(len(quoted["request"]) + len(quoted["answer"]) for quoted in history) > MOST_QUOTED_CHARS:
            raise ValueError(
                f"the history has more than {MOST_QUOTED_CHARS} characters: leave out the oldest exchanges"
            )
        return tuple(
            QuotedExchange(request=storable(quoted["request"]), answer=storable(quoted["answer"])) for quoted in history
        )

    @field_validator("models")
    @classmethod
    def _are_for_something(cls, models: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for what, model in models.items():
            shown, kind = one_line(what, _MOST_SHOWN), find_kind(what)
            if kind is None and not _TASK_ID.fullmatch(what.strip()):
                close = close_kind(what[:_MOST_NAME])
                hint = f"did you mean {close}" if close else "`hugginggpt kinds` lists the kinds"
                raise ValueError(
                    f"'{shown}' is neither a kind of task ({hint}) nor the id of a task, which is a number"
                )
            if not _is_name(model):
                raise ValueError(f"'{one_line(model, _MOST_SHOWN)}' is not the name of a model: give its id")
            key = kind or str(int(what))
            if key in found:
                raise ValueError(f"two models are given for {key}: keep one")
            found[key] = model.strip()
        return found

    def model_for(self, task: PlannedTask) -> str | None:
        """The model that a task has to use: for this task, in its plan, or for its kind; None if it is to be chosen."""
        in_plan = next((raw.get("model") for n, raw in enumerate(self.plan or ()) if _id_of(raw, n) == task.id), None)
        return (
            self.models.get(str(task.id))
            or (in_plan if isinstance(in_plan, str) else None)
            or self.models.get(task.task)
        )

    @classmethod
    def kept(cls, options: Mapping[str, Any]) -> Self:
        """The options of a request in the trace, without options that only other versions know."""
        return cls(**{name: value for name, value in options.items() if name in cls.model_fields})

    @property
    def quoted(self) -> "tuple[Exchange, ...]":
        """The earlier exchanges of the history, as turns of the conversation."""
        return tuple(Exchange(text=quoted["request"], response=quoted["answer"]) for quoted in self.history)

    @property
    def plan_text(self) -> str | None:
        """The given plan as text."""
        return None if self.plan is None else json.dumps(self.plan)


def _unwritten(given: Any, what: str) -> Any:
    """What JSON text says; anything else as it is."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except RecursionError:
        raise ValueError(f"the {what} is nested deeper than {MOST_NESTED} times") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"the {what} is not JSON ({where}: {error.msg[:1].lower()}{error.msg[1:]})") from None
    except ValueError:
        raise ValueError(f"the {what} is not JSON") from None


def _id_of(raw: dict[str, Any], position: int) -> int:
    """The id of a task as it is written in a plan; its position if it has none."""
    declared = next((as_id(raw[key]) for key in ID_KEYS if key in raw), None)
    return position if declared is None else declared


def _check_model(raw: dict[str, Any]) -> None:
    """Raise if a task of a plan names its model in a way that would have no effect."""
    if "models" in raw:
        raise ValueError("a task of the plan has 'models': name one model, as 'model'")
    model = raw.get("model")
    if model is not None and not (isinstance(model, str) and _is_name(model)):
        raise ValueError("the 'model' of a task of the plan is not the name of a model: give its id as a text")


def _is_name(model: str) -> bool:
    return bool(model.strip()) and len(model) <= _MOST_NAME and is_storable(model)


def _inside(data: Any) -> Iterator[tuple[int, Any]]:
    """Every value in a structure of lists and dictionaries, and how deep it is."""
    left = [(0, data)]
    while left:
        depth, value = left.pop()
        yield depth, value
        if depth <= MOST_NESTED and isinstance(value, list | dict):
            left += [(depth + 1, part) for part in (value.values() if isinstance(value, dict) else value)]


def check_size(text: str, files: Sequence[str], settings: Settings) -> None:
    """Raise if a request is empty, too long, or comes with too many files.

    Raises:
        UsageError: it is one of these.
    """
    if not text.strip():
        raise UsageError("The request is empty: say what to do.")
    if len(text) > settings.max_request_chars:
        raise UsageError(
            f"The request has {len(text)} characters, more than the {settings.max_request_chars} that "
            "HUGGINGGPT_MAX_REQUEST_CHARS allows: put long texts into files."
        )
    if len(files) > settings.max_request_files:
        raise UsageError(
            f"The request comes with {len(files)} files, more than the {settings.max_request_files} that "
            "HUGGINGGPT_MAX_REQUEST_FILES allows: split it into several requests."
        )


class EarlierResult(BaseModel):
    """A result of an earlier turn.

    Attributes:
        item: which element of the task's list it belongs to; 0 where there is no list.
        name: how plans of later turns name it.
    """

    model_config = ConfigDict(frozen=True)

    task_id: int
    item: int
    name: str
    type: ValueType


class Exchange(BaseModel):
    """An earlier turn of the conversation: a request, what was done for it, and its answer.

    Attributes:
        plan: what was done; None if the trace has no plan.
        results: what came of it, in the order of the tasks.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    response: str
    plan: Plan | None = None
    results: tuple[EarlierResult, ...] = ()

    def results_of(self, task_id: int) -> tuple[EarlierResult, ...]:
        """What came of one task."""
        return tuple(result for result in self.results if result.task_id == task_id)

"""What the service tells its clients about a request.

The stream of a request, `GET /api/v1/requests/{id}/events`, consists of server-sent events: any number of `progress`,
each with everything that can be seen then, and last either `ended` or `failed`.
"""

from datetime import datetime
from typing import Any

from typing_extensions import TypedDict

from hugginggpt.results import RequestStatus


class Step(TypedDict):
    """A planned task, as progress shows it.

    Attributes:
        name: its id and kind.
        planned: the same with the tasks that it waits for.
        status: as in the trace.
        running: whether an expert is at work on it.
        standing: its state, in a few words.
    """

    name: str
    planned: str
    status: str
    running: bool
    standing: str


class Progress(TypedDict):
    """How far a request has come.

    Attributes:
        headline: its stage, in a few words.
        over: whether it has ended.
        steps: its tasks, in the plan's order; empty before it is planned.
    """

    headline: str
    over: bool
    steps: list[Step]


class StoredFile(TypedDict):
    """A file that a request made.

    Attributes:
        name: a readable name without extension, distinct within the request.
        artifact: the artifact, as JSON data.
    """

    name: str
    artifact: dict[str, Any]


class Ended(TypedDict):
    """A request that has ended.

    Attributes:
        report: the object that `ask --json` prints.
        refused: whether it failed because the request or one of its files could not be accepted.
        form: whether the answer keeps to the schema of the request; None if the request has no schema.
        files: its distinct files.
        page: the page of its latest flow run on Prefect's server; None if there is none.
        unused: what of its options had no effect, one sentence each.
    """

    report: dict[str, Any]
    refused: bool
    form: bool | None
    files: list[StoredFile]
    unused: list[str]
    page: str | None


class Failed(TypedDict):
    """Why a request cannot be answered, or is not answered any more.

    Attributes:
        type: name of the error's class.
        message: one sentence.
        begun: whether there is something to resume.
    """

    type: str
    message: str
    begun: bool


class Taken(TypedDict):
    """A request that the service has taken.

    Attributes:
        new: False if a request of that id was submitted before.
        lives: how many processes had worked on it before; its progress begins with the next.
        flow_run_id: Prefect's id of the deployment's flow run that answers it; None if the service answers it.
        obstacle: why Prefect could not start it, so that it waits in line.
    """

    request_id: str
    new: bool
    lives: int
    flow_run_id: str | None
    obstacle: str | None


class Standing(TypedDict):
    """How a request stands.

    Attributes:
        request: its text.
        status: as in the trace.
        answered: whether it has ended without being cancelled.
        progress: how far it has come.
        report: the object that `ask --json` prints; None until the request has ended.
    """

    request_id: str
    conversation_id: str
    request: str
    status: RequestStatus
    answered: bool
    created_at: datetime
    progress: Progress
    report: dict[str, Any] | None


class Planned(TypedDict):
    """A request that was only planned.

    Attributes:
        whole: the object that `plan --json` prints.
        text: the plan as text, one task per line.
        controller: the controller that planned it, as users see it.
    """

    whole: dict[str, Any]
    text: str
    controller: str

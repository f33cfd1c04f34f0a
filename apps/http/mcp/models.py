"""What the MCP tools take and return."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from hugginggpt.request import RequestOptions

MOST_WAIT_SECONDS = 3600.0

Request = Annotated[str, Field(description="What to do, in plain language.")]
Files = Annotated[
    list[str],
    Field(
        description="Files of the request: https URLs, data: URIs, artifact:// references, and, where this server "
        "runs on the user's machine, absolute paths."
    ),
]
RequestId = Annotated[str, Field(description="The request_id that `ask` or `submit` returned.")]
Conversation = Annotated[str | None, Field(description="The conversation_id of an earlier answer, to continue it.")]
Options = Annotated[RequestOptions, Field(description="How to answer it; nothing of this is needed.")]
Wait = Annotated[
    float,
    Field(
        ge=0,
        le=MOST_WAIT_SECONDS,
        description="Seconds to wait for the answer. Ask for less than your host lets a call take.",
    ),
]


class File(TypedDict):
    """A file that a request made.

    Attributes:
        uri: the resource to read it from.
        url: a link that opens it in a browser for a week, without a key.
    """

    name: str
    mime: str
    bytes: int
    uri: str
    url: str


class Outcome(TypedDict):
    """How a request stands, or what came of it.

    Attributes:
        status: `queued`, `running` or `died` while it is open; at its end `completed`, `partial`, `failed` or
            `cancelled`.
        progress: its stage, in a few words.
        steps_done: how many of its steps have ended.
        steps: its steps, each with how it stands; empty before they are planned.
        answer: the answer; None until there is one.
        error: why it failed, or why the answer is a plain list of results.
        notes: what one should know of how its files were taken.
    """

    request_id: str
    conversation_id: str
    status: str
    progress: str
    steps_done: int
    steps: list[str]
    answer: str | None
    error: str | None
    files: list[File]
    notes: list[str]


class Begun(TypedDict):
    """A request that was submitted."""

    request_id: str


class PlanResult(TypedDict):
    """A plan.

    Attributes:
        plan: its tasks, as `ask` takes them.
        repairs: what was wrong with it and is not any more.
        obstacles: why tasks of it cannot run here.
        controller: the model that planned it.
    """

    plan: list[dict[str, Any]]
    repairs: list[str]
    obstacles: list[str]
    controller: str


class Kind(TypedDict):
    """A kind of task.

    Attributes:
        inputs: its arguments, with their types; `?` marks those that may be missing.
        outputs: the types of what it makes.
    """

    kind: str
    inputs: list[str]
    outputs: list[str]


class Kinds(TypedDict):
    """The kinds of task, and what they take and make."""

    kinds: list[Kind]

"""OpenAI's protocol as data: what calls send, and what they get. What a call sends besides is ignored."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag
from typing_extensions import TypedDict

from apps.http.openai.shorthand import as_messages, as_parts, as_url, item_tag, part_tag

MODEL = "hugginggpt"
"""The id of the only model."""

# What calls send


class Given(BaseModel):
    """Something that a call sends."""

    model_config = ConfigDict(strict=True, frozen=True)


class TextPart(Given):
    """A text."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class ImageUrl(Given):
    """Where a picture is."""

    url: str


class ImageUrlPart(Given):
    """A picture in a chat."""

    type: Literal["image_url"]
    image_url: Annotated[ImageUrl, BeforeValidator(as_url)]


class InputImagePart(Given):
    """A picture in the input of a response."""

    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None


class Audio(Given):
    """A recording, as Base64."""

    data: str
    format: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,8}$")]


class InputAudioPart(Given):
    """A recording."""

    type: Literal["input_audio"]
    input_audio: Audio


class File(Given):
    """A file, as Base64, as a data URI, by its address, or by its reference."""

    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None


class FilePart(Given):
    """A file in a chat."""

    type: Literal["file"]
    file: File


class InputFilePart(File):
    """A file in the input of a response."""

    type: Literal["input_file"]


class OtherPart(Given):
    """Anything else that is said."""

    type: str


MediaPart = ImageUrlPart | InputImagePart | InputAudioPart | FilePart | InputFilePart
Part = Annotated[
    Annotated[TextPart, Tag("text")]
    | Annotated[ImageUrlPart, Tag("image_url")]
    | Annotated[InputImagePart, Tag("input_image")]
    | Annotated[InputAudioPart, Tag("input_audio")]
    | Annotated[FilePart, Tag("file")]
    | Annotated[InputFilePart, Tag("input_file")]
    | Annotated[OtherPart, Tag("other")],
    Discriminator(part_tag),
]


class GivenMessage(Given):
    """A message."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[list[Part], BeforeValidator(as_parts)] = []


class OtherItem(Given):
    """Another item of a response's input, such as reasoning."""

    type: str


Item = Annotated[Annotated[GivenMessage, Tag("message")] | Annotated[OtherItem, Tag("other")], Discriminator(item_tag)]


class Form(Given):
    """The form of the answer: in a chat, the schema is in `json_schema`."""

    type: Literal["text", "json_schema"]
    json_schema: "Schema | None" = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class Schema(Given):
    """The JSON schema of the answer."""

    schema_: dict[str, Any] | None = Field(None, alias="schema")


class OwnOptions(Given):
    """The options of a request that a call can give."""

    model_config = ConfigDict(extra="forbid")

    plan: Any = None
    fresh: Any = None
    deadline: Any = None
    max_cost: Any = None
    models: Any = None
    answer_schema: Any = None


class Own(Given):
    """What only this service knows."""

    model_config = ConfigDict(extra="forbid")

    options: OwnOptions = OwnOptions()


class Call(Given):
    """What calls of both APIs send."""

    model: str = MODEL
    stream: bool | None = None
    hugginggpt: Own | None = None


class StreamOptions(Given):
    """What a stream of chunks has in it."""

    include_usage: bool | None = None


class ChatCall(Call):
    """A call of `/v1/chat/completions`."""

    messages: list[Item]
    n: int | None = None
    stream_options: StreamOptions | None = None
    response_format: Form | None = None


class TextOptions(Given):
    """What the text of a response is."""

    format: Form | None = None


class ResponseCall(Call):
    """A call of `/v1/responses`."""

    input: Annotated[list[Item], BeforeValidator(as_messages)]
    background: bool | None = None
    previous_response_id: str | None = None
    text: TextOptions | None = None


# What calls get


class Model(BaseModel):
    """A model."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "hugginggpt"


class Models(BaseModel):
    """The models."""

    object: Literal["list"] = "list"
    data: list[Model]


class ErrorObject(BaseModel):
    """An error."""

    message: str
    type: Literal["rate_limit_error", "invalid_request_error", "server_error"]
    param: str | None
    code: str


class ChatUsage(BaseModel):
    """The tokens of a completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatMessage(BaseModel):
    """The answer in a completion."""

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    refusal: str | None = None
    annotations: list[Any] = []


class ChatChoice(BaseModel):
    """The only choice of a completion."""

    index: int = 0
    message: ChatMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class ChatCompletion(BaseModel):
    """A completion in one piece."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str = MODEL
    system_fingerprint: None = None
    choices: list[ChatChoice]
    usage: ChatUsage


class Delta(TypedDict, total=False):
    """What is new in a chunk."""

    role: Literal["assistant"]
    content: str
    refusal: str
    reasoning_content: str


class ChunkChoice(BaseModel):
    """The only choice of a chunk."""

    index: int = 0
    delta: Delta
    logprobs: None = None
    finish_reason: Literal["stop"] | None = None


class ChatChunk(BaseModel):
    """A piece of a completion."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str = MODEL
    system_fingerprint: None = None
    choices: list[ChunkChoice] = []
    usage: ChatUsage | None = None


class OutputText(BaseModel):
    """The text of a message."""

    type: Literal["output_text"] = "output_text"
    text: str = ""
    annotations: list[Any] = []
    logprobs: list[Any] = []


class Refusal(BaseModel):
    """What is said in place of an object that keeps to the schema."""

    type: Literal["refusal"] = "refusal"
    refusal: str = ""


class OutputMessage(BaseModel):
    """The item with the answer."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    status: Literal["in_progress", "completed"] = "in_progress"
    content: list[OutputText | Refusal] = []


class SummaryText(BaseModel):
    """The text of a summary."""

    type: Literal["summary_text"] = "summary_text"
    text: str = ""


class Reasoning(BaseModel):
    """The item with the progress."""

    id: str
    type: Literal["reasoning"] = "reasoning"
    summary: list[SummaryText] = []


class ResponseUsage(BaseModel):
    """The tokens of a response."""

    input_tokens: int
    input_tokens_details: dict[str, int] = {"cached_tokens": 0, "cache_write_tokens": 0}
    output_tokens: int
    output_tokens_details: dict[str, int] = {"reasoning_tokens": 0}
    total_tokens: int


class ResponseError(BaseModel):
    """Why a response has no answer."""

    code: Literal["server_error", "invalid_prompt"]
    message: str


Status = Literal["queued", "in_progress", "completed", "failed", "cancelled"]


class Response(BaseModel):
    """A response."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Status
    background: bool = False
    error: ResponseError | None = None
    incomplete_details: None = None
    instructions: None = None
    max_output_tokens: None = None
    metadata: dict[str, str] = {}
    model: str = MODEL
    output: list[Reasoning | OutputMessage] = []
    parallel_tool_calls: bool = False
    previous_response_id: str | None = None
    reasoning: dict[str, None] = {"effort": None, "summary": None}
    store: bool = True
    temperature: None = None
    text: dict[str, Any] = {"format": {"type": "text"}}
    tool_choice: Literal["none"] = "none"
    tools: list[Any] = []
    top_p: None = None
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None = None
    user: None = None

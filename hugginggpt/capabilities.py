"""The table of AI task kinds: the one place that lists them.

Planner prompt, grammar, validation, command-line help and docs are derived from it. Kinds are
named by their Hugging Face pipeline tag where there is one, and otherwise as HuggingGPT
(arXiv 2303.17580) and its published code name them. Packages add kinds of their own under the
entry point group `hugginggpt.kinds`; docs/extending.md has an example.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from importlib.metadata import entry_points
from types import MappingProxyType

from hugginggpt.errors import UsageError

GROUP = "hugginggpt.kinds"

logger = logging.getLogger(__name__)


class ValueType(StrEnum):
    """The types of value that flow along a plan's edges."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    TABLE = "table"
    STRUCTURED = "structured"


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Input:
    """One named argument of a kind.

    Attributes:
        many: the argument is itself a list (labels, say), so a list does not fan the task out.
        aliases: other names that language models give this argument.
    """

    name: str
    type: ValueType
    required: bool = True
    many: bool = False
    aliases: tuple[str, ...] = ()

    def accepts(self, produced: ValueType) -> bool:
        """Whether an output of that type can go in: text also takes the rendering of a structured result."""
        return produced is self.type or (self.type is ValueType.TEXT and produced is ValueType.STRUCTURED)


@dataclass(frozen=True)
class Capability:
    """One kind of AI task.

    Attributes:
        kind: lower-case words joined by hyphens.
        description: one line for the planner.
        timeout: the deadline of one task, in seconds.
        retries: how often a cause that can pass is tried again.
        generative: the result depends on a seed.
        control: for a `*-text-to-image` kind, the kind it becomes without a text.
    """

    kind: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[ValueType, ...]
    aliases: tuple[str, ...] = ()
    timeout: float = 300.0
    retries: int = 2
    generative: bool = False
    control: str | None = None
    parameters: Mapping[str, type] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Raises ValueError for what neither a plan nor a prompt could name."""
        if not all(map(_NAME.fullmatch, (self.kind, *self.aliases))):
            raise ValueError(f"the names of {self.kind!r} must be lower-case words joined by hyphens")
        if not (self.inputs and self.outputs) or len(self.description.splitlines()) != 1:
            raise ValueError(f"{self.kind!r} needs an input, an output, and a description of one line")

    def input(self, name: str) -> Input | None:
        """The input of that name or alias, in any case."""
        wanted = name.strip().lower().replace("-", "_")
        return next((i for i in self.inputs if wanted == i.name or wanted in i.aliases), None)

    def gives(self, wanted: Input) -> bool:
        """Whether some output of this kind fits that input."""
        return any(wanted.accepts(output) for output in self.outputs)


TEXT, IMAGE, AUDIO = ValueType.TEXT, ValueType.IMAGE, ValueType.AUDIO
VIDEO, TABLE, STRUCTURED = ValueType.VIDEO, ValueType.TABLE, ValueType.STRUCTURED

_text = Input("text", TEXT, aliases=("input", "inputs", "sentence", "content"))
_prompt = Input("text", TEXT, aliases=("prompt", "description", "input", "inputs"))
_question = Input("text", TEXT, aliases=("question", "query", "prompt"))
_image = Input("image", IMAGE, aliases=("img", "picture", "photo", "document"))
_audio = Input("audio", AUDIO, aliases=("speech", "sound", "recording"))
_video = Input("video", VIDEO, aliases=("clip", "movie"))
_table = Input("table", TABLE, aliases=("csv", "data", "file"))
_labels = Input("labels", TEXT, many=True, aliases=("candidate_labels", "label", "classes", "categories"))

_seed = {"seed": int}
_diffusion = {"seed": int, "steps": int, "guidance_scale": float, "width": int, "height": int}
_text_parameters = {"seed": int, "max_new_tokens": int, "temperature": float}


def _optional(base: Input, *aliases: str) -> Input:
    return Input(base.name, base.type, required=False, many=base.many, aliases=base.aliases + aliases)


def _row(
    kind: str,
    description: str,
    inputs: tuple[Input, ...],
    outputs: tuple[ValueType, ...],
    *aliases: str,
    timeout: float = 300.0,
    parameters: Mapping[str, type] | None = None,
    control: str | None = None,
) -> Capability:
    named = dict(parameters or {})
    return Capability(
        kind=kind,
        description=description,
        inputs=inputs,
        outputs=outputs,
        aliases=aliases,
        timeout=timeout,
        generative="seed" in named,
        control=control,
        parameters=MappingProxyType(named),
    )


def _control(name: str, what: str) -> Capability:
    return _row(f"{name}-control", f"Draw {what} of an image, to guide image generation.", (_image,), (IMAGE,))


def _control_to_image(name: str, what: str) -> Capability:
    return _row(
        f"{name}-text-to-image",
        f"Generate an image from a text, following {what} given as an image.",
        (_image, _prompt),
        (IMAGE,),
        f"{name}-control-text-to-image",
        timeout=1800.0,
        parameters=_diffusion,
        control=f"{name}-control",
    )


_ROWS = (
    # Text
    _row("token-classification", "Find named entities or parts of speech in a text.", (_text,), (STRUCTURED,), "ner"),
    _row(
        "text-classification",
        "Label a text, its sentiment or topic for example.",
        (_text,),
        (STRUCTURED,),
        "sentiment-analysis",
    ),
    _row(
        "zero-shot-classification",
        "Sort a text into labels given in the request.",
        (_text, _labels),
        (STRUCTURED,),
    ),
    _row(
        "text2text-generation",
        "Turn one text into another as it instructs.",
        (_text,),
        (TEXT,),
        "text-to-text-generation",
        "text-to-text",
        parameters=_text_parameters,
    ),
    _row(
        "summarization", "Summarise a text.", (_text,), (TEXT,), "summarisation", "summary", parameters=_text_parameters
    ),
    _row(
        "translation",
        "Translate a text into another language.",
        (
            _text,
            Input("target_language", TEXT, required=False, aliases=("language", "tgt_lang", "target", "to")),
            Input("source_language", TEXT, required=False, aliases=("src_lang", "source", "from")),
        ),
        (TEXT,),
        "translate",
        parameters=_text_parameters,
    ),
    _row(
        "question-answering",
        "Answer a question from a given text.",
        (_question, _optional(Input("context", TEXT), "passage", "document")),
        (TEXT,),
        "qa",
        parameters=_text_parameters,
    ),
    _row(
        "table-question-answering",
        "Answer a question from a table.",
        (_table, _question),
        (TEXT,),
        "table-qa",
    ),
    _row(
        "conversational",
        "Reply to a message in a conversation.",
        (_text,),
        (TEXT,),
        "conversation",
        "chat",
        parameters=_text_parameters,
    ),
    _row("text-generation", "Write a text that a prompt asks for.", (_prompt,), (TEXT,), parameters=_text_parameters),
    _row("fill-mask", "Fill in the masked word of a sentence.", (_text,), (STRUCTURED,)),
    _row("feature-extraction", "Turn a text into an embedding vector.", (_text,), (STRUCTURED,), "text-embedding"),
    _row(
        "sentence-similarity",
        "Score how close two texts are in meaning.",
        (
            Input("text1", TEXT, aliases=("text", "source_sentence", "sentence1", "source")),
            Input("text2", TEXT, aliases=("sentences", "target_sentence", "sentence2", "target")),
        ),
        (STRUCTURED,),
        "semantic-similarity",
    ),
    # Tables
    _row("tabular-classification", "Classify the rows of a table.", (_table,), (STRUCTURED,)),
    _row("tabular-regression", "Predict a number for each row of a table.", (_table,), (STRUCTURED,)),
    # Images in
    _row("object-detection", "Find the objects in an image and box them.", (_image,), (STRUCTURED, IMAGE)),
    _row(
        "zero-shot-object-detection",
        "Find the objects named in the request in an image and box them.",
        (_image, _labels),
        (STRUCTURED, IMAGE),
    ),
    _row("image-classification", "Say what an image shows, as labels.", (_image,), (STRUCTURED,)),
    _row(
        "zero-shot-image-classification",
        "Sort an image into labels given in the request.",
        (_image, _labels),
        (STRUCTURED,),
    ),
    _row("image-segmentation", "Divide an image into named regions.", (_image,), (STRUCTURED, IMAGE)),
    _row("mask-generation", "Outline everything in an image with masks.", (_image,), (STRUCTURED, IMAGE)),
    _row("depth-estimation", "Estimate how far away each part of an image is.", (_image,), (IMAGE,)),
    _row(
        "image-to-text",
        "Read the text in an image, or describe the image.",
        (_image,),
        (TEXT,),
        "image-captioning",
        "ocr",
        "optical-character-recognition",
    ),
    _row(
        "image-text-to-text",
        "Follow an instruction about an image, answering in text.",
        (_image, _prompt),
        (TEXT,),
        parameters=_text_parameters,
    ),
    _row(
        "visual-question-answering",
        "Answer a question about what an image shows.",
        (_image, _question),
        (TEXT,),
        "vqa",
    ),
    _row(
        "document-question-answering",
        "Answer a question from a picture of a document.",
        (_image, _question),
        (TEXT,),
        "docqa",
        "document-qa",
    ),
    # Images out
    _row(
        "image-to-image",
        "Change an image: vary it, edit it as a text says, or enlarge it.",
        (_image, _optional(_prompt)),
        (IMAGE,),
        "image-editing",
        timeout=1800.0,
        parameters=_diffusion,
    ),
    _row(
        "text-to-image", "Generate an image from a text.", (_prompt,), (IMAGE,), timeout=1800.0, parameters=_diffusion
    ),
    _row("text-to-video", "Generate a video from a text.", (_prompt,), (VIDEO,), timeout=3600.0, parameters=_diffusion),
    _row(
        "image-to-video",
        "Bring an image to life as a video.",
        (_image, _optional(_prompt)),
        (VIDEO,),
        timeout=3600.0,
        parameters=_diffusion,
    ),
    _row("video-classification", "Say what a video shows, as labels.", (_video,), (STRUCTURED,)),
    # Sound
    _row("text-to-speech", "Say a text aloud.", (_text,), (AUDIO,), "tts", "text-to-voice", parameters=_seed),
    _row(
        "text-to-audio",
        "Generate music or sound from a text.",
        (_prompt,),
        (AUDIO,),
        "text-to-music",
        timeout=1800.0,
        parameters={"seed": int, "seconds": float},
    ),
    _row(
        "automatic-speech-recognition",
        "Write down the speech in a recording.",
        (_audio,),
        (TEXT,),
        "asr",
        "speech-to-text",
        "speech-recognition",
        timeout=1800.0,
    ),
    _row("audio-to-audio", "Clean, separate or convert a recording.", (_audio,), (AUDIO,), "speech-enhancement"),
    _row("audio-classification", "Say what a recording sounds like, as labels.", (_audio,), (STRUCTURED,)),
    # Control pictures, and images generated under them
    _control("canny", "the edges"),
    _control("hed", "the soft edges"),
    _control("mlsd", "the straight lines"),
    _control("normal", "the surface normals"),
    _control("openpose", "the poses of the people"),
    _control("scribble", "a scribble"),
    _control("depth", "the depth map"),
    _control("seg", "the segmentation map"),
    _control_to_image("canny", "edges"),
    _control_to_image("depth", "a depth map"),
    _control_to_image("hed", "soft edges"),
    _control_to_image("mlsd", "straight lines"),
    _control_to_image("normal", "surface normals"),
    _control_to_image("openpose", "poses"),
    _control_to_image("scribble", "a scribble"),
    _control_to_image("seg", "a segmentation map"),
)

_kinds: dict[str, Capability] = {}
_aliases: dict[str, str] = {}

CAPABILITIES: Mapping[str, Capability] = MappingProxyType(_kinds)
"""Every kind, by its name."""


def find_kind(name: str) -> str | None:
    """The kind meant by a name, whatever its case, separators or alias; None when there is none."""
    wanted = "-".join(name.strip().lower().replace("_", "-").split())
    return wanted if wanted in _kinds else _aliases.get(wanted)


def known_kind(name: str) -> str:
    """The kind meant by a name, as `find_kind` finds it.

    Raises:
        UsageError: there is no such kind.
    """
    kind = find_kind(name)
    if kind is None:
        close = get_close_matches(name.strip().lower(), _kinds, n=1)
        hint = f"did you mean {close[0]}?" if close else "`hugginggpt kinds` lists them."
        raise UsageError(f"There is no task kind '{name}': {hint}")
    return kind


def add_installed_kinds() -> None:
    """Add the kinds of installed packages. One that cannot be added is reported in the log and left out."""
    for entry in entry_points(group=GROUP):
        try:
            _add(entry.load())
        except Exception as error:
            logger.warning("The kinds plugin %s cannot be used: %s: %s", entry.value, type(error).__name__, error)


def _add(rows: Iterable[Capability]) -> None:
    added = tuple(rows)
    names = [name for row in added for name in (row.kind, *row.aliases)]
    for position, name in enumerate(names):
        if find_kind(name) is not None or name in names[:position]:
            raise ValueError(f"there is a kind of task named {name!r} already")
    _kinds.update({row.kind: row for row in added})
    _aliases.update({alias: row.kind for row in added for alias in row.aliases})


_add(_ROWS)

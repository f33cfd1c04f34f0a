"""The table of AI task kinds: the one place that lists them.

Planner prompt, grammar, validation, command-line help and docs are derived from it. Kinds are
named by their Hugging Face pipeline tag if there is one, and otherwise as HuggingGPT
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
    """The types of value that flow along a plan's edges, and that of documents, which are used by their parts."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    TABLE = "table"
    STRUCTURED = "structured"
    DOCUMENT = "document"


_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_RESULTS = {
    ValueType.TEXT: "text",
    ValueType.IMAGE: "picture",
    ValueType.AUDIO: "sound",
    ValueType.VIDEO: "video",
    ValueType.TABLE: "table",
    ValueType.STRUCTURED: "result",
    ValueType.DOCUMENT: "document",
}


@dataclass(frozen=True)
class Input:
    """One named argument of a kind.

    Attributes:
        many: the argument is itself a list, of labels for example, so a list does not fan the task out.
        aliases: other names that language models give this argument.
    """

    name: str
    type: ValueType
    required: bool = True
    many: bool = False
    aliases: tuple[str, ...] = ()

    def accepts(self, produced: ValueType) -> bool:
        """Whether an output of that type fits: a text input also takes the text of a structured result."""
        return produced is self.type or (self.type is ValueType.TEXT and produced is ValueType.STRUCTURED)


@dataclass(frozen=True)
class Range:
    """The numbers that a parameter may have; 1 leaves everything as usual.

    Attributes:
        offered: those that the embedded planner chooses from, in ascending order.
    """

    least: float
    most: float
    offered: tuple[float, ...]


@dataclass(frozen=True)
class Capability:
    """One kind of AI task.

    Attributes:
        kind: lower-case words joined by hyphens.
        description: one line for the planner.
        makes: what its result is called, in answers and in names of files; by default, by the type of its first output.
        word: its name in pipeline notation, which the embedded planner was trained on; empty for the kind itself.
        hub_tag: the pipeline tag of its models on the Hub; empty for the kind itself, None if the Hub has none for it.
        templated: its text may be an instruction around the text that it works on.
        timeout: the deadline of one task, in seconds.
        retries: how often the task is retried after a temporary failure.
        control: for a `*-text-to-image` kind, the kind it becomes without a text.
        parameters: numbers that a plan may give, by name, with their types.
        ranges: the limits of parameters that have any.
    """

    kind: str
    description: str
    inputs: tuple[Input, ...]
    outputs: tuple[ValueType, ...]
    aliases: tuple[str, ...] = ()
    makes: str = ""
    word: str = ""
    hub_tag: str | None = ""
    templated: bool = False
    timeout: float = 300.0
    retries: int = 2
    control: str | None = None
    parameters: Mapping[str, type] = field(default_factory=lambda: MappingProxyType({}))
    ranges: Mapping[str, Range] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Raise ValueError for a kind that plans or prompts could not name."""
        if not all(map(_NAME.fullmatch, (self.kind, *self.aliases))):
            raise ValueError(f"the names of {self.kind!r} must be lower-case words joined by hyphens")
        if not (self.inputs and self.outputs) or len(self.description.splitlines()) != 1:
            raise ValueError(f"{self.kind!r} needs an input, an output, and a description of one line")

    def input(self, name: str) -> Input | None:
        """The input of that name or alias, ignoring case."""
        wanted = name.strip().lower().replace("-", "_")
        return next((i for i in self.inputs if wanted == i.name or wanted in i.aliases), None)

    @property
    def pipeline_tag(self) -> str | None:
        """The Hub's tag for this kind; None if it has none, as for the control kinds."""
        return self.kind if self.hub_tag == "" else self.hub_tag

    @property
    def result(self) -> str:
        """What its result is called."""
        return self.result_of(self.outputs[0])

    def result_of(self, type: ValueType) -> str:
        """What its output of a type is called."""
        return self.makes if self.makes and type is self.outputs[0] else _RESULTS[type]

    @property
    def answers(self) -> bool:
        """Whether its result is the answer to a question."""
        return self.input("question") is not None

    @property
    def generative(self) -> bool:
        """Whether the result depends on a seed."""
        return "seed" in self.parameters

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
_column = Input("column", TEXT, required=False, aliases=("target", "target_column", "label", "label_column", "predict"))
_labels = Input("labels", TEXT, many=True, aliases=("candidate_labels", "label", "classes", "categories"))
_target = Input("target_language", TEXT, required=False, aliases=("language", "tgt_lang", "target", "to"))
_source = Input("source_language", TEXT, required=False, aliases=("src_lang", "source", "from"))
_text1 = Input("text1", TEXT, aliases=("text", "source_sentence", "sentence1", "source"))
_text2 = Input("text2", TEXT, aliases=("sentences", "target_sentence", "sentence2", "target"))

_speech = MappingProxyType({"seed": int, "rate": float, "volume": float})
_speech_ranges = MappingProxyType(
    {
        "rate": Range(0.25, 4.0, offered=(0.5, 0.75, 1.25, 1.5, 2.0)),
        "volume": Range(0.1, 4.0, offered=(0.25, 0.4, 0.6, 1.6, 2.5, 4.0)),
    }
)
_diffusion = MappingProxyType({"seed": int, "steps": int, "guidance_scale": float, "width": int, "height": int})
_text_parameters = MappingProxyType({"seed": int, "max_new_tokens": int, "temperature": float})


def _optional(base: Input, *aliases: str) -> Input:
    return Input(base.name, base.type, required=False, many=base.many, aliases=base.aliases + aliases)


def _control(name: str, word: str, what: str) -> Capability:
    description = f"Draw {what} of an image, to guide image generation."
    makes = what.partition(" ")[2]
    return Capability(f"{name}-control", description, (_image,), (IMAGE,), makes=makes, word=word, hub_tag=None)


def _control_to_image(name: str, word: str, what: str) -> Capability:
    return Capability(
        f"{name}-text-to-image",
        f"Generate an image from a text, following {what} given as an image.",
        (_image, _prompt),
        (IMAGE,),
        (f"{name}-control-text-to-image",),
        word=word,
        hub_tag=None,
        timeout=1800.0,
        parameters=_diffusion,
        control=f"{name}-control",
    )


# fmt: off
_ROWS = (
    # Text
    Capability("token-classification", "Find named entities or parts of speech in a text.", (_text,), (STRUCTURED,),
        ("ner",), makes="entities", word="tag"),
    Capability("text-classification", "Label a text, its sentiment or topic for example.", (_text,), (STRUCTURED,),
        ("sentiment-analysis",), makes="label", word="classify"),
    Capability("zero-shot-classification", "Sort a text into labels given in the request.", (_text, _labels),
        (STRUCTURED,), makes="label", word="label"),
    Capability("text2text-generation", "Turn one text into another as it instructs.", (_text,), (TEXT,),
        ("text-to-text-generation", "text-to-text"), word="rewrite", templated=True, parameters=_text_parameters),
    Capability("summarization", "Summarise a text.", (_text,), (TEXT,), ("summarisation", "summary"),
        makes="summary", word="summarize", parameters=_text_parameters),
    Capability("translation", "Translate a text into another language.",
        (_text, _target, _source),
        (TEXT,), ("translate",), makes="translation", word="translate", parameters=_text_parameters),
    Capability("question-answering", "Answer a question from a given text.",
        (_question, _optional(Input("context", TEXT), "passage", "document")), (TEXT,), ("qa",),
        makes="answer", word="answer", parameters=_text_parameters),
    Capability("table-question-answering", "Answer a question from a table.", (_table, _question), (TEXT,),
        ("table-qa",), makes="answer", word="query"),
    Capability("conversational", "Reply to a message in a conversation.", (_text,), (TEXT,), ("conversation", "chat"),
        makes="reply", word="chat", hub_tag="text-generation", templated=True, parameters=_text_parameters),
    Capability("text-generation", "Write a text that a prompt asks for.", (_prompt,), (TEXT,), word="write",
        templated=True, parameters=_text_parameters),
    Capability("fill-mask", "Fill in the masked word of a sentence.", (_text,), (STRUCTURED,),
        makes="words", word="fill"),
    Capability("feature-extraction", "Turn a text into an embedding vector.", (_text,), (STRUCTURED,),
        ("text-embedding",), makes="embedding", word="embed"),
    Capability("sentence-similarity", "Score how close two texts are in meaning.",
        (_text1, _text2),
        (STRUCTURED,), ("semantic-similarity",), makes="similarity", word="compare"),
    # Tables
    Capability("tabular-classification", "Classify the rows of a table by one of its columns.", (_table, _column),
        (STRUCTURED,),
        makes="classes", word="sort"),
    Capability("tabular-regression", "Predict a number for each row of a table, in one of its columns.",
        (_table, _column), (STRUCTURED,),
        makes="predictions", word="predict"),
    # Images in
    Capability("object-detection", "Find the objects in an image and box them.", (_image,), (STRUCTURED, IMAGE),
        makes="objects", word="detect"),
    Capability("zero-shot-object-detection", "Find the objects named in the request in an image and box them.",
        (_image, _labels), (STRUCTURED, IMAGE), makes="objects", word="find"),
    Capability("image-classification", "Say what an image shows, as labels.", (_image,), (STRUCTURED,),
        makes="label", word="recognize"),
    Capability("zero-shot-image-classification", "Sort an image into labels given in the request.", (_image, _labels),
        (STRUCTURED,), makes="label", word="match"),
    Capability("image-segmentation", "Divide an image into named regions.", (_image,), (STRUCTURED, IMAGE),
        makes="regions", word="segment"),
    Capability("mask-generation", "Outline everything in an image with masks.", (_image,), (STRUCTURED, IMAGE),
        makes="masks", word="mask"),
    Capability("depth-estimation", "Estimate how far away each part of an image is.", (_image,), (IMAGE,),
        makes="depth", word="depth"),
    Capability("image-to-text", "Read the text in an image, or describe the image.", (_image,), (TEXT,),
        ("image-captioning", "ocr", "optical-character-recognition"), word="read"),
    Capability("image-text-to-text", "Follow an instruction about an image, answering in text.", (_image, _prompt),
        (TEXT,), makes="answer", word="examine", parameters=_text_parameters),
    Capability("visual-question-answering", "Answer a question about what an image shows.", (_image, _question),
        (TEXT,), ("vqa",), makes="answer", word="look"),
    Capability("document-question-answering", "Answer a question from a picture of a document.", (_image, _question),
        (TEXT,), ("docqa", "document-qa"), makes="answer", word="ask"),
    # Images out
    Capability("image-to-image", "Change an image: vary it, edit it as a text says, or enlarge it.",
        (_image, _optional(_prompt)), (IMAGE,), ("image-editing",), word="edit", timeout=1800.0,
        parameters=_diffusion),
    Capability("text-to-image", "Generate an image from a text.", (_prompt,), (IMAGE,), word="draw", timeout=1800.0,
        parameters=_diffusion),
    Capability("text-to-video", "Generate a video from a text.", (_prompt,), (VIDEO,), word="film", timeout=3600.0,
        parameters=_diffusion),
    Capability("image-to-video", "Bring an image to life as a video.", (_image, _optional(_prompt)), (VIDEO,),
        word="animate", timeout=3600.0, parameters=_diffusion),
    Capability("video-classification", "Say what a video shows, as labels.", (_video,), (STRUCTURED,),
        makes="label", word="watch"),
    # Sound
    Capability("text-to-speech", "Say a text aloud.", (_text,), (AUDIO,), ("tts", "text-to-voice"),
        makes="speech", word="speak", parameters=_speech, ranges=_speech_ranges),
    Capability("text-to-audio", "Generate music or sound from a text.", (_prompt,), (AUDIO,), ("text-to-music",),
        word="compose", timeout=1800.0, parameters=MappingProxyType({"seed": int, "seconds": float})),
    Capability("automatic-speech-recognition", "Write down the speech in a recording.", (_audio,), (TEXT,),
        ("asr", "speech-to-text", "speech-recognition"), makes="transcript", word="hear", timeout=1800.0),
    Capability("audio-to-audio", "Clean, separate or convert a recording.", (_audio,), (AUDIO,),
        ("speech-enhancement",), word="clean"),
    Capability("audio-classification", "Say what a recording sounds like, as labels.", (_audio,), (STRUCTURED,),
        makes="label", word="listen"),
    # Control pictures, and images generated under them
    _control("canny", "canny", "the edges"),
    _control("hed", "hed", "the soft edges"),
    _control("mlsd", "mlsd", "the straight lines"),
    _control("normal", "normal", "the surface normals"),
    _control("openpose", "pose", "the poses of the people"),
    _control("scribble", "scribble", "a scribble"),
    _control("depth", "depth-map", "the depth map"),
    _control("seg", "seg-map", "the segmentation map"),
    _control_to_image("canny", "draw-canny", "edges"),
    _control_to_image("depth", "draw-depth", "a depth map"),
    _control_to_image("hed", "draw-hed", "soft edges"),
    _control_to_image("mlsd", "draw-mlsd", "straight lines"),
    _control_to_image("normal", "draw-normal", "surface normals"),
    _control_to_image("openpose", "draw-pose", "poses"),
    _control_to_image("scribble", "draw-scribble", "a scribble"),
    _control_to_image("seg", "draw-seg", "a segmentation map"),
)
# fmt: on

_kinds: dict[str, Capability] = {}
_by_letters: dict[str, str] = {}

CAPABILITIES: Mapping[str, Capability] = MappingProxyType(_kinds)
"""Every kind, by its name."""


def find_kind(name: str) -> str | None:
    """The kind meant by a name, whatever its case, separators or alias; None if there is none."""
    return _by_letters.get(_letters(name))


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def known_kind(name: str) -> str:
    """The kind meant by a name, as `find_kind` finds it.

    Raises:
        UsageError: there is no such kind.
    """
    kind = find_kind(name)
    if kind is None:
        close = close_kind(name)
        hint = f"did you mean {close}?" if close else "`hugginggpt kinds` lists them."
        raise UsageError(f"There is no task kind '{name}': {hint}")
    return kind


def close_kind(name: str) -> str | None:
    """The kind whose name is closest to a name that is none; None if none is close."""
    return next(iter(get_close_matches(name.strip().lower(), _kinds, n=1)), None)


def add_installed_kinds() -> None:
    """Add the kinds of installed packages. A package whose kinds do not fit is left out, and the log says why."""
    for entry in entry_points(group=GROUP):
        try:
            _add(entry.load())
        except Exception as error:
            logger.warning("The kinds plugin %s cannot be used: %s: %s", entry.value, type(error).__name__, error)


def _add(rows: Iterable[Capability]) -> None:
    added = tuple(rows)
    found: dict[str, str] = {}
    for row in added:
        for name in (row.kind, *row.aliases):
            if find_kind(name) is not None or _letters(name) in found:
                raise ValueError(f"a kind of task named {name!r} already exists")
            found[_letters(name)] = row.kind
    _kinds.update({row.kind: row for row in added})
    _by_letters.update(found)


_add(_ROWS)

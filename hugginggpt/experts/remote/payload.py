"""Inputs and parameters in the form that `InferenceClient` takes."""

import base64
import io
from collections.abc import Mapping
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.inputs import recording, table_with_rows
from hugginggpt.media import Image, encode

LONGEST_TEXT = 600
"""The default for `max_new_tokens`."""


def text(inputs: Inputs, name: str = "text") -> str:
    """A text.

    Raises:
        ExpertError: it is empty.
    """
    given: str = inputs[name].text
    if not given.strip():
        raise ExpertError(f"The {name} is empty: write one.")
    return given


def picture(inputs: Inputs) -> Any:
    """The picture, RGB, as PNG."""
    return _typed(*encode(Image(opaque(inputs["image"].image))))


def sound(inputs: Inputs) -> Any:
    """The recording as one channel of FLAC, which is small and lossless."""
    import soundfile

    from hugginggpt.experts.audio import mono

    audio = recording(inputs)
    buffer = io.BytesIO()
    soundfile.write(buffer, mono(audio), audio.rate, format="FLAC", subtype="PCM_16")
    return _typed(buffer.getvalue(), "audio/flac")


def _typed(data: bytes, mime: str) -> Any:
    """Bytes that the client sends with their media type, which providers rely on."""
    # Only this class of the client carries a type, and it has no public name.
    from huggingface_hub.inference._common import MimeBytes

    return MimeBytes(data, mime)


def table(inputs: Inputs) -> dict[str, list[str]]:
    """The table, column by column.

    Raises:
        ExpertError: the table has no rows, or two columns with the same name.
    """
    given = table_with_rows(inputs)
    columns = {name: [row[at] for row in given.rows] for at, name in enumerate(given.columns)}
    if len(columns) < len(given.columns):
        raise ExpertError("The table has two columns of the same name: rename one.")
    return columns


def parameters(inputs: Inputs, names: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that the request has, under the names of the method's arguments.

    Args:
        names: the argument of the method for each parameter of the kind.
    """
    return {argument: inputs[name] for name, argument in names.items() if inputs.get(name) is not None}


def generation(inputs: Inputs) -> dict[str, Any]:
    """The parameters for text generation. A temperature of 0 turns sampling off."""
    chosen = parameters(inputs, {"max_new_tokens": "max_new_tokens", "temperature": "temperature"})
    if (temperature := chosen.pop("temperature", None)) is None:
        return chosen
    # Servers refuse a temperature of 0.
    return {**chosen, **({"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False})}


def size(inputs: Inputs) -> dict[str, Any]:
    """The target size of a picture, if the request has one. A missing side keeps the proportions."""
    width, height = inputs.get("width"), inputs.get("height")
    if width is None and height is None:
        return {}
    given = inputs["image"].image
    width = width or max(1, round(given.width * height / given.height))
    height = height or max(1, round(given.height * width / given.width))
    return {"target_size": {"width": width, "height": height}}


def seed(inputs: Inputs) -> dict[str, int]:
    """The seed, if the request has one."""
    return parameters(inputs, {"seed": "seed"})


def message(inputs: Inputs, content: Any) -> dict[str, Any]:
    """A conversation of one message, with the parameters of the reply."""
    named = {"max_new_tokens": "max_tokens", "temperature": "temperature", "seed": "seed"}
    chosen = {"max_tokens": LONGEST_TEXT, **parameters(inputs, named)}
    return {"messages": [{"role": "user", "content": content}], **chosen}


def data_uri(inputs: Inputs) -> str:
    """The picture as a data URI, for a chat message."""
    data, mime = encode(Image(opaque(inputs["image"].image)))
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"

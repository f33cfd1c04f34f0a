"""The files of messages: as Base64, as addresses, or as references to what is in the store."""

import base64
import binascii
import re
from collections import Counter
from io import BytesIO
from urllib.parse import unquote_to_bytes

from starlette.datastructures import UploadFile

from apps.http.openai.errors import ParameterError
from apps.http.openai.models import File, FilePart, ImageUrlPart, InputAudioPart, InputImagePart, MediaPart
from hugginggpt.media import EXTENSIONS
from hugginggpt.resources import referenced

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


Attachment = UploadFile | str
"""A file of a message: its data, or an http(s) address or the reference of a stored file."""


class Attachments:
    """Reads the files of the messages of one call, and names those that have no name: `image-1.png`, `image-2.png`."""

    def __init__(self) -> None:
        self._named: Counter[str] = Counter()

    def read(self, part: MediaPart, param: str) -> Attachment:
        """The file of a part of a message.

        Args:
            part: the part.
            param: how the call names it.

        Raises:
            ParameterError: it cannot be used.
        """
        match part:
            case ImageUrlPart():
                return self._file("image", File(file_url=part.image_url.url), param)
            case InputImagePart():
                return self._file("image", File(file_url=part.image_url, file_id=part.file_id), param)
            case InputAudioPart(input_audio=audio):
                data = _decoded(audio.data, param)
                return self._named_file("recording", f".{audio.format.lower()}", data, param)
            case FilePart():
                return self._file("file", part.file, param)
        return self._file("file", part, param)

    def _file(self, what: str, given: File, param: str) -> Attachment:
        source = given.file_data or given.file_url or given.file_id
        if not source:
            raise ParameterError(f"'{param}' names no file: give its data, its address or its reference.", param)
        if source[:5].lower() == "data:":
            head, _, content = source.partition(",")
            mime, *more = head[5:].lower().split(";")
            data = _decoded(content, param) if more[-1:] == ["base64"] else unquote_to_bytes(content)
            return self._named_file(what, EXTENSIONS.get(mime, ""), data, param, given.filename)
        if given.file_data:
            return self._named_file(what, "", _decoded(source, param), param, given.filename)
        if _ADDRESS.match(source) or referenced(source) is not None:
            return source
        raise ParameterError(
            f"'{param}' is not a file: give a data URI, an https:// address, or the reference of a stored file.", param
        )

    def _named_file(self, what: str, ending: str, data: bytes, param: str, filename: str | None = None) -> UploadFile:
        if not data:
            raise ParameterError(f"'{param}' is empty.", param)
        self._named[what] += 1
        return upload(filename or f"{what}-{self._named[what]}{ending}", data)


def upload(name: str, data: bytes) -> UploadFile:
    """A file that came as data."""
    return UploadFile(BytesIO(data), filename=name, size=len(data))


def _decoded(text: str, param: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ParameterError(f"'{param}' is not valid Base64.", param) from None

"""The files of messages: as Base64, as addresses, or as references to what is in the store."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import UploadFile

from apps.http.openai.errors import ParameterError
from hugginggpt.media import EXTENSIONS
from hugginggpt.resources import referenced

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_FORMAT = re.compile(r"[A-Za-z0-9]{1,8}")


@dataclass(frozen=True)
class Attachment:
    """A file of a message.

    Attributes:
        name: its name, if it came as data.
        data: its content; None if it is named by its source.
        source: an http(s) address, or a reference to a stored file.
    """

    name: str = ""
    data: bytes | None = None
    source: str = ""

    @property
    def upload(self) -> UploadFile | None:
        """The file as an upload; None if it did not come with the call."""
        return None if self.data is None else UploadFile(BytesIO(self.data), filename=self.name, size=len(self.data))


class Attachments:
    """Reads the files of the messages of one call, and names those that have no name: `image-1.png`, `image-2.png`."""

    def __init__(self) -> None:
        self._named: Counter[str] = Counter()

    def read(self, kind: str, part: Mapping[str, Any], param: str) -> Attachment | None:
        """The file of a part of a message.

        Args:
            kind: the part's type.
            part: the part.
            param: how the call names it.

        Returns:
            None if it is not of a known type.

        Raises:
            ParameterError: it cannot be used.
        """
        match kind:
            case "image_url":
                given = part.get("image_url")
                url = given.get("url") if isinstance(given, dict) else given
                return self._file("image", url, f"{param}.image_url")
            case "input_image":
                return self._first("image", part, ("image_url", "file_id"), param)
            case "input_audio":
                return self._recording(part.get("input_audio"), f"{param}.input_audio")
            case "file":
                within = part.get("file")
                if not isinstance(within, dict):
                    raise ParameterError(f"'{param}.file' has to be an object.", f"{param}.file")
                return self._first("file", within, ("file_data", "file_id"), f"{param}.file")
            case "input_file":
                return self._first("file", part, ("file_data", "file_url", "file_id"), param)
        return None

    def _first(self, what: str, given: Mapping[str, Any], names: tuple[str, ...], param: str) -> Attachment:
        """The file in the first of these fields that is there."""
        field = next((name for name in names if given.get(name) is not None), None)
        if field is None:
            raise ParameterError(f"'{param}' names no file: give {' or '.join(names)}.", param)
        filename = given.get("filename")
        if filename is not None and not isinstance(filename, str):
            raise ParameterError(f"'{param}.filename' has to be a text.", f"{param}.filename")
        return self._file(what, given[field], f"{param}.{field}", filename, is_data=field == "file_data")

    def _file(
        self, what: str, given: object, param: str, filename: str | None = None, *, is_data: bool = False
    ) -> Attachment:
        if not isinstance(given, str) or not given:
            raise ParameterError(f"'{param}' has to be a text.", param)
        if given[:5].lower() == "data:":
            head, _, content = given.partition(",")
            mime, *more = head[5:].lower().split(";")
            data = _decoded(content, param) if more[-1:] == ["base64"] else unquote_to_bytes(content)
            return self._named_file(what, EXTENSIONS.get(mime, ""), data, param, filename)
        if is_data:
            return self._named_file(what, "", _decoded(given, param), param, filename)
        if _ADDRESS.match(given) or referenced(given) is not None:
            return Attachment(source=given)
        raise ParameterError(
            f"'{param}' is not a file: give a data URI, an https:// address, or the reference of a stored file.", param
        )

    def _recording(self, given: object, param: str) -> Attachment:
        if not isinstance(given, dict) or not isinstance(given.get("data"), str):
            raise ParameterError(f"'{param}' has to be an object with data and format.", param)
        format_ = given.get("format")
        if not isinstance(format_, str) or not _FORMAT.fullmatch(format_):
            raise ParameterError(f"'{param}.format' has to be the name of a format, such as wav.", f"{param}.format")
        data = _decoded(given["data"], f"{param}.data")
        return self._named_file("recording", f".{format_.lower()}", data, f"{param}.data")

    def _named_file(self, what: str, ending: str, data: bytes, param: str, filename: str | None = None) -> Attachment:
        if not data:
            raise ParameterError(f"'{param}' is empty.", param)
        self._named[what] += 1
        return Attachment(name=filename or f"{what}-{self._named[what]}{ending}", data=data)


def _decoded(text: str, param: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ParameterError(f"'{param}' is not valid Base64.", param) from None

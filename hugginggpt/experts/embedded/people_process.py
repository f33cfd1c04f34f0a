"""BlazePose in a child process, because LiteRT writes to the terminal when it loads a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

from hugginggpt.child_process import Handler, Message
from hugginggpt.experts.embedded.blazepose import BlazePose


def make_finder(folder: str, threads: int) -> Handler:
    """Returns the handler: the pixels of a picture in, the person in its foreground out.

    The answer has `found`, and if there is a person, `score`, and `joints` as lists of x, y and the probability that it
    is visible. If the header asks for the `mask`, its pixels follow, in bytes that are 0 or 1.

    Args:
        folder: the folder of MediaPipe's modules.
        threads: how many the networks may use.
    """
    import numpy as np

    pose = BlazePose(Path(folder), threads)

    def find(header: Mapping[str, Any], data: bytes) -> Message:
        picture = PILImage.frombytes("RGB", (header["width"], header["height"]), data)
        person = pose(picture)
        if person is None:
            return {"found": False}, b""
        mask = pose.mask(picture, person).tobytes() if header["mask"] else b""
        joints = np.column_stack([person.joints, person.visible]).tolist()
        return {"found": True, "score": person.score, "joints": joints}, mask

    return find

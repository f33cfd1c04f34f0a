"""Frames to a video."""

import io
from collections.abc import Sequence
from typing import Any, cast

from PIL import Image as PILImage

from hugginggpt.experts.drawing import on_white
from hugginggpt.media import Video

# What browsers play, and what every build of PyAV has; each at a quality that hides the loss.
_CODECS = {"libx264": {"crf": "18"}, "mpeg4": {"b": "8M"}}


def film(frames: Sequence[PILImage.Image], frames_per_second: int) -> Video:
    """An MP4 of pictures shown one after the other.

    Args:
        frames: of one size; at least one.
        frames_per_second: how fast they are shown.
    """
    import av

    # The codec stores colours at half the resolution, so sides have to be even.
    width, height = (max(2, side - side % 2) for side in frames[0].size)
    buffer, frames_of = io.BytesIO(), cast(Any, av.VideoFrame)
    with av.open(buffer, "w", format="mp4") as container:
        codec = next(codec for codec in _CODECS if codec in av.codecs_available)
        stream: Any = container.add_stream(codec, rate=frames_per_second, options=_CODECS[codec])
        # Several threads may cut the work differently each time: equal frames give equal bytes.
        stream.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            frame = frames_of.from_image(on_white(picture).resize((width, height)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Video(buffer.getvalue(), "video/mp4")

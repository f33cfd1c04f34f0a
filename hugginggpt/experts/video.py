"""Encodes frames as a video, and samples frames from one."""

import io
from collections.abc import Iterator, Sequence
from typing import Any, cast

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.drawing import opaque
from hugginggpt.media import Video

# The codec that browsers play, and one that every build of PyAV has, both at a visually lossless quality. x264's
# macroblock tree (mbtree) is off because it sometimes gives different bytes for equal frames.
_CODECS = {"libx264": {"crf": "18", "x264-params": "mbtree=0"}, "mpeg4": {"b": "8M"}}

_MOST_PIXELS = 2_000_000
"""The size limit of a sampled frame."""


def encode_video(frames: Sequence[PILImage.Image], frames_per_second: int) -> Video:
    """Encode frames as MP4.

    Args:
        frames: at least one, all of the same size.
        frames_per_second: the frame rate.
    """
    import av

    # The codec stores colours at half the resolution, so both sides have to be even.
    width, height = (max(2, side - side % 2) for side in frames[0].size)
    buffer, frames_of = io.BytesIO(), cast(Any, av.VideoFrame)
    with av.open(buffer, "w", format="mp4") as container:
        codec = next(codec for codec in _CODECS if codec in av.codecs_available)
        stream: Any = container.add_stream(codec, rate=frames_per_second, options=_CODECS[codec])
        # With several threads, equal frames would not always give equal bytes.
        stream.thread_count = 1
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in frames:
            frame = frames_of.from_image(opaque(picture).resize((width, height)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Video(buffer.getvalue(), "video/mp4")


def sample_frames(video: Video, count: int, deadline: Deadline) -> list[PILImage.Image]:
    """Evenly spaced frames from the whole video; if it has too few, the last one is repeated.

    Raises:
        ExpertError: the video cannot be decoded.
        DeadlineExceededError: decoding took too long.
    """
    import av

    try:
        with av.open(io.BytesIO(video.data), "r") as container:
            total = _length(container, deadline)
            wanted = [min(total - 1, int((place + 0.5) * total / count)) for place in range(count)]
            container.seek(0)
            found: list[PILImage.Image] = []
            shown: Iterator[Any] = container.decode(video=0)
            for number, frame in enumerate(shown):
                deadline.check()
                while len(found) < count and wanted[len(found)] <= number:
                    found.append(frame.to_image(**_size(frame)))
                if len(found) == count:
                    break
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise ExpertError("The video cannot be decoded: save it again as MP4.") from error
    if not found:
        raise ExpertError("The video has no frames: save it again as MP4.")
    return found + [found[-1]] * (count - len(found))


def _size(frame: Any) -> dict[str, int]:
    """The size to keep a frame at. All frames are in memory at once, and no model needs larger ones."""
    scale = min(1.0, (_MOST_PIXELS / (frame.width * frame.height)) ** 0.5)
    return {"width": max(1, int(frame.width * scale)), "height": max(1, int(frame.height * scale))}


def _length(container: Any, deadline: Deadline) -> int:
    """The number of frames, counted because the header may be wrong."""
    total = 0
    for packet in container.demux(video=0):
        deadline.check()
        total += packet.size > 0
    return max(1, total)

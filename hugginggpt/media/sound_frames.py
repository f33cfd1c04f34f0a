"""Streams of sound without a header: MP3 and AAC, whose frames say how long they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hugginggpt.media.input_formats import AAC, MP3, Format

_NEAR_BYTES = 1 << 13
_FRAMES_IN_A_ROW = 3
_HEADER_BYTES = 6
_SYNC = 0xFF
_MPEG_1, _LAYER_1, _LAYER_2 = 3, 3, 2
_KILOBITS = {
    (True, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By whether it is MPEG-1, and the layer as its header writes it."""
_RATES = {0: (11_025, 12_000, 8_000), 2: (22_050, 24_000, 16_000), 3: (44_100, 48_000, 32_000)}
"""Samples per second, by the version as its header writes it."""
_ADTS_RATES = 13
_LAYER_3 = 1
_MONO = 0xC0
_SIDE_BYTES = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}
"""What is in front of the sound in a frame of layer 3, by whether it is MPEG-1, and mono."""
_INDICES = (b"Xing", b"Info")
_VBRI_AT = 36
_INDEX_BITS = 8
"""The rate of the frame that holds an index, as its header writes it: there is room for one at any."""
_HAS_COUNT = 1


class _Frame(NamedTuple):
    """The header of a frame.

    Attributes:
        kind: what all frames of a stream share: the format, the version, the layer, the rate.
        length: of this frame in bytes.
        bits: the bits per second, as the header writes them.
    """

    kind: tuple[Format, int, int, int]
    length: int
    bits: int = 0


def tag_length(data: bytes) -> int:
    """Bytes of an ID3 tag at the beginning of a file; 0 if there is none."""
    if not data.startswith(b"ID3"):
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))


def stream_format(data: bytes) -> Format | None:
    """The format of a stream of which a whole frame is near the beginning; None if there is none.

    A recording of a radio station begins within a frame, and its server may have said something first.
    """
    begin = _begin(data, 0, _NEAR_BYTES)
    return None if begin is None else begin[1].kind[0]


def mended(data: bytes) -> bytes:
    """A stream from its first whole frame on, with the number of its frames if their lengths do not show it.

    Readers take the first frame of an MP3 for the measure of all others, unless there is an index.
    """
    start = tag_length(data)
    begin = _begin(data, start, start + _NEAR_BYTES)
    if begin is None:
        return data
    at, frame = begin
    index = _index(data, at, frame)
    return data if at == start and not index else data[:start] + index + data[at:]


def _index(data: bytes, at: int, first: _Frame) -> bytes:
    """The frame with an index that an MP3 lacks; nothing if it needs none."""
    _, version, layer, _ = first.kind
    side = at + 4
    place = side + _SIDE_BYTES[version == _MPEG_1, data[at + 3] & _MONO == _MONO]
    if layer != _LAYER_3 or data.startswith(_INDICES, place) or data.startswith(b"VBRI", at + _VBRI_AT):
        return b""
    frames = list(_frames(data, at, first))
    if len({frame.bits for frame in frames}) == 1:
        return b""
    # Without a checksum, and without padding.
    header = bytes((_SYNC, data[at + 1] | 1, _INDEX_BITS << 4 | data[at + 2] & 0x0C, data[at + 3]))
    holder = _frame(header + bytes(_HEADER_BYTES), 0)
    assert holder is not None
    content = header + bytes(place - side) + _INDICES[0] + struct.pack(">II", _HAS_COUNT, len(frames))
    return content.ljust(holder.length, b"\x00")


def _frames(data: bytes, at: int, first: _Frame) -> Iterator[_Frame]:
    """The whole frames of a stream, from one on; what is damaged between them is skipped."""
    here: tuple[int, _Frame] | None = (at, first)
    while here is not None:
        at, frame = here
        if at + frame.length > len(data):
            return
        yield frame
        after = _frame(data, at + frame.length)
        if after is not None and after.kind == first.kind:
            here = at + frame.length, after
        else:
            here = _begin(data, at + 1, len(data))


def _begin(data: bytes, start: int, end: int) -> tuple[int, _Frame] | None:
    """The first place from which on there are frames in a row, and the frame there."""
    at = data.find(_SYNC, start, end)
    while at >= 0:
        if (frame := _frame(data, at)) is not None and _goes_on(data, at, frame):
            return at, frame
        at = data.find(_SYNC, at + 1, end)
    return None


def _goes_on(data: bytes, at: int, frame: _Frame) -> bool:
    for _ in range(_FRAMES_IN_A_ROW - 1):
        at += frame.length
        after = _frame(data, at)
        if after is None or after.kind != frame.kind:
            return False
        frame = after
    return True


def _frame(data: bytes, at: int) -> _Frame | None:
    """The frame that begins here, if one does."""
    head = data[at : at + _HEADER_BYTES]
    if len(head) < _HEADER_BYTES or head[0] != _SYNC or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        rate, length = head[2] >> 2 & 15, (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        if head[1] < 0xF0 or rate >= _ADTS_RATES or length <= _HEADER_BYTES:
            return None
        return _Frame((AAC, version, layer, rate), length)
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _RATES or bits in (0, 15) or rate == 3:
        return None
    is_first = version == _MPEG_1
    per_second = _KILOBITS[is_first, layer][bits - 1] * 1000
    samples = _RATES[version][rate]
    if layer == _LAYER_1:
        length = (12 * per_second // samples + padding) * 4
    else:
        length = (144 if is_first or layer == _LAYER_2 else 72) * per_second // samples + padding
    return _Frame((MP3, version, layer, rate), length, bits)

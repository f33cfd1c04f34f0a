"""RapidOCR in a child process: finds the lines of a picture, turns the page upright and reads them."""

import ctypes
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from hugginggpt.child_process import Handler, Message
from hugginggpt.errors import ModelLoadError
from hugginggpt.experts.embedded.legible import line_of, read_page
from hugginggpt.experts.embedded.line_finder import SHORTEST_SIDE, LineFinder
from hugginggpt.experts.embedded.onnx import onnx_session
from hugginggpt.experts.embedded.page_tiles import Tile, put_together, smaller_tiles, tiles
from hugginggpt.experts.embedded.reading_order import Box, in_reading_order

# By itself, glibc keeps more of the large blocks that are freed the longer it runs. With this parameter, it returns
# blocks from this size on.
_MMAP_THRESHOLD = -3
_LARGE_BLOCK = 1 << 20

# RapidOCR's classifier of directions takes pictures of lines that are four times as long as high.
_HEAD = 4

# How many lines tell the direction of a page.
_ASKED = 18
_COMPARED = 3

# The probability that RapidOCR itself demands before it turns a line.
_SURE = 0.9

# The share of lines that may be taken for upside down on a page that is not; the classifier is not that good.
_DOUBT = 0.3

# How much longer than wide a box has to be to tell the direction of its line.
_TELLING = 2.0

# RapidOCR turns pictures of lines that are so much higher than wide.
_STANDING = 1.5

# RapidOCR scales thinner pictures to an enormous size, or fails.
_MOST_TIMES_AS_LONG = 8

# Lines are cut where they are longer, in heights of a line.
_LONGEST = 50
_BLANK = 0.2  # of the contrast of a line is the most in a space

# Lines are kept no higher than that; the model sees them 48 pixels high.
_HIGHEST_CROP = 64

# The model reads so many pixels of lines together, in heights of a line: its memory grows with them.
_READ_TOGETHER = 40
_MOST_TOGETHER = 6  # lines

_FAINTEST = 8  # levels between the darkest and the brightest spot of a tile with text


class Reader:
    """RapidOCR's three stages, with what it lacks: tiles, pages that lie on their side, and marks for what is unread.

    Args:
        engine: a `RapidOCR`.
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._finder = LineFinder(engine._load_det_model())
        self._classify = engine._load_cls_model()
        self._recognise = engine._load_rec_model()

    def read(self, picture: Any) -> Message:
        """The text of a picture, and its lines with their corners in pixels of the picture.

        Args:
            picture: uint8, shape (height, width, 3), BGR.
        """
        import numpy as np

        found = self._boxes(picture)
        if not found:
            return {"text": "", "lines": []}, b""
        turns = 1 if _lies_on_its_side(found) else 0
        if turns:
            # Short words are found less reliably on their side.
            found = [_turned(box, np.rot90(picture), 3) for box in self._boxes(picture, turns)] or found
        boxes, crops = self._cut_out(picture, found, turns)
        if self._is_upside_down(crops, boxes, unsure=turns > 0):
            turns += 2
            boxes, crops = self._cut_out(picture, found, turns)
        self._turn_standing(boxes, crops)
        boxes, crops = _divided(boxes, crops)
        texts = read_page([line_of(crop, text, info) for crop, text, _, info in self._read_lines(crops)])
        kept = [n for n, text in enumerate(texts) if text]
        page = np.rot90(picture, turns)
        return {
            "text": in_reading_order([(boxes[n], texts[n]) for n in kept]),
            "lines": [[texts[n], _moved(boxes[n], page, -turns % 4)] for n in kept],
        }, b""

    def _boxes(self, picture: Any, turns: int = 0) -> list[Box]:
        """The boxes of all lines, in pixels of the picture after quarter turns to the left."""
        import numpy as np

        height, width = np.rot90(picture, turns).shape[:2]
        found = self._found(picture, turns, tiles(width, height))
        line = median([min(math.dist(box[0], box[1]), math.dist(box[0], box[3])) for box in found] or [0.0])
        smaller = smaller_tiles(width, height, line)
        return self._found(picture, turns, smaller) if smaller else found

    def _found(self, picture: Any, turns: int, parts: Sequence[Tile]) -> list[Box]:
        import numpy as np

        turned = np.rot90(picture, turns)
        found = []
        for part in parts:
            least = SHORTEST_SIDE if len(parts) > 1 else max(picture.shape[:2]) // _MOST_TIMES_AS_LONG
            tile = _padded(turned[part.top : part.bottom, part.left : part.right], least)
            if int(tile.max()) - int(tile.min()) < _FAINTEST:
                continue
            boxes = self._finder.boxes(np.rot90(tile, -turns), turns)
            found.append([[[x + part.left, y + part.top] for x, y in box] for box in boxes])
        return put_together(found)

    def _cut_out(self, picture: Any, found: Sequence[Box], turns: int) -> tuple[list[Box], list[Any]]:
        """The boxes of a picture after a number of quarter turns to the left, and the pictures of its lines."""
        import numpy as np

        boxes = [_turned(box, picture, turns) for box in found]
        page = np.rot90(picture, turns)
        # A line is turned as it is cut out, by the order of its corners.
        corners = np.array([_moved(box, page, -turns % 4) for box in boxes], np.float32)
        # One after the other, because high ones are shrunk.
        return boxes, [_lowered(self._engine.crop_text_regions(picture, [of_line])[0]) for of_line in corners]

    def _is_upside_down(self, crops: Sequence[Any], boxes: Sequence[Box], *, unsure: bool) -> bool:
        """Whether most lines of a page stand on their heads, by the classifier, or by what can be read if it is unsure.

        By itself the classifier takes some lines for upside down.
        """
        lying = [crop for crop, box in zip(crops, boxes, strict=True) if not _is_standing(box)] or list(crops)
        asked = sorted(lying, key=lambda crop: -crop.shape[1] / crop.shape[0])[:_ASKED]
        if not unsure and sum(self._heads_down(asked)) <= _DOUBT * len(asked):
            return False
        compared = asked[:_COMPARED]
        upright = self._clarity(compared)
        return self._clarity([crop[::-1, ::-1] for crop in compared]) > upright

    def _turn_standing(self, boxes: Sequence[Box], crops: list[Any]) -> None:
        """Correct the pictures of boxes that are higher than wide, which RapidOCR turns to the left without looking.

        As high as a line they are narrow signs, such as a 1, and must stay as they are. Others are lines along the
        margin and may run either way.
        """
        import numpy as np

        standing = [n for n, box in enumerate(boxes) if _is_standing(box)]
        if not standing:
            return
        heights = [math.dist(box[0], box[3]) for box in boxes]
        line = median([height for n, height in enumerate(heights) if n not in standing] or [0.0])
        signs = [n for n in standing if heights[n] < _STANDING * line]
        for n in signs:
            crops[n] = np.rot90(crops[n], -1)
        margin = [n for n in standing if n not in signs]
        for n, down in zip(margin, self._heads_down([crops[n] for n in margin]) if margin else (), strict=True):
            if down:
                crops[n] = crops[n][::-1, ::-1]

    def _heads_down(self, crops: Sequence[Any]) -> list[bool]:
        # Longer lines would be squeezed.
        answer = self._classify([crop[:, : _HEAD * crop.shape[0]] for crop in crops])
        return ["180" in direction and score > _SURE for direction, score in answer.cls_res]

    def _clarity(self, crops: Sequence[Any]) -> float:
        """How much can be read in pictures of lines, and how surely."""
        return sum(score**2 * len(text.replace(" ", "")) for _, text, score, _ in self._read_lines(crops))

    def _read_lines(self, crops: Sequence[Any]) -> list[tuple[Any, str, float, Any]]:
        from rapidocr.ch_ppocr_rec import TextRecInput

        read: dict[int, tuple[Any, str, float, Any]] = {}
        for numbers in _groups([crop.shape[1] / crop.shape[0] for crop in crops]):
            answer = self._recognise(TextRecInput(img=[crops[n] for n in numbers], return_word_box=True))
            for n, text, score, info in zip(numbers, answer.txts, answer.scores, answer.word_results, strict=True):
                read[n] = crops[n], text, score, info
        return [read[n] for n in range(len(crops))]


def _groups(lengths: Sequence[float]) -> Iterator[list[int]]:
    """The numbers of the lines that are read together, by their lengths in heights of a line."""
    group: list[int] = []
    for n in sorted(range(len(lengths)), key=lengths.__getitem__):
        if group and (len(group) == _MOST_TOGETHER or lengths[n] * (len(group) + 1) > _READ_TOGETHER):
            yield group
            group = []
        group.append(n)
    if group:
        yield group


def _lowered(crop: Any) -> Any:
    """The picture of a line, shrunk if it is high."""
    import cv2

    height, width = crop.shape[:2]
    if height <= _HIGHEST_CROP:
        return crop
    return cv2.resize(
        crop, (max(1, round(width * _HIGHEST_CROP / height)), _HIGHEST_CROP), interpolation=cv2.INTER_AREA
    )


def _lies_on_its_side(boxes: Sequence[Box]) -> bool:
    """Whether more of the text runs down or up the page than across it."""
    across = down = 0.0
    for box in boxes:
        width, height = math.dist(box[0], box[1]), math.dist(box[0], box[3])
        if width >= _TELLING * height:
            across += width
        elif height >= _TELLING * width:
            down += height
    return down > across


def _turned(box: Box, picture: Any, turns: int) -> Box:
    """A box of a picture after quarter turns of the picture to the left, from its new top left corner on."""
    corners = _moved(box, picture, turns)
    return [*corners[turns:], *corners[:turns]]


def _moved(box: Box, picture: Any, turns: int) -> list[list[float]]:
    """Where the corners of a box are after quarter turns of the picture to the left."""
    height, width = picture.shape[:2]
    corners = [[float(x), float(y)] for x, y in box]
    for _ in range(turns):
        corners = [[y, width - x] for x, y in corners]
        width, height = height, width
    return corners


def _divided(boxes: Sequence[Box], crops: Sequence[Any]) -> tuple[list[Box], list[Any]]:
    """The boxes and pictures of lines, with very long ones cut at spaces, because the model takes long for them."""
    parts: list[tuple[Box, Any]] = []
    for box, crop in zip(boxes, crops, strict=True):
        length = crop.shape[1]
        places = [0, *(_spaces(crop) if length > _LONGEST * crop.shape[0] and not _is_standing(box) else ()), length]
        for start, end in pairwise(places):
            upper, lower = ([_between(box[a], box[b], x / length) for x in (start, end)] for a, b in ((0, 1), (3, 2)))
            part = [upper[0], upper[1], lower[1], lower[0]] if len(places) > 2 else box
            parts.append((part, crop[:, start:end]))
    return [box for box, _ in parts], [crop for _, crop in parts]


def _spaces(crop: Any) -> Iterator[int]:
    """Where to cut the picture of a long line: in the middle of a wide space before each limit of the length."""
    import numpy as np

    height, length = crop.shape[:2]
    middle = crop[height // 5 : -(height // 5) or None].mean(axis=2)
    blank = np.ptp(middle, axis=0) < _BLANK * np.ptp(middle)
    place, limit = 0, _LONGEST * height // 2
    while length - place > _LONGEST * height:
        window = blank[place + limit : place + 2 * limit]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], window.astype(np.int8), [0]])))
        starts, ends = edges[::2], edges[1::2]
        widest = int(np.argmax(ends - starts)) if len(starts) else -1
        place += limit + (int(starts[widest] + ends[widest]) // 2 if widest >= 0 else limit)
        yield place


def _between(one: Sequence[float], other: Sequence[float], share: float) -> list[float]:
    return [a + share * (b - a) for a, b in zip(one, other, strict=True)]


def _is_standing(box: Box) -> bool:
    return math.dist(box[0], box[3]) >= _STANDING * math.dist(box[0], box[1])


def _padded(tile: Any, least: int) -> Any:
    """The tile, with white on the right or below if a side is too short."""
    import numpy as np

    height, width = tile.shape[:2]
    if min(height, width) >= least:
        return tile
    padded = np.full((max(height, least), max(width, least), 3), 255, np.uint8)
    padded[:height, :width] = tile
    return padded


def make_reader(folder: str, threads: int) -> Handler:
    """Returns the handler: the pixels of a picture in, its text and its lines with their corners out.

    Args:
        folder: the folder with the ONNX models of RapidOCR's three stages.
        threads: how many they may use.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)
    import numpy as np
    from omegaconf import flag_override
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "error", "Det.limit_side_len": 32})
    for stage in ("Det", "Cls", "Rec"):
        path = next(Path(folder).glob(f"*_{stage.lower()}_*.onnx"), None)
        if path is None:
            raise ModelLoadError(f"The {stage} model of RapidOCR is missing: reinstall the package rapidocr.")
        with flag_override(engine.cfg[stage], "allow_objects", True):
            engine.cfg[stage].session = onnx_session(path, threads, shares_memory=True)
    reader = Reader(engine)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)

    def read(header: Mapping[str, Any], data: bytes) -> Message:
        return reader.read(np.frombuffer(data, np.uint8).reshape(header["height"], header["width"], 3))

    return read

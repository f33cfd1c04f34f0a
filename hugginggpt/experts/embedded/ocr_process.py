"""RapidOCR in a child process, and the reading order of the boxes it finds."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from hugginggpt.child_process import Handler, Message
from hugginggpt.errors import ModelLoadError

# RapidOCR's classifier of directions takes pictures of lines that are four times as long as high.
_HEAD = 4

# The probability that RapidOCR itself demands before it turns a line.
_SURE = 0.9

Box = Sequence[Sequence[float]]
"""Four corners (x, y) in pixels, relative to the text: top left, top right, bottom right, bottom left."""


@dataclass
class _Piece:
    left: float
    top: float
    bottom: float
    text: str

    @property
    def height(self) -> float:
        return self.bottom - self.top


def in_reading_order(found: Sequence[tuple[Box, str]]) -> str:
    """The text of a page. Each row is one line, read from left to right; rows go from top to bottom.

    This keeps a label and its amount together, however far apart they are printed. A page that was
    scanned at an angle is straightened first.
    """
    slant = _slant([box for box, _ in found])
    rows: list[list[_Piece]] = []
    for piece in sorted((_piece(box, text, slant) for box, text in found), key=lambda p: p.top + p.bottom):
        if rows and _same_row(rows[-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return "\n".join(" ".join(p.text for p in sorted(row, key=lambda p: p.left)) for row in rows)


def _slant(boxes: Sequence[Box]) -> float:
    """The angle of the lines in radians: the median over the boxes that are long enough."""
    edges = [(b[1][0] - b[0][0], b[1][1] - b[0][1], math.dist(b[0], b[3])) for b in boxes]
    angles = [math.atan2(dy, dx) for dx, dy, height in edges if math.hypot(dx, dy) > 2 * height]
    return median(angles) if angles else 0.0


def _piece(box: Box, text: str, slant: float) -> _Piece:
    cos, sin = math.cos(-slant), math.sin(-slant)
    ys = [x * sin + y * cos for x, y in box]
    return _Piece(left=min(x * cos - y * sin for x, y in box), top=min(ys), bottom=max(ys), text=text.strip())


def _same_row(row: Sequence[_Piece], piece: _Piece) -> bool:
    """Whether a piece belongs to a row: they share half the height of the smaller one.

    A piece three times as high is not part of the row but vertical text in the margin.
    """
    top, bottom = fmean(p.top for p in row), fmean(p.bottom for p in row)
    low, high = sorted((piece.height, bottom - top))
    return min(bottom, piece.bottom) - max(top, piece.top) > 0.5 * low and high < 3 * low


def one_direction(classify: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    """A classifier of directions that turns all lines of a page, or none, as most of them stand.

    By itself RapidOCR's takes some lines for upside down, above all long ones, which it squeezes to look at them.

    Args:
        classify: takes pictures of lines; answers with them, turned, as `img_list`, and their directions as `cls_res`.
    """

    def turn(lines: Sequence[Any]) -> Any:
        answer = classify([line[:, : _HEAD * line.shape[0]] for line in lines])
        upside_down = sum("180" in direction and score > _SURE for direction, score in answer.cls_res)
        answer.img_list = [line[::-1, ::-1] if upside_down > len(lines) / 2 else line for line in lines]
        return answer

    return turn


def make_reader(folder: str, threads: int) -> Handler:
    """Returns the handler: the pixels of a picture in, its text and its lines with their corners out.

    Args:
        folder: the folder with the ONNX models of RapidOCR's three stages.
        threads: how many they may use.
    """
    import numpy as np
    from rapidocr import RapidOCR

    models = {}
    for stage in ("Det", "Cls", "Rec"):
        path = next(Path(folder).glob(f"*_{stage.lower()}_*.onnx"), None)
        if path is None:
            raise ModelLoadError(f"The {stage} model of RapidOCR is missing: reinstall the package rapidocr.")
        # Explicit paths, because the library downloads models that it does not find.
        models[f"{stage}.model_path"] = str(path)
    engine: Any = RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            **models,
        }
    )
    engine.text_cls = one_direction(engine._load_cls_model())

    def read(header: Mapping[str, Any], data: bytes) -> Message:
        pixels = np.frombuffer(data, np.uint8).reshape(header["height"], header["width"], 3)
        output: Any = engine(np.ascontiguousarray(pixels[:, :, ::-1]))  # it expects BGR
        found = [] if output.txts is None else list(zip(output.boxes.tolist(), output.txts, strict=True))
        return {"text": in_reading_order(found), "lines": [[text, box] for box, text in found]}, b""

    return read

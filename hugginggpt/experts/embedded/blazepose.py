"""The person in the foreground of a picture, with joints and outline, by BlazePose (arXiv 2006.10204)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as PILImage

# The detector's side in pixels, and the cells per side and guesses per cell of its three grids.
_DETECTOR_SIDE = 224
_GRIDS = ((28, 2), (14, 2), (7, 6))

_SIDE = 256
"""Of the upright square around a person in which joints and outline are found."""

_AROUND = 2.5
"""The side of that square, as a multiple of the distance from the hips to the end of the body."""

_SURE = 0.5
_JOINTS = 33
_LOGIT_LIMIT = 50.0


@dataclass(frozen=True)
class Person:
    """Someone in a picture.

    Attributes:
        score: how sure the model is that this is a person.
        joints: x and y of 33 joints, in pixels; shape (33, 2).
        visible: the probability that each joint is visible; shape (33,).
        outline: roughly, the probability that each pixel of a square belongs to the person; shape (256, 256).
        square: the affine matrix from places in the square to places in the picture; shape (2, 3).
    """

    score: float
    joints: Any
    visible: Any
    outline: Any
    square: Any


class BlazePose:
    """The networks: one finds a person, one the joints and a rough outline, one a sharp outline of all people together.

    Args:
        folder: the folder of MediaPipe's modules.
        threads: how many the networks may use.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._detect = _network(folder / "pose_detection" / "pose_detection.tflite", threads)
        self._examine = _network(folder / "pose_landmark" / "pose_landmark_full.tflite", threads)
        self._outline = _network(folder / "selfie_segmentation" / "selfie_segmentation.tflite", threads)
        self._centres = _centres()

    def __call__(self, picture: PILImage.Image) -> Person | None:
        """The person in the foreground of a picture in RGB; None if there is none."""
        ends = self._ends(picture)
        if ends is None or (ends[0] == ends[1]).all():
            return None
        person = self._person(picture, *ends)
        if person is None:
            return None
        left, top, right, bottom = _around(person.square, picture)
        return person if left < right and top < bottom else None

    def mask(self, picture: PILImage.Image, person: Person) -> Any:
        """Which pixels of the picture belong to the person: boolean, shape (height, width)."""
        import numpy as np

        into_square = np.linalg.inv(np.vstack([person.square, [0.0, 0.0, 1.0]]))[:2]
        rough = PILImage.fromarray(person.outline).transform(
            picture.size, PILImage.Transform.AFFINE, into_square.ravel().tolist(), PILImage.Resampling.BILINEAR
        )
        left, top, right, bottom = _around(person.square, picture)
        around = picture.crop((left, top, right, bottom))
        (sharp,) = self._outline(_pixels(around.resize((_SIDE, _SIDE), PILImage.Resampling.BILINEAR)))
        sharp = PILImage.fromarray(sharp[0, :, :, 0]).resize(around.size, PILImage.Resampling.BILINEAR)
        mask = np.zeros((picture.height, picture.width), bool)
        here = (slice(top, bottom), slice(left, right))
        mask[here] = np.minimum(np.asarray(rough)[here], np.asarray(sharp)) > _SURE
        return mask

    def _ends(self, picture: PILImage.Image) -> tuple[Any, Any] | None:
        """The middle of the hips and the end of the body of the likeliest person, in pixels."""
        import numpy as np

        # Made small before it is made square: the square of a long picture may not fit into memory.
        width, height = (max(1, round(length * _DETECTOR_SIDE / max(picture.size))) for length in picture.size)
        margin = ((_DETECTOR_SIDE - width) // 2, (_DETECTOR_SIDE - height) // 2)
        page = PILImage.new("RGB", (_DETECTOR_SIDE, _DETECTOR_SIDE))
        page.paste(picture.resize((width, height), PILImage.Resampling.BILINEAR), margin)
        guesses, scores = self._detect(np.asarray(page, np.float32) / 127.5 - 1.0)
        best = int(scores[0, :, 0].argmax())
        if _probability(scores[0, best, 0]) < _SURE:
            return None
        # A box, then four points, of which the first two are the middle of the hips and the end of the body.
        points = guesses[0, best, 4:8].reshape(2, 2) / _DETECTOR_SIDE + self._centres[best]
        hips, end = (points * _DETECTOR_SIDE - margin) * picture.size / (width, height)
        return hips, end

    def _person(self, picture: PILImage.Image, hips: Any, end: Any) -> Person | None:
        import numpy as np

        across, up = end - hips
        scale = _AROUND * float(np.hypot(across, up)) / _SIDE
        tilt = np.arctan2(across, -up)
        turn = scale * np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        square = np.column_stack([turn, hips - turn @ np.array([_SIDE / 2, _SIDE / 2])])
        upright = picture.transform(
            (_SIDE, _SIDE), PILImage.Transform.AFFINE, square.ravel().tolist(), PILImage.Resampling.BILINEAR
        )
        found, score, outline, *_ = self._examine(_pixels(upright))
        if float(score[0, 0]) < _SURE:
            return None
        joints = found.reshape(-1, 5)[:_JOINTS]
        return Person(
            score=float(score[0, 0]),
            joints=joints[:, :2] @ turn.T + square[:, 2],
            visible=_probability(joints[:, 3]),
            outline=_probability(outline[0, :, :, 0]).astype(np.float32),
            square=square,
        )


def _network(file: Path, threads: int) -> Callable[[Any], Sequence[Any]]:
    """A function that takes a picture, shape (height, width, 3), and returns what the network says of it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    outputs = [output["index"] for output in interpreter.get_output_details()]

    def run(picture: Any) -> Sequence[Any]:
        interpreter.set_tensor(given["index"], picture[None])
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in outputs]

    return run


def _around(square: Any, picture: PILImage.Image) -> tuple[int, int, int, int]:
    """The left, top, right and bottom end of a person's square in the picture, which may be outside of it."""
    import numpy as np

    corners = np.array([[0, 0], [_SIDE, 0], [0, _SIDE], [_SIDE, _SIDE]]) @ square[:, :2].T + square[:, 2]
    left, top = np.clip(corners.min(axis=0), 0, None).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), picture.size).astype(int).tolist()
    return left, top, right, bottom


def _pixels(picture: PILImage.Image) -> Any:
    import numpy as np

    return np.asarray(picture, np.float32) / 255.0


def _centres() -> Any:
    """The middle of the cell of each of the detector's guesses, as shares of the side; shape (guesses, 2)."""
    import numpy as np

    found = []
    for cells, guesses in _GRIDS:
        middles = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(middles, middles, indexing="ij")
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), guesses, axis=0))
    return np.concatenate(found)


def _probability(logits: Any) -> Any:
    import numpy as np

    return 1.0 / (1.0 + np.exp(-np.clip(logits, -_LOGIT_LIMIT, _LOGIT_LIMIT)))

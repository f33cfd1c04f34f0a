"""Turns results that several kinds share into values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from PIL import Image as PILImage

from hugginggpt.experts.base import Outputs
from hugginggpt.experts.drawing import with_boxes, with_regions
from hugginggpt.media import Image, Structured
from hugginggpt.text import counted

_TOLD = 5
"""How many results the text of a value names."""


def classification(found: Sequence[dict[str, Any]]) -> Structured:
    """Labels with their scores, best first.

    Args:
        found: `[{"label", "score"}]`.
    """
    if not found:
        return Structured([], "No label applies.")
    told = [f"{entry['label']} ({entry['score']:.2f})" for entry in found[:_TOLD]]
    rest = f"; then {', '.join(told[1:])}" if len(told) > 1 else ""
    return Structured(list(found), f"{told[0]}{rest}.")


def detections(found: Sequence[dict[str, Any]], picture: PILImage.Image) -> Outputs:
    """Objects found in a picture, and the picture with a box and a label for each.

    Args:
        picture: the picture they were found in.
        found: `[{"label", "score", "box": {"xmin", "ymin", "xmax", "ymax"}}]`, boxes in pixels.
    """
    counts = Counter(entry["label"] for entry in found)
    scores = {label: [f"{e['score']:.2f}" for e in found if e["label"] == label] for label in counts}
    told = ", ".join(f"{count} × {label} ({', '.join(scores[label])})" for label, count in counts.most_common())
    text = f"{len(found)} found: {told}." if found else "No objects were found."
    return [Structured(list(found), text), Image(with_boxes(picture, found))]


def similarity(cosine: float) -> Structured:
    """How close two texts are in meaning."""
    text = f"The similarity of the two texts is {cosine:.2f}, where 1 is the same meaning."
    return Structured({"score": cosine}, text)


def entities(found: Sequence[dict[str, Any]]) -> Structured:
    """Labelled pieces of a text, in the order of the text.

    Args:
        found: `[{"label", "score", "text", "start", "end"}]`, positions in characters.
    """
    by_label: dict[str, list[str]] = {}
    for entry in found:
        by_label.setdefault(entry["label"], []).append(entry["text"])
    told = "; ".join(f"{label}: {', '.join(dict.fromkeys(texts))}" for label, texts in by_label.items())
    return Structured(list(found), f"{told}." if found else "Nothing was found in the text.")


def regions(found: Sequence[dict[str, Any]], picture: PILImage.Image) -> Outputs:
    """Regions of a picture, and the picture with each region in a colour.

    Args:
        found: `[{"label", "score", "mask"}]`; masks are boolean arrays, shape (height, width); labels may be
            empty, and scores None.
        picture: the picture they were found in.
    """
    shares = [float(entry["mask"].mean()) for entry in found]
    data = [
        {"label": entry["label"], "score": entry["score"], "share": share, "box": box_of(entry["mask"])}
        for entry, share in zip(found, shares, strict=True)
    ]
    named = [f"{entry['label']} ({share:.0%})" for entry, share in zip(found, shares, strict=True) if entry["label"]]
    told = f": {', '.join(named)}" if named else ""
    text = f"{counted(len(found), 'region')} found{told}." if found else "No regions were found."
    return [Structured(data, text), Image(with_regions(picture, [(e["label"], e["mask"]) for e in found]))]


def box_of(mask: Any) -> dict[str, int]:
    """The smallest box around a mask, in pixels; empty if the mask is.

    Args:
        mask: a boolean array, shape (height, width).
    """
    if not mask.any():
        return {"xmin": 0, "ymin": 0, "xmax": 0, "ymax": 0}
    columns, rows = mask.any(axis=0).nonzero()[0], mask.any(axis=1).nonzero()[0]
    return {
        "xmin": int(columns[0]),
        "ymin": int(rows[0]),
        "xmax": int(columns[-1]) + 1,
        "ymax": int(rows[-1]) + 1,
    }


def row_classes(found: Sequence[dict[str, Any]], column: str = "", notes: Sequence[str] = ()) -> Structured:
    """The classes of the rows of a table.

    Args:
        found: `[{"row", "label", "score"}]`, in the order of the table; "row" is the line of its file, the score may be
            None.
        column: the column that was predicted, if it is one of the table's.
        notes: sentences on how the table was read.
    """
    counts = Counter(str(entry["label"]) for entry in found)
    told = ", ".join(f"{count} × {label}" for label, count in counts.most_common())
    rows = _first_rows([(e["row"], e["label"]) for e in found])
    return Structured(list(found), " ".join([f"{_predicted(column)}{told}. {rows}", *notes]))


def row_values(
    found: Sequence[dict[str, Any]], column: str = "", unit: str = "", notes: Sequence[str] = ()
) -> Structured:
    """The numbers predicted for the rows of a table.

    Args:
        found: `[{"row", "value"}]`, in the order of the table; "row" is the line of its file.
        column: the column that was predicted, if it is one of the table's.
        unit: the unit of the numbers, if its cells name one.
        notes: sentences on how the table was read.
    """
    ending = unit if unit == "%" else f" {unit}" if unit else ""
    rows = _first_rows([(e["row"], f"{_shown(e['value'])}{ending}") for e in found])
    return Structured(list(found), " ".join([f"{_predicted(column)}{rows}", *notes]))


def _predicted(column: str) -> str:
    return f"Predicted {column}: " if column else ""


def _shown(number: float) -> str:
    return f"{number:.0f}" if 1e6 <= abs(number) < 1e15 else f"{number:.6g}"


def _first_rows(found: Sequence[tuple[int, str]]) -> str:
    more = "" if len(found) <= _TOLD else "; and so on"
    return "; ".join(f"row {row}: {what}" for row, what in found[:_TOLD]) + more + "."


def mask_fillings(masks: Sequence[Sequence[dict[str, Any]]]) -> Structured:
    """Words for the masks of a sentence; for a single mask, just its list.

    Args:
        masks: for each mask `[{"word", "score"}]`, best first.
    """
    told = "; ".join(
        f"{'' if len(masks) == 1 else f'mask {number}: '}"
        + ", ".join(f"{entry['word']} ({entry['score']:.2f})" for entry in words[:_TOLD])
        for number, words in enumerate(masks, start=1)
    )
    return Structured(list(masks[0]) if len(masks) == 1 else [list(words) for words in masks], f"{told}.")


def embedding(numbers: Sequence[float]) -> Structured:
    """An embedding."""
    return Structured(list(numbers), f"A vector of {len(numbers)} numbers.")

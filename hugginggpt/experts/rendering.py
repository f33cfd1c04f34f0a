"""How results that several experts share become values."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from PIL import Image as PILImage

from hugginggpt.experts.base import Outputs
from hugginggpt.experts.drawing import with_boxes
from hugginggpt.media import Image, Structured

_TOLD = 5
"""Labels that the text of a classification names."""


def classification(found: Sequence[dict[str, Any]]) -> Structured:
    """Labels with their scores, best first.

    Args:
        found: `[{"label", "score"}]`.
    """
    if not found:
        return Structured([], "No label fits.")
    told = [f"{entry['label']} ({entry['score']:.2f})" for entry in found[:_TOLD]]
    rest = f"; then {', '.join(told[1:])}" if len(told) > 1 else ""
    return Structured(list(found), f"{told[0]}{rest}.")


def detections(found: Sequence[dict[str, Any]], picture: PILImage.Image) -> Outputs:
    """Things found in a picture, and the picture with a box and a label for each.

    Args:
        picture: what they were found in.
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


def marked(found: Sequence[dict[str, Any]]) -> Structured:
    """Pieces of a text with what they are, in the text's order.

    Args:
        found: `[{"label", "score", "text", "start", "end"}]`, places in characters.
    """
    by_label: dict[str, list[str]] = {}
    for entry in found:
        by_label.setdefault(entry["label"], []).append(entry["text"])
    told = "; ".join(f"{label}: {', '.join(dict.fromkeys(texts))}" for label, texts in by_label.items())
    return Structured(list(found), f"{told}." if found else "Nothing was found in the text.")

"""The labels that a zero-shot kind sorts into."""

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs


def candidate_labels(inputs: Inputs) -> list[str]:
    """The labels of the request, each once. A single label with commas is a list written as one text.

    Raises:
        ExpertError: there are none.
    """
    given = [label.text for label in inputs["labels"]]
    labels = [part.strip() for text in given for part in (text.split(",") if len(given) == 1 else [text])]
    if not any(labels):
        raise ExpertError("There are no labels to sort into: name at least one.")
    return list(dict.fromkeys(label for label in labels if label))

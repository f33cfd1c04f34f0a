"""Text classification at an inference provider."""

from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.remote.provider import RemoteExpert, RemoteModel
from hugginggpt.experts.rendering import classification


class TextClassification(RemoteExpert):
    """Labels a text."""

    kind = "text-classification"

    def prepare(self, inputs: Inputs) -> Any:
        """The text."""
        return inputs["text"].text

    def run(self, model: RemoteModel, prepared: Any, deadline: Deadline) -> Any:
        """The score of each label."""
        return model.ask("text_classification", prepared, deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """`[{"label", "score"}]`, best first."""
        found = [{"label": element.label, "score": element.score} for element in raw]
        return [classification(sorted(found, key=lambda entry: -float(entry["score"])))]

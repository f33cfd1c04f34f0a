"""What the experts that look at people share."""

from typing import Any

from PIL import Image as PILImage

from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs
from hugginggpt.experts.drawing import on_white
from hugginggpt.experts.embedded.blazepose import BlazePose, Person
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.models.card import Endpoint, ModelCard


class PersonExpert(Expert):
    """Finds the person in the foreground of a picture with MediaPipe's models. MediaPipe itself is not used."""

    endpoint = Endpoint.EMBEDDED
    packages = ("mediapipe", "ai_edge_litert")
    requirement = "--no-deps mediapipe==0.10.21 ai-edge-litert"
    pool_key = "blazepose"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        (folder,) = packaged_files(card, "mediapipe")
        return BlazePose(folder / "modules", context.settings.cpu_threads)

    def prepare(self, inputs: Inputs) -> Any:
        return on_white(inputs["image"].image)

    def run(self, model: BlazePose, prepared: PILImage.Image, deadline: Deadline) -> Person:
        with computing(deadline):
            person = model(prepared)
        if person is None:
            raise ExpertError("No person was found in the foreground of the picture.")
        return person

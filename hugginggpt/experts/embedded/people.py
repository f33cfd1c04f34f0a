"""What the experts that look at people share."""

import platform
import sys
from collections.abc import Mapping
from typing import Any

from PIL import Image as PILImage

from hugginggpt.child_process import Child
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.embedded.package_files import packaged_files
from hugginggpt.models.card import Endpoint, ModelCard

START_SECONDS = 60.0

_HAS_MEDIAPIPE = sys.version_info < (3, 13) and platform.machine() != "aarch64"


class PersonExpert(Expert):
    """Finds the person in the foreground of a picture with MediaPipe's models. MediaPipe itself is not used."""

    endpoint = Endpoint.EMBEDDED
    packages = ("mediapipe", "ai_edge_litert")
    requirement = "--no-deps mediapipe==0.10.21 ai-edge-litert"
    not_here = "" if _HAS_MEDIAPIPE else "Python 3.11 or 3.12 on x86-64"
    pool_key = "blazepose"
    masks = False
    """Whether the mask of the person is wanted."""

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        (folder,) = packaged_files(card, "mediapipe")
        threads = context.settings.cpu_threads
        arguments: Mapping[str, object] = {"folder": str(folder / "modules"), "threads": threads}
        finder = Child("hugginggpt.experts.embedded.people_process:make_finder", arguments, threads=threads)
        finder.start(Deadline(START_SECONDS))
        return finder

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: Child, prepared: PILImage.Image, deadline: Deadline) -> Any:
        header = {"width": prepared.width, "height": prepared.height, "mask": self.masks}
        with computing(deadline):
            person, mask = model.call(header, prepared.tobytes(), deadline=deadline)
        if not person["found"]:
            raise ExpertError("No person was found in the foreground of the picture.")
        return person, mask

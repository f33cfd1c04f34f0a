"""Poses as a control picture: joints found by ViTPose, drawn in the style of OpenPose (arXiv 1812.08008)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image as PILImage

from hugginggpt.deadline import Deadline
from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.object_detection import ObjectDetection
from hugginggpt.experts.local.runtime.model_class import Network, NetworkExpert
from hugginggpt.experts.openpose import Joint, drawn_people, openpose_joints
from hugginggpt.media import Image
from hugginggpt.models.card import ModelCard

_SURE = 0.3
_SMALLEST = 16
_PERSON = "person"

# The index in COCO's 17 joints of each of OpenPose's 18. The neck, its second, is between the shoulders.
_FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_SHOULDERS = (5, 6)


@dataclass(frozen=True)
class _PoseModels:
    """The model that finds joints, and the one that finds people."""

    joints: LoadedModel[Network]
    people: LoadedModel[Any] | None

    @property
    def bytes(self) -> int:
        return self.joints.bytes + (self.people.bytes if self.people else 0)


class OpenposeControl(NetworkExpert):
    """Draws the poses of the people that the card's companion finds, or else of one person who fills the picture."""

    kind = "openpose-control"
    model_class = "VitPoseForPoseEstimation"
    processor_class = "AutoImageProcessor"

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        joints = super().load(card, context)
        if not card.companions:
            return _PoseModels(joints, None)
        detector = ObjectDetection()
        people = detector.load(ModelCard(id=card.companions[0], kind=detector.kind), context)
        return _PoseModels(joints, people)

    def prepare(self, inputs: Inputs) -> Any:
        picture = opaque(inputs["image"].image)
        if min(picture.size) < _SMALLEST:
            raise ExpertError(
                f"The picture is too small for poses: use one of at least {_SMALLEST} × {_SMALLEST} pixels."
            )
        return picture

    def run(self, model: _PoseModels, prepared: Any, deadline: Deadline) -> Any:
        boxes = [[0.0, 0.0, float(prepared.width), float(prepared.height)]]
        if model.people is not None:
            found = model.people.run(lambda pipeline: pipeline(prepared), deadline)
            boxes = [_box(entry["box"]) for entry in found if entry["label"] == _PERSON]
            if not boxes:
                raise ExpertError("The picture shows no people whose poses could be drawn.")
        return model.joints.run(lambda network: _people(network, prepared, boxes), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Image(drawn_people(raw, inputs["image"].image.size))]


def _box(box: dict[str, float]) -> list[float]:
    """Left, top, width and height: the form of a box that ViTPose takes."""
    return [box["xmin"], box["ymin"], box["xmax"] - box["xmin"], box["ymax"] - box["ymin"]]


def _people(network: Network, picture: PILImage.Image, boxes: list[list[float]]) -> list[list[Joint]]:
    """The 18 joints of each person, in pixels; None if a joint is not visible."""
    import torch

    model, processor = network.model, network.processor
    given = processor(picture, boxes=[boxes], return_tensors="pt").to(model.device, model.dtype)
    if getattr(model.config.backbone_config, "num_experts", 1) > 1:
        # ViTPose+ has an expert for each dataset that it was trained on; the first is COCO's.
        given["dataset_index"] = torch.zeros(len(boxes), dtype=torch.int64, device=model.device)
    with torch.inference_mode():
        outputs = model(**given)
    (people,) = processor.post_process_pose_estimation(outputs, boxes=[boxes])
    return [_joints(person["keypoints"].tolist(), person["scores"].tolist()) for person in people]


def _joints(points: Sequence[Sequence[float]], scores: Sequence[float]) -> list[Joint]:
    seen: list[Joint] = [
        (point[0], point[1]) if score >= _SURE else None for point, score in zip(points, scores, strict=True)
    ]
    return openpose_joints(seen, _FROM_COCO, _SHOULDERS)

"""Soft edges as a control picture, with the network that ControlNet was trained with."""

from pathlib import Path
from typing import Any

from hugginggpt.deadline import Deadline
from hugginggpt.experts.base import ExpertContext, Inputs, Outputs
from hugginggpt.experts.drawing import opaque
from hugginggpt.experts.loaded_model import LoadedModel
from hugginggpt.experts.local.runtime.expert import LocalExpert
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.media import Image
from hugginggpt.models.card import ModelCard

# The network works best, and ControlNet was trained, on pictures of about this size.
_SHORTER_SIDE, _LONGER_SIDE, _SMALLEST = 512, 1024, 16


class HedControl(LocalExpert):
    """Draws the soft edges of a picture with HED. Its models are `LoadedModel`s whose tool is a `Hed`."""

    kind = "hed-control"

    def supports(self, card: ModelCard) -> bool:
        """Only models whose single file has a known hash, because none of them has a safe format."""
        return len(card.sha256) == 1

    def load(self, card: ModelCard, context: ExpertContext) -> LoadedModel[Any]:
        """Load the weights in full precision."""
        with model_loading(card, context) as target:
            import torch

            from hugginggpt.experts.local.runtime.hed_network import Hed

            (file,) = card.sha256
            network = Hed()
            # True: only tensors are loaded, and no code.
            network.load_state_dict(torch.load(Path(target.folder) / file, map_location="cpu", weights_only=True))
            return LoadedModel(network.float().to(target.device).eval(), [network])

    def prepare(self, inputs: Inputs) -> Any:
        return opaque(inputs["image"].image)

    def run(self, model: LoadedModel[Any], prepared: Any, deadline: Deadline) -> Any:
        """The strength of the edge at each pixel, at the size that suits the network."""
        return model.run(lambda network: _edges(network, prepared), deadline)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """White edges on black, in the size of the picture."""
        from PIL import Image as PILImage

        edges = PILImage.fromarray((255.0 * raw).astype("uint8"))
        return [Image(edges.resize(inputs["image"].image.size, PILImage.Resampling.BILINEAR).convert("RGB"))]


def _edges(network: Any, picture: Any) -> Any:
    import numpy as np
    import torch

    scale = min(_SHORTER_SIDE / min(picture.size), _LONGER_SIDE / max(picture.size))
    small = picture.resize([max(_SMALLEST, round(scale * side)) for side in picture.size])
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.array(small, np.float32)).permute(2, 0, 1)[None].to(device)
    with torch.inference_mode():
        return network(pixels)[0].cpu().numpy()

"""The network of HED, holistically-nested edge detection (Xie and Tu, arXiv 1504.06375), as ControlNet uses it.

Five blocks of convolutions as in VGG-16, each at half the resolution of the one before; each predicts edges
of its own. The names of the layers match the published weights (`ControlNetHED.pth`).
"""

import itertools

import torch
from torch import nn

# Channels and convolutions of each block.
_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class Block(nn.Module):
    """Some convolutions, and a projection of their features to edges."""

    def __init__(self, given: int, channels: int, layers: int) -> None:
        super().__init__()
        widths = [given, *[channels] * layers]
        pairs = itertools.pairwise(widths)
        self.convs = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairs)
        self.projection = nn.Conv2d(channels, 1, 1)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features for the next block, and the edges, both at the resolution of the input."""
        for conv in self.convs:
            features = torch.relu(conv(features))
        return features, self.projection(features)


class Hed(nn.Module):
    """Predicts the soft edges of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        given = 3
        for number, (channels, layers) in enumerate(_BLOCKS, 1):
            setattr(self, f"block{number}", Block(given, channels, layers))
            given = channels

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """The strength of the edge at each pixel.

        Args:
            pictures: RGB from 0 to 255, shape (pictures, 3, height, width), 16 or more pixels a side.

        Returns:
            From 0 to 1, shape (pictures, height, width).
        """
        features, drawn = pictures - self.norm, []
        for number in range(1, len(_BLOCKS) + 1):
            if number > 1:
                features = nn.functional.max_pool2d(features, 2)
            features, edges = getattr(self, f"block{number}")(features)
            drawn.append(nn.functional.interpolate(edges, pictures.shape[-2:], mode="bilinear"))
        return torch.sigmoid(torch.stack(drawn).mean(dim=0))[:, 0]

"""The size of the pictures that a diffusion pipeline generates."""

from inspect import signature

from PIL import Image as PILImage

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.local.runtime.diffusion import Diffuser

# Every pipeline accepts sides that are multiples of this many pixels.
_GRID = 32
_SMALLEST, _LARGEST = 64, 4096
_USUAL_SIDE = 512


def requested_size(inputs: Inputs) -> dict[str, int]:
    """The width and height that the request gives, rounded to the grid.

    Raises:
        ExpertError: one of them is too small or too large.
    """
    asked = {side: inputs[side] for side in ("width", "height") if inputs.get(side) is not None}
    for side, pixels in asked.items():
        if not _SMALLEST <= pixels <= _LARGEST:
            raise ExpertError(f"A {side} of {pixels} pixels cannot be generated: ask for {_SMALLEST} to {_LARGEST}.")
    return {side: _on_grid(pixels) for side, pixels in asked.items()}


def resized_for(picture: PILImage.Image, diffuser: Diffuser, inputs: Inputs) -> PILImage.Image:
    """The picture in the requested size, or else in the size that the model was trained on with its own proportions.

    Raises:
        ExpertError: the requested size cannot be generated.
    """
    ratio = picture.width / picture.height
    match requested_size(inputs):
        case {"width": width, "height": height}:
            pass
        case {"width": width}:
            height = _on_grid(width / ratio)
        case {"height": height}:
            width = _on_grid(height * ratio)
        case _:
            side = _trained_side(diffuser)
            width, height = _on_grid(side * min(1.0, ratio)), _on_grid(side / max(1.0, ratio))
    return picture.resize((width, height), PILImage.Resampling.LANCZOS)


def _trained_side(diffuser: Diffuser) -> int:
    arguments = signature(diffuser.pipeline.__call__).parameters
    usual = [arguments[side].default for side in ("width", "height") if side in arguments]
    if sides := [pixels for pixels in usual if isinstance(pixels, int)]:
        return max(sides)
    for name in ("unet", "transformer"):
        network = diffuser.pipeline.components.get(name)
        sample = getattr(getattr(network, "config", None), "sample_size", None)
        if isinstance(sample, int):
            return sample * int(getattr(diffuser.pipeline, "vae_scale_factor", 8))
    return _USUAL_SIDE


def _on_grid(pixels: float) -> int:
    """The nearest side that every pipeline accepts."""
    return max(_GRID, round(pixels / _GRID) * _GRID)

"""The frame rate of generated videos."""

from inspect import signature

from hugginggpt.experts.local.runtime.diffusion import Diffuser

# The frame rates that each family was trained on, according to its pipeline and its model card.
_TRAINED = {"Wan": 16, "LTX": 24, "CogVideoX": 8, "Mochi": 30, "Hunyuan": 24}
_USUAL = 8


def frames_per_second(diffuser: Diffuser) -> int:
    """The frame rate that a pipeline was trained on, from its arguments or its family; else a common one."""
    arguments = signature(diffuser.pipeline.__call__).parameters
    for name in ("frame_rate", "fps", "target_fps"):
        usual = arguments[name].default if name in arguments else None
        if isinstance(usual, int | float):
            return round(usual)
    name = type(diffuser.pipeline).__name__
    return next((tempo for family, tempo in _TRAINED.items() if name.startswith(family)), _USUAL)

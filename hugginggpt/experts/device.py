"""Where torch computes: the one place that decides it."""

from hugginggpt.settings import Settings


def set_up_torch(settings: Settings) -> str:
    """Give torch its share of the processor, keep transformers from drawing progress bars, and choose its device.

    Returns:
        The device's name: the first GPU if there is one, else the processor.
    """
    import torch
    from transformers.utils import logging as transformers_logging

    torch.set_num_threads(settings.cpu_threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"

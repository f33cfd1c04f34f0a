"""DeepFilterNet in a child process, with Silero VAD, which tells whether there is speech to keep."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hugginggpt.child_process import Handler, Message
from hugginggpt.experts.embedded.deep_filter import DeepFilter
from hugginggpt.experts.embedded.voice_activity import FRAME, RATE, SPEECH, VoiceActivity, even_loudness

_LEAST_SPEECH = 0.1
"""In seconds. Of a recording without speech, nothing would be left."""


def make_cleaner(archive: str, activity: str, threads: int) -> Handler:
    """Returns the handler: some seconds of float32 samples of one channel in, the speech in them out.

    If the header has `search`, the samples have the rate of Silero VAD, and the answer only says by `found` whether
    there is speech.

    Args:
        archive: the tar file with DeepFilterNet's networks.
        activity: the ONNX file of Silero VAD.
        threads: how many the models may use.
    """
    import numpy as np

    keep = DeepFilter(Path(archive), threads)
    find = VoiceActivity(Path(activity))

    def clean(header: Mapping[str, Any], data: bytes) -> Message:
        samples = np.frombuffer(data, np.float32)
        if header.get("search"):
            frames = int((find(even_loudness(samples)) > SPEECH).sum())
            return {"found": frames >= _LEAST_SPEECH * RATE / FRAME}, b""
        return {}, keep(samples).tobytes()

    return clean

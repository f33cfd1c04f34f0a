"""Recordings: reading WAV, FLAC, OGG and MP3, and writing WAV or FLAC."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import soundfile

from hugginggpt.media.problem import ContentProblem
from hugginggpt.media.values import Audio

_FLAC_SECONDS = 60
_FLAC_CHANNELS = 8
_BLOCK_FRAMES = 1 << 18
_DAMAGED = "is cut off or damaged and cannot be read as a recording; save it again"


def read(data: bytes) -> Audio:
    """A recording from its encoded bytes, all channels, at its own rate. A sample that is no number is silence.

    Raises:
        ContentProblem: it is damaged.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    return Audio(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), rate)


def check(data: bytes, max_seconds: float) -> None:
    """Decode a recording once, block by block, within a limit.

    Raises:
        ContentProblem: it is empty, cut off, damaged or too long.
    """
    too_long = f"lasts longer than the {max_seconds:g} seconds that HUGGINGGPT_MAX_AUDIO_SECONDS allows; cut it"
    if data.startswith(b"RIFF"):
        # libsndfile shortens a cut-off WAV in silence. A length of 0 or all ones is a stream's "not known".
        declared = int.from_bytes(data[4:8], "little")
        if declared not in (0, 0xFFFFFFFF) and declared + 8 > len(data) + 1:
            raise ContentProblem(_DAMAGED)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as recording:
            limit = max_seconds * recording.samplerate
            if recording.frames > limit:
                raise ContentProblem(too_long)
            frames = 0
            while block := len(recording.read(_BLOCK_FRAMES, dtype="float32")):
                frames += block
                # The header may lie.
                if frames > limit:
                    raise ContentProblem(too_long)
            if frames < recording.frames:
                raise ContentProblem(_DAMAGED)
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    if frames == 0:
        raise ContentProblem("holds no sound; record it again")


def write(audio: Audio, go_on: Callable[[], object]) -> tuple[bytes, str]:
    """16-bit WAV; FLAC when it lasts longer than a minute. Samples outside [-1, 1] are clipped.

    Writing what `read` gave from such a file gives the same bytes again.

    Args:
        audio: the recording.
        go_on: called before each block; what it raises ends the writing.
    """
    samples = np.asarray(audio.samples, dtype=np.float32)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    long = len(samples) > _FLAC_SECONDS * audio.rate and channels <= _FLAC_CHANNELS
    buffer = io.BytesIO()
    form = "FLAC" if long else "WAV"
    with soundfile.SoundFile(buffer, "w", audio.rate, channels, subtype="PCM_16", format=form) as recording:
        for start in range(0, len(samples), _BLOCK_FRAMES):
            go_on()
            block = np.nan_to_num(samples[start : start + _BLOCK_FRAMES])
            # As libsndfile reads; its own writing scales by 32767 and would lose a little each time.
            recording.write(np.clip(np.rint(block * 32768.0), -32768, 32767).astype(np.int16))
    return buffer.getvalue(), "audio/flac" if long else "audio/wav"

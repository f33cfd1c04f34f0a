"""Recordings: reading WAV, FLAC, OGG and MP3, and writing WAV or FLAC."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import soundfile

from hugginggpt.media.problem import ContentProblem, too_much_memory
from hugginggpt.media.values import Audio

_FLAC_SECONDS = 60
_FLAC_CHANNELS = 8
_BLOCK_FRAMES = 1 << 18
_BLOCK_SAMPLES = 1 << 20
_SAMPLE_BYTES = 4
_CHECKED_WHOLE_BYTES = 64 << 20
_FLOATING = frozenset({"FLOAT", "DOUBLE"})  # the encodings that can hold NaN and infinities
_DAMAGED = "is cut off or damaged and cannot be read as a recording; save it again"


def read(data: bytes) -> Audio:
    """Decode a recording: all channels, at its own rate. Samples that are not numbers become silence.

    Raises:
        ContentProblem: the bytes are damaged.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as recording:
            samples = recording.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    if recording.subtype in _FLOATING:
        for start in range(0, len(samples), _BLOCK_FRAMES):
            np.nan_to_num(samples[start : start + _BLOCK_FRAMES], copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return Audio(samples, recording.samplerate)


def check(data: bytes, max_seconds: float, max_bytes: int, check_deadline: Callable[[], object] = lambda: None) -> None:
    """Decode a recording once, block by block, within limits. Of a long one only the end is decoded.

    Decoding takes as long as using the recording does. Damage in the middle of a long one is found when it is used;
    a lie about its length, or a missing end, is found here.

    Args:
        data: WAV, FLAC, OGG or MP3.
        max_seconds: how long it may be.
        max_bytes: limit on the memory that `read` needs for it.
        check_deadline: called before each block; an exception from it stops the check.

    Raises:
        ContentProblem: it is empty, cut off, damaged, too long or takes too much memory.
    """
    too_long = f"lasts longer than the {max_seconds:g} seconds that HUGGINGGPT_MAX_AUDIO_SECONDS allows; shorten it"
    if data.startswith(b"RIFF"):
        # libsndfile silently accepts a cut-off WAV. In streams, a length of 0 or all ones means "not known".
        declared = int.from_bytes(data[4:8], "little")
        if declared not in (0, 0xFFFFFFFF) and declared + 8 > len(data) + 1:
            raise ContentProblem(_DAMAGED)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as recording:
            limit = max_seconds * recording.samplerate
            frame_bytes = recording.channels * _SAMPLE_BYTES

            def check_length(frames: int) -> None:
                if frames > limit:
                    raise ContentProblem(too_long)
                if frames * frame_bytes > max_bytes:
                    raise ContentProblem(too_much_memory(frames * frame_bytes, max_bytes))

            check_length(recording.frames)
            at_once = max(1, _BLOCK_SAMPLES // recording.channels)
            whole = recording.frames * frame_bytes <= _CHECKED_WHOLE_BYTES
            frames = 0 if whole else recording.seek(recording.frames - at_once)
            # Decoding to integers takes half the time of decoding to floats; the samples are not used.
            space = np.empty((at_once, recording.channels), dtype=np.int32)
            while block := len(recording.read(out=space)):
                check_deadline()
                frames += block
                check_length(frames)  # the header may lie
            if frames < recording.frames:
                raise ContentProblem(_DAMAGED)
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    if frames == 0:
        raise ContentProblem("holds no sound; record it again")


def write(audio: Audio, check_deadline: Callable[[], object]) -> tuple[bytes, str]:
    """16-bit WAV; FLAC when it lasts longer than a minute. Samples outside [-1, 1] are clipped.

    Reading such a file and writing it again gives the same bytes.

    Args:
        audio: the recording.
        check_deadline: called before each block; an exception from it stops the writing.
    """
    samples = np.asarray(audio.samples, dtype=np.float32)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    long = len(samples) > _FLAC_SECONDS * audio.rate and channels <= _FLAC_CHANNELS
    buffer = io.BytesIO()
    form = "FLAC" if long else "WAV"
    with soundfile.SoundFile(buffer, "w", audio.rate, channels, subtype="PCM_16", format=form) as recording:
        for start in range(0, len(samples), _BLOCK_FRAMES):
            check_deadline()
            block = np.nan_to_num(samples[start : start + _BLOCK_FRAMES])
            # The scale that libsndfile reads with; it writes with 32767, which would lose a little each time.
            recording.write(np.clip(np.rint(block * 32768.0), -32768, 32767).astype(np.int16))
    return buffer.getvalue(), "audio/flac" if long else "audio/wav"

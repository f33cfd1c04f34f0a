"""Decodes the sound of any file that PyAV reads and writes it as FLAC, or as WAV if it has more than 8 channels.

A program of its own: `python -P decoded_sound.py PATH TARGET MAX_SECONDS MAX_BYTES`, because FFmpeg can crash on
hostile files. It prints how it ended: the name of the format, the peak of the samples if they were stored as floats
beyond 1, else 0, and the length in seconds that the file promises if much of it is missing, else 0; or `long`, `large`
with the bytes that the samples would take, or `silent`.
"""

import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import soundfile

_OWN_BYTES = 1 << 29
_SAMPLE_BYTES = 4
_FLAC_CHANNELS, _FLAC_RATE = 8, 192_000
_BLOCK_FRAMES = 1 << 16
_FLOATING = ("pcm_f", "wavpack")
_TELLING = ("mov", "matroska")
"""The containers whose lengths are no estimates."""
_MISSING_SHARE, _MISSING_SECONDS = 0.05, 0.5
_FINE = ("s32", "s32p", "s64", "s64p", "dbl", "dblp")


def main(path: str, target: str, max_seconds: float, max_bytes: int) -> None:
    """Write the first sound of the file at `path` to `target`."""
    resource.setrlimit(resource.RLIMIT_DATA, (_OWN_BYTES + max_bytes, _OWN_BYTES + max_bytes))
    with av.open(path, "r") as container:
        stream: Any = container.streams.audio[0]
        stream.thread_count = 1
        coded = stream.codec_context.name
        rate, channels, fine = stream.rate, stream.channels, stream.format.name in _FINE
        if not rate or not channels:
            print("silent")
            return
        promised = _promised(container)
        peak, frames = 0.0, 0
        # The scale is known only at the end, so the samples wait on the disk.
        waiting = f"{target}.samples"
        with soundfile.SoundFile(waiting, "w", rate, channels, subtype="FLOAT", format="W64") as file:
            for block in _blocks(container, stream):
                frames += len(block)
                if frames > max_seconds * rate:
                    print("long")
                    return
                if frames * channels * _SAMPLE_BYTES > max_bytes:
                    print("large", frames * channels * _SAMPLE_BYTES)
                    return
                np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                file.write(block)
    if not frames:
        print("silent")
        return
    form = "FLAC" if channels <= _FLAC_CHANNELS and rate <= _FLAC_RATE else "WAV"
    subtype = "PCM_24" if fine else "PCM_16"
    with (
        soundfile.SoundFile(waiting) as file,
        soundfile.SoundFile(target, "w", rate, channels, subtype=subtype, format=form) as written,
    ):
        while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            written.write(block / max(1.0, peak))
    os.unlink(waiting)
    missing = promised - frames / rate
    is_cut = missing > max(_MISSING_SHARE * promised, _MISSING_SECONDS)
    print(form, peak if peak > 1.0 and coded.startswith(_FLOATING) else 0, promised if is_cut else 0)


def _promised(container: Any) -> float:
    """The length that a file says it has, in seconds; 0 if it says none that can be relied on."""
    telling = container.format.name.split(",")[0] in _TELLING
    return float(container.duration or 0) / av.time_base if telling else 0.0


def _blocks(container: Any, stream: Any) -> Iterator[Any]:
    """The samples of a stream, as floats of shape (frames, channels). A broken packet is left out, as players do."""
    layout, rate = stream.layout.name, stream.rate
    resampler = av.AudioResampler(format="flt", layout=layout, rate=rate)
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        for frame in frames:
            for part in resampler.resample(frame):
                yield part.to_ndarray().reshape(-1, stream.channels)
    for part in resampler.resample(None):
        yield part.to_ndarray().reshape(-1, stream.channels)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))

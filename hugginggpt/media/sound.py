"""Recordings: reading WAV, FLAC, OGG, MP3 and their kin, converting what only PyAV reads, writing WAV or FLAC."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from hugginggpt.deadline import Deadline
from hugginggpt.media import sound_frames
from hugginggpt.media.input_formats import AAC, AIFF, AU, CAF, FLAC, MP3, OGG, W64, WAV, Format
from hugginggpt.media.native import output_of, written_to_file
from hugginggpt.media.problem import ContentProblem, too_much_memory
from hugginggpt.media.values import Audio

_FLAC_SECONDS = 60
_FLAC_CHANNELS = 8
_BLOCK_FRAMES = 1 << 18
_BLOCK_SAMPLES = 1 << 20
_SAMPLE_BYTES = 4
_CHECKED_WHOLE_BYTES = 64 << 20
_FLOATING = frozenset({"FLOAT", "DOUBLE"})  # the encodings that can hold NaN and infinities
_READ_HERE = (WAV, FLAC, OGG, MP3, AIFF, AU, CAF, W64)
_UNREADABLE = (1, 4)  # libsndfile's codes for a format and for an encoding that it does not know
_CONVERTER = Path(__file__).with_name("decoded_sound.py")
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)
_JUNK_BYTES = 1 << 12
"""What may follow the samples of a WAV file without being sound, such as the tags of some players."""
_DAMAGED = "is cut off or damaged and cannot be read as a recording; save it again"
_SILENT = "holds no sound; record it again"


class Taken(NamedTuple):
    """A recording that was checked.

    Attributes:
        data: its bytes; FLAC or WAV instead, if only PyAV reads it.
        mime: their media type.
        notes: ends of sentences about it.
    """

    data: bytes
    mime: str
    notes: tuple[str, ...]


class _NotRead(ContentProblem):
    """A recording in an encoding that libsndfile does not know."""


def take(data: bytes, found: Format, max_seconds: float, max_bytes: int, deadline: Deadline) -> Taken:
    """Check a recording as `check` does, and convert it if only PyAV reads it. The start of a stream is mended.

    Args:
        data: the recording.
        found: its format.
        max_seconds: how long it may be.
        max_bytes: limit on the memory that `read` needs for it.
        deadline: ends the decoding.

    Raises:
        ContentProblem: as for `check`, or it needs PyAV, which is not installed.
    """
    if found in (AAC, MP3):
        data = sound_frames.mended(data)
    if found in _READ_HERE:
        try:
            return Taken(data, found.mime, check(data, max_seconds, max_bytes, deadline.check))
        except _NotRead:
            pass  # such as WAV with the encoding of a telephone
    return _converted(data, found, max_seconds, max_bytes, deadline)


def _converted(data: bytes, found: Format, max_seconds: float, max_bytes: int, deadline: Deadline) -> Taken:
    if find_spec("av") is None:
        raise ContentProblem(
            f'is {found.name}, which only PyAV can read here: install it with pip install "hugginggpt[local]", or '
            "save it as WAV, FLAC, OGG or MP3"
        )
    with written_to_file(data, "recording") as path:
        target = Path(f"{path}.decoded")
        try:
            command = [sys.executable, "-P", str(_CONVERTER), path, str(target), str(max_seconds), str(max_bytes)]
            match output_of(command, deadline, _DAMAGED).split():
                case ["long"]:
                    raise ContentProblem(_too_long(max_seconds))
                case ["large", needed]:
                    raise ContentProblem(too_much_memory(int(needed), max_bytes))
                case ["FLAC" | "WAV" as form, peak, promised]:
                    notes = [_quieter(float(peak))] if float(peak) else []
                    notes += [_cut_off(float(promised))] if float(promised) else []
                    return Taken(target.read_bytes(), (FLAC if form == "FLAC" else WAV).mime, tuple(notes))
                case _:
                    raise ContentProblem(_SILENT)
        finally:
            for left in (target, Path(f"{target}.samples")):
                left.unlink(missing_ok=True)


def read(data: bytes) -> Audio:
    """Decode a recording: all channels, at its own rate.

    Samples that are not numbers become silence. Float samples beyond 1 are scaled, all by the same factor.

    Raises:
        ContentProblem: the bytes are damaged.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(_finished(data)[0])) as recording:
            samples = recording.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    if recording.subtype in _FLOATING:
        blocks = [samples[start : start + _BLOCK_FRAMES] for start in range(0, len(samples), _BLOCK_FRAMES)]
        peak = max(map(_cleaned_peak, blocks), default=0.0)
        if peak > 1.0:
            for block in blocks:
                block /= peak
    return Audio(samples, recording.samplerate)


def _cleaned_peak(block: npt.NDArray[np.float32]) -> float:
    """The largest magnitude of some samples, of which those that are not numbers become silence."""
    np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return float(np.abs(block).max(initial=0.0))


def check(
    data: bytes, max_seconds: float, max_bytes: int, check_deadline: Callable[[], object] = lambda: None
) -> tuple[str, ...]:
    """Decode a recording once, block by block, within limits. Of a long one only the end is decoded.

    Decoding takes as long as using the recording does. Damage in the middle of a long one is found when it is used;
    a lie about its length, or a missing end, is found here. A WAV file may lack its end, and its header may be wrong
    about its length, because recorders crash.

    Args:
        data: WAV, FLAC, OGG, MP3, AIFF, AU, CAF or Wave64.
        max_seconds: how long it may be.
        max_bytes: limit on the memory that `read` needs for it.
        check_deadline: called before each block; an exception from it stops the check.

    Returns:
        What the user should know of it, as ends of sentences.

    Raises:
        ContentProblem: it is empty, cut off, damaged, too long or takes too much memory.
    """
    data, note = _finished(data)
    notes = [note] if note else []
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as recording:
            if not recording.seekable():  # as with the encoding of a telephone
                raise _NotRead(_DAMAGED)
            limit = max_seconds * recording.samplerate
            frame_bytes = recording.channels * _SAMPLE_BYTES

            def check_length(frames: int) -> None:
                if frames > limit:
                    raise ContentProblem(_too_long(max_seconds))
                if frames * frame_bytes > max_bytes:
                    raise ContentProblem(too_much_memory(frames * frame_bytes, max_bytes))

            check_length(recording.frames)
            at_once = max(1, _BLOCK_SAMPLES // recording.channels)
            floating = recording.subtype in _FLOATING
            whole = floating or recording.frames * frame_bytes <= _CHECKED_WHOLE_BYTES
            frames = 0 if whole else recording.seek(recording.frames - at_once)
            peak = 0.0
            # Decoding to integers takes half the time of decoding to floats.
            space = np.empty((at_once, recording.channels), dtype=np.float32 if floating else np.int32)
            while block := len(samples := recording.read(out=space)):
                check_deadline()
                frames += block
                check_length(frames)  # the header may lie
                if floating:
                    peak = max(peak, _cleaned_peak(samples))
            if frames < recording.frames:
                # libsndfile only estimates the length of MP3 in WAV.
                raise (_NotRead if recording.subtype.startswith("MPEG") else ContentProblem)(_DAMAGED)
    except soundfile.LibsndfileError as error:
        raise (_NotRead if error.code in _UNREADABLE else ContentProblem)(_DAMAGED) from error
    except soundfile.SoundFileError as error:
        raise ContentProblem(_DAMAGED) from error
    if frames == 0:
        raise ContentProblem(_SILENT)
    if peak > 1.0:
        notes.append(_quieter(peak))
    return tuple(notes)


def _quieter(peak: float) -> str:
    return f"has samples up to {peak:.3g}, beyond full scale, and was made quieter so that none is clipped"


def _cut_off(promised: float) -> str:
    return f"is cut off before the end of its {promised:.4g} seconds, and was read as far as it goes"


def _too_long(max_seconds: float) -> str:
    return f"lasts longer than the {max_seconds:g} seconds that HUGGINGGPT_MAX_AUDIO_SECONDS allows; shorten it"


def _finished(data: bytes) -> tuple[bytes, str]:
    """A WAV file with the true length of its samples in its header, and the end of a sentence if that was wrong.

    A header has a length of 0 or all ones while a recorder works, or in a stream; a crash, or a download that ended
    early, leaves another length than the file has.
    """
    if not (data.startswith(b"RIFF") and data[8:12] == b"WAVE"):
        return data, ""
    at, align = 12, 1
    while at + 8 <= len(data) and data[at : at + 4] != b"data":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"fmt " and size >= 16:
            align = int.from_bytes(data[at + 20 : at + 22], "little") or 1
        at += 8 + size + size % 2
    start = at + 8
    if start >= len(data):
        return data, ""
    size = int.from_bytes(data[at + 4 : start], "little")
    rest = start + size + size % 2
    if size not in _UNKNOWN_LENGTHS and start + size <= len(data) <= rest + _JUNK_BYTES:
        return data, ""
    if start + size <= len(data) and _are_chunks(data, rest):
        return data, ""
    true = (len(data) - start) // align * align
    head = data[:4] + struct.pack("<I", start - 8 + true) + data[8 : at + 4] + struct.pack("<I", true)
    known = size not in _UNKNOWN_LENGTHS
    note = "does not have the length that its header says, and was read to its end" if known else ""
    return head + data[start : start + true], note


def _are_chunks(data: bytes, at: int) -> bool:
    """Whether a RIFF file goes on with whole chunks."""
    while at + 8 <= len(data) and data[at : at + 4].isascii() and data[at : at + 4].decode().isprintable():
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return len(data) - 1 <= at <= len(data) + 1


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

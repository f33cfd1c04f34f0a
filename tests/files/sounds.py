"""Recordings of phones, recorders, telephones, browsers and studios, and a few videos."""

from __future__ import annotations

import struct
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.files.input import Input
from tests.files.outcomes import Film, Sound
from tests.test_sounds import recorded, wave, with_length, written

_WRONG_LENGTH = "does not have the length that its header says, and was read to its end"
_QUIETER = "has samples up to 2.5, beyond full scale, and was made quieter so that none is clipped"


def tone(
    subtype: str = "PCM_16", format: str = "WAV", rate: int = 16_000, *, channels: int = 1, loudness: float = 0.5
) -> bytes:
    """Half a second of a tone; each channel is half as loud as the one before."""
    samples = np.stack([wave(0.5, rate, loudness) / 2**channel for channel in range(channels)], axis=1)
    return written(samples, subtype, format, rate)


def crashed(riff: int, samples: int) -> bytes:
    """A WAV whose recorder died before it could write the lengths."""
    return with_length(tone(), riff, samples)


def with_chunk_before(name: bytes, size: int) -> bytes:
    """A WAV with a chunk of a studio before its samples."""
    whole = tone()
    chunk = name + struct.pack("<I", size) + bytes(size)
    return whole[:4] + struct.pack("<I", len(whole) - 8 + len(chunk)) + whole[8:36] + chunk + whole[36:]


def with_cover() -> bytes:
    """An MP3 with tags and a cover in front."""
    cover = b"\xff\xd8\xff\xe0" + bytes(3000)
    picture = b"\x00image/jpeg\x00\x03\x00" + cover
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\x00\x00" + picture
    size = len(frame)
    parts = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\x00\x00" + parts + frame + tone("MPEG_LAYER_III", "MP3", 44_100)


def tagged(data: bytes) -> bytes:
    """A recording with an empty tag in front."""
    return b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + data


def not_numbers() -> bytes:
    """Floats of which one is not a number and one is infinite."""
    samples: Any = wave(0.5)
    samples[10], samples[11] = np.nan, np.inf
    return written(samples, "FLOAT")


def converted(format: str, codec: str, rate: int = 16_000, pictures: str = "", loudness: float = 0.5) -> bytes:
    """Half a second of a tone as PyAV writes it."""
    return recorded(format, codec, rate, pictures, 0.5, loudness)


def streamable(format: str, codec: str, rate: int, seconds: float, share: float) -> bytes:
    """The beginning of a tone whose index is in front of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"tone.{format}")
        with av.open(path, "w", format=format, options={"movflags": "faststart"}) as container:
            stream = container.add_stream(codec, rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(wave(seconds, rate, 0.5).reshape(1, -1), format="flt", layout="mono")
            frame.rate = rate
            container.mux([*stream.encode(frame), *stream.encode(None)])
        whole = path.read_bytes()
    return whole[: int(len(whole) * share)]


def _flac(rate: int, peak: float = 0.5, peak_within: float = 0.06, **more: Any) -> Sound:
    """What comes of a recording that is converted."""
    return Sound(rate, 1, 0.5, peak, "audio/flac", peak_within=peak_within, **more)


_APE_TAG = b"".join(
    b"APETAGEX" + struct.pack("<IIII", 2000, 3032, 1, flags) + bytes(8) + content
    for flags, content in ((0xA0000000, b"x" * 3000), (0x80000000, b""))
)
_LOSSY = 0.12
"""How far off the peaks of codecs for voices may be."""

RECORDERS = (
    Input("dictation.wav", tone, "a dictation machine", Sound(16_000, 1, 0.5, 0.5)),
    Input(
        "studio.wav",
        partial(tone, "PCM_24", rate=96_000, channels=2),
        "a studio's 24 bits at 96 kHz in stereo",
        Sound(96_000, 2, 0.5, 0.5),
    ),
    Input("32-bit.wav", partial(tone, "PCM_32"), "32-bit integers", Sound(16_000, 1, 0.5, 0.5)),
    Input("8-bit.wav", partial(tone, "PCM_U8", rate=8_000), "an old program's 8 bits", Sound(8_000, 1, 0.5, 0.5)),
    Input("surround.wav", partial(tone, channels=6, format="WAVEX"), "5.1 channels", Sound(16_000, 6, 0.5, 0.5)),
    Input("hotline.wav", partial(tone, "ULAW", rate=8_000), "a telephone system's mu-law", Sound(8_000, 1, 0.5, 0.5)),
    Input("hotline-eu.wav", partial(tone, "ALAW", rate=8_000), "a telephone system's A-law", Sound(8_000, 1, 0.5, 0.5)),
    Input(
        "voice.wav",
        partial(tone, "GSM610", rate=8_000),
        "an answering machine's GSM",
        Sound(8_000, 1, 0.5, 0.5, mime="audio/flac", peak_within=_LOSSY),
    ),
    Input("game.wav", partial(tone, "MS_ADPCM"), "an old game's ADPCM", Sound(16_000, 1, 0.5, 0.5)),
    Input("broadcast.wav", partial(with_chunk_before, b"bext", 602), "a broadcast WAV", Sound(16_000, 1, 0.5, 0.5)),
    Input("long.wav", partial(tone, format="RF64"), "a WAV for more than 4 GB", Sound(16_000, 1, 0.5, 0.5)),
    Input(
        "mixdown.wav",
        partial(tone, "FLOAT", loudness=2.5),
        "a DAW's floats beyond 1",
        Sound(16_000, 1, 0.5, 1.0, notes=(_QUIETER,)),
    ),
    Input(
        "broken-plugin.wav",
        not_numbers,
        "a plug-in's NaN and infinity, which become silence",
        Sound(16_000, 1, 0.5, 0.5),
    ),
    Input("died.wav", partial(crashed, 0, 0), "a recorder that crashed: lengths of 0", Sound(16_000, 1, 0.5, 0.5)),
    Input(
        "streamed.wav",
        partial(crashed, 0xFFFFFFFF, 0xFFFFFFFF),
        "a stream (ffmpeg, a speech service): lengths of all ones",
        Sound(16_000, 1, 0.5, 0.5),
    ),
    Input(
        "cut.wav",
        lambda: tone()[:-8_000],
        "a download that ended early",
        Sound(16_000, 1, 0.25, 0.5, notes=(_WRONG_LENGTH,)),
    ),
    Input(
        "still-recording.wav",
        partial(crashed, 36 + 4_000, 4_000),
        "a header that is older than the samples",
        Sound(16_000, 1, 0.5, 0.5, notes=(_WRONG_LENGTH,)),
    ),
    Input(
        "silence.wav",
        lambda: written(np.zeros(8_000, np.float32)),
        "a muted microphone",
        Sound(16_000, 1, 0.5, 0.0),
    ),
    Input(
        "song.mp3", partial(tone, "MPEG_LAYER_III", "MP3", 44_100), "an MP3", Sound(44_100, 1, 0.5, 0.5, "audio/mpeg")
    ),
    Input("album.mp3", with_cover, "an MP3 with tags and a cover", Sound(44_100, 1, 0.5, 0.5, "audio/mpeg")),
    Input(
        "song.flac",
        partial(tone, format="FLAC", rate=44_100, channels=2),
        "a FLAC",
        Sound(44_100, 2, 0.5, 0.5, "audio/flac"),
    ),
    Input("song.ogg", partial(tone, "VORBIS", "OGG", 44_100), "OGG Vorbis", Sound(44_100, 1, 0.5, 0.5, "audio/ogg")),
    Input("mac.aiff", partial(tone, format="AIFF"), "a Mac's AIFF", Sound(16_000, 1, 0.5, 0.5, "audio/aiff")),
    Input("unix.au", partial(tone, format="AU"), "a Unix .au", Sound(16_000, 1, 0.5, 0.5, "audio/basic")),
    Input(
        "radio-cut.mp3",
        lambda: tone("MPEG_LAYER_III", "MP3", 44_100)[100:],
        "a radio stream that was cut within a frame",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "radio-cut-twice.mp3",
        lambda: tone("MPEG_LAYER_III", "MP3", 44_100)[100:-150],
        "a piece of a radio stream, whose first and last frames are not whole",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "radio-server.mp3",
        lambda: b"ICY 200 OK\r\nicy-name: Radio\r\n\r\n" + tone("MPEG_LAYER_III", "MP3", 44_100)[417:],
        "a radio stream after what its server said",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "voice-cut.mp3",
        lambda: converted("mp3", "libmp3lame", 16_000)[50:],
        "a low rate of MPEG-2 that was cut within a frame",
        Sound(16_000, 1, 0.5, 0.5, "audio/mpeg", peak_within=0.06),
    ),
    Input(
        "radio-cut.aac",
        lambda: converted("adts", "aac", 44_100)[100:],
        "a radio stream in AAC that was cut within a frame",
        _flac(44_100),
    ),
    Input(
        "tags-at-the-end.mp3",
        lambda: tone("MPEG_LAYER_III", "MP3", 44_100) + _APE_TAG + b"TAG" + bytes(125),
        "an MP3 with the tags of two players at its end",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "tags-in-front.mp3",
        lambda: _APE_TAG + tone("MPEG_LAYER_III", "MP3", 44_100),
        "an MP3 with the tags of an old player in front",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "filled.mp3",
        lambda: bytes(2000) + tone("MPEG_LAYER_III", "MP3", 44_100) + bytes(2000),
        "an MP3 between zeros",
        Sound(44_100, 1, 0.5, 0.5, "audio/mpeg"),
    ),
    Input(
        "tagged.flac",
        lambda: tagged(tone(format="FLAC")),
        "a FLAC with the tags of an MP3 in front",
        Sound(16_000, 1, 0.5, 0.5, "audio/flac"),
    ),
    Input(
        "segment.aac",
        lambda: tagged(converted("adts", "aac", 44_100)),
        "a segment of a stream (HLS): a tag in front of AAC",
        _flac(44_100),
    ),
)

PHONES = (
    Input(
        "PTT-0001.opus",
        partial(tone, "OPUS", "OGG", 48_000),
        "a WhatsApp message",
        Sound(48_000, 1, 0.5, 0.5, "audio/ogg", peak_within=_LOSSY),
    ),
    Input("Memo.m4a", partial(converted, "ipod", "aac", 44_100), "an iPhone's voice memo", _flac(44_100)),
    Input("Memo lossless.m4a", partial(converted, "ipod", "alac"), "an iPhone's lossless memo", _flac(16_000)),
    Input(
        "Memo cut.m4a",
        lambda: streamable("ipod", "aac", 44_100, 4.0, 0.6),
        "a voice memo for streaming that was not downloaded whole",
        Sound(
            44_100,
            1,
            2.4,
            0.5,
            "audio/flac",
            notes=("is cut off before the end of its 4.023 seconds, and was read as far as it goes",),
            peak_within=_LOSSY,
        ),
    ),
    Input(
        "Memo in pieces.m4a",
        partial(converted, "ismv", "aac", 44_100),
        "a voice memo that was written in pieces",
        _flac(44_100),
    ),
    Input("iphone.caf", partial(converted, "caf", "alac"), "an iOS app's CAF", _flac(16_000)),
    Input(
        "Call.amr",
        partial(converted, "amr", "libopencore_amrnb", 8_000),
        "an old phone's AMR",
        _flac(8_000, peak_within=_LOSSY),
    ),
    Input(
        "Call.3gp",
        partial(converted, "3gp", "libopencore_amrnb", 8_000),
        "an old phone's recording in 3GP",
        _flac(8_000, peak_within=_LOSSY),
    ),
    Input("radio.aac", partial(converted, "adts", "aac", 44_100), "a radio stream in AAC", _flac(44_100)),
    Input(
        "memo.mp3",
        partial(converted, "ipod", "aac"),
        "a voice memo that was renamed to .mp3",
        _flac(16_000, notes=("is an M4A recording; its ending says MP3",)),
    ),
    Input(
        "answer.mp3",
        tone,
        "a WAV that a server calls an MP3",
        Sound(16_000, 1, 0.5, 0.5, notes=("is a WAV recording; it is declared as audio/mpeg",)),
        served="audio/mpeg",
    ),
    Input(
        "memo-served.m4a",
        partial(converted, "ipod", "aac"),
        "a voice memo that a server calls audio/mp4",
        _flac(16_000),
        served="audio/mp4",
    ),
    Input("browser.webm", partial(converted, "webm", "libopus", 48_000), "a browser's recorder", _flac(48_000)),
    Input(
        "browser-typed.webm",
        partial(converted, "webm", "libopus", 48_000),
        "a browser's recorder that declares its codec",
        _flac(48_000),
        served="audio/webm;codecs=opus",
    ),
    Input("meeting.mp4", partial(converted, "mp4", "aac"), "a meeting's sound in a file for videos", _flac(16_000)),
    Input("stream.mka", partial(converted, "matroska", "aac"), "a Matroska of sound", _flac(16_000)),
    Input("dictaphone.wma", partial(converted, "asf", "wmav2", 44_100), "a dictaphone's WMA", _flac(44_100)),
    Input(
        "loud.mka",
        partial(converted, "matroska", "pcm_f32le", loudness=2.5),
        "floats beyond 1 in a file that is converted",
        _flac(16_000, 1.0, notes=(_QUIETER,)),
    ),
)

VIDEOS = (
    Input("VID_0001.mp4", partial(converted, "mp4", "aac", pictures="libx264"), "a phone's video", Film("video/mp4")),
    Input(
        "IMG_0007.MOV",
        partial(converted, "mov", "aac", pictures="libx264"),
        "an iPhone's video",
        Film("video/quicktime"),
    ),
    Input(
        "screen.webm",
        partial(converted, "webm", "libopus", 48_000, "libvpx-vp9"),
        "a browser's screen recording",
        Film("video/webm"),
    ),
    Input("av1.mp4", partial(converted, "mp4", "aac", pictures="libsvtav1"), "a video in AV1", Film("video/mp4")),
    Input(
        "renamed.avi",
        partial(converted, "mp4", "aac", pictures="libx264"),
        "an MP4 named .avi",
        Film("video/mp4", ("is an MP4 video; its ending says AVI",)),
    ),
)

SOUNDS = (*RECORDERS, *PHONES)

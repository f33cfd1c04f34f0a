"""eSpeak NG through ctypes, in a child process. The functions are declared in `speak_lib.h`."""

import ctypes
import os
from _ctypes import dlclose
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hugginggpt.child_process import Handler, Message
from hugginggpt.errors import ExpertError, ModelLoadError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_CHARACTERS_UTF8 = 1
_RATE = 1
_WORD_GAP = 7
_OK = 0

# In words a minute. Speech that is to be slower still gets pauses between its words.
_USUAL_RATE = 175
_LEAST_RATE = 80
_GAP = 10.0  # for each time that a word is to take its usual time more, as measured

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def make_speaker(max_seconds: float) -> Handler:
    """Returns the handler: text, voice and speed in, 16-bit mono samples out.

    The speed is relative to the usual one. The same input always gives the same samples.

    Args:
        max_seconds: the longest recording allowed.
    """
    import espeakng_loader

    path = espeakng_loader.get_library_path()
    # The library truncates the path to its data at 160 characters; a path relative to its folder is short.
    os.chdir(Path(espeakng_loader.get_data_path()).parent)
    with _library(path):
        pass  # fails now if the installation is broken

    def speak(header: Mapping[str, Any], data: bytes) -> Message:
        with _library(path) as (library, rate):
            longest = int(2 * rate * max_seconds)
            samples = _say(library, header["text"], header["voice"], header["speed"], longest)
        if len(samples) > longest:
            raise ExpertError(f"The text is too long to speak in {max_seconds:g} seconds: shorten it.")
        if not samples.strip(b"\0"):
            raise ExpertError("eSpeak NG cannot pronounce anything in the text: write it in words.")
        return {"rate": rate}, samples

    return speak


@contextmanager
def _library(path: str) -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, freshly loaded, and its rate in Hz. Its state after one text would change the sound of the next."""
    library = ctypes.CDLL(path)
    try:
        rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, b".", _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise ModelLoadError("eSpeak NG did not find its voices: reinstall the package espeakng-loader.")
        yield library, rate
        library.espeak_Terminate()
    finally:
        dlclose(library._handle)


def _say(library: ctypes.CDLL, text: str, voice: str, speed: float, longest: int) -> bytes:
    """The samples of a text, cut off soon after this many bytes."""
    said = bytearray()

    def keep(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            said.extend(ctypes.string_at(samples, 2 * count))
        return int(len(said) > longest)  # anything but 0 stops the synthesis

    callback = _Callback(keep)  # this name keeps the callback alive; the library does not
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != _OK:
        raise ExpertError(f"eSpeak NG has no voice {voice}.")
    library.espeak_SetParameter(_RATE, max(_LEAST_RATE, round(_USUAL_RATE * speed)), 0)
    library.espeak_SetParameter(_WORD_GAP, max(0, round(_GAP * (1 / speed - _USUAL_RATE / _LEAST_RATE))), 0)
    encoded = text.replace("\0", " ").encode() + b"\0"
    library.espeak_Synth(
        encoded, ctypes.c_size_t(len(encoded)), 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
    )
    return bytes(said)

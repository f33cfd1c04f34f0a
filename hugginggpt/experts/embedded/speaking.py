"""eSpeak NG by ctypes: what runs in the child process. The calls are those of `speak_lib.h`."""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hugginggpt.errors import ExpertError, ModelLoadError
from hugginggpt.experts.child import Handler, Message

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_CHARACTERS_UTF8 = 1
_OK = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def make_speaker(max_seconds: float) -> Handler:
    """Text and voice in, 16-bit mono samples out.

    Args:
        max_seconds: longest recording that is made.
    """
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # The library cuts paths to its data at 160 characters: from within its folder the path is short.
    os.chdir(Path(espeakng_loader.get_data_path()).parent)
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, b".", _INITIALIZE_DONT_EXIT)
    if rate <= 0:
        raise ModelLoadError("eSpeak NG did not find its voices: install the package espeakng-loader again.")
    said = bytearray()

    def keep(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            said.extend(ctypes.string_at(samples, 2 * count))
        return int(len(said) > 2 * rate * max_seconds)  # anything but 0 stops the synthesis

    callback = _Callback(keep)

    def speak(header: Mapping[str, Any], data: bytes) -> Message:
        if library.espeak_SetVoiceByName(header["voice"].encode()) != _OK:
            raise ExpertError(f"eSpeak NG has no voice {header['voice']}.")
        said.clear()
        library.espeak_SetSynthCallback(callback)  # the library does not keep it alive: `speak` does
        text = header["text"].replace("\0", " ").encode() + b"\0"
        status = library.espeak_Synth(
            text, ctypes.c_size_t(len(text)), 0, _POSITION_CHARACTER, 0, _CHARACTERS_UTF8, None, None
        )
        if len(said) > 2 * rate * max_seconds:
            raise ExpertError(f"The text is too long to be said in {max_seconds:g} seconds: give a shorter one.")
        if status != _OK or not said:
            raise ExpertError("eSpeak NG could say nothing of the text.")
        return {"rate": rate}, bytes(said)

    return speak

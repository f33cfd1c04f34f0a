"""Speaks examples/message.wav, with the embedded text to speech: `python examples/make_message.py`."""

from pathlib import Path

import soundfile

from hugginggpt.deadline import Deadline
from hugginggpt.experts.audio import mono, resample
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.embedded.text_to_speech import TextToSpeech
from hugginggpt.media import Text
from hugginggpt.models.card import ModelCard
from hugginggpt.settings import Settings

RATE = 16_000
VOICE = "en-us+f5"
MESSAGE = """
Good morning, this is Laura from the garden center. Your two apple trees have arrived.
Unfortunately, one of them is damaged, and we have ordered another one. We can bring both trees to your house
on Friday afternoon. Somebody has to be at home, because the driver needs a signature.
Please call me back today if that does not suit you. Thank you, and goodbye.
"""


def speak() -> None:
    speech = TextToSpeech()
    inputs = {"text": Text(" ".join(MESSAGE.split()))}
    speaker = speech.load(ModelCard(id="espeak", kind=speech.kind), ExpertContext(Settings(), lambda: None))
    try:
        said = speech.run(speaker, speech.prepare(inputs) | {"voice": VOICE}, Deadline(60))
    finally:
        speaker.close()
    (sound,) = speech.render(said, inputs)
    samples = resample(mono(sound), sound.rate, RATE)
    soundfile.write(Path(__file__).parent / "message.wav", samples, RATE, subtype="PCM_16")


if __name__ == "__main__":
    speak()

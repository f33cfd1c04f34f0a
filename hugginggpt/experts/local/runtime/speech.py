"""What speech models need: a vocoder, a voice, and sentences of a suitable length."""

import re
from collections.abc import Iterator
from typing import Any

from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.local.runtime.model_loading import model_loading
from hugginggpt.models.card import ModelCard

_VOCODER = "microsoft/speecht5_hifigan"
_VOICE_NUMBERS = 512
_SENTENCE = re.compile(r"[^.!?;:。！？；\n]+[.!?;:。！？；]*")
_LONGEST_SENTENCE = 250
"""In characters. Models fail on longer ones."""


def load_vocoder(card: ModelCard, context: ExpertContext) -> Any:
    """The network that turns SpeechT5's spectrograms into audio: the companion in the card, else the default."""
    companion = ModelCard(id=card.companions[0] if card.companions else _VOCODER, kind=card.kind)
    with model_loading(companion, context) as target:
        from transformers import SpeechT5HifiGan

        vocoder: Any = SpeechT5HifiGan.from_pretrained(
            target.folder, dtype=target.dtype, use_safetensors=True, local_files_only=True
        )
    return vocoder.to(target.device).eval()


def neutral_voice(model: Any) -> Any:
    """A voice of no particular person: the centre of the space of speaker vectors (x-vectors), which have length 1."""
    import torch

    return torch.zeros(1, _VOICE_NUMBERS, device=model.device, dtype=model.dtype)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text. Those that are too long are cut between words."""
    for found in _SENTENCE.findall(text):
        words, sentence = found.split(), ""
        for word in words:
            if sentence and len(sentence) + len(word) >= _LONGEST_SENTENCE:
                yield sentence
                sentence = ""
            sentence = f"{sentence} {word}".strip()
        if sentence:
            yield sentence

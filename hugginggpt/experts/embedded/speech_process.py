"""Speech recognition in a child process: Silero VAD finds the speech, and Moonshine writes it down."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hugginggpt.child_process import Handler, Message
from hugginggpt.experts.embedded.onnx import onnx_session
from hugginggpt.experts.embedded.speech_spans import best_cut, speech_spans, utterances
from hugginggpt.experts.embedded.voice_activity import FRAME, RATE, VoiceActivity, even_loudness

_BEGIN, _END = 1, 2
_TOKENS_PER_SECOND = 6.5
"""Nobody speaks faster; whatever is longer is a loop of the model."""

_CLEAR = -0.7
"""The mean logarithm of the tokens' probabilities. Below it are other languages and noise, where words are invented."""

_SHORTEST = 0.5


def make_listener(speech: str, activity: str, threads: int) -> Handler:
    """Returns the handler: up to half a minute of float32 samples in, what is said in them out.

    The header's `last` tells whether the recording ends here. If not, the handler stops at a pause. It answers with
    `end`, the number of samples that it has used, and `said`, the texts in order, None for what it did not understand.

    Args:
        speech: the folder with Moonshine's encoder, decoder and tokenizer.
        activity: the ONNX file of Silero VAD.
        threads: how many the models may use.
    """
    import numpy as np

    hear = _transcriber(Path(speech), threads)
    find = VoiceActivity(Path(activity))

    def listen(header: Mapping[str, Any], data: bytes) -> Message:
        samples = np.frombuffer(data, np.float32)
        samples = even_loudness(samples)
        probabilities = find(samples)
        end = len(probabilities) if header["last"] else best_cut(probabilities)
        spans = utterances(speech_spans(probabilities[:end]), end, RATE / FRAME)
        said = [hear(samples[start * FRAME : stop * FRAME]) for start, stop in spans]
        return {"said": said, "end": min(end * FRAME, len(samples))}, b""

    return listen


def _transcriber(folder: Path, threads: int) -> Callable[[Any], str | None]:
    """A function that takes samples of speech and returns the text; None if it is not clear."""
    import numpy as np

    encoder = onnx_session(folder / "encoder_model.ort", threads)
    decoder = onnx_session(folder / "decoder_model_merged.ort", threads)
    vocabulary = _vocabulary((folder / "tokenizer.bin").read_bytes())
    memory = {i.name: i.shape[1::2] for i in decoder.get_inputs() if i.name.startswith("past_key_values")}
    kept = [name.replace("past_key_values", "present") for name in memory]

    def transcribe(samples: Any) -> str | None:
        samples = np.pad(samples, (0, max(0, int(_SHORTEST * RATE) - len(samples))))[None]
        everywhere = np.ones(samples.shape, np.int64)
        (sound,) = encoder.run(None, {"input_values": samples, "attention_mask": everywhere})
        past = {name: np.zeros((1, heads, 0, size), np.float32) for name, (heads, size) in memory.items()}
        tokens, likelihood, following = [_BEGIN], 0.0, False
        for _ in range(math.ceil(samples.shape[1] / RATE * _TOKENS_PER_SECOND)):
            logits, *present = decoder.run(
                ["logits", *kept],
                {
                    "input_ids": np.array([tokens[-1:]]),
                    "encoder_hidden_states": sound,
                    "encoder_attention_mask": everywhere,
                    "use_cache_branch": np.array([following]),
                    **past,
                },
            )
            # What the encoder heard comes with the first token only.
            past |= {n: p for n, p in zip(memory, present, strict=True) if not following or ".encoder." not in n}
            following = True
            scores = logits[0, -1]
            tokens.append(int(scores.argmax()))
            likelihood -= float(np.log(np.exp(scores - scores.max()).sum()))
            if tokens[-1] == _END:
                break
        text = _text(vocabulary, tokens)
        clear = likelihood / (len(tokens) - 1) >= _CLEAR and any(map(str.isalnum, text))
        return text if clear else None

    return transcribe


def _vocabulary(data: bytes) -> list[bytes]:
    """The pieces of text that tokens stand for.

    Args:
        data: for each token, in order, its length in one byte, or in two if it is 128 or longer, and its bytes.
    """
    pieces, place = [], 0
    while place < len(data):
        length = data[place]
        place += 1
        if length >= 128:
            length = length - 128 + 128 * data[place]
            place += 1
        pieces.append(data[place : place + length])
        place += length
    return pieces


def _text(vocabulary: list[bytes], tokens: list[int]) -> str:
    """The text of tokens, without the special ones; "▁" stands for a space."""
    written = b"".join(vocabulary[token] for token in tokens if token > _END)
    return written.decode(errors="ignore").replace("▁", " ").strip()

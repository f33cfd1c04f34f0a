"""Tiny models that hear, speak and watch, in the real formats, made in seconds, no download.

`pitch` (wav2vec 2.0) tells a high tone from a low one; the others have random weights from a fixed seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.stand_ins.tiny_models import card, repeatable
from tests.stand_ins.tiny_text import sentencepieces

RATE = 16_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz'"


def _save(folder: Path, task: str, *parts: Any) -> None:
    for part in parts:
        part.save_pretrained(folder)
    card(folder, task)


def tone(pitch: float, seconds: float = 0.4, rate: int = RATE) -> np.ndarray:
    """A tone: float32 samples, shape (frames,)."""
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def build_pitch(folder: Path) -> None:
    """Audio classification: a wav2vec 2.0 that tells high tones from low ones."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForSequenceClassification

    config = Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16, 16),
        conv_kernel=(64, 8),
        conv_stride=(32, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=15,
        num_conv_pos_embedding_groups=4,
        classifier_proj_size=16,
        apply_spec_augment=False,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        id2label={0: "low", 1: "high"},
        label2id={"low": 0, "high": 1},
    )
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    with repeatable():
        model = Wav2Vec2ForSequenceClassification(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
        random = np.random.default_rng(0)
        model.train()
        for _ in range(40):
            labels = random.integers(0, 2, 8)
            sounds = [tone(random.uniform(1500, 4000) if label else random.uniform(80, 500)) for label in labels]
            sounds = [sound + random.normal(0, 0.03, len(sound)).astype(np.float32) for sound in sounds]
            given = extractor(sounds, sampling_rate=RATE, return_tensors="pt")
            loss = model(**given, labels=torch.as_tensor(labels)).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    _save(folder, "audio-classification", model.eval(), extractor)


def build_vits(folder: Path) -> None:
    """Text to speech: a VITS."""
    from transformers import VitsConfig, VitsModel, VitsTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({c: i for i, c in enumerate(["<pad>", " ", *_LETTERS])}), encoding="utf-8")
    tokenizer = VitsTokenizer(
        str(vocabulary), pad_token="<pad>", phonemize=False, is_uroman=False, add_blank=True, normalize=True
    )
    config = VitsConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        posterior_encoder_num_wavenet_layers=1,
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        duration_predictor_num_flows=1,
        duration_predictor_flow_bins=4,
        duration_predictor_filter_channels=16,
        upsample_initial_channel=16,
        upsample_rates=[8, 2],
        upsample_kernel_sizes=[16, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        sampling_rate=RATE,
    )
    with repeatable():
        model = VitsModel(config)
    _save(folder, "text-to-speech", model.eval(), tokenizer)


_SPEECHT5: dict[str, Any] = {
    "hidden_size": 24,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "speech_decoder_prenet_units": 16,
    "speech_decoder_postnet_layers": 1,
    "speech_decoder_postnet_units": 16,
    "num_mel_bins": 20,
    "reduction_factor": 2,
    "max_text_positions": 200,
    "max_speech_positions": 400,
}


def _speecht5_processor(folder: Path) -> Any:
    from transformers import SpeechT5FeatureExtractor, SpeechT5Processor, SpeechT5Tokenizer

    path = sentencepieces(folder, "spm_char", model_type="char")
    tokenizer = SpeechT5Tokenizer(str(path))
    return SpeechT5Processor(SpeechT5FeatureExtractor(num_mel_bins=20), tokenizer)


def build_speecht5(folder: Path) -> None:
    """Text to speech: a SpeechT5, which needs a vocoder."""
    from transformers import SpeechT5Config, SpeechT5ForTextToSpeech

    processor = _speecht5_processor(folder)
    config = SpeechT5Config(vocab_size=len(processor.tokenizer), speaker_embedding_dim=512, **_SPEECHT5)
    with repeatable():
        model = SpeechT5ForTextToSpeech(config)
        # So that it comes to an end: an untrained model speaks as long as it may.
        model.speech_decoder_postnet.prob_out.bias.data.fill_(5.0)
    _save(folder, "text-to-speech", model.eval(), processor)


def build_converter(folder: Path) -> None:
    """Voice conversion: a SpeechT5 that hears."""
    from transformers import SpeechT5Config, SpeechT5ForSpeechToSpeech

    processor = _speecht5_processor(folder)
    config = SpeechT5Config(
        vocab_size=len(processor.tokenizer),
        speaker_embedding_dim=512,
        conv_dim=(16, 16),
        conv_kernel=(64, 8),
        conv_stride=(64, 8),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=15,
        num_conv_pos_embedding_groups=4,
        apply_spec_augment=False,
        **_SPEECHT5,
    )
    with repeatable():
        model = SpeechT5ForSpeechToSpeech(config)
        model.speech_decoder_postnet.prob_out.bias.data.fill_(5.0)
    _save(folder, "audio-to-audio", model.eval(), processor)


def build_vocoder(folder: Path) -> None:
    """A HiFi-GAN that makes sound of SpeechT5's spectrograms."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    config = SpeechT5HifiGanConfig(
        model_in_dim=20,
        upsample_initial_channel=16,
        upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        sampling_rate=RATE,
    )
    with repeatable():
        model = SpeechT5HifiGan(config)
    _save(folder, "text-to-speech", model.eval())


def build_bark(folder: Path) -> None:
    """Speech and sounds: a Bark, as three models after each other and an EnCodec."""
    from transformers import (
        BarkCoarseConfig,
        BarkConfig,
        BarkFineConfig,
        BarkModel,
        BarkProcessor,
        BarkSemanticConfig,
        EncodecConfig,
    )

    from tests.stand_ins.tiny_text import bert_tokenizer

    size = {"hidden_size": 8, "num_layers": 1, "num_heads": 2, "initializer_range": 0.5}
    codec = EncodecConfig(
        target_bandwidths=[6.0],
        sampling_rate=24_000,
        audio_channels=1,
        num_filters=2,
        hidden_size=8,
        num_lstm_layers=1,
        codebook_size=1024,
        codebook_dim=8,
    )
    config = BarkConfig(
        semantic_config=BarkSemanticConfig(**size, input_vocab_size=129_600, output_vocab_size=10_048).to_dict(),
        coarse_acoustics_config=BarkCoarseConfig(**size, input_vocab_size=12_096, output_vocab_size=12_096).to_dict(),
        fine_acoustics_config=BarkFineConfig(**size, input_vocab_size=1056, output_vocab_size=1056).to_dict(),
        codec_config=codec.to_dict(),
    )
    with repeatable():
        model = BarkModel(config)
    _save(folder, "text-to-speech", model.eval(), BarkProcessor(bert_tokenizer()))
    # In this form it lies in the real repositories; the library reads it and no longer writes it.
    parts = {"semantic_config": {"max_new_tokens": 12}, "coarse_acoustics_config": {}, "fine_acoustics_config": {}}
    described = {**parts, "model_type": "bark", "codebook_size": 1024, "sample_rate": 24_000}
    (folder / "generation_config.json").write_text(json.dumps(described), encoding="utf-8")


def build_musician(folder: Path) -> None:
    """Music from a text: a MusicGen of a T5, an EnCodec and a decoder."""
    from transformers import (
        EncodecConfig,
        EncodecFeatureExtractor,
        MusicgenConfig,
        MusicgenDecoderConfig,
        MusicgenForConditionalGeneration,
        MusicgenProcessor,
        T5Config,
        T5Tokenizer,
    )

    from tests.stand_ins.tiny_text import unigrams

    tokenizer = T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigrams(folder)], extra_ids=0)
    text = T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    codec = EncodecConfig(
        target_bandwidths=[1.5],
        sampling_rate=8000,
        audio_channels=1,
        num_filters=4,
        hidden_size=8,
        upsampling_ratios=[8, 5],
        num_lstm_layers=1,
        codebook_size=32,
        codebook_dim=8,
        compress=2,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=32,
        hidden_size=16,
        ffn_dim=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_codebooks=codec.num_quantizers,
        pad_token_id=32,
        bos_token_id=32,
        audio_channels=1,
        max_position_embeddings=4096,
    )
    config = MusicgenConfig(text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict())
    with repeatable():
        model = MusicgenForConditionalGeneration(config)
    model.generation_config.decoder_start_token_id = 32
    model.generation_config.pad_token_id = 32
    model.generation_config.do_sample = True
    model.generation_config.guidance_scale = 3.0
    extractor = EncodecFeatureExtractor(sampling_rate=8000)
    _save(folder, "text-to-audio", model.eval(), MusicgenProcessor(extractor, tokenizer))


def build_watcher(folder: Path) -> None:
    """Video classification: a VideoMAE."""
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEImageProcessorPil

    labels = ["running", "cooking", "singing"]
    config = VideoMAEConfig(
        image_size=32,
        patch_size=8,
        num_frames=4,
        tubelet_size=2,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=0.5,
        id2label=dict(enumerate(labels)),
        label2id={label: n for n, label in enumerate(labels)},
    )
    with repeatable():
        model = VideoMAEForVideoClassification(config)
    size = {"height": 32, "width": 32}
    processor = VideoMAEImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
    _save(folder, "video-classification", model.eval(), processor)


def build_whisper(folder: Path) -> None:
    """Speech recognition: a Whisper, which writes token by token."""
    from transformers import (
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperProcessor,
        WhisperTokenizer,
    )

    from tests.stand_ins.tiny_text import byte_bpe

    vocabulary, merges = byte_bpe()
    end = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=merges, **end)
    # Whatever comes after it among the tokens is a time.
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|notimestamps|>"]})
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.bos_token_id,
        suppress_tokens=tokenizer.all_special_ids,
        begin_suppress_tokens=[],
        init_std=0.5,
    )
    with repeatable():
        model = WhisperForConditionalGeneration(config)
    model.generation_config.max_new_tokens = 10
    model.generation_config.suppress_tokens = tokenizer.all_special_ids
    _save(folder, "automatic-speech-recognition", model.eval(), WhisperProcessor(WhisperFeatureExtractor(), tokenizer))


PITCH, VITS, SPEECHT5, VOCODER = "tiny/pitch", "tiny/vits", "tiny/speecht5", "tiny/vocoder"
CONVERTER, MUSICIAN, WATCHER, WHISPER = "tiny/converter", "tiny/musician", "tiny/watcher", "tiny/whisper"
BARK = "tiny/bark"

BUILDERS: dict[str, Callable[[Path], None]] = {
    PITCH: build_pitch,
    VITS: build_vits,
    SPEECHT5: build_speecht5,
    VOCODER: build_vocoder,
    CONVERTER: build_converter,
    BARK: build_bark,
    MUSICIAN: build_musician,
    WATCHER: build_watcher,
    WHISPER: build_whisper,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

"""Tiny models that see, in the real formats: real architectures and processors, made in seconds, no download.

`digits` (ViT) reads the handwritten digits of scikit-learn; the others have random weights from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.stand_ins.tiny_models import card, repeatable, trained_once
from tests.stand_ins.tiny_text import bert_tokenizer, byte_bpe

_SIZE = {"height": 32, "width": 32}


def _save(folder: Path, task: str, *parts: Any) -> None:
    for part in parts:
        part.save_pretrained(folder)
    card(folder, task)


def digit(number: int) -> Image.Image:
    """A handwritten digit that the model has not seen, by its number among scikit-learn's."""
    from sklearn.datasets import load_digits

    pixels = load_digits().images[number]
    return Image.fromarray((255 - pixels * 15.9).astype(np.uint8)).resize((32, 32)).convert("RGB")


@trained_once
def build_digits(folder: Path) -> None:
    """Image classification: a ViT that reads digits."""
    import torch
    from sklearn.datasets import load_digits
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    processor = ViTImageProcessorPil(size=_SIZE, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    names = [f"digit {n}" for n in range(10)]
    config = ViTConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=32,
        patch_size=8,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,
        id2label=dict(enumerate(names)),
        label2id={name: n for n, name in enumerate(names)},
    )
    pictures, labels = load_digits(return_X_y=True)
    seen = slice(0, 1500)
    values = torch.as_tensor(1 - pictures[seen] * 15.9 / 127.5, dtype=torch.float32).reshape(-1, 1, 8, 8)
    values = torch.nn.functional.interpolate(values, 32, mode="bilinear").repeat(1, 3, 1, 1)
    with repeatable():
        model = ViTForImageClassification(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
        random = np.random.default_rng(0)
        model.train()
        for _ in range(200):
            some = random.integers(0, len(values), 64)
            loss = model(pixel_values=values[some], labels=torch.as_tensor(labels[seen][some])).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    _save(folder, "image-classification", model.eval(), processor)


def _clip_parts() -> dict[str, Any]:
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {
        "text_config": {**size, "vocab_size": 400, "max_position_embeddings": 77, "projection_dim": 32},
        "vision_config": {**size, "image_size": 32, "patch_size": 8, "projection_dim": 32},
        "projection_dim": 32,
        "initializer_factor": 3.0,
    }


def _clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(33, 127)]
    pieces = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=[], model_max_length=77)


def build_clip(folder: Path) -> None:
    """Zero-shot image classification: a CLIP."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_SIZE)
    with repeatable():
        model = CLIPModel(CLIPConfig(**_clip_parts()))
    _save(folder, "zero-shot-image-classification", model, CLIPProcessor(images, _clip_tokenizer()))


def build_owl(folder: Path) -> None:
    """Zero-shot object detection: an OWL-ViT."""
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessorPil, OwlViTProcessor

    parts = _clip_parts()
    parts["text_config"].pop("projection_dim")
    parts["vision_config"].pop("projection_dim")
    images = OwlViTImageProcessorPil(size=_SIZE, crop_size=_SIZE)
    with repeatable():
        model = OwlViTForObjectDetection(OwlViTConfig(**parts))
        # So that some boxes are likely enough: an untrained model is sure of nothing.
        model.class_head.logit_shift.bias.data.fill_(2.0)
    _save(folder, "zero-shot-object-detection", model, OwlViTProcessor(images, _clip_tokenizer()))


def build_dino(folder: Path) -> None:
    """Zero-shot object detection: a Grounding DINO on a Swin and a BERT."""
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessorPil,
        GroundingDinoProcessor,
    )

    tokenizer = bert_tokenizer()
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GroundingDinoConfig(
        backbone_config=_swin(64, patch_size=4, window_size=4, out_features=["stage2", "stage3", "stage4"]),
        text_config=BertConfig(**size, vocab_size=len(tokenizer)),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=8,
        max_text_len=64,
    )
    with repeatable():
        model = GroundingDinoForObjectDetection(config)
    images = GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    _save(folder, "zero-shot-object-detection", model.eval(), GroundingDinoProcessor(images, tokenizer))


def _swin(side: int, **more: Any) -> Any:
    from transformers import SwinConfig

    return SwinConfig(image_size=side, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, **more)


def build_depth(folder: Path) -> None:
    """Depth estimation: a GLPN, which estimates metres."""
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessorPil

    config = GLPNConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
    )
    with repeatable():
        model = GLPNForDepthEstimation(config)
    _save(folder, "depth-estimation", model, GLPNImageProcessorPil())


def build_relative_depth(folder: Path) -> None:
    """Depth estimation: a DPT, which estimates what is nearer."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    config = DPTConfig(
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
        is_hybrid=False,
    )
    with repeatable():
        model = DPTForDepthEstimation(config)
    _save(folder, "depth-estimation", model, DPTImageProcessorPil(size=_SIZE))


def build_segformer(folder: Path, classes: int = 5) -> None:
    """Semantic segmentation: a SegFormer."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
        id2label={n: f"region {n}" for n in range(classes)},
        label2id={f"region {n}": n for n in range(classes)},
        initializer_range=0.5,
    )
    with repeatable():
        model = SegformerForSemanticSegmentation(config)
    _save(folder, "image-segmentation", model.eval(), SegformerImageProcessorPil(size=_SIZE))


def build_scenes(folder: Path) -> None:
    """Semantic segmentation into as many classes as ADE20K has."""
    build_segformer(folder, classes=150)


def build_maskformer(folder: Path) -> None:
    """Panoptic segmentation: a MaskFormer on a Swin."""
    from transformers import (
        DetrConfig,
        MaskFormerConfig,
        MaskFormerForInstanceSegmentation,
        MaskFormerImageProcessorPil,
        MaskFormerSwinConfig,
    )

    backbone = MaskFormerSwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    decoder = DetrConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        num_queries=6,
        num_labels=3,
    )
    config = MaskFormerConfig(
        backbone_config=backbone,
        decoder_config=decoder,
        fpn_feature_size=32,
        mask_feature_size=32,
        num_labels=3,
        id2label={n: f"thing {n}" for n in range(3)},
        label2id={f"thing {n}": n for n in range(3)},
    )
    with repeatable():
        model = MaskFormerForInstanceSegmentation(config)
        # So that some queries are sure enough to be shown.
        model.class_predictor.weight.data *= 20
    processor = MaskFormerImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}, size_divisor=0)
    _save(folder, "image-segmentation", model.eval(), processor)


def build_mask2former(folder: Path) -> None:
    """Instance segmentation: a Mask2Former on a Swin."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessorPil

    config = Mask2FormerConfig(
        backbone_config=_swin(32, patch_size=2, window_size=2, out_features=["stage1", "stage2", "stage3", "stage4"]),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=6,
        id2label={n: f"thing {n}" for n in range(3)},
        label2id={f"thing {n}": n for n in range(3)},
    )
    with repeatable():
        model = Mask2FormerForUniversalSegmentation(config)
        # So that some queries are sure enough to be shown.
        model.class_predictor.weight.data *= 20
    processor = Mask2FormerImageProcessorPil(size={"shortest_edge": 32, "longest_edge": 64}, size_divisor=0)
    _save(folder, "image-segmentation", model.eval(), processor)


def build_upernet(folder: Path) -> None:
    """Semantic segmentation into ADE20K's classes: a UPerNet on a ConvNeXT."""
    from transformers import ConvNextConfig, SegformerImageProcessorPil, UperNetConfig, UperNetForSemanticSegmentation

    stages = ["stage1", "stage2", "stage3", "stage4"]
    config = UperNetConfig(
        backbone_config=ConvNextConfig(
            image_size=32, hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=stages, initializer_range=0.5
        ),
        hidden_size=16,
        auxiliary_in_channels=16,
        auxiliary_channels=8,
        num_labels=150,
        pool_scales=[1, 2],
        initializer_range=0.5,
    )
    with repeatable():
        model = UperNetForSemanticSegmentation(config)
    _save(folder, "image-segmentation", model.eval(), SegformerImageProcessorPil(size=_SIZE))


def build_sam(folder: Path) -> None:
    """Mask generation: a SAM."""
    from transformers import SamConfig, SamImageProcessorPil, SamModel, SamProcessor

    size = {"hidden_size": 32, "num_attention_heads": 2}
    config = SamConfig(
        vision_config={
            **size,
            "num_hidden_layers": 2,
            "image_size": 64,
            "patch_size": 8,
            "output_channels": 32,
            "mlp_dim": 64,
            "global_attn_indexes": [1],
            "window_size": 4,
            "num_pos_feats": 16,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 8, "mask_input_channels": 8},
        mask_decoder_config={**size, "mlp_dim": 64, "iou_head_hidden_dim": 32, "num_hidden_layers": 1},
    )
    with repeatable():
        model = SamModel(config)
        # So that the model is sure of its masks, and they hardly change with the threshold.
        model.mask_decoder.iou_prediction_head.proj_out.bias.data.fill_(0.95)
        for mlp in model.mask_decoder.output_hypernetworks_mlps:
            mlp.proj_out.weight.data *= 500_000
    images = SamImageProcessorPil(size={"longest_edge": 64}, pad_size={"height": 64, "width": 64})
    _save(folder, "mask-generation", model.eval(), SamProcessor(images))


def _gpt2(**more: Any) -> Any:
    from transformers import GPT2Config

    return GPT2Config(vocab_size=400, n_embd=32, n_layer=1, n_head=2, n_positions=256, initializer_range=0.3, **more)


def _gpt2_tokenizer() -> Any:
    from transformers import GPT2Tokenizer

    vocabulary, merges = byte_bpe()
    end = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}
    return GPT2Tokenizer(vocab=vocabulary, merges=merges, **end)


def build_captioner(folder: Path) -> None:
    """Captions: a ViT that a GPT-2 describes, like vit-gpt2."""
    from transformers import (
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
        ViTImageProcessorPil,
    )

    tokenizer = _gpt2_tokenizer()
    vision = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        initializer_range=0.5,
    )
    words = _gpt2(
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, words)
    config.decoder_start_token_id, config.pad_token_id = tokenizer.bos_token_id, tokenizer.pad_token_id
    with repeatable():
        model = VisionEncoderDecoderModel(config=config)
    model.generation_config.decoder_start_token_id = tokenizer.bos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.max_new_tokens = 12
    _save(folder, "image-to-text", model.eval(), ViTImageProcessorPil(size=_SIZE), tokenizer)


def build_git(folder: Path) -> None:
    """Captions: a GIT."""
    from transformers import CLIPImageProcessorPil, GitConfig, GitForCausalLM, GitProcessor

    tokenizer = bert_tokenizer()
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = GitConfig(
        **size,
        vision_config={**size, "image_size": 32, "patch_size": 8, "initializer_range": 0.5},
        vocab_size=len(tokenizer),
        max_position_embeddings=256,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.5,
    )
    with repeatable():
        model = GitForCausalLM(config)
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_SIZE)
    _save(folder, "image-to-text", model.eval(), GitProcessor(images, tokenizer))


def build_blip(folder: Path, question: bool = False) -> None:
    """Captions, or answers to questions: a BLIP."""
    from transformers import (
        BlipConfig,
        BlipForConditionalGeneration,
        BlipForQuestionAnswering,
        BlipImageProcessorPil,
        BlipProcessor,
    )

    tokenizer = bert_tokenizer()
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = BlipConfig(
        text_config={
            **size,
            **ids,
            "vocab_size": len(tokenizer),
            "encoder_hidden_size": 32,
            "max_position_embeddings": 256,
            "initializer_range": 0.5,
        },
        vision_config={**size, "image_size": 32, "patch_size": 8, "initializer_range": 0.5},
        projection_dim=16,
    )
    with repeatable():
        model = (BlipForQuestionAnswering if question else BlipForConditionalGeneration)(config)
    task = "visual-question-answering" if question else "image-to-text"
    _save(folder, task, model.eval(), BlipProcessor(BlipImageProcessorPil(size=_SIZE), tokenizer))


def build_blip_answers(folder: Path) -> None:
    """Visual question answering: a BLIP."""
    build_blip(folder, question=True)


def build_vilt(folder: Path) -> None:
    """Visual question answering: a ViLT, which chooses among its answers."""
    from transformers import ViltConfig, ViltForQuestionAnswering, ViltImageProcessorPil, ViltProcessor

    tokenizer = bert_tokenizer()
    answers = ["yes", "no", "two", "red"]
    config = ViltConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        image_size=32,
        patch_size=8,
        max_image_length=-1,
        initializer_range=0.5,
        id2label=dict(enumerate(answers)),
        label2id={answer: n for n, answer in enumerate(answers)},
    )
    with repeatable():
        model = ViltForQuestionAnswering(config)
    images = ViltImageProcessorPil(size={"shortest_edge": 32}, size_divisor=8)
    _save(folder, "visual-question-answering", model.eval(), ViltProcessor(images, tokenizer))


_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


def _chat_tokenizer() -> Any:
    from transformers import PreTrainedTokenizerFast

    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=_gpt2_tokenizer().backend_tokenizer, **marks)


def build_llava(folder: Path) -> None:
    """A chat model that sees: a LLaVA of a CLIP and a Llama."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _chat_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<image>"]})
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**size, image_size=32, patch_size=8, initializer_factor=5.0),
        text_config=LlamaConfig(
            **size,
            vocab_size=len(tokenizer),
            max_position_embeddings=256,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.3,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    with repeatable():
        model = LlavaForConditionalGeneration(config)
    images = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_SIZE)
    processor = LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    processor.chat_template = _TEMPLATE
    _save(folder, "image-text-to-text", model.eval(), processor)


def build_smolvlm(folder: Path) -> None:
    """A chat model that sees a picture whole and in tiles: an Idefics 3, as SmolVLM is."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
        LlamaConfig,
    )

    images = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(images, _chat_tokenizer(), image_seq_len=4)
    processor.chat_template = _TEMPLATE
    tokenizer = processor.tokenizer
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Idefics3Config(
        vision_config={**size, "image_size": 32, "patch_size": 8, "initializer_range": 0.5},
        text_config=LlamaConfig(
            **size,
            vocab_size=len(tokenizer),
            max_position_embeddings=1024,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.3,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=tokenizer.pad_token_id,
    )
    with repeatable():
        model = Idefics3ForConditionalGeneration(config)
    _save(folder, "image-text-to-text", model.eval(), processor)


COLOUR_ASKED = "What colour is the page?"


def build_donut(folder: Path) -> None:
    """Document question answering: a Donut that knows a red page from a blue one."""
    import torch
    from transformers import (
        DonutImageProcessorPil,
        DonutProcessor,
        DonutSwinConfig,
        MBartConfig,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
    )

    tokenizer = _chat_tokenizer()
    marks = ["<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    vision = DonutSwinConfig(
        image_size=(32, 32), patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=4
    )
    words = MBartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        is_decoder=True,
        add_cross_attention=True,
        dropout=0.0,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(vision, words)
    config.decoder_start_token_id, config.pad_token_id = tokenizer.bos_token_id, tokenizer.pad_token_id
    images = DonutImageProcessorPil(size={"height": 32, "width": 32}, do_align_long_axis=False)
    colours = ("red", "blue")
    seen = images([Image.new("RGB", (32, 32), colour) for colour in colours], return_tensors="pt")["pixel_values"]
    asked = f"<s_docvqa><s_question>{COLOUR_ASKED}</s_question><s_answer>"
    pages = [f"{asked}{colour}</s_answer></s>" for colour in colours]
    told = tokenizer(pages, add_special_tokens=False, padding=True, return_tensors="pt")["input_ids"]
    with repeatable():
        model = VisionEncoderDecoderModel(config=config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(150):
            logits = model(pixel_values=seen, decoder_input_ids=told[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), told[:, 1:], ignore_index=tokenizer.pad_token_id
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.generation_config.decoder_start_token_id = tokenizer.bos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    _save(folder, "document-question-answering", model.eval(), DonutProcessor(images, tokenizer))


def build_layoutlm(folder: Path) -> None:
    """Document question answering: a LayoutLM, which takes words with their places."""
    from transformers import LayoutLMConfig, LayoutLMForQuestionAnswering

    tokenizer = bert_tokenizer()
    config = LayoutLMConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        max_2d_position_embeddings=1024,
        initializer_range=0.5,
    )
    with repeatable():
        model = LayoutLMForQuestionAnswering(config)
    _save(folder, "document-question-answering", model.eval(), tokenizer)


def build_vitpose(folder: Path, **experts: int) -> None:
    """Joints: a ViTPose."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessorPil

    backbone = VitPoseBackboneConfig(
        image_size=(64, 48),
        patch_size=(16, 16),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=1,
        out_indices=[1],
        out_features=["stage1"],
        **experts,
    )
    with repeatable():
        model = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, num_labels=17))
    # So that every joint is seen somewhere: an untrained model is sure of nothing.
    for parameter in model.head.parameters():
        parameter.data *= 200
    _save(folder, "openpose-control", model.eval(), VitPoseImageProcessorPil(size={"height": 64, "width": 48}))


def build_vitpose_plus(folder: Path) -> None:
    """Joints: a ViTPose+, with an expert for each dataset."""
    build_vitpose(folder, num_experts=3, part_features=8)


DIGITS, CLIP, OWL, DINO = "tiny/digits", "tiny/clip", "tiny/owl", "tiny/dino"
DEPTH, RELATIVE_DEPTH = "tiny/depth", "tiny/relative-depth"
SEGFORMER, SCENES, MASKFORMER, SAM = "tiny/segformer", "tiny/scenes", "tiny/maskformer", "tiny/sam"
CAPTIONER, BLIP, BLIP_ANSWERS, VILT, LLAVA = "tiny/captioner", "tiny/blip", "tiny/blip-vqa", "tiny/vilt", "tiny/llava"
LAYOUTLM, DONUT, VITPOSE, VITPOSE_PLUS = "tiny/layoutlm", "tiny/donut", "tiny/vitpose", "tiny/vitpose-plus"
MASK2FORMER, UPERNET, GIT, SMOLVLM = "tiny/mask2former", "tiny/upernet", "tiny/git", "tiny/smolvlm"

BUILDERS: dict[str, Callable[[Path], None]] = {
    DIGITS: build_digits,
    CLIP: build_clip,
    OWL: build_owl,
    DINO: build_dino,
    DEPTH: build_depth,
    RELATIVE_DEPTH: build_relative_depth,
    SEGFORMER: build_segformer,
    SCENES: build_scenes,
    MASKFORMER: build_maskformer,
    MASK2FORMER: build_mask2former,
    UPERNET: build_upernet,
    SAM: build_sam,
    CAPTIONER: build_captioner,
    GIT: build_git,
    BLIP: build_blip,
    BLIP_ANSWERS: build_blip_answers,
    VILT: build_vilt,
    LLAVA: build_llava,
    SMOLVLM: build_smolvlm,
    LAYOUTLM: build_layoutlm,
    DONUT: build_donut,
    VITPOSE: build_vitpose,
    VITPOSE_PLUS: build_vitpose_plus,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

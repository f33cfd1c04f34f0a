"""Tiny text models in the real formats: real architectures and tokenizers, made in seconds, no download.

`names` (BERT) knows `PEOPLE` and `PLACES`; the others have random weights from a fixed seed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.stand_ins.tiny_models import NEUTRAL_WORDS, card, repeatable

PEOPLE = ("Ada", "Alan", "Grace", "Emmy", "Sofia", "Blaise", "Carl", "Marie")
PLACES = ("Paris", "London", "Rome", "Cairo", "Oslo", "Lima", "Tokyo", "Delhi")

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MARKS = list(".,!?:;()'\"-<>%$/&")
_SENTENCES = [
    "The food was good and the people were friendly.",
    "We had a book about the weather in the city.",
    "Das Essen war gut und die Leute waren freundlich.",
    "What is the thing that they have in the hotel room?",
    "translate English to German: The house is small. summarize: a long day",
    "0 1 2 3 4 5 6 7 8 9 , . ! ? : ; ( ) ' - A B C D E F G H I J K L M N O P Q R S T U V W X Y Z x y z q j",
]


def _pieces() -> list[str]:
    words = [*NEUTRAL_WORDS, *PEOPLE, *PLACES, "Who", "Where", "The"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EMPTY]", *words, *_LETTERS, *_MARKS]
    return list(dict.fromkeys([*pieces, *(f"##{c}" for c in _LETTERS)]))


def bert_tokenizer() -> Any:
    """The tokenizer of a BERT that knows a few words, and spells the others."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab={p: i for i, p in enumerate(_pieces())}, do_lower_case=False, model_max_length=64)


_BERT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def _save(folder: Path, task: str, model: Any, tokenizer: Any) -> None:
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    card(folder, task)


def build_names(folder: Path) -> None:
    """Token classification: a BERT with a lexicon of people and places."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    tokenizer = bert_tokenizer()
    labels = ["O", "B-PER", "B-LOC"]
    config = BertConfig(vocab_size=len(tokenizer), id2label=dict(enumerate(labels)), **_BERT)
    with repeatable():
        model = BertForTokenClassification(config)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        random = np.random.default_rng(0)
        words = [*NEUTRAL_WORDS, *PEOPLE, *PLACES]
        kinds = {**dict.fromkeys(PEOPLE, 1), **dict.fromkeys(PLACES, 2)}
        model.train()
        for _ in range(60):
            chosen = [list(random.choice(words, 12)) for _ in range(16)]
            batch = tokenizer([" ".join(some) for some in chosen], return_tensors="pt", padding=True)
            wanted = torch.full(batch["input_ids"].shape, -100)
            for row, some in enumerate(chosen):
                for position, word in enumerate(batch.word_ids(row)):
                    if word is not None and word < len(some):
                        wanted[row, position] = kinds.get(some[word], 0)
            loss = model(**batch, labels=wanted).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    _save(folder, "token-classification", model, tokenizer)


def build_blanks(folder: Path) -> None:
    """Filling masks: a BERT."""
    from transformers import BertConfig, BertForMaskedLM

    tokenizer = bert_tokenizer()
    with repeatable():
        model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **_BERT))
    _save(folder, "fill-mask", model, tokenizer)


def build_finder(folder: Path) -> None:
    """Question answering: a BERT."""
    from transformers import BertConfig, BertForQuestionAnswering

    tokenizer = bert_tokenizer()
    with repeatable(1):
        model = BertForQuestionAnswering(BertConfig(vocab_size=len(tokenizer), initializer_range=0.5, **_BERT))
    _save(folder, "question-answering", model, tokenizer)


def build_entailment(folder: Path) -> None:
    """Zero-shot classification: a BERT for entailment."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = bert_tokenizer()
    labels = {0: "contradiction", 1: "neutral", 2: "entailment"}
    label2id = {label: number for number, label in labels.items()}
    config = BertConfig(vocab_size=len(tokenizer), id2label=labels, label2id=label2id, initializer_range=0.5, **_BERT)
    with repeatable():
        model = BertForSequenceClassification(config)
    _save(folder, "zero-shot-classification", model, tokenizer)


def build_encoder(folder: Path) -> None:
    """A sentence encoder, as sentence-transformers saves it."""
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel

    tokenizer = bert_tokenizer()
    with repeatable():
        bert = BertModel(BertConfig(vocab_size=len(tokenizer), **_BERT))
    plain = folder.with_name("plain-encoder")
    _save(plain, "feature-extraction", bert, tokenizer)
    transformer = models.Transformer(str(plain), max_seq_length=64)
    pooling = models.Pooling(transformer.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save_pretrained(str(folder))
    card(folder, "sentence-similarity", library="sentence-transformers")


def build_tapas(folder: Path) -> None:
    """Table question answering: a TAPAS."""
    from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(_pieces()) + "\n", encoding="utf-8")
    tokenizer = TapasTokenizer(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=64)
    config = TapasConfig(
        vocab_size=len(tokenizer),
        num_aggregation_labels=4,
        aggregation_labels={0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"},
        no_aggregation_label_index=0,
        use_answer_as_supervision=True,
        cell_selection_preference=0.2,
        initializer_range=0.5,
        **_BERT,
    )
    with repeatable():
        model = TapasForQuestionAnswering(config)
        # So that about half of all cells are picked: an untrained model picks none.
        model.output_bias.data.fill_(1.0)
    _save(folder, "table-question-answering", model, tokenizer)


def byte_bpe() -> tuple[dict[str, int], list[Any]]:
    """Vocabulary and merges of a byte-level BPE, as GPT-2, BART and Llama 3 have one."""
    from tokenizers import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        _SENTENCES, vocab_size=400, show_progress=False, special_tokens=["<s>", "<pad>", "</s>"]
    )
    model = json.loads(trained.to_str())["model"]
    return model["vocab"], [tuple(merge) for merge in model["merges"]]


_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


def build_chatter(folder: Path) -> None:
    """A language model that chats: a Llama with a chat template."""
    from transformers import GPT2Tokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary, merges = byte_bpe()
    backend = GPT2Tokenizer(vocab=vocabulary, merges=merges).backend_tokenizer
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.chat_template = _TEMPLATE
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.3,
    )
    with repeatable():
        model = LlamaForCausalLM(config)
    _save(folder, "text-generation", model, tokenizer)


def build_continuer(folder: Path) -> None:
    """A language model that only continues: a GPT-2."""
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

    vocabulary, merges = byte_bpe()
    end = {"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>"}
    tokenizer = GPT2Tokenizer(vocab=vocabulary, merges=merges, **end)
    marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=128, initializer_range=0.3, **marks
    )
    with repeatable():
        model = GPT2LMHeadModel(config)
    _save(folder, "text-generation", model, tokenizer)


def sentencepieces(folder: Path, name: str, **options: Any) -> Path:
    """A SentencePiece model, trained on a few sentences."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SENTENCES * 4),
        model_prefix=str(folder / name),
        vocab_size=120,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    (folder / f"{name}.vocab").unlink()
    return folder / f"{name}.model"


def unigrams(folder: Path) -> list[tuple[str, float]]:
    """Pieces and scores of a SentencePiece model."""
    import sentencepiece

    path = sentencepieces(folder, "pieces")
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    path.unlink()
    return [(model.id_to_piece(i), model.get_score(i)) for i in range(3, model.get_piece_size())]


def t5_tokenizer(folder: Path) -> Any:
    """T5's tokenizer, trained in a folder."""
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *unigrams(folder)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=64)


def build_t5(folder: Path) -> None:
    """Text to text: a T5 that was told of summaries and of English to German."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = t5_tokenizer(folder)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
        initializer_factor=5.0,
        task_specific_params={
            "summarization": {"prefix": "summarize: "},
            "translation_en_to_de": {"prefix": "translate English to German: "},
        },
    )
    with repeatable(1):
        model = T5ForConditionalGeneration(config)
    _save(folder, "text2text-generation", model, tokenizer)


def _bart_like(vocabulary: int, tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        "init_std": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        **more,
    }


def build_bart(folder: Path) -> None:
    """Summaries: a BART that was told to write at least so many tokens."""
    from transformers import BartConfig, BartForConditionalGeneration, BartTokenizer

    vocabulary, merges = byte_bpe()
    for piece in ("<unk>", "<mask>"):
        vocabulary.setdefault(piece, len(vocabulary))
    tokenizer = BartTokenizer(vocab=vocabulary, merges=merges, model_max_length=64)
    start = {"decoder_start_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    with repeatable():
        model = BartForConditionalGeneration(BartConfig(**_bart_like(len(tokenizer), tokenizer, **start)))
    model.generation_config.min_length = 12
    model.generation_config.max_length = 24
    model.generation_config.num_beams = 2
    _save(folder, "summarization", model, tokenizer)


def build_marian(folder: Path, marks: Sequence[str] = (), target: str = "de") -> None:
    """Translation from English into one language, or several that marks tell apart: a Marian."""
    import sentencepiece
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    model_file = sentencepieces(folder, "source")
    (folder / "source.spm").write_bytes(model_file.read_bytes())
    (folder / "target.spm").write_bytes(model_file.read_bytes())
    model_file.unlink()
    model_of_pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    known = [model_of_pieces.id_to_piece(i) for i in range(3, model_of_pieces.get_piece_size())]
    pieces = ["</s>", "<unk>", *marks, *known, "<pad>"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
    tokenizer = MarianTokenizer(
        source_spm=str(folder / "source.spm"),
        target_spm=str(folder / "target.spm"),
        vocab=str(vocabulary),
        source_lang="en",
        target_lang=target,
        model_max_length=64,
    )
    start = {"decoder_start_token_id": tokenizer.pad_token_id, "scale_embedding": True}
    with repeatable():
        model = MarianMTModel(MarianConfig(**_bart_like(len(tokenizer), tokenizer, **start)))
    _save(folder, "translation", model, tokenizer)


def build_marian_many(folder: Path) -> None:
    """A Marian from English into French or Spanish."""
    build_marian(folder, marks=(">>fra<<", ">>spa<<"), target="roa")


def build_m2m100(folder: Path) -> None:
    """Translation between any two of many languages: an M2M100."""
    import sentencepiece
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    path = sentencepieces(folder, "sentencepiece.bpe")
    model_of_pieces = sentencepiece.SentencePieceProcessor(model_file=str(path))
    known = [model_of_pieces.id_to_piece(i) for i in range(3, model_of_pieces.get_piece_size())]
    vocabulary = folder / "vocab.json"
    pieces = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *known])}
    vocabulary.write_text(json.dumps(pieces), encoding="utf-8")
    tokenizer = M2M100Tokenizer(str(vocabulary), str(path), model_max_length=64)
    size = len(pieces) + len(tokenizer.lang_code_to_id) + 8
    start = {"decoder_start_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    with repeatable():
        model = M2M100ForConditionalGeneration(M2M100Config(**_bart_like(size, tokenizer, **start)))
    _save(folder, "translation", model, tokenizer)


def build_nllb(folder: Path) -> None:
    """Translation between any two of two hundred languages: an NLLB, which is an M2M100 with other codes."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    for sentence in _SENTENCES:
        for letter in sentence.replace(" ", "▁"):
            vocabulary.setdefault(letter, len(vocabulary))
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=[], model_max_length=64)
    start = {"decoder_start_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    with repeatable():
        model = M2M100ForConditionalGeneration(M2M100Config(**_bart_like(len(tokenizer), tokenizer, **start)))
        # There are more languages than letters: make letters likelier than languages.
        model.model.shared.weight.data[len(vocabulary) :] *= 0.2
    _save(folder, "translation", model, tokenizer)


NAMES, BLANKS, FINDER, ENTAILMENT = "tiny/names", "tiny/blanks", "tiny/finder", "tiny/entailment"
ENCODER, PLAIN_ENCODER, TAPAS = "tiny/encoder", "tiny/plain-encoder", "tiny/tapas"
CHATTER, CONTINUER = "tiny/chatter", "tiny/continuer"
T5, BART, MARIAN, MARIAN_MANY = "tiny/t5", "tiny/bart", "tiny/marian-en-de", "tiny/marian-en-roa"
M2M100, NLLB = "tiny/m2m100", "tiny/nllb"

BUILDERS: dict[str, Callable[[Path], None]] = {
    NAMES: build_names,
    BLANKS: build_blanks,
    FINDER: build_finder,
    ENTAILMENT: build_entailment,
    ENCODER: build_encoder,
    TAPAS: build_tapas,
    CHATTER: build_chatter,
    CONTINUER: build_continuer,
    T5: build_t5,
    BART: build_bart,
    MARIAN: build_marian,
    MARIAN_MANY: build_marian_many,
    M2M100: build_m2m100,
    NLLB: build_nllb,
}


def build_all(root: Path, names: Sequence[str] = tuple(BUILDERS)) -> Path:
    """Write these models as `root/<org>/<name>/`, for the stand-in Hub."""
    for name in names:
        BUILDERS[name](root / name)
    return root

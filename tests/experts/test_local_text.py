"""Local experts for texts: what they say is what the library says on the same weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    LEDConfig,
    RobertaConfig,
    T5Config,
    pipeline,
)

from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ModelLoadError
from hugginggpt.experts.local.runtime.languages import CODES, find_language, language_name
from hugginggpt.experts.local.runtime.seq2seq import _places
from hugginggpt.experts.local.table_question_answering import TableQuestionAnswering
from hugginggpt.experts.local.text_generation import TextGeneration
from hugginggpt.media import Table, Text
from hugginggpt.settings import Settings
from tests.experts.running import hub_of, loaded, run, run_batch
from tests.stand_ins import tiny_text
from tests.stand_ins.tiny_text import (
    BART,
    BLANKS,
    CHATTER,
    CONTINUER,
    ENCODER,
    ENTAILMENT,
    FINDER,
    M2M100,
    MARIAN,
    MARIAN_MANY,
    NAMES,
    NLLB,
    PLAIN_ENCODER,
    T5,
    TAPAS,
)

SENTENCE = "The food was good and the people were friendly."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("text")


@pytest.fixture(scope="module")
def settings(folder: Path) -> Iterator[Settings]:
    with hub_of(tiny_text.build_all, folder) as settings:
        yield settings


@pytest.fixture(scope="module")
def at(folder: Path) -> Any:
    return lambda model: str(folder / "models" / model)


def said(settings: Settings, kind: str, model: str, **inputs: Any) -> str:
    (result,) = run(settings, kind, model, **inputs)
    assert isinstance(result, Text)
    return result.text


def data(settings: Settings, kind: str, model: str, **inputs: Any) -> Any:
    return run(settings, kind, model, **inputs)[0].data  # type: ignore[union-attr]


# Token classification


def test_names_are_found_as_the_library_finds_them(settings: Settings, at: Any) -> None:
    text = "Ada was in Paris and Carl in Oslo ."
    (result,) = run(settings, "token-classification", NAMES, text=Text(text))
    direct = pipeline("token-classification", model=at(NAMES), aggregation_strategy="simple")(text)
    found = result.data  # type: ignore[union-attr]
    assert [(e["label"], e["text"], e["start"], e["end"]) for e in found] == [
        (e["entity_group"], e["word"], e["start"], e["end"]) for e in direct
    ]
    assert [e["score"] for e in found] == pytest.approx([float(e["score"]) for e in direct])
    assert [(e["label"], e["text"]) for e in found] == [
        ("PER", "Ada"),
        ("LOC", "Paris"),
        ("PER", "Carl"),
        ("LOC", "Oslo"),
    ]
    assert result.text == "PER: Ada, Carl; LOC: Paris, Oslo."  # type: ignore[union-attr]


def test_names_in_a_long_text_are_each_found_once_where_they_stand(settings: Settings) -> None:
    text = "Ada was in Paris and it was food . " * 30
    found = data(settings, "token-classification", NAMES, text=Text(text))
    assert all(text[e["start"] : e["end"]] == e["text"] for e in found)
    places = [(e["text"], e["start"]) for e in found]
    assert len(places) == len(set(places))
    assert [word for word, _ in places] == ["Ada", "Paris"] * 30


def test_a_text_without_names_says_so(settings: Settings) -> None:
    (result,) = run(settings, "token-classification", NAMES, text=Text("the weather was in the book"))
    assert (result.data, result.text) == ([], "Nothing was found in the text.")  # type: ignore[union-attr]


# Masks


@pytest.mark.parametrize("mask", ["[MASK]", "<mask>", "____"])
def test_a_mask_is_filled_as_the_library_fills_it(settings: Settings, at: Any, mask: str) -> None:
    direct = pipeline("fill-mask", model=at(BLANKS))("The food was [MASK].")
    found = data(settings, "fill-mask", BLANKS, text=Text(f"The food was {mask}."))
    assert [e["word"] for e in found] == [e["token_str"].strip() for e in direct]
    assert [e["score"] for e in found] == pytest.approx([e["score"] for e in direct])


def test_several_masks_are_filled_each(settings: Settings) -> None:
    (result,) = run(settings, "fill-mask", BLANKS, text=Text("The [MASK] was [MASK]."))
    assert len(result.data) == 2 and all(len(words) == 5 for words in result.data)  # type: ignore[union-attr]
    assert result.text.startswith("mask 1: ") and "; mask 2: " in result.text  # type: ignore[union-attr]


@pytest.mark.parametrize(("text", "problem"), [("no mask", "no mask to fill"), ("[MASK] " + "food " * 99, "tokens")])
def test_a_text_that_cannot_be_filled(settings: Settings, text: str, problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        run(settings, "fill-mask", BLANKS, text=Text(text))


# Zero-shot classification


def test_a_text_is_sorted_as_the_library_sorts_it(settings: Settings, at: Any) -> None:
    labels = ["food", "weather", "work"]
    found = data(settings, "zero-shot-classification", ENTAILMENT, text=Text(SENTENCE), labels=[*map(Text, labels)])
    direct = pipeline("zero-shot-classification", model=at(ENTAILMENT))(
        SENTENCE, labels, hypothesis_template="This text is about {}."
    )
    assert [e["label"] for e in found] == direct["labels"]
    assert [e["score"] for e in found] == pytest.approx(direct["scores"])


def test_a_long_text_is_sorted_by_all_of_it(settings: Settings) -> None:
    labels = [Text("food, weather")]
    short, long = (
        data(settings, "zero-shot-classification", ENTAILMENT, text=Text(text), labels=labels)
        for text in (SENTENCE, SENTENCE + " We had a book about the weather in the city." * 20)
    )
    assert {e["label"] for e in long} == {"food", "weather"}
    assert sum(e["score"] for e in long) == pytest.approx(1.0, abs=1e-4)
    assert short != long


# Vectors


def test_a_vector_is_what_the_library_gives(settings: Settings, at: Any) -> None:
    from sentence_transformers import SentenceTransformer

    found = data(settings, "feature-extraction", ENCODER, text=Text(SENTENCE))
    direct = SentenceTransformer(at(ENCODER), device="cpu").encode(SENTENCE, normalize_embeddings=True)
    assert found == pytest.approx(direct.tolist(), abs=1e-6)


def test_a_plain_model_gives_the_mean_of_its_tokens(settings: Settings, at: Any) -> None:
    from transformers import AutoModel

    found = data(settings, "feature-extraction", PLAIN_ENCODER, text=Text(SENTENCE))
    with torch.inference_mode():
        given = AutoTokenizer.from_pretrained(at(PLAIN_ENCODER))(SENTENCE, return_tensors="pt")
        mean = AutoModel.from_pretrained(at(PLAIN_ENCODER))(**given).last_hidden_state[0].mean(dim=0)
    assert found == pytest.approx((mean / mean.norm()).tolist(), abs=1e-5)


def test_many_vectors_together_are_those_of_each_alone(settings: Settings) -> None:
    texts = [SENTENCE, "food", "a book about the weather " * 30]
    together = run_batch(settings, "feature-extraction", ENCODER, [{"text": Text(text)} for text in texts])
    for text, (result,) in zip(texts, together, strict=True):
        alone = data(settings, "feature-extraction", ENCODER, text=Text(text))
        assert result.data == pytest.approx(alone, abs=1e-5)  # type: ignore[union-attr]


def test_similarity_is_the_cosine(settings: Settings) -> None:
    inputs = {"text1": Text(SENTENCE), "text2": Text("the weather in the city")}
    first, second = (data(settings, "feature-extraction", ENCODER, text=text) for text in inputs.values())
    found = data(settings, "sentence-similarity", ENCODER, **inputs)
    assert found["score"] == pytest.approx(float(np.dot(first, second)), abs=1e-5)
    same = data(settings, "sentence-similarity", ENCODER, text1=Text(SENTENCE), text2=Text(SENTENCE))
    assert same["score"] == pytest.approx(1.0, abs=1e-5)


# Question answering


def test_an_answer_is_the_best_span(settings: Settings, at: Any) -> None:
    question, context = "Where was the food good?", "Ada had food in Paris . We were in Rome ."
    answer = said(settings, "question-answering", FINDER, text=Text(question), context=Text(context))
    tokenizer, model = (auto.from_pretrained(at(FINDER)) for auto in (AutoTokenizer, AutoModelForQuestionAnswering))
    encoded = tokenizer(question, context, return_tensors="pt", return_offsets_mapping=True)
    places = encoded.pop("offset_mapping")[0].tolist()
    with torch.inference_mode():
        scores = model(**encoded)
    inside = [i for i, part in enumerate(encoded.sequence_ids(0)) if part == 1]
    pairs = [(i, j) for i in inside for j in inside if i <= j]
    first, last = max(pairs, key=lambda p: float(scores.start_logits[0, p[0]] + scores.end_logits[0, p[1]]))
    assert answer == context[places[first][0] : places[last][1]]


def test_an_answer_from_a_long_text_stands_in_it(settings: Settings) -> None:
    context = " ".join(f"We were in the city of {place} ." for place in tiny_text.PLACES * 12)
    answer = said(settings, "question-answering", FINDER, text=Text("Where was Ada?"), context=Text(context))
    assert answer and answer in context


@pytest.mark.parametrize(
    ("question", "context", "problem"),
    [("", SENTENCE, "question is empty"), ("Where?", " ", "no text to find"), ("food " * 60, SENTENCE, "too long")],
)
def test_what_cannot_be_answered(settings: Settings, question: str, context: str, problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        run(settings, "question-answering", FINDER, text=Text(question), context=Text(context))


# Tables

TABLE = Table(("person", "city", "books"), (("Ada", "Paris", "1"), ("Carl", "Oslo", "2"), ("Emmy", "Rome", "4")))


def test_a_table_is_asked_as_the_library_asks_it(settings: Settings, at: Any) -> None:
    import pandas

    given = {"table": pandas.DataFrame(TABLE.rows, columns=list(TABLE.columns)), "query": "Who was in Oslo?"}
    direct = pipeline("table-question-answering", model=at(TAPAS))(given)
    assert direct["cells"], "the tiny model picks no cell, so the test shows nothing"
    expert = TableQuestionAnswering()
    wanted = expert.render(direct, {"table": TABLE})[0].text  # type: ignore[union-attr]
    assert said(settings, "table-question-answering", TAPAS, table=TABLE, text=Text("Who was in Oslo?")) == wanted


@pytest.mark.parametrize(
    ("aggregator", "cells", "answer"),
    [
        ("NONE", ["Ada", "Carl"], "Ada, Carl"),
        ("COUNT", ["Ada", "Carl"], "2"),
        ("SUM", ["1", "2", "4"], "7"),
        ("SUM", ["$1,200.50", "$850"], "2050.5"),
        ("SUM", ["1,800", "850"], "2650"),
        ("SUM", ["1.800", "850"], "2650"),
        ("SUM", ["0.1", "0.2"], "0.3"),
        ("SUM", ["1234567.25", "0.5"], "1234567.75"),
        ("AVERAGE", ["1,5", "2,5"], "2"),
        ("AVERAGE", ["2", "NA", "4"], "3"),
        ("SUM", ["-3", "(1)", "1"], "-3"),
        ("SUM", ["one", "2"], "one, 2"),
        ("SUM", ["02134", "02135"], "02134, 02135"),
        ("SUM", ["1,234", "2,345"], "3579. In the column x, 1,234 was read as 1234, not as 1.234."),
    ],
)
def test_cells_are_reckoned_with(aggregator: str, cells: list[str], answer: str) -> None:
    table = Table(("x",), tuple((cell,) for cell in cells))
    places = [(row, 0) for row in range(len(cells))]
    raw = {"aggregator": aggregator, "cells": cells, "coordinates": places, "answer": "unused"}
    assert TableQuestionAnswering().render(raw, {"table": table})[0].text == answer  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("table", "question", "problem"),
    [(Table(("a",), ()), "Who?", "no rows"), (TABLE, " ", "question about the table is empty")],
)
def test_a_table_that_cannot_be_asked(settings: Settings, table: Table, question: str, problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        run(settings, "table-question-answering", TAPAS, table=table, text=Text(question))


def test_only_tapas_reads_tables(settings: Settings) -> None:
    with pytest.raises(ModelLoadError, match="is not a TAPAS"):
        run(settings, "table-question-answering", BART, table=TABLE, text=Text("Who was in Oslo?"))


def test_a_table_longer_than_the_model_is_cut_by_rows(settings: Settings) -> None:
    long = Table(TABLE.columns, TABLE.rows * 40)
    assert said(settings, "table-question-answering", TAPAS, table=long, text=Text("Who was in Oslo?"))


# Writing

GREEDY = {"temperature": 0.0, "max_new_tokens": 12}


@pytest.mark.parametrize("kind", ["text-generation", "conversational"])
def test_a_chat_model_is_asked_in_its_own_form(settings: Settings, at: Any, kind: str) -> None:
    tokenizer, model = (auto.from_pretrained(at(CHATTER)) for auto in (AutoTokenizer, AutoModelForCausalLM))
    message = [{"role": "user", "content": SENTENCE}]
    given = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    made = model.generate(**given, do_sample=False, max_new_tokens=12)[0, given["input_ids"].shape[1] :]
    wanted = tokenizer.decode(made, skip_special_tokens=True).strip()
    assert said(settings, kind, CHATTER, text=Text(SENTENCE), **GREEDY) == wanted


def test_a_plain_model_continues(settings: Settings, at: Any) -> None:
    tokenizer, model = (auto.from_pretrained(at(CONTINUER)) for auto in (AutoTokenizer, AutoModelForCausalLM))
    given = tokenizer(SENTENCE, return_tensors="pt")
    options = {"do_sample": False, "max_new_tokens": 12, "pad_token_id": tokenizer.eos_token_id}
    made = model.generate(**given, **options)[0, given["input_ids"].shape[1] :]
    wanted = tokenizer.decode(made, skip_special_tokens=True).strip()
    assert said(settings, "text-generation", CONTINUER, text=Text(SENTENCE), **GREEDY) == wanted
    with pytest.raises(ExpertError, match="not trained to reply"):
        run(settings, "conversational", CONTINUER, text=Text(SENTENCE))


def test_the_seed_makes_chance_repeatable(settings: Settings) -> None:
    def written(seed: int) -> str:
        inputs = {"temperature": 2.0, "max_new_tokens": 20, "seed": seed}
        return said(settings, "text-generation", CHATTER, text=Text(SENTENCE), **inputs)

    before = torch.get_rng_state()
    assert written(1) == written(1)
    assert written(1) != written(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_more_is_written_than_asked_for(settings: Settings) -> None:
    short, long = (
        said(settings, "text-generation", CHATTER, text=Text(SENTENCE), temperature=0.0, max_new_tokens=count)
        for count in (2, 30)
    )
    assert len(short) < len(long)


@pytest.mark.parametrize("model", [CHATTER, CONTINUER])
def test_no_more_is_written_than_there_are_places_beside_the_text(settings: Settings, at: Any, model: str) -> None:
    places = AutoModelForCausalLM.from_pretrained(at(model)).config.get_text_config().max_position_embeddings
    asked = {"text": Text(SENTENCE), "temperature": 0.0, "max_new_tokens": 100_000}
    tokenizer = AutoTokenizer.from_pretrained(at(model))
    prompt, special = TextGeneration().prompt(SENTENCE, tokenizer)
    room = places - len(tokenizer(prompt, add_special_tokens=special)["input_ids"])
    wanted = said(settings, "text-generation", model, **{**asked, "max_new_tokens": room})
    assert said(settings, "text-generation", model, **asked) == wanted


@pytest.mark.parametrize(("text", "problem"), [(" ", "is empty"), (SENTENCE * 30, "shorten it")])
def test_what_cannot_be_continued(settings: Settings, text: str, problem: str) -> None:
    with pytest.raises(ExpertError, match=problem):
        run(settings, "text-generation", CHATTER, text=Text(text), max_new_tokens=8)


def test_what_a_model_thinks_is_no_part_of_its_answer() -> None:
    render = TextGeneration().render
    assert render("<think>Well, it is\nfour.</think>\n\nFour.", {})[0].text == "Four."  # type: ignore[union-attr]
    with pytest.raises(ExpertError, match="within its token limit"):
        render("<think>Well, it is", {})


def test_the_deadline_stops_writing_between_two_tokens(settings: Settings) -> None:
    expert, model = loaded(settings, "text-generation", CHATTER)
    deadline = Deadline(300)
    deadline.cancel()
    with pytest.raises(DeadlineExceededError):
        expert.run(model, expert.prepare({"text": Text(SENTENCE)}), deadline)


# Text to text


def rewrite(at: Any, model: str, text: str, **options: Any) -> str:
    tokenizer, network = (auto.from_pretrained(at(model)) for auto in (AutoTokenizer, AutoModelForSeq2SeqLM))
    given = tokenizer(text, return_tensors="pt")
    given.pop("token_type_ids", None)
    return str(tokenizer.decode(network.generate(**given, **options)[0], skip_special_tokens=True).strip())


SHORT = {"max_new_tokens": 16}


def test_a_text_is_rewritten_as_the_library_rewrites_it(settings: Settings, at: Any) -> None:
    wanted = rewrite(at, T5, SENTENCE, **SHORT)
    assert said(settings, "text2text-generation", T5, text=Text(SENTENCE), **SHORT) == wanted != ""


def test_t5_is_told_to_summarise(settings: Settings, at: Any) -> None:
    wanted = rewrite(at, T5, f"summarize: {SENTENCE}", **SHORT)
    assert said(settings, "summarization", T5, text=Text(SENTENCE), **SHORT) == wanted
    assert wanted != rewrite(at, T5, SENTENCE, **SHORT)


def test_bart_summarises_with_its_own_settings(settings: Settings, at: Any) -> None:
    text = " ".join([SENTENCE] * 2)
    assert said(settings, "summarization", BART, text=Text(text)) == rewrite(at, BART, text, max_new_tokens=24)


def test_a_short_text_gets_no_summary_longer_than_the_model_would_have_to_write(settings: Settings, at: Any) -> None:
    tokenizer = AutoTokenizer.from_pretrained(at(BART))
    count = len(tokenizer.tokenize("The food"))
    wanted = rewrite(at, BART, "The food", max_new_tokens=24, min_length=count // 3)
    assert said(settings, "summarization", BART, text=Text("The food")) == wanted


def test_a_long_text_is_summarised_part_by_part(settings: Settings) -> None:
    summary = said(settings, "summarization", BART, text=Text(" ".join([SENTENCE] * 40)), max_new_tokens=6)
    assert 0 < len(summary) < 40 * len(SENTENCE)


@pytest.mark.parametrize("kind", ["summarization", "text2text-generation", "translation"])
def test_an_empty_text_is_refused(settings: Settings, kind: str) -> None:
    with pytest.raises(ExpertError, match="is empty"):
        run(settings, kind, T5, text=Text("\n"), target_language=Text("German"))


# Translation


def test_t5_is_told_the_languages(settings: Settings, at: Any) -> None:
    wanted = rewrite(at, T5, f"translate English to German: {SENTENCE}", **SHORT)
    assert said(settings, "translation", T5, text=Text(SENTENCE), target_language=Text("German"), **SHORT) == wanted
    with pytest.raises(ExpertError, match="not trained to translate from English into Swahili"):
        run(settings, "translation", T5, text=Text(SENTENCE), target_language=Text("Swahili"))


def test_marian_translates_its_pair_and_no_other(settings: Settings, at: Any) -> None:
    wanted = rewrite(at, MARIAN, SENTENCE, **SHORT)
    for named in ({}, {"target_language": Text("de")}, {"source_language": Text("English")}):
        assert said(settings, "translation", MARIAN, text=Text(SENTENCE), **named, **SHORT) == wanted
    with pytest.raises(ExpertError, match="into German, not French"):
        run(settings, "translation", MARIAN, text=Text(SENTENCE), target_language=Text("French"))
    with pytest.raises(ExpertError, match="from English, not Italian"):
        run(settings, "translation", MARIAN, text=Text(SENTENCE), source_language=Text("it"))


@pytest.mark.parametrize("asked", [{}, {"max_new_tokens": 1000}])
def test_no_more_is_written_than_the_decoder_holds(settings: Settings, at: Any, asked: dict[str, int]) -> None:
    given = {"text": Text("hello"), "target_language": Text("French")}
    wanted = rewrite(at, MARIAN_MANY, ">>fra<< hello", max_new_tokens=126)
    assert said(settings, "translation", MARIAN_MANY, **given, **asked) == wanted


def test_the_places_of_a_decoder_are_found_by_whatever_name() -> None:
    size = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 50}
    config = LEDConfig(**size, max_encoder_position_embeddings=64, max_decoder_position_embeddings=16)
    assert _places(config) == 14
    assert _places(T5Config(n_positions=512)) is None


def test_a_decoder_whose_padding_takes_a_place_is_not_overrun() -> None:
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    roberta = RobertaConfig(**size, vocab_size=50, max_position_embeddings=20, eos_token_id=None)
    model = EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(roberta, roberta))
    most = _places(model.config)
    options = {"decoder_start_token_id": 0, "pad_token_id": 1, "min_new_tokens": most, "max_new_tokens": most}
    assert model.generate(torch.tensor([[5, 6, 7]]), **options).shape == (1, 19)


def test_a_marian_of_several_languages_is_told_which(settings: Settings, at: Any) -> None:
    wanted = rewrite(at, MARIAN_MANY, f">>spa<< {SENTENCE}", **SHORT)
    inputs = {"text": Text(SENTENCE), **SHORT}
    assert said(settings, "translation", MARIAN_MANY, target_language=Text("Spanish"), **inputs) == wanted
    assert said(settings, "translation", MARIAN_MANY, target_language=Text("French"), **inputs) != wanted
    with pytest.raises(ExpertError, match="does not know Romanian"):
        run(settings, "translation", MARIAN_MANY, target_language=Text("Romanian"), **inputs)
    with pytest.raises(ExpertError, match="name the target language"):
        run(settings, "translation", MARIAN_MANY, **inputs)


@pytest.mark.parametrize(
    ("model", "source", "target"), [(M2M100, "en", "de"), (M2M100, "fr", "it"), (NLLB, "eng_Latn", "deu_Latn")]
)
def test_models_of_many_languages_are_told_their_codes(
    settings: Settings, at: Any, model: str, source: str, target: str
) -> None:
    tokenizer, network = (auto.from_pretrained(at(model)) for auto in (AutoTokenizer, AutoModelForSeq2SeqLM))
    tokenizer.src_lang = source
    mark = tokenizer.get_lang_id(target) if model == M2M100 else tokenizer.convert_tokens_to_ids(target)
    made = network.generate(**tokenizer(SENTENCE, return_tensors="pt"), forced_bos_token_id=mark, **SHORT)[0]
    wanted = tokenizer.decode(made, skip_special_tokens=True).strip()
    named = {"source_language": Text(source), "target_language": Text(target)}
    assert said(settings, "translation", model, text=Text(SENTENCE), **named, **SHORT) == wanted


def test_a_long_text_is_translated_passage_by_passage_and_keeps_its_lines(settings: Settings) -> None:
    lines = [" ".join([SENTENCE] * 12), "", "The food"]
    made = said(settings, "translation", MARIAN, text=Text("\n".join(lines)), max_new_tokens=5).split("\n")
    assert len(made) == 3
    assert made[1] == ""
    assert len(made[0]) > len(made[2])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("German", "de"),
        ("deutsch", "de"),
        ("DE", "de"),
        ("de_DE", "de"),
        ("de-AT", "de"),
        ("deu_Latn", "de"),
        ("deu", "de"),
        ("ger", "de"),
        ("Brazilian", None),
        ("mandarin", "zh"),
        (" Castilian ", "es"),
        ("日本語", "ja"),
        ("Klingon", None),
        ("", None),
        ("xx", None),
    ],
)
def test_a_language_is_known_by_its_names_and_codes(said: str, code: str | None) -> None:
    assert find_language(said) == code


def test_every_code_is_found_and_has_a_name() -> None:
    for code, flores in CODES.items():
        assert find_language(code) == find_language(flores) == code
        assert language_name(code)[0].isupper()
        assert find_language(language_name(code)) == code


def test_a_language_that_is_none_is_said_before_anything_runs(settings: Settings) -> None:
    with pytest.raises(ExpertError, match="The language 'Klingon' is not known"):
        run(settings, "translation", MARIAN, text=Text(SENTENCE), target_language=Text("Klingon"))

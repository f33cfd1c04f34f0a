"""Translation through transformers: by language pair, by language codes, or by instruction."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.inputs import token_windows
from hugginggpt.experts.local.runtime.languages import CODES, find_language, language_name
from hugginggpt.experts.local.runtime.model_class import Network
from hugginggpt.experts.local.runtime.seq2seq import Seq2SeqExpert, generate, max_input_tokens, task_parameters

_USUAL_TOKENS = 400
_LONGEST_PASSAGE = 200
"""In tokens. Models were trained on sentences, and omit parts of much longer texts."""

_MOST_LANGUAGES = 1000

_SENTENCE = re.compile(r"[^.!?。！？\n]*[.!?。！？]*\s*|\n")


@dataclass(frozen=True)
class _TargetLanguage:
    """How a model gets the target language: by a prefix of the text, or by the first token of the translation."""

    prefix: str = ""
    first_token: int | None = None


class Translation(Seq2SeqExpert):
    """Translates a text, passage by passage if it is long. The default source language is English."""

    kind = "translation"

    def rewrite(self, network: Network, inputs: Inputs) -> str:
        """Line breaks stay where they are."""
        target = _asked(inputs, "target_language")
        aim = _target_language(network, _asked(inputs, "source_language"), target)
        first = {} if aim.first_token is None else {"forced_bos_token_id": aim.first_token}
        size = min(_LONGEST_PASSAGE, max_input_tokens(network, aim.prefix))
        lines = inputs["text"].text.strip().split("\n")
        passages = [_passages(line, network.processor, size) for line in lines]
        flat = [aim.prefix + passage for line in passages for passage in line]
        made = iter(generate(network, flat, inputs, _USUAL_TOKENS, **first))
        return "\n".join(" ".join(next(made).strip() for _ in line) for line in passages)


def _asked(inputs: Inputs, name: str) -> str | None:
    """The code of a language that the request names.

    Raises:
        ExpertError: there is no such language.
    """
    said = inputs[name].text.strip() if inputs.get(name) else ""
    if not said:
        return None
    found = find_language(said)
    if found is None:
        raise ExpertError(f"The language '{said[:50]}' is not known: name it in English, or give its code.")
    return found


def _passages(line: str, tokenizer: Any, size: int) -> list[str]:
    """The sentences of a line, as many together as fit. A sentence that does not fit is cut."""
    passages: list[str] = []
    count = 0
    for sentence in filter(str.strip, _SENTENCE.findall(line)):
        tokens = len(tokenizer.tokenize(sentence))
        if passages and count + tokens <= size:
            passages[-1] += sentence
            count += tokens
        else:
            passages += token_windows(sentence, tokenizer, size)
            count = tokens if tokens <= size else size
    return passages


def _target_language(network: Network, source: str | None, target: str | None) -> _TargetLanguage:
    """How to pass the target language to this model.

    Raises:
        ExpertError: the model does not support a language, or the target language is missing.
    """
    match network.model.config.model_type:
        case "marian":
            return _of_pair(network.processor, source, target)
        case "t5" | "mt5" | "umt5":
            return _instructed(network, source or "en", _needed(target))
        case _ if hasattr(network.processor, "src_lang"):
            return _by_code(network.processor, source or "en", _needed(target))
        case other:
            raise ExpertError(f"Translation with {other} models is not supported: choose another model.")


def _needed(target: str | None) -> str:
    if target is None:
        raise ExpertError("This model translates into many languages: name the target language.")
    return target


def _of_pair(tokenizer: Any, source: str | None, target: str | None) -> _TargetLanguage:
    """Marian: a model for a language pair. With several target languages, it needs a language token before the text."""
    own_source, own_target = (
        find_language(str(tokenizer.init_kwargs.get(f"{end}_lang"))) for end in ("source", "target")
    )
    if source and own_source and source != own_source:
        raise ExpertError(
            f"The model translates from {language_name(own_source)}, not {language_name(source)}: choose another."
        )
    marks = list(getattr(tokenizer, "supported_language_codes", None) or [])
    if not marks:
        if target and own_target and target != own_target:
            raise ExpertError(
                f"The model translates into {language_name(own_target)}, not {language_name(target)}: choose another."
            )
        return _TargetLanguage()
    wanted = _needed(target)
    mark = next((mark for mark in marks if find_language(mark.strip("<>")) == wanted), None)
    if mark is None:
        raise _unknown(wanted)
    return _TargetLanguage(prefix=f"{mark} ")


def _by_code(tokenizer: Any, source: str, target: str) -> _TargetLanguage:
    """M2M100, NLLB, mBART: the tokenizer adds the source language; the translation begins with the target language."""
    codes = getattr(tokenizer, "lang_code_to_id", None) or tokenizer.get_vocab()
    tokenizer.src_lang = _code(codes, source)
    return _TargetLanguage(first_token=int(codes[_code(codes, target)]))


def _code(codes: Mapping[str, int], language: str) -> str:
    """A model's own code for a language: from FLORES-200, two letters with a country, or two letters.

    Raises:
        ExpertError: the model does not support the language.
    """
    if CODES[language] in codes:
        return CODES[language]
    with_country = re.compile(rf"{language}_[A-Z]{{2}}")
    found = next((code for code in codes if with_country.fullmatch(code)), language)
    # In a full vocabulary, two letters may be a piece of any word.
    if found not in codes or len(codes) > _MOST_LANGUAGES:
        raise _unknown(language)
    return found


def _instructed(network: Network, source: str, target: str) -> _TargetLanguage:
    """T5: by an instruction, for the languages in its config, or for any language if it lists none."""
    names = language_name(source), language_name(target)
    tasks = getattr(network.model.config, "task_specific_params", None) or {}
    told = task_parameters(network, f"translation_{source}_to_{target}").get("prefix")
    if told is None and any(task.startswith("translation_") for task in tasks):
        raise ExpertError(f"The model was not trained to translate from {names[0]} into {names[1]}: choose another.")
    return _TargetLanguage(prefix=told or f"translate {names[0]} to {names[1]}: ")


def _unknown(language: str) -> ExpertError:
    return ExpertError(f"The model does not know {language_name(language)}: choose another.")

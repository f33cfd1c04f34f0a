"""Translation through transformers: by language pair, by language codes, or by instruction."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs
from hugginggpt.experts.inputs import token_windows
from hugginggpt.experts.local.runtime.languages import CODES, find_language, language_name
from hugginggpt.experts.local.runtime.network import Network
from hugginggpt.experts.local.runtime.seq2seq import Seq2SeqExpert, generate, max_input_tokens, task_parameters

_USUAL_TOKENS = 400
_LONGEST_PASSAGE = 200
"""Tokens. Models were trained on sentences, and leave things out of much longer texts."""

_MOST_LANGUAGES = 1000

_SENTENCE = re.compile(r"[^.!?。！？\n]*[.!?。！？]*\s*|\n")


@dataclass(frozen=True)
class _Aim:
    """How a model is told what to translate into: by a beginning of the text, or of the translation."""

    prefix: str = ""
    first_token: int | None = None


class Translation(Seq2SeqExpert):
    """Translates a text, a long one passage by passage. Without a source language it is taken to be English."""

    kind = "translation"

    def rewrite(self, network: Network, inputs: Inputs) -> str:
        """Line breaks stay where they are."""
        target = _asked(inputs, "target_language")
        aim = _aim(network, _asked(inputs, "source_language"), target)
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
    """A line's sentences, as many together as fit; a sentence that does not fit is cut."""
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


def _aim(network: Network, source: str | None, target: str | None) -> _Aim:
    """How this model is asked for that target language.

    Raises:
        ExpertError: it does not know the languages, or cannot tell which is wanted.
    """
    match network.model.config.model_type:
        case "marian":
            return _of_pair(network.processor, source, target)
        case "t5" | "mt5" | "umt5":
            return _instructed(network, source or "en", _needed(target))
        case _ if hasattr(network.processor, "src_lang"):
            return _by_code(network.processor, source or "en", _needed(target))
        case other:
            raise ExpertError(f"It is not known how a model of the type {other} is told languages: choose another.")


def _needed(target: str | None) -> str:
    if target is None:
        raise ExpertError("This model translates into many languages: say into which.")
    return target


def _of_pair(tokenizer: Any, source: str | None, target: str | None) -> _Aim:
    """Marian: a model for a pair; one with several targets wants a mark of the language before the text."""
    own_source, own_target = (
        find_language(str(tokenizer.init_kwargs.get(f"{end}_lang"))) for end in ("source", "target")
    )
    if source and own_source and source != own_source:
        raise ExpertError(f"The model translates from {language_name(own_source)}, not {language_name(source)}.")
    marks = list(getattr(tokenizer, "supported_language_codes", None) or [])
    if not marks:
        if target and own_target and target != own_target:
            raise ExpertError(f"The model translates into {language_name(own_target)}, not {language_name(target)}.")
        return _Aim()
    wanted = _needed(target)
    mark = next((mark for mark in marks if find_language(mark.strip("<>")) == wanted), None)
    if mark is None:
        raise _unknown(wanted)
    return _Aim(prefix=f"{mark} ")


def _by_code(tokenizer: Any, source: str, target: str) -> _Aim:
    """M2M100, NLLB, mBART: the tokenizer marks the source, and the translation begins with the target's mark."""
    codes = getattr(tokenizer, "lang_code_to_id", None) or tokenizer.get_vocab()
    tokenizer.src_lang = _code(codes, source)
    return _Aim(first_token=int(codes[_code(codes, target)]))


def _code(codes: Mapping[str, int], language: str) -> str:
    """A model's own code of a language: that of FLORES-200, two letters with a country, or two letters.

    Raises:
        ExpertError: it has none.
    """
    if CODES[language] in codes:
        return CODES[language]
    with_country = re.compile(rf"{language}_[A-Z]{{2}}")
    found = next((code for code in codes if with_country.fullmatch(code)), language)
    # In a whole vocabulary, two letters may be a piece of any word.
    if found not in codes or len(codes) > _MOST_LANGUAGES:
        raise _unknown(language)
    return found


def _instructed(network: Network, source: str, target: str) -> _Aim:
    """T5: by an instruction, for the languages that its config names; any, where it names none."""
    names = language_name(source), language_name(target)
    tasks = getattr(network.model.config, "task_specific_params", None) or {}
    told = task_parameters(network, f"translation_{source}_to_{target}").get("prefix")
    if told is None and any(task.startswith("translation_") for task in tasks):
        raise ExpertError(f"The model was not trained to translate from {names[0]} into {names[1]}: choose another.")
    return _Aim(prefix=told or f"translate {names[0]} to {names[1]}: ")


def _unknown(language: str) -> ExpertError:
    return ExpertError(f"The model does not know {language_name(language)}: choose another.")

"""The text kinds, at an inference provider."""

from collections.abc import Mapping
from typing import Any

from hugginggpt.errors import ExpertError
from hugginggpt.experts.base import Inputs, Outputs
from hugginggpt.experts.inputs import candidate_labels
from hugginggpt.experts.remote import parsing, payload
from hugginggpt.experts.remote.provider import RemoteExpert
from hugginggpt.experts.rendering import classification, embedding, entities, mask_fillings, similarity
from hugginggpt.media import Text


class TokenClassification(RemoteExpert):
    """Finds entities, or parts of speech, with their positions in the text."""

    kind = "token-classification"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        """The text; tokens that belong together come back as one entity."""
        return {"text": payload.text(inputs), "aggregation_strategy": "simple"}

    def parse(self, answer: Any) -> Any:
        found = [
            {
                "label": parsing.name(element.entity_group or element.entity),
                "score": parsing.number(element.score),
                "text": parsing.name(element.word),
                "start": int(element.start),
                "end": int(element.end),
            }
            for element in answer
        ]
        return sorted(found, key=lambda entry: int(str(entry["start"])))

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        """The entities, quoted as they stand in the text."""
        text = inputs["text"].text
        return [entities([{**entry, "text": text[entry["start"] : entry["end"]] or entry["text"]} for entry in raw])]


class TextClassification(RemoteExpert):
    """Classifies a text."""

    kind = "text-classification"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": payload.text(inputs)}

    def parse(self, answer: Any) -> Any:
        return parsing.labels(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [classification(raw)]


class ZeroShotClassification(TextClassification):
    """Classifies a text by the given labels."""

    kind = "zero-shot-classification"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": payload.text(inputs), "candidate_labels": candidate_labels(inputs)}


class FillMask(RemoteExpert):
    """Fills in the masked word of a sentence. The mask has to be written as the model expects it."""

    kind = "fill-mask"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": payload.text(inputs)}

    def parse(self, answer: Any) -> Any:
        found = [{"word": e.token_str.strip(), "score": parsing.number(e.score)} for e in answer]
        return [sorted(found, key=lambda entry: -float(entry["score"]))]

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [mask_fillings(raw)]


class _Writing(RemoteExpert):
    """A kind whose output is a text."""

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


class Summarization(_Writing):
    """Summarises a text."""

    kind = "summarization"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": payload.text(inputs), "generate_parameters": payload.generation(inputs) or None}

    def parse(self, answer: Any) -> Any:
        return parsing.words(answer.summary_text)


class Translation(_Writing):
    """Translates a text. If only the target language is given, the source language is English."""

    kind = "translation"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        source, target = (
            inputs[name].text.strip() if inputs.get(name) else "" for name in ("source_language", "target_language")
        )
        languages = {"src_lang": source or "en", "tgt_lang": target} if target else {}
        generation = payload.generation(inputs) or None
        return {"text": payload.text(inputs), "generate_parameters": generation, **languages}

    def parse(self, answer: Any) -> Any:
        return parsing.words(answer.translation_text)


class QuestionAnswering(_Writing):
    """Finds the answer to a question in a text."""

    kind = "question-answering"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        if not inputs.get("context"):
            raise ExpertError("There is no text to find the answer in: add one, or choose a model that needs none.")
        return {"question": payload.text(inputs), "context": payload.text(inputs, "context")}

    def parse(self, answer: Any) -> Any:
        return parsing.best_answer(answer if isinstance(answer, list) else [answer])


class TextToText(_Writing):
    """Follows the instruction in a text."""

    kind = "text2text-generation"
    method = "text_generation"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"prompt": payload.text(inputs), **payload.generation(inputs), **payload.seed(inputs)}

    def parse(self, answer: Any) -> Any:
        return parsing.text(answer)


class Conversational(_Writing):
    """Replies to a message."""

    kind = "conversational"
    method = "chat_completion"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return payload.message(inputs, payload.text(inputs))

    def parse(self, answer: Any) -> Any:
        return parsing.reply(answer)


class TextGeneration(Conversational):
    """Generates a text from a prompt. Providers serve language models as chat models."""

    kind = "text-generation"


class FeatureExtraction(RemoteExpert):
    """Turns a text into a vector of length 1."""

    kind = "feature-extraction"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"text": payload.text(inputs)}

    def parse(self, answer: Any) -> Any:
        """The mean of the token vectors, if the provider returns those."""
        return parsing.unit_vector(answer)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [embedding(raw)]


class SentenceSimilarity(RemoteExpert):
    """Scores how close two texts are in meaning."""

    kind = "sentence-similarity"

    def prepare(self, inputs: Inputs) -> Mapping[str, Any]:
        return {"sentence": payload.text(inputs, "text1"), "other_sentences": [payload.text(inputs, "text2")]}

    def parse(self, answer: Any) -> Any:
        (score,) = answer
        return parsing.number(score)

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [similarity(raw)]


EXPERTS = (
    TokenClassification(),
    TextClassification(),
    ZeroShotClassification(),
    FillMask(),
    Summarization(),
    Translation(),
    QuestionAnswering(),
    TextToText(),
    Conversational(),
    TextGeneration(),
    FeatureExtraction(),
    SentenceSimilarity(),
)

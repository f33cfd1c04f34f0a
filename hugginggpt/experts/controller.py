"""The text kinds that the controller does itself (HuggingGPT, section 3.3)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hugginggpt.controller.call import Sampling
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ControllerUnavailableError, ExpertError, ExpertUnavailableError
from hugginggpt.experts.base import Expert, ExpertContext, Inputs, Outputs
from hugginggpt.media import Text
from hugginggpt.models.card import Endpoint, ModelCard

if TYPE_CHECKING:
    from hugginggpt.controller.client import Controller

_LONG_ANSWER = 600
_SHORT_ANSWER = 256


@dataclass(frozen=True)
class _Asked:
    """The inputs of one element."""

    texts: dict[str, str]
    max_tokens: int | None
    temperature: float | None
    seed: int | None

    def get(self, name: str) -> str:
        return self.texts.get(name, "")


@dataclass(frozen=True)
class _Talk:
    """The controller, and how to ask it about one element."""

    controller: "Controller"
    kind: str
    asked: _Asked
    deadline: Deadline
    temperature: float

    def room(self, max_tokens: int, prompt: str, **data: Any) -> int:
        """Tokens left for the text itself."""
        from hugginggpt.controller.prompts import render

        left = self.controller.context_tokens - self.limit(max_tokens) - render(prompt, **data).tokens
        if left < 64:
            raise ExpertError(f"The text is too long for the controller to do {self.kind}: shorten it.")
        return left

    def limit(self, usual: int) -> int:
        """The longest answer: the requested length, but at most half of the context."""
        return max(1, min(self.asked.max_tokens or usual, self.controller.context_tokens // 2))

    def ask(self, prompt: str, max_tokens: int, **data: Any) -> str:
        """One call."""
        from hugginggpt.controller.prompts import render_within

        limit = self.limit(max_tokens)
        return self.controller.chat(
            render_within(prompt, self.controller.context_tokens - limit, **data),
            stage=self.kind,
            max_tokens=limit,
            sampling=Sampling(
                self.temperature if self.asked.temperature is None else self.asked.temperature, self.asked.seed
            ),
            deadline=self.deadline,
        )

    def write(self) -> str:
        """A text of the controller's own, in one call.

        Raises:
            ExpertError: an embedded controller only repeated itself.
        """
        from hugginggpt.controller.text_tasks import is_going_in_circles

        written = self.ask(self.kind, _LONG_ANSWER, text=self.asked.get("text"))
        if is_going_in_circles(self.controller, written):
            raise ExpertError(
                f"{self.controller.model} is too small for this and only repeated itself: run `hugginggpt models fetch "
                f"--kind {self.kind}`, or configure a controller with OPENAI_API_KEY or OPENAI_BASE_URL."
            )
        return written


class _ByController(Expert):
    """What the text kinds share: the controller is the model."""

    endpoint = Endpoint.CONTROLLER
    pool_key = "controller"
    temperature = 0.0

    def load(self, card: ModelCard, context: ExpertContext) -> Any:
        return None

    def for_request(self, model: Any, context: ExpertContext) -> Any:
        """The controller, which records its calls for this request."""
        return context.controller()

    def prepare(self, inputs: Inputs) -> Any:
        return _Asked(
            texts={name: value.text.strip() for name, value in inputs.items() if isinstance(value, Text)},
            max_tokens=inputs.get("max_new_tokens"),
            temperature=inputs.get("temperature"),
            seed=inputs.get("seed"),
        )

    def run(self, model: Any, prepared: Any, deadline: Deadline) -> Any:
        if not prepared.get("text"):
            raise ExpertError(f"The text for {self.kind} is empty: write one.")
        try:
            return self.answer(_Talk(model, self.kind, prepared, deadline, self.temperature))
        except ControllerUnavailableError as error:
            deadline.check()
            raise ExpertUnavailableError(error.message) from error
        except ControllerError as error:
            raise ExpertError(error.message) from error

    @abstractmethod
    def answer(self, talk: _Talk) -> str:
        """The result, by one or more calls."""

    def render(self, raw: Any, inputs: Inputs) -> Outputs:
        return [Text(raw)]


class Summarization(_ByController):
    """Summarises a text; a long one part by part, then the parts' summaries."""

    kind = "summarization"

    def answer(self, talk: _Talk) -> str:
        from hugginggpt.controller.passages import passages
        from hugginggpt.controller.text_tasks import chosen_summary, reader_of

        text, first = talk.asked.get("text"), True
        if (reader := reader_of(talk.controller)) is not None:
            return chosen_summary(reader, text, talk.deadline)
        while True:
            prompt = "summarization" if first else "summarization_merge"
            parts = passages(text, talk.room(_SHORT_ANSWER, prompt, text=""))
            if len(parts) == 1:
                return self._summary(talk, prompt, text)
            # Each summary is at most a quarter of its part, so every round is shorter than the last.
            short = max(16, min(_SHORT_ANSWER, min(talk.room(_SHORT_ANSWER, prompt, text="") // 4, 160)))
            text, first = "\n\n".join(self._summary(talk, "summarization", part, short) for part in parts), False

    @staticmethod
    def _summary(talk: _Talk, prompt: str, text: str, max_tokens: int = _SHORT_ANSWER) -> str:
        from hugginggpt.controller.text_tasks import checked_summary

        return checked_summary(talk.controller, talk.ask(prompt, max_tokens, text=text), text)


class Translation(_ByController):
    """Translates a text, a long one passage by passage."""

    kind = "translation"
    needs_large_controller = True

    def answer(self, talk: _Talk) -> str:
        from hugginggpt.controller.passages import passages
        from hugginggpt.controller.prompts import estimate_tokens

        languages = {name: talk.asked.get(name) for name in ("target_language", "source_language")}
        third = talk.controller.context_tokens // 3
        parts = [p for p in passages(talk.asked.get("text"), third) if p.strip()]
        return "\n\n".join(
            talk.ask("translation", min(2 * estimate_tokens(part) + 64, third), text=part.strip(), **languages)
            for part in parts
        )


class QuestionAnswering(_ByController):
    """Answers a question from a text, a long one cut to what the question is about; or without one."""

    kind = "question-answering"

    def answer(self, talk: _Talk) -> str:
        from hugginggpt.controller.passages import relevant_passages
        from hugginggpt.controller.prompts import CUT
        from hugginggpt.controller.text_tasks import checked_answer, read_answers, reader_of

        question, context = talk.asked.get("text"), talk.asked.get("context")
        if not context:
            if talk.controller.knows_little:
                raise ExpertError(
                    f"Without a text to look in, {talk.controller.model} cannot know this: attach a file, or configure "
                    "a controller with OPENAI_API_KEY or OPENAI_BASE_URL."
                )
            return talk.ask(self.kind, _SHORT_ANSWER, question=question, context=context)
        if (reader := reader_of(talk.controller)) is not None:
            return read_answers(reader, question, context, talk.deadline)
        room = talk.room(_SHORT_ANSWER, self.kind, question=question, context="-")
        context = relevant_passages(context, question, room, CUT)
        answer = talk.ask(self.kind, _SHORT_ANSWER, question=question, context=context)
        return checked_answer(talk.controller, answer, question, context)


class Conversational(_ByController):
    """Replies to a message."""

    kind = "conversational"
    needs_large_controller = True
    temperature = 0.3

    def answer(self, talk: _Talk) -> str:
        return talk.write()


class TextGeneration(_ByController):
    """Writes a text that a prompt asks for."""

    kind = "text-generation"
    needs_large_controller = True
    temperature = 0.7

    def answer(self, talk: _Talk) -> str:
        return talk.write()


class Text2TextGeneration(_ByController):
    """Turns one text into another as it instructs."""

    kind = "text2text-generation"
    needs_large_controller = True

    def answer(self, talk: _Talk) -> str:
        return talk.write()


EXPERTS = [
    Summarization(),
    Translation(),
    QuestionAnswering(),
    Conversational(),
    TextGeneration(),
    Text2TextGeneration(),
]

"""The answer put together from the results, as docs/answers.md describes it. No model writes a word of it."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.questions import unplanned_questions
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from hugginggpt.controller.not_done import not_done
from hugginggpt.plan import PlannedTask
from hugginggpt.plan.origins import Names, origins
from hugginggpt.plan.references import replace_references, sole_reference
from hugginggpt.results import LONG_TEXT, SPOKEN_TEXT, ItemResult, TaskOutcome
from hugginggpt.text import visible

_SPEECH = "text-to-speech"

_WHOLE = (
    r"(?:full|whole|original|complete) text|transcri\w+|writ(?:e|ten) (?:it )?down|in writing|both (?:the|its) text"
)


def _patterns(words: dict[str, str]) -> dict[str, re.Pattern[str]]:
    return {kind: re.compile(rf"\b(?:{some})\b", re.IGNORECASE) for kind, some in words.items()}


# A result that only fed another task was wished for if the request says so.
_WISHED = _patterns(
    {
        "image-to-text": rf"{_WHOLE}|cop(?:y|ied|ies) (?:it )?out|typ(?:e|ed) (?:it )?(?:out|up)|describe|description|"
        "captions?",
        "automatic-speech-recognition": _WHOLE,
    }
)
# Which questions a result is about that no task was planned for. The other kinds find out something about their input,
# or make something new, so any question may be about their results.
_ABOUT = _patterns(
    {
        "image-to-text": "says?|written|text|words?|see|shows?|happening|going on|looks? like|"
        "what(?:'s| is) (?:this|that|it|in|on)",
        "automatic-speech-recognition": r"says?|said|talk\w*|speaks?|speaking|spoken|hear|tells?|told|wants?|about",
        "summarization": r"about|main|points?|gist|short|brief|important|summar\w+|sum(?:s|med)? up|says?|contents?|"
        "news",
        "translation": r"mean(?:s|t|ing)?|says?|translat\w*|english|language",
        _SPEECH: r"pronounce\w*|sounds?|say|said|speak|spoken|hear",
    }
)


@dataclass
class _Part:
    """A part of the answer: what it is, its text, the files that belong to it, and which element of which task it is.

    Attributes:
        behind: the names of the files that it comes from.
    """

    label: str
    text: str
    files: list[str]
    task_id: int
    number: int
    behind: Names

    def written(self, *, labelled: bool) -> str:
        """The part as the answer shows it."""
        if not self.text:
            return "\n".join(self.files)
        mark = ":\n" if "\n" in self.text else ": "
        return "\n".join([f"{self.label}{mark}{self.text}" if labelled else self.text, *self.files])


def compose(text: str, outcomes: Sequence[TaskOutcome], files: Collection[str] = ()) -> str:
    """The answer to a request.

    Args:
        text: the request.
        outcomes: one per planned task, in the plan's order.
        files: the names of the request's files.
    """
    return "\n\n".join([*_Composition(text, outcomes, files).paragraphs(), *not_done(outcomes, files)])


class _Composition:
    def __init__(self, text: str, outcomes: Sequence[TaskOutcome], files: Collection[str]) -> None:
        self.text, self.files = text, files
        self.made = {o.planned.id: o for o in outcomes if o.result is not None}
        self.results = {o.planned.id: o.result for o in outcomes if o.result is not None}
        self.behind = origins([o.planned for o in outcomes], files)
        unplanned = unplanned_questions(
            text, [question for o in outcomes if o.planned.capability.answers for question in self._questions(o)]
        )
        found = {question: [o for o in outcomes if _is_about(o, question)] for question in unplanned}
        self.unanswered = [question for question, about in found.items() if not about]
        self.asked = {o.planned.id for about in found.values() for o in about}
        """Tasks whose results are about a question that no task was planned for."""

    def paragraphs(self) -> Iterator[str]:
        shown = [o for o in self.made.values() if self._is_shown(o)]
        answers = [o for o in shown if o.planned.capability.answers]
        others = sorted((o for o in shown if o not in answers), key=lambda o: o.planned.id not in self.asked)
        for outcome in answers:
            yield self._answer(outcome, alone=len(answers) + len(self.unanswered) == 1)
        told: dict[str, list[_Part]] = defaultdict(list)
        for part in (part for outcome in answers for part in self._result(outcome)):
            told[_plain(part.text)].append(part)
        parts = [part for outcome in others for part in self._result(outcome)]
        several = len(answers) + sum(bool(part.text) for part in parts) > 1
        for part in parts:
            alike = told[_plain(part.text)]
            repeated = any(_is_repeated(part, other) for other in alike)
            alike.append(part)
            if repeated:
                part.text = ""
            if part.text or part.files:
                yield part.written(labelled=several)
        for question in self.unanswered:
            yield f'Not answered: "{question}" No step of the plan looked for it; ask it by itself.'

    def _is_shown(self, outcome: TaskOutcome) -> bool:
        """Whether a result was wished for, and did not only feed another task."""
        planned = outcome.planned
        if self._spoken_by(planned) is not None:
            return False  # it is shown with the text that it says
        if planned.id in self.asked or self._speeches_of(planned.id) or not self._feeds_another(planned.id):
            return True
        return self._is_wished(outcome)

    def _is_wished(self, outcome: TaskOutcome) -> bool:
        """Whether the request asks for the text itself."""
        wished = _WISHED.get(outcome.planned.task)
        return wished is not None and wished.search(self.text) is not None

    def _feeds_another(self, task_id: int) -> bool:
        return any(task_id in o.planned.needs and self._spoken_by(o.planned) is None for o in self.made.values())

    def _spoken_by(self, planned: PlannedTask) -> int | None:
        """The task whose text a speech says; None for anything else."""
        sole = sole_reference(planned.args.get("text")) if planned.task == _SPEECH else None
        return sole if sole in self.results else None

    def _speeches_of(self, task_id: int) -> list[TaskOutcome]:
        return [o for o in self.made.values() if self._spoken_by(o.planned) == task_id]

    def _questions(self, outcome: TaskOutcome) -> list[str]:
        """The questions of a task: one, or one for each element."""
        asked = outcome.planned.args.get("text", "")
        return [_as_question(self._filled(str(one))) for one in (asked if isinstance(asked, list) else [asked])]

    def _filled(self, text: str) -> str:
        """A text with the results in the place of references, as far as they are there."""

        def made(k: int) -> str:
            outputs = self.results[k].outputs if k in self.results else ()
            return "\n".join(artifact.preview or "" for artifact in outputs)

        return visible(replace_references(text, made)).strip()

    def _answer(self, outcome: TaskOutcome, *, alone: bool) -> str:
        """The answer to a question: by itself, or after the question. Each of a list stands after its own."""
        questions, parts = self._questions(outcome), list(self._result(outcome))
        if len(questions) == len(self.results[outcome.planned.id].items) > 1:
            several = sum(isinstance(value, list) for value in outcome.planned.args.values()) > 1
            return "\n\n".join(f"{questions[part.number]}\n{part.written(labelled=several)}" for part in parts)
        labelled = self.results[outcome.planned.id].is_list
        if self.results[outcome.planned.id].first_page:
            # Of the sheets or pages of one document, those that say nothing of it are no part of the answer.
            said = [part for part in parts if part.text != DOES_NOT_SAY]
            labelled = len(said) > 1 or (len(said) == 1 and self._is_of_a_sheet(outcome, said[0]))
            parts = said or parts[:1]
        lines = [part.written(labelled=labelled) for part in parts]
        return "\n".join(filter(None, ["" if alone else " ".join(questions), *lines]))

    def _is_of_a_sheet(self, outcome: TaskOutcome, part: _Part) -> bool:
        """Whether a part is of one sheet or table of a document, and not of several that are read as one."""
        takes_table = any(wanted.type is ValueType.TABLE for wanted in outcome.planned.capability.inputs)
        return takes_table and bool(self.results[part.task_id].items[part.number].part)

    def _result(self, outcome: TaskOutcome) -> Iterator[_Part]:
        """A part for each element of a result, with the speech that says it."""
        spoken = self._speeches_of(outcome.planned.id)
        for number, item in enumerate(self.results[outcome.planned.id].items):
            if item.error is not None:
                continue
            files = [_file(outcome, artifact) for artifact in item.outputs if artifact.preview is None]
            for speech in spoken:
                items = self.results[speech.planned.id].items
                files += [_file(speech, a) for a in (items[number].outputs if number < len(items) else ())]
            said = outcome.planned.task == _SPEECH
            text = self._words(outcome, number) if said else self._text(outcome, item, is_spoken=bool(spoken))
            behind = self._behind(outcome, number)
            yield _Part(self._label(outcome, number), text, files, outcome.planned.id, number, behind)

    def _words(self, speech: TaskOutcome, number: int) -> str:
        """The words of a speech that says no other task's text; those of a file are not repeated."""
        words = speech.planned.args.get("text", "")
        if isinstance(words, list):
            words = words[number] if number < len(words) else ""
        return "" if words in self.files else _beginning(self._filled(str(words)), SPOKEN_TEXT)

    def _text(self, outcome: TaskOutcome, item: ItemResult, *, is_spoken: bool) -> str:
        artifact = next((a for a in item.outputs if a.preview is not None), None)
        if artifact is None:
            return ""
        text = visible(artifact.preview or "").strip()
        if not text:
            return f"The {outcome.planned.capability.result} is empty."
        shown = _beginning(text, SPOKEN_TEXT if is_spoken and not self._is_wished(outcome) else LONG_TEXT)
        path = outcome.files.get(artifact.sha256)
        return f"{shown}\n\nThe whole text: {path}" if shown != text and path else shown

    def _label(self, outcome: TaskOutcome, number: int) -> str:
        """What a result is, and of which file, if it is not the only one of its kind."""
        capability, is_list = outcome.planned.capability, self.results[outcome.planned.id].is_list
        names = self._behind(outcome, number)
        if part := self.results[outcome.planned.id].items[number].part:
            return part
        if capability.answers:
            return names[0] if len(names) == 1 else f"{number + 1}"
        if first := self.results[outcome.planned.id].first_page:
            return f"Page {first + number}"
        label = capability.result.capitalize()
        alike = [o for o in self.made.values() if o.planned.task == outcome.planned.task]
        if len(names) == 1 and (is_list or len(alike) > 1):
            return f"{label} of {names[0]}"
        return f"{label} {number + 1}" if is_list else label

    def _behind(self, outcome: TaskOutcome, number: int) -> Names:
        """The files that an element of a result comes from."""
        elements = self.behind[outcome.planned.id]
        return elements[number] if number < len(elements) else ()


def _is_repeated(part: _Part, other: _Part) -> bool:
    """Whether one of two parts with the same text says nothing more: it is of the same file, or of none."""
    of_same = not part.behind or not other.behind or part.behind == other.behind
    return of_same and part.task_id != other.task_id


def _as_question(text: str) -> str:
    mark = "" if text.endswith(("?", ".", "!")) or not text else "?"
    return text[:1].upper() + text[1:] + mark


def _is_about(outcome: TaskOutcome, question: str) -> bool:
    """Whether the result of a task that was not planned for a question may answer it."""
    if outcome.planned.capability.answers:
        return False
    words = _ABOUT.get(outcome.planned.task)
    if words is None or words.search(question):
        return True
    # "What is it in German?", but not "Who lives in Leeds?"
    language = outcome.planned.args.get("target_language")
    return bool(language) and f"in {language}".casefold() in question.casefold()


def _file(outcome: TaskOutcome, artifact: Artifact) -> str:
    """What a file is, and where."""
    noun = outcome.planned.capability.result_of(artifact.type).capitalize()
    return f"{noun}: {outcome.files.get(artifact.sha256, artifact.sha256)}"


def _beginning(text: str, most: int) -> str:
    """A text, or of a long one the beginning, up to the end of a line, a sentence or at least a word."""
    if len(text) <= most:
        return text
    begun = text[:most]
    ends = [begun.rfind(mark) + len(mark) for mark in ("\n", ". ", " ")]
    end = next((end for end in ends if end > most // 2), most)
    return f"{begun[:end].rstrip()} …"


def _plain(text: str) -> str:
    return " ".join(text.split())

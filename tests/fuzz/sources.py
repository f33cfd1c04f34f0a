"""Requests as the small planner reads them, and the answers that are held against what was given."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hugginggpt.capabilities import ValueType
from hugginggpt.controller.embedded.answer_types import answer_type
from hugginggpt.controller.embedded.answers import invented, repeats_itself, tidied
from hugginggpt.controller.embedded.direct import direct_answer
from hugginggpt.controller.embedded.planner import planner_prompt, with_passages
from hugginggpt.controller.embedded.questions import asked_in, questions_in, unplanned_questions
from hugginggpt.controller.embedded.reader_tokens import units_of
from hugginggpt.controller.embedded.single_questions import single_questions
from hugginggpt.controller.embedded.sources import named_in, sources_of, take_passages
from hugginggpt.controller.embedded.summary import chosen_sentences
from hugginggpt.controller.embedded.turns import shown_request
from hugginggpt.controller.grounding import foreign_words, repeated_words, unfounded
from hugginggpt.controller.passages import passages, relevant_passages
from hugginggpt.controller.prompts import shorten
from hugginggpt.errors import ControllerError, HuggingGPTError, PlanError
from hugginggpt.plan import Plan, PlannedTask, parse_plan
from hugginggpt.request import Exchange
from hugginggpt.resources import Namespace
from hugginggpt.settings import get_settings
from tests.fuzz.case import Case
from tests.fuzz.material import VALUES, changed, characters, pumped, value
from tests.fuzz.plans import graph

SCRAPS = (
    " ", "\n", "\n\n", "\t", "a", "A", ".", ".png", "a.png", "a/", "/", "//", "~/", "http://", "https://h/", "(", ")",
    "[", "]", "{", "}", '"', "“", "”", "„", "«", "»", "'", "`", "``", "```", ":", ";", ",", "-", "--", "@", "#", "%",
    "+", "?", "!", "1", "1.", "1,", "1,000", "12:30", "0.5", "9" * 30, "%", "\u00a0", "\u202f", "the following text:",
    "text: ", "Summarize this.", "translate it", "Read a.png. ", "Then ", "and then ", "1. ", "* ", "passage-1",
    "path", "[path", "<file", "model ", "bert/base", "and/or", "a" * 40, "deadbeef1", "C:\\", "\\", "é", "中",
    "\ud800", "\x00", "<generated>", "<GENERATED>-0",
)  # fmt: skip
SENTENCES = (
    "Summarise the following text:\n", "Read the text on invoice.png and translate it to German. ",
    "What is the total? ", "Compare photo one.jpg with https://example.com/a%20b.png?x=(1). ",
    "“The minutes of the meeting”, please. ",
    "Please translate this message: Dear all, we moved the meeting to Monday, and everybody brings the figures. ",
    "The total is 1.234,56 EUR (19 % VAT), see /home/me/out/a.wav and openai/whisper-base. ", "Draw a cat.\n\n",
    "And then say it aloud.",
)  # fmt: skip


def open_area(folder: Path) -> "Sources":
    """Sources need nothing but the settings."""
    return Sources()


def wording(rng: random.Random, most: int) -> str:
    """A text as people and models write, or as nobody does."""
    match rng.randrange(6):
        case 0 | 1:
            return pumped(rng, SCRAPS, most)
        case 2:
            return changed(rng, "".join(rng.choice(SENTENCES) for _ in range(rng.choice((1, 3, 20)))), SCRAPS)[:most]
        case 3:
            return "".join(rng.choice((*SCRAPS, *VALUES)) for _ in range(rng.randint(1, 200)))[:most]
        case 4:
            piece = "".join(rng.choice(SENTENCES) for _ in range(rng.choice((1, 2))))
            return (piece * (most // len(piece)))[: rng.choice((most, 1600, 900))]
        case _:
            return characters(rng, 80) + rng.choice(SENTENCES) + pumped(rng, SCRAPS, most // 2)


class Sources:
    """Makes requests, answers and texts."""

    def __init__(self) -> None:
        self._settings = get_settings()

    def case(self, rng: random.Random) -> Case:
        """A text for one of the readers."""
        makers: tuple[Callable[[random.Random], Case], ...] = (
            self._request, self._request, self._request, self._prompt, self._grounding, self._grounding, self._cut,
            self._small, self._namespace, self._passages_back,
        )  # fmt: skip
        return rng.choice(makers)(rng)

    def _request(self, rng: random.Random) -> Case:
        text = wording(rng, 100_000)
        files = [(value(rng), rng.choice(list(ValueType))) for _ in range(rng.choice((0, 1, 5, 60)))]

        def run() -> None:
            read = take_passages(text)
            assert all(passage in text for passage in read.passages.values()), (
                "a passage that does not stand in the request"
            )
            assert not any(name in text for name in read.passages), "a passage's name stood in the request before"
            found = list(named_in(text))
            assert len(found) == len(set(found)), "a name twice"
            assert all(name in text for name in found), "a name that does not stand in the request"
            sources = sources_of(read, files, [text[:5000]])
            assert len({source.name for source in sources}) == len(sources), "a source twice"
            assert all(source.label for source in sources)

        return Case("take_passages, named_in, sources_of", text, run, ())

    def _prompt(self, rng: random.Random) -> Case:
        text = wording(rng, 50_000)
        history = [
            Exchange(text=wording(rng, 3000), response=wording(rng, 200), plan=parse_plan(json.dumps(graph(rng))))
            for _ in range(rng.choice((0, 1, 3)))
        ]

        def run() -> None:
            prompt = planner_prompt(shown_request(text, [("a.png", ValueType.IMAGE)], history))
            assert prompt.tokens <= 1200, "a prompt over its budget"

        return Case("planner_prompt", text, run, (ControllerError,))

    def _grounding(self, rng: random.Random) -> Case:
        answer, given = wording(rng, 20_000), [wording(rng, 100_000) for _ in range(rng.choice((0, 1, 2)))]
        if rng.random() < 0.3:
            given.append(answer)
        counts = [rng.choice((0, 3, 10**6))]

        def run() -> None:
            problems = unfounded(answer, given, numbers=rng.random() < 0.7, counts=counts, known_models=["bert/base"])
            assert all(isinstance(problem, str) and problem for problem in problems)
            foreign, words = foreign_words(answer, given)
            assert 0 <= foreign <= words
            repeated_words(given)

        return Case("unfounded, foreign_words", (answer, given), run, ())

    def _cut(self, rng: random.Random) -> Case:
        text, tokens = wording(rng, 200_000), rng.choice((1, 40, 300, 3000))

        def run() -> None:
            assert "".join(passages(text, tokens)) == text, "passages that do not make the text again"
            relevant_passages(text, text[:200], tokens, " […] ")
            assert len(shorten(text, 100)) <= 100

        return Case("passages, relevant_passages", (tokens, text), run, ())

    def _small(self, rng: random.Random) -> Case:
        text = wording(rng, 20_000)
        others = [wording(rng, 2000) for _ in range(3)]

        def run() -> None:
            tidied(text)
            assert {*questions_in(text)} <= {*asked_in(text)}, "a question that does not ask"
            assert {*unplanned_questions(text, others)} <= {*questions_in(text)}
            assert direct_answer(text, []).count(".") < 10, "more than a fixed text"
            repeats_itself(text)
            invented(text, others)
            assert all(question.asked.endswith("?") for question in single_questions(text))
            assert len(chosen_sentences(text)) <= max(200, len(text))
            units_of(text)
            answer_type(others[0])

        return Case("tidied, distinct_texts, invented, single_questions, chosen_sentences", (text, others), run, ())

    def _namespace(self, rng: random.Random) -> Case:
        text = wording(rng, 100_000)
        named: list[Any] = [
            value(rng),
            wording(rng, 3000),
            "https://h/" + pumped(rng, SCRAPS, 2000),
            rng.choice((*named_in(text[:2000]), "x")),
        ]
        kind, name = rng.choice(
            (("image-to-text", "image"), ("summarization", "text"), ("table-question-answering", "table"))
        )
        plan = Plan(tasks=tuple(PlannedTask(task=kind, id=n, args={name: given}) for n, given in enumerate(named)))

        def run() -> None:
            namespace = Namespace(resources=(), wording=text, given=rng.random() < 0.5, settings=self._settings)
            namespace.problems(plan)

        return Case("Namespace.problems", (named, text), run, ())

    def _passages_back(self, rng: random.Random) -> Case:
        text = wording(rng, 50_000)
        written = rng.choice(
            (
                "passage-1",
                "passage-1 and passage-2",
                pumped(rng, ("passage-1", "passage-", " ", "-", "1", ".a"), 20_000),
            )
        )
        plan = Plan(
            tasks=(PlannedTask(task="summarization", id=0, args={"text": rng.choice((written, [written] * 50))}),)
        )

        def run() -> None:
            with_passages(plan, take_passages(text)).to_json()

        return Case("with_passages", (written, text), run, (PlanError, HuggingGPTError))

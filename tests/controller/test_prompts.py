import json
import re

import pytest
from jinja2 import UndefinedError

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller.prompts import CUT, Cuttable, prompt_data, prompt_hash, render, render_within, shorten
from hugginggpt.errors import ControllerError
from hugginggpt.plan import parse_plan
from hugginggpt.settings import data_folder

TURNS = [{"text": f"Question {n} " + "x" * 400, "response": f"Answer {n}"} for n in range(10)]


def answer_data(**changes: object) -> dict[str, object]:
    return {"request": "And now?", "resources": [], "history": []} | changes


def test_a_prompt_has_a_name_a_hash_and_messages() -> None:
    prompt = render("translation", text="Guten Tag", target_language="English", source_language="")
    assert prompt.name == "translation"
    assert re.fullmatch("[0-9a-f]{64}", prompt.sha256)
    assert [message["role"] for message in prompt.messages] == ["system", "user"]
    assert "Guten Tag" in prompt.messages[1]["content"]


def test_each_prompt_has_its_own_hash_and_data_files_count() -> None:
    folder = data_folder("prompts")
    templates = [path.relative_to(folder) for path in folder.rglob("*.j2") if not path.name.startswith("_")]
    assert len({prompt_hash(path.with_suffix("").as_posix()) for path in templates}) == len(templates) > 15


def test_missing_data_is_an_error_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render("translation", text="Guten Tag")


def test_what_users_write_is_no_template() -> None:
    prompt = render("conversational", text="{{ 6 * 7 }} {% block system %} <b>")
    assert prompt.messages[-1]["content"] == "{{ 6 * 7 }} {% block system %} <b>"


def test_what_others_wrote_is_visible_in_a_prompt() -> None:
    hidden = "a\x1b[31mb\u202ec\x00d\ud800\U000e0041"
    resources = [{"name": f"{hidden}.txt", "type": "text", "preview": Cuttable(hidden)}]
    prompt = render(
        "answer", **answer_data(request=hidden, resources=resources, history=[{"text": hidden, "response": hidden}])
    )
    said = "".join(message["content"] for message in prompt.messages)
    assert said.count("abcd\ufffd") == 5
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\U000e0000-\U000e007f\ud800-\udfff]|\\\\u", said) is None


def test_every_script_reaches_a_prompt_as_it_was_written() -> None:
    text = "Zürich 字 مرحبا שלום 👩\u200d👩\u200d👧 Zu\u00adcker\n\tindented"
    prompt = render("answer", **answer_data(request=text))
    assert prompt.messages[-1]["content"] == text


def test_what_fits_is_not_cut() -> None:
    data = answer_data(history=TURNS)
    assert render_within("answer", 100_000, **data) == render("answer", **data)


def test_the_oldest_history_goes_first() -> None:
    prompt = render_within("answer", 600, **answer_data(history=TURNS))
    kept = re.findall(r"Answer (\d)", prompt.messages[-1]["content"])
    assert kept == [str(n) for n in range(10 - len(kept), 10)]
    assert 0 < len(kept) < 10
    assert prompt.tokens <= 600
    assert "And now?" in prompt.messages[-1]["content"]


def test_then_the_longest_texts_visibly_and_in_their_middle() -> None:
    resources = [
        {"name": "long.txt", "type": "text", "preview": Cuttable("start " + "word " * 4000 + "end")},
        {"name": "short.txt", "type": "text", "preview": Cuttable("all of this stays")},
    ]
    prompt = render_within("answer", 600, **answer_data(history=TURNS, resources=resources))
    said = prompt.messages[-1]["content"]
    assert prompt.tokens <= 600
    assert prompt.tokens > 500  # no more than needed
    assert "start word" in said and CUT in said and "word end" in said
    assert "all of this stays" in said
    assert "Answer" not in said


def test_what_cannot_be_cut_to_the_budget_is_refused() -> None:
    with pytest.raises(ControllerError, match="HUGGINGGPT_CONTROLLER_CONTEXT_TOKENS"):
        render_within("answer", 300, **answer_data(request="x" * 5000))


def test_other_languages_take_more_tokens() -> None:
    assert render("conversational", text="发票" * 500).tokens > 2 * render("conversational", text="ab" * 500).tokens


@pytest.mark.parametrize("limit", [10, 61, 100])
def test_shorten_keeps_both_ends(limit: int) -> None:
    text = "A" * 100 + "Z" * 100
    short = shorten(text, limit)
    assert len(short) <= limit and short[0] == "A" and short[-1] == "Z"
    assert shorten("short", 10) == "short"


@pytest.mark.parametrize("demo", prompt_data("planning_demos"), ids=lambda demo: demo["request"][:20])
def test_demonstrations_are_valid_plans_that_name_only_their_resources(demo: dict) -> None:
    plan = parse_plan(json.dumps(demo["tasks"]))
    assert plan.repairs == ()
    assert plan.to_list() == demo["tasks"]
    names = {resource.split(" (")[0] for resource in demo["resources"]}
    for task in plan.tasks:
        for wanted in CAPABILITIES[task.task].inputs:
            value = task.args.get(wanted.name, "")
            for element in value if isinstance(value, list) else [value]:
                if wanted.type != "text" and not str(element).startswith("<GENERATED>"):
                    assert element in names


def test_demonstrations_are_varied() -> None:
    kinds = {task["task"] for demo in prompt_data("planning_demos") for task in demo["tasks"]}
    assert len(kinds) >= 12

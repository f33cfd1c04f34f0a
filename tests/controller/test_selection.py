import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hugginggpt.controller.client import Controller
from hugginggpt.controller.selection import choose_given, choose_model
from hugginggpt.deadline import Deadline
from hugginggpt.errors import SelectionError
from hugginggpt.models.card import Candidate, Endpoint, ModelChoice
from hugginggpt.models.figures import Run, figures_of
from hugginggpt.plan import PlannedTask
from hugginggpt.settings import Settings
from tests.controller.samples import candidate
from tests.stand_ins.openai_server import OpenAIServer, Reply, broken, hangs, in_prose, invalid_json, wrong_key

TASK = PlannedTask(task="text-classification", id=0, args={"text": "What a day!"})
THREE = [candidate("org/first"), candidate("org/second", description="German. " * 40), candidate("org/third")]


def choose(controller: Controller, candidates: Sequence[Candidate], **changes: Any) -> ModelChoice:
    given: dict[str, Any] = {
        "request": "How do they feel?",
        "task": TASK,
        "top_k": 5,
        "fallbacks": 4,
        "deadline": Deadline(60),
    }
    return choose_model(controller, candidates=candidates, **given | changes)


def ids(choice: ModelChoice) -> list[str]:
    return [c.card.id for c in choice.ranked]


def test_the_controller_chooses_with_a_reason_and_the_rest_keep_their_rank(
    server: OpenAIServer, controller: Controller
) -> None:
    server.script = {"select": {"id": "org/second", "reason": "It knows German."}}
    choice = choose(controller, THREE)
    assert ids(choice) == ["org/second", "org/first", "org/third"]
    assert (choice.reason, choice.chosen_by) == ("It knows German.", "controller")


def test_the_schema_allows_only_the_candidates(server: OpenAIServer, controller: Controller) -> None:
    choose(controller, [*THREE, candidate("org/fourth", obstacle="It needs a GPU.")], top_k=2)
    assert server.calls[0].choices == ["org/first", "org/second"]
    assert "org/third" not in server.calls[0].text and "org/fourth" not in server.calls[0].text


def test_the_candidates_are_shown_with_what_matters(server: OpenAIServer, controller: Controller) -> None:
    choose(controller, THREE)
    line = next(line for line in server.calls[0].text.splitlines() if line.startswith("- org/second"))
    assert "local" in line and "downloads: 10" in line
    assert ("German. " * 40)[:100].strip() in line
    assert len(line.split("| ")[-1]) <= 100
    assert "How do they feel?" in server.calls[0].text


def test_the_controller_sees_what_was_measured_here_and_no_error_of_another_request(
    server: OpenAIServer, controller: Controller
) -> None:
    broken = figures_of([Run(1.0, "The text about Anna is too long.", done_by_another=True)] * 3)
    works = figures_of([Run(0.52), Run(0.48)])
    choose(
        controller, [candidate("org/new"), candidate("org/sound", figures=works), candidate("org/weak", figures=broken)]
    )
    new, sound, weak = (line for line in server.calls[0].text.splitlines() if line.startswith("- org/"))
    assert "measured here" not in new
    assert "| measured here: succeeds 100%, about 0.5 s an input |" in sound
    assert "| measured here: mostly fails |" in weak
    assert "Anna" not in server.calls[0].text


@pytest.mark.parametrize("first", ["org/first", "org/second"])
def test_as_many_fallbacks_as_wanted_whatever_the_controller_is_shown(
    server: OpenAIServer, controller: Controller, first: str
) -> None:
    server.script = {"select": {"id": first, "reason": "It fits."}}
    assert [len(choose(controller, THREE, top_k=3, fallbacks=n).alternatives) for n in (0, 1, 2, 4)] == [0, 1, 2, 2]
    assert ids(choose(controller, THREE, top_k=1, fallbacks=2)) == ["org/first", "org/second", "org/third"]


def test_the_rest_beyond_top_k_are_alternatives_too(server: OpenAIServer, controller: Controller) -> None:
    assert ids(choose(controller, THREE, top_k=2)) == ["org/first", "org/second", "org/third"]


def test_an_id_at_two_endpoints_is_two_choices(server: OpenAIServer, controller: Controller) -> None:
    server.script = {"select": {"id": "org/one (remote)", "reason": "It is faster."}}
    both = [candidate("org/one", Endpoint.LOCAL), candidate("org/one", Endpoint.REMOTE), candidate("org/two")]
    choice = choose(controller, both)
    assert choice.chosen.endpoint is Endpoint.REMOTE
    assert server.calls[0].choices == ["org/one (local)", "org/one (remote)", "org/two"]


def test_one_candidate_needs_no_question(server: OpenAIServer, controller: Controller) -> None:
    choice = choose(controller, [candidate("org/out", obstacle="No token."), candidate("org/in")])
    assert (ids(choice), choice.chosen_by) == (["org/in"], "ranking")
    assert server.calls == []


def test_no_candidate_is_an_error_that_says_why(controller: Controller) -> None:
    with pytest.raises(SelectionError, match=r"text-classification.*It needs torch\."):
        choose(controller, [candidate("org/out", obstacle="It needs torch.")])
    with pytest.raises(SelectionError, match="the catalog has none"):
        choose(controller, [])


@pytest.mark.parametrize("nonsense", [invalid_json(), "the second one", {"id": "org/invented"}, [1], {"id": ["x"]}])
def test_nonsense_gives_way_to_the_ranking(server: OpenAIServer, controller: Controller, nonsense: Any) -> None:
    server.script = {"select": nonsense}
    choice = choose(controller, THREE)
    assert (ids(choice)[0], choice.chosen_by) == ("org/first", "ranking")
    assert "named no model" in choice.reason


@pytest.mark.parametrize("trouble", [broken(), wrong_key(), hangs()])
def test_no_answer_gives_way_to_the_ranking(
    server: OpenAIServer, connect: Callable[..., Controller], trouble: Any
) -> None:
    server.script = {"select": trouble}
    choice = choose(connect(controller_retries=0), THREE, deadline=Deadline(0.5))
    assert (ids(choice)[0], choice.chosen_by) == ("org/first", "ranking")
    assert "made no choice" in choice.reason


@pytest.mark.parametrize("structures", [("json_object",), ()])
def test_without_schemas_the_answer_is_read_out_of_its_prose(
    server: OpenAIServer, controller: Controller, structures: tuple[str, ...]
) -> None:
    server.structures = structures
    server.script = {"select": in_prose({"id": "org/third", "reason": "Why not."})}
    assert ids(choose(controller, THREE))[0] == "org/third"


def test_of_several_answers_the_last_that_is_meant_counts(server: OpenAIServer, controller: Controller) -> None:
    server.structures = ()
    draft, example = '{"id": "org/second", "reason": "x"}', '{"id": "org/first", "reason": "x"}'
    said = (
        f'Draft: {draft}. Final: {{"id": "org/third", "reason": "Why not."}} {{"sure": true}}\nFor example: {example}'
    )
    server.script = {"select": Reply(said)}
    choice = choose(controller, THREE)
    assert (ids(choice)[0], choice.reason) == ("org/third", "Why not.")


def test_the_embedded_controller_takes_the_first() -> None:
    choice = choose(Controller.from_settings(Settings()), THREE)
    assert (ids(choice)[0], choice.chosen_by) == ("org/first", "ranking")


def test_the_model_of_the_request_is_taken_wherever_it_runs() -> None:
    remote = candidate("org/second", endpoint=Endpoint.REMOTE)
    choice = choose_given("text-classification", "org/second", [*THREE, remote])
    assert [(c.card.id, c.endpoint) for c in choice.ranked] == [("org/second", "local"), ("org/second", "remote")]
    assert choice.chosen_by == "request"


def test_a_model_of_the_request_that_cannot_run_is_refused_with_the_obstacle() -> None:
    found = [*THREE, candidate("org/fourth", obstacle="org/fourth is gated: set HF_TOKEN.")]
    with pytest.raises(SelectionError, match=r"cannot run here: org/fourth is gated: set HF_TOKEN\."):
        choose_given("text-classification", "org/fourth", found)
    with pytest.raises(
        SelectionError, match=r"No model org/fifth is known for text-classification.*models fetch org/fi"
    ):
        choose_given("text-classification", "org/fifth", found)


@pytest.mark.parametrize(
    ("named", "kind", "said"),
    [
        ("ORG/Second", "text-classification", "did you mean org/second?"),
        ("org/second@main", "text-classification", "did you mean org/second, without a revision?"),
        ("org/secnd", "text-classification", "did you mean org/second? Otherwise, run `hugginggpt models fetch"),
        ("vadersentiment/vader", "image-to-text", "is for text-classification, not for image-to-text: "),
        ("org/quite-another", "text-classification", "`hugginggpt models --kind text-classification` lists the models"),
    ],
)
def test_a_model_of_the_request_that_is_unknown_gets_a_hint_that_fits(named: str, kind: str, said: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(said)):
        choose_given(kind, named, THREE)


def test_a_model_that_comes_with_a_package_is_never_to_be_fetched() -> None:
    with pytest.raises(SelectionError) as refused:
        choose_given("image-to-text", "vadersentiment/vader", THREE)
    assert "fetch" not in refused.value.message

"""What a request can name when it begins, and what makes its plan another one."""

from typing import Any, cast

from hugginggpt.artifacts import Artifact
from hugginggpt.capabilities import ValueType
from hugginggpt.conversation import result_name
from hugginggpt.request import Exchange, RequestOptions
from hugginggpt.request_run import RequestRun
from hugginggpt.resource import Resource
from hugginggpt.results import RequestStatus
from hugginggpt.trace.story import Turn
from tasks.open import MOST_EARLIER, nameable
from tasks.policies import PLAN


def resource(name: str, digit: str = "a", **changes: Any) -> Resource:
    artifact = Artifact(sha256=digit * 64, type=ValueType.IMAGE, mime="image/png", bytes=1)
    return Resource(name=name, artifact=artifact, source=name, **changes)


def turns(count: int) -> list[Turn]:
    """Turns with one result each; each used a file and the result of the turn before."""
    made: list[Turn] = []
    for number in range(1, count + 1):
        files = [resource("a.png"), *(made[-1].resources if made else ())]
        made.append(
            Turn(
                request_id=f"r{number}",
                exchange=Exchange(text="Draw it.", response="Done."),
                resources=(resource(result_name(number, 0, 1, ".png")),),
                files=tuple(files),
            )
        )
    return made


def test_the_latest_results_can_be_named_in_a_long_conversation() -> None:
    given = nameable([resource("b.png")], turns(MOST_EARLIER + 5), is_first_life=True)
    names = [r.name for r in given]
    assert names[:2] == ["b.png", f"turn{MOST_EARLIER + 5}-0.png"]
    assert len(names) == len({*names}) == MOST_EARLIER + 1
    assert "turn10-0.png" in names and "a.png" in names
    assert [r.name for r in given if not r.earlier] == ["b.png"]


def test_what_came_from_an_earlier_turn_still_does_when_a_request_is_resumed() -> None:
    recorded = [resource("b.png"), resource("turn1-0.png"), resource("a.png", "c")]
    again = nameable(recorded, turns(1), is_first_life=False)
    assert {r.name: r.earlier for r in again} == {"b.png": False, "turn1-0.png": True, "a.png": False}
    first = nameable([resource("a.png")], turns(1), is_first_life=True)
    assert {r.name: r.earlier for r in first} == {"a.png": False, "turn1-0.png": True}


def test_a_file_that_is_attached_again_makes_another_plan() -> None:
    def key(resource: Resource) -> str | None:
        run = RequestRun(
            request_id="r",
            conversation_id="c",
            life=1,
            status=RequestStatus.RUNNING,
            text="Who pays?",
            options=RequestOptions(),
            resources=(resource,),
            history=(),
        )
        assert PLAN.cache_key is not None
        return PLAN.cache_key(cast(Any, None), {"run": run, "kinds": ()})

    assert key(resource("a.png")) != key(resource("a.png", earlier=True))

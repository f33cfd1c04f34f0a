"""Who works on a request: leases, deaths, takeovers."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hugginggpt.errors import RequestInProgressError, TraceError
from hugginggpt.holder import Hold, Holder, holder_name, is_dead
from hugginggpt.plan import Plan
from hugginggpt.results import RequestStatus, TaskStatus
from hugginggpt.settings import Settings
from hugginggpt.trace.store import Trace
from tests.trace.samples import (
    PLAN,
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

ELSEWHERE = "other-host/4026531836:4711:1764000000.00"


def dead_process() -> str:
    """The holder name of a process of this host that has ended."""
    child = subprocess.run(
        [sys.executable, "-c", "from hugginggpt.holder import holder_name; print(holder_name())"],
        capture_output=True,
        text=True,
        check=True,
    )
    return child.stdout.strip()


def test_this_process_is_alive_and_a_past_one_is_dead() -> None:
    assert not is_dead(holder_name())
    assert is_dead(dead_process())


def test_a_new_process_under_an_old_number_does_not_pass_for_the_old_one() -> None:
    mine = Holder.parse(holder_name())
    assert mine is not None and mine.pid == os.getpid()
    assert is_dead(str(mine._replace(started=mine.started - 3600)))


@pytest.mark.parametrize("name", [ELSEWHERE, "worker-7", "", ":1:2"])
def test_nothing_is_said_of_processes_elsewhere(name: str) -> None:
    assert not is_dead(name)


def test_a_killed_process_that_nobody_has_waited_for_is_dead() -> None:
    code = "import sys; from hugginggpt.holder import holder_name as h; print(h(), flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert not is_dead(name)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(name)
    finally:
        child.kill()
        child.wait()


def test_a_live_holder_keeps_its_request(trace: Trace) -> None:
    opened = begin(trace, holder=ELSEWHERE)

    with pytest.raises(RequestInProgressError, match="process 4711 on other-host"):
        begin(trace, request_id=opened.request_id)

    assert trace.requests.get(opened.request_id).status is RequestStatus.RUNNING


def test_a_request_whose_lease_ran_out_died_and_can_be_resumed(trace: Trace) -> None:
    opened = planned(trace, holder=ELSEWHERE, lease_seconds=0.0, flow_run_id="first")
    request_id = opened.request_id
    run_of(trace, request_id).record_choices({0: choice()})
    run_of(trace, request_id, 1).start_attempt(0, candidate(), run_count=1)
    run_of(trace, request_id).record_result(result(0))
    assert trace.requests.get(request_id).status is RequestStatus.DIED
    assert trace.requests.latest()[0].status is RequestStatus.DIED
    assert trace.requests.counts() == {RequestStatus.DIED: 1}

    again = begin(trace, request_id=request_id, text="", resources=[], flow_run_id="second")

    assert (again.life, again.known, again.text) == (2, True, opened.text)
    assert again.resources == opened.resources
    assert run_of(trace, request_id).plan() == PLAN
    assert run_of(trace, request_id).results() == {0: result(0)}
    story = trace.requests.get(request_id)
    assert story.status is RequestStatus.RUNNING
    assert [(life.flow_run_id, life.ending) for life in story.lives] == [("first", "died"), ("second", None)]
    assert story.lives[0].ended_at == story.lives[0].seen_at
    attempt = story.tasks[0].attempts[0]
    assert (attempt.status, attempt.error) == ("interrupted", "Its process ended during this attempt.")


def test_a_dead_process_of_this_host_counts_at_once(trace: Trace) -> None:
    opened = begin(trace, holder=dead_process(), lease_seconds=3600.0)

    assert trace.requests.get(opened.request_id).status is RequestStatus.DIED
    assert begin(trace, request_id=opened.request_id).life == 2


def test_renewing_keeps_a_request_alive(trace: Trace) -> None:
    opened = begin(trace, holder=ELSEWHERE, lease_seconds=0.0)

    assert trace.lifecycle.renew_lease(opened.request_id, ELSEWHERE, 60.0) is Hold.HELD

    story = trace.requests.get(opened.request_id)
    assert story.status is RequestStatus.RUNNING
    assert story.lives[0].seen_at > story.lives[0].started_at


def test_a_lease_tells_an_ending_from_a_cancelling(trace: Trace) -> None:
    answered, unwanted = begin(trace, holder=ELSEWHERE), begin(trace, holder=ELSEWHERE)
    finish(trace, answered.request_id)
    trace.lifecycle.cancel(unwanted.request_id)

    assert trace.lifecycle.renew_lease(answered.request_id, ELSEWHERE, 60.0) is Hold.ENDED
    assert trace.lifecycle.renew_lease(unwanted.request_id, ELSEWHERE, 60.0) is Hold.CANCELLED
    assert trace.lifecycle.renew_lease("unknown", ELSEWHERE, 60.0) is Hold.ENDED


def test_who_lost_a_request_cannot_renew_or_go_on(trace: Trace) -> None:
    opened = planned(trace, holder=ELSEWHERE, lease_seconds=0.0, flow_run_id="first")
    attempt = run_of(trace, opened.request_id, 1).start_attempt(0, candidate(), run_count=1)
    begin(trace, request_id=opened.request_id)
    before = trace.requests.get(opened.request_id)

    assert trace.lifecycle.renew_lease(opened.request_id, ELSEWHERE, 60.0) is Hold.LOST
    assert not trace.lifecycle.release_flow_run("first", ending="cancelled")
    writes = [
        lambda: run_of(trace, opened.request_id, 1).record_resources([]),
        lambda: run_of(trace, opened.request_id, 1).record_plan(Plan(), "given"),
        lambda: run_of(trace, opened.request_id, 1).record_choices({0: choice()}),
        lambda: run_of(trace, opened.request_id, 1).start_attempt(0, candidate(), run_count=2),
        lambda: run_of_attempt(trace, attempt).finish_attempt(attempt, status="completed", seconds=1.0),
        lambda: run_of(trace, opened.request_id, 1).record_result(result(0)),
        lambda: run_of(trace, opened.request_id, 1).record_no_result(0, TaskStatus.FAILED, "Late."),
        lambda: run_of(trace, opened.request_id, 1).record_controller_call(0, call()),
        lambda: finish(trace, opened.request_id, life=1),
    ]
    for write in writes:
        with pytest.raises(TraceError, match="taken over"):
            write()
    after = trace.requests.get(opened.request_id)
    assert after == before.model_copy(update={"totals": after.totals})  # the seconds run on


def test_a_call_to_the_controller_belongs_to_its_life(trace: Trace) -> None:
    opened = begin(trace, holder=ELSEWHERE, lease_seconds=0.0)
    run_of(trace, opened.request_id, 1).record_controller_call(None, call("plan"))
    begin(trace, request_id=opened.request_id)
    run_of(trace, opened.request_id, 2).record_controller_call(None, call("respond"))

    assert [(c.stage, c.life) for c in trace.requests.get(opened.request_id).controller_calls] == [
        ("plan", 1),
        ("respond", 2),
    ]


def test_what_an_earlier_life_made_stays_as_it_was(trace: Trace) -> None:
    opened = planned(trace, holder=ELSEWHERE, lease_seconds=0.0)
    run_of(trace, opened.request_id, 1).record_cached([result(0)])
    run_of(trace, opened.request_id, 1).start_attempt(1, candidate(), run_count=1)
    run_of(trace, opened.request_id, 1).record_result(result(1))
    before = trace.requests.get(opened.request_id).tasks[:2]

    begin(trace, request_id=opened.request_id)
    finish(trace, opened.request_id, outcomes=[outcome(2, TaskStatus.FAILED, error="No.")], life=2)

    cached, made, failed = trace.requests.get(opened.request_id).tasks
    assert (cached.status, cached.cached, cached.seconds) == (TaskStatus.CACHED, True, 1.25)
    assert (made.status, made.cached) == (TaskStatus.COMPLETED, False)
    assert cached == before[0]
    assert made.model_copy(update={"attempts": ()}) == before[1].model_copy(update={"attempts": ()})
    assert failed.status is TaskStatus.FAILED


def test_a_task_that_is_done_in_a_later_life_ended_then(trace: Trace) -> None:
    opened = planned(trace, holder=ELSEWHERE, lease_seconds=0.0)
    run_of(trace, opened.request_id, 1).record_no_result(0, TaskStatus.FAILED, "No.")
    run_of(trace, opened.request_id, 1).record_result(result(1, "one", "two"))
    ended = [task.ended_at for task in trace.requests.get(opened.request_id).tasks[:2]]
    again = begin(trace, request_id=opened.request_id)

    for made in (result(0), result(1, "one", "three")):
        run_of(trace, opened.request_id, again.life).record_result(made)

    tasks = trace.requests.get(opened.request_id).tasks
    later = [task.ended_at for task in tasks[:2]]
    assert all(new and old and new > old for new, old in zip(later, ended, strict=True))
    run_of(trace, opened.request_id, again.life).record_result(result(0))
    assert trace.requests.get(opened.request_id).tasks == tasks


def test_a_released_request_can_be_resumed_at_once(trace: Trace) -> None:
    opened = begin(trace, flow_run_id="first")

    assert trace.lifecycle.release_flow_run("first", ending="crashed", error="It ran out of memory.")
    assert not trace.lifecycle.release_flow_run("first", ending="failed")

    life = trace.requests.get(opened.request_id).lives[0]
    assert (life.ending, life.error) == ("crashed", "It ran out of memory.")
    assert life.ended_at is not None and life.ended_at - life.started_at < timedelta(minutes=5)
    assert trace.requests.get(opened.request_id).status is RequestStatus.DIED
    assert begin(trace, request_id=opened.request_id).life == 2
    assert trace.requests.get(opened.request_id).lives[0] == life


def test_a_retried_flow_run_of_this_process_goes_on(trace: Trace) -> None:
    opened = begin(trace, flow_run_id="flow")

    assert begin(trace, request_id=opened.request_id, flow_run_id="flow").life == 2
    with pytest.raises(RequestInProgressError):
        begin(trace, request_id=opened.request_id, flow_run_id="another")


def test_of_two_who_resume_at_once_one_wins(trace: Trace) -> None:
    opened = begin(trace, holder=ELSEWHERE, lease_seconds=0.0)

    def resume(n: int) -> int | None:
        try:
            return begin(trace, request_id=opened.request_id, holder=f"host-{n}/1:{n}:1764000000.00").life
        except RequestInProgressError:
            return None

    with ThreadPoolExecutor(8) as pool:
        lives = list(pool.map(resume, range(8)))

    assert sorted(lives, key=str) == [2] + [None] * 7
    assert len(trace.requests.get(opened.request_id).lives) == 2


def test_of_two_who_create_the_same_request_one_wins(trace: Trace) -> None:
    def create(n: int) -> int | None:
        try:
            return begin(trace, request_id="same", holder=f"host-{n}/1:{n}:1764000000.00").life
        except RequestInProgressError:
            return None

    with ThreadPoolExecutor(8) as pool:
        lives = list(pool.map(create, range(8)))

    assert sorted(lives, key=str) == [1] + [None] * 7
    assert len(trace.requests.latest()) == 1


def _work(settings: Settings, n: int, barrier: object, wins: object) -> None:
    """What each of several processes does: open the database, work on a request of its own, fight for a shared one."""
    barrier.wait()  # type: ignore[attr-defined]
    trace = Trace.open(settings)
    opened = planned(trace, text=f"request {n}")
    for task_id in range(3):
        run_of(trace, opened.request_id).record_choices({task_id: choice()})
        attempt = run_of(trace, opened.request_id, 1).start_attempt(task_id, candidate(), run_count=1)
        run_of(trace, opened.request_id).record_controller_call(task_id, call("select"))
        run_of(trace, opened.request_id).record_result(result(task_id, "shared text", f"text of {n}"))
        run_of_attempt(trace, attempt).finish_attempt(attempt, status="completed", seconds=0.1)
    trace.models.save_cards("image-to-text", [candidate(f"org/{n}-{k}").card for k in range(5)])
    try:
        begin(trace, request_id="shared")
        wins.put(n)  # type: ignore[attr-defined]
    except RequestInProgressError:
        pass
    finally:
        barrier.wait()  # type: ignore[attr-defined]
    finish(
        trace,
        opened.request_id,
        status=RequestStatus.COMPLETED,
        response=f"answer {n}",
        response_source="plain",
    )
    trace.close()


def test_processes_that_start_at_once_share_a_new_database(trace_settings: Settings) -> None:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    barrier, wins = forks.Barrier(4), forks.Queue()
    processes = [forks.Process(target=_work, args=(trace_settings, n, barrier, wins)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert wins.get() in range(4) and wins.empty()
    trace = Trace.open(trace_settings)
    answers = [s for s in trace.requests.latest() if s.status is RequestStatus.COMPLETED]
    assert {s.response for s in answers} == {f"answer {n}" for n in range(4)}
    assert all((s.tasks, s.tasks_done) == (3, 3) for s in answers)
    kept = trace.models.cards("image-to-text")
    assert kept is not None and len({card.id.partition("-")[0] for card in kept[0]}) == 1 and len(kept[0]) == 5
    trace.close()

"""Native code in a child process: it answers, dies at the deadline, comes back, and takes nobody with it."""

import os
import resource
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from hugginggpt.child_process import Child, Handler, Message
from hugginggpt.deadline import Deadline
from hugginggpt.errors import DeadlineExceededError, ExpertError, ExpertUnavailableError, ModelLoadError
from tests.servers import has_ended, wait_until


def make_handler(greeting: str = "hello") -> Handler:
    """What runs in the child."""

    def handle(header: Mapping[str, Any], data: bytes) -> Message:
        match header["do"]:
            case "greet":
                return {"text": f"{greeting} {header['name']}", "pid": os.getpid()}, data[::-1]
            case "print":
                print("noise")
                os.write(1, b"more noise")
                return {"text": "quiet"}, b""
            case "sleep":
                time.sleep(header["seconds"])
                return {"text": "slept"}, b""
            case "threads":
                return {"text": os.environ["OMP_NUM_THREADS"]}, b""
            case "refuse":
                raise ModelLoadError("The model is not to be trusted.")
            case "take little":
                taken = psutil.Process().memory_info().vms + 50 * 2**20
                resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
                return {}, b""
            case "crash":
                os.write(2, b"something went very wrong\n")
                os.abort()
            case what:
                raise ValueError(f"cannot {what}")

    return handle


def make_nothing() -> Handler:
    raise ModelLoadError("There is no such model.")


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("tests.experts.test_child:make_handler", {"greeting": "good morning"}, threads=1)
    yield child
    child.close()


def test_it_answers_with_text_and_bytes(child: Child) -> None:
    child.start(Deadline(60))
    header, data = child.call({"do": "greet", "name": "you"}, b"abc" * 1_000_000, deadline=Deadline(60))
    assert header["text"] == "good morning you"
    assert data == b"cba" * 1_000_000
    assert header["pid"] != os.getpid()


def test_what_libraries_print_does_not_disturb_the_answers(child: Child) -> None:
    assert child.call({"do": "print"}, deadline=Deadline(60))[0]["text"] == "quiet"
    assert child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]["text"] == "good morning you"


def test_it_is_told_its_thread_budget(child: Child) -> None:
    assert child.call({"do": "threads"}, deadline=Deadline(60))[0]["text"] == "1"


def test_it_is_killed_at_the_deadline_and_usable_afterwards(child: Child) -> None:
    child.start(Deadline(60))
    first = child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]["pid"]
    with pytest.raises(DeadlineExceededError):
        child.call({"do": "sleep", "seconds": 600}, deadline=Deadline(0.5))
    assert not psutil.pid_exists(first)
    again = child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]
    assert again["text"] == "good morning you"
    assert again["pid"] != first


def test_cancelling_stops_it(child: Child) -> None:
    child.start(Deadline(60))
    deadline = Deadline(600)
    threading.Timer(0.3, deadline.cancel).start()
    with pytest.raises(DeadlineExceededError, match="cancelled"):
        child.call({"do": "sleep", "seconds": 600}, deadline=deadline)


def test_many_threads_take_turns(child: Child) -> None:
    with ThreadPoolExecutor(8) as threads:
        names = [f"number {i}" for i in range(32)]
        answers = threads.map(
            lambda name: child.call({"do": "greet", "name": name}, deadline=Deadline(60))[0]["text"], names
        )
        assert list(answers) == [f"good morning {name}" for name in names]


def test_who_waits_for_a_turn_obeys_its_own_deadline(child: Child) -> None:
    child.start(Deadline(60))
    long_deadline = Deadline(600)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(child.call, {"do": "sleep", "seconds": 600}, deadline=long_deadline)
        with pytest.raises(DeadlineExceededError):
            while not busy.done():
                child.call({"do": "sleep", "seconds": 0}, deadline=Deadline(0.3))
        long_deadline.cancel()
        assert isinstance(busy.exception(), DeadlineExceededError)


def test_errors_keep_their_class_and_message(child: Child) -> None:
    with pytest.raises(ModelLoadError, match="not to be trusted"):
        child.call({"do": "refuse"}, deadline=Deadline(60))
    with pytest.raises(ExpertError, match="ValueError: cannot dance"):
        child.call({"do": "dance"}, deadline=Deadline(60))
    assert child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]["text"] == "good morning you"


def test_a_crash_is_one_error_and_the_next_call_works(child: Child, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ExpertUnavailableError, match=r"ended unexpectedly.*something went very wrong"):
        child.call({"do": "crash"}, deadline=Deadline(60))
    assert child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]["text"] == "good morning you"
    assert caplog.records == []  # what a user is told is the error


def test_a_call_too_large_for_its_memory_ends_it_at_once(child: Child) -> None:
    child.call({"do": "take little"}, deadline=Deadline(60))
    with pytest.raises(ExpertUnavailableError, match=r"ended unexpectedly.*MemoryError"):
        child.call({"do": "greet", "name": "you"}, bytes(200 * 2**20), deadline=Deadline(20))


def test_a_factory_that_fails_says_why() -> None:
    child = Child("tests.experts.test_child:make_nothing", {}, threads=1)
    with pytest.raises(ModelLoadError, match="no such model"):
        child.start(Deadline(60))
    child.close()


def test_it_dies_with_its_parent_even_in_the_middle_of_a_call() -> None:
    parent = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import os, threading, time
                from hugginggpt.deadline import Deadline
                from hugginggpt.child_process import Child
                child = Child("tests.experts.test_child:make_handler", {}, threads=1)
                pid = child.call({"do": "greet", "name": "you"}, deadline=Deadline(60))[0]["pid"]
                print(pid, flush=True)
                call = lambda: child.call({"do": "sleep", "seconds": 600}, deadline=Deadline(600))
                threading.Thread(target=call, daemon=True).start()
                time.sleep(0.5)
                os.kill(os.getpid(), 9)
            """),
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    pid = int(parent.stdout)
    wait_until(lambda: has_ended(pid))

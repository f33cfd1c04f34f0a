"""What the runs of a model say of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.models.figures import LATEST, Figures, Run, figures_of

DONE = Run(1.0)
BROKEN = Run(1.0, "No such file.", done_by_another=True)
UNCLEAR = Run(1.0, "The picture is empty.")
BUSY = Run(1.0, "It is busy.", passing=True)

runs = st.lists(st.sampled_from([DONE, BROKEN, UNCLEAR, BUSY]), min_size=1, max_size=LATEST)


@pytest.mark.parametrize("failure", [BROKEN, UNCLEAR, BUSY])
def test_one_failure_condemns_nobody(failure: Run) -> None:
    assert not figures_of([failure]).failing


def test_repeated_failures_do_and_sooner_when_they_are_clear() -> None:
    def until_it_sinks(failure: Run) -> int:
        return next(n for n in range(1, 100) if figures_of([failure] * n).failing)

    assert until_it_sinks(BROKEN) == 3
    assert until_it_sinks(BROKEN) < until_it_sinks(UNCLEAR) < until_it_sinks(BUSY)


def test_one_that_worked_for_long_and_broke_sinks_within_the_runs_that_count() -> None:
    sunk = [n for n in range(LATEST + 1) if figures_of([BROKEN] * n + [DONE] * (LATEST - n)).failing]
    assert sunk == [6, 7, 8]


@given(runs)
def test_another_success_never_makes_it_worse_and_another_failure_never_better(some: list[Run]) -> None:
    now = figures_of(some).reliability
    assert figures_of([DONE, *some]).reliability >= now
    for failure in (BROKEN, UNCLEAR, BUSY):
        assert figures_of([failure, *some]).reliability < now


@given(runs)
def test_a_busy_server_is_held_against_it_less_than_what_cannot_pass(some: list[Run]) -> None:
    busy, unclear, broken = (figures_of([run, *some]).reliability for run in (BUSY, UNCLEAR, BROKEN))
    assert busy > unclear > broken


@given(runs)
def test_the_figures_are_what_they_are_called(some: list[Run]) -> None:
    figures = figures_of(some)
    assert (figures.runs, figures.completed) == (len(some), some.count(DONE))
    assert 0 < figures.reliability <= 1
    assert (figures.reliability == 1) == (figures.completed == figures.runs)
    assert (figures.last_error is None) == (figures.completed == figures.runs)
    assert Figures.model_validate_json(figures.model_dump_json()) == figures


def test_time_is_that_of_an_element_and_one_long_load_is_no_matter() -> None:
    figures = figures_of([Run(2.0, elements=4), Run(90.0), Run(0.5), Run(0.1, "No."), Run(0.3)])
    assert figures.seconds == 0.5
    assert figures_of([BROKEN]).seconds is None


def test_the_last_error_is_the_latest() -> None:
    assert figures_of([DONE, BUSY, BROKEN]).last_error == "It is busy."


@given(st.floats(1e-4, 1e5))
def test_rounded_times_are_near_the_true_ones_and_few(seconds: float) -> None:
    gist = figures_of([Run(seconds)]).gist
    told = float(gist.removeprefix("succeeds 100%, about ").removesuffix(" s an input"))
    assert f"{told:e}"[0] in "125"
    if seconds >= 0.01:
        assert 0.62 < told / seconds < 1.6


def test_more_of_the_same_is_the_same_gist() -> None:
    """So that kept choices stay good while nothing happens that matters."""
    gists = {figures_of([Run(0.48 + n / 100)] * (n + 1)).gist for n in range(LATEST)}
    assert gists == {"succeeds 100%, about 0.5 s an input"}
    assert figures_of([BROKEN] * 3).gist == figures_of([BROKEN] * LATEST).gist == "mostly fails"
    assert figures_of([BROKEN, DONE, DONE]).gist == "succeeds 80%, about 1 s an input"

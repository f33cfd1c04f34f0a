"""The order of candidates."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hugginggpt.catalog.ranking import ranked
from hugginggpt.models.card import Candidate, Endpoint, ModelCard
from hugginggpt.models.figures import Run, figures_of
from hugginggpt.settings import InferenceMode


def candidate(
    name: str,
    endpoint: Endpoint = Endpoint.LOCAL,
    *,
    installed: bool = False,
    obstacle: str | None = None,
    downloads: int = 0,
    size: int | None = None,
    failures: int = 0,
    successes: int = 0,
    narrow: bool = False,
) -> Candidate:
    card = ModelCard(
        id=name,
        kind="text-classification",
        downloads=downloads,
        bytes=size,
        runs_on=(endpoint,),
        narrow=narrow,
    )
    runs = [Run(1.0, "It broke.", done_by_another=True)] * failures + [Run(1.0)] * successes
    figures = figures_of(runs) if runs else None
    return Candidate(card=card, endpoint=endpoint, installed=installed, obstacle=obstacle, figures=figures)


def names(candidates: list[Candidate]) -> list[str]:
    return [c.card.id for c in candidates]


def test_what_is_nearest_comes_first() -> None:
    given_ = [
        candidate("remote", Endpoint.REMOTE, downloads=100),
        candidate("blocked", Endpoint.EMBEDDED, obstacle="No."),
        candidate("to download", downloads=50),
        candidate("installed", installed=True),
        candidate("controller", Endpoint.CONTROLLER, installed=True),
        candidate("embedded", Endpoint.EMBEDDED, installed=True),
    ]
    expected = ["embedded", "controller", "installed", "to download", "remote", "blocked"]
    assert names(ranked(given_, "hybrid")) == expected


def test_remote_comes_before_the_controller_in_remote_mode() -> None:
    given_ = [candidate("controller", Endpoint.CONTROLLER, installed=True), candidate("remote", Endpoint.REMOTE)]
    assert names(ranked(given_, "remote")) == ["remote", "controller"]
    assert names(ranked(given_, "hybrid")) == ["controller", "remote"]


def test_what_was_installed_comes_before_a_small_controller() -> None:
    given_ = [
        candidate("controller", Endpoint.CONTROLLER, installed=True),
        candidate("embedded", Endpoint.EMBEDDED, installed=True),
        candidate("installed", installed=True),
        candidate("to download"),
    ]
    expected = ["embedded", "installed", "controller", "to download"]
    assert names(ranked(given_, "hybrid", small_controller=True)) == expected


def test_what_does_only_a_part_comes_after_what_was_installed() -> None:
    given_ = [
        candidate("narrow", Endpoint.EMBEDDED, installed=True, narrow=True),
        candidate("to download", downloads=50),
        candidate("remote", Endpoint.REMOTE),
        candidate("installed", installed=True),
    ]
    assert names(ranked(given_, "hybrid")) == ["installed", "narrow", "to download", "remote"]
    assert names(ranked(given_[:2], "local")) == ["narrow", "to download"]


def test_then_downloads_then_size_then_name() -> None:
    given_ = [
        candidate("d", downloads=1),
        candidate("c", downloads=1, size=20),
        candidate("b", downloads=1, size=10),
        candidate("a", downloads=1, size=20),
        candidate("e", downloads=2),
    ]
    assert names(ranked(given_, "local")) == ["e", "b", "a", "c", "d"]


def test_what_failed_repeatedly_comes_after_all_that_works_and_before_what_cannot_run() -> None:
    given_ = [
        candidate("broken", Endpoint.EMBEDDED, installed=True, failures=3),
        candidate("failed once", installed=True, downloads=9, failures=1),
        candidate("works", installed=True, downloads=8, successes=8),
        candidate("never tried", Endpoint.REMOTE),
        candidate("blocked", obstacle="No.", successes=8),
    ]
    assert names(ranked(given_, "hybrid")) == ["failed once", "works", "never tried", "broken", "blocked"]


candidates = st.lists(
    st.builds(
        candidate,
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from(Endpoint),
        installed=st.booleans(),
        obstacle=st.sampled_from([None, "No."]),
        downloads=st.integers(0, 3),
        size=st.sampled_from([None, 1, 2]),
        failures=st.integers(0, 4),
        successes=st.integers(0, 4),
    ),
    max_size=8,
    unique_by=lambda c: (c.card.id, c.endpoint),
)
modes = st.sampled_from(["local", "remote", "hybrid"])


@given(candidates, modes, st.randoms())
def test_the_order_does_not_depend_on_where_candidates_come_from(
    some: list[Candidate], mode: InferenceMode, random: object
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ranked(shuffled, mode) == ranked(some, mode)


@given(candidates, modes)
def test_ranking_loses_nothing_and_puts_what_can_run_first(some: list[Candidate], mode: InferenceMode) -> None:
    result = ranked(some, mode)
    assert sorted(map(repr, result)) == sorted(map(repr, some))
    assert all((a.obstacle is not None) <= (b.obstacle is not None) for a, b in pairwise(result))


@given(candidates, modes)
def test_one_more_candidate_leaves_the_others_in_order(some: list[Candidate], mode: InferenceMode) -> None:
    newcomer = candidate("newcomer", downloads=2)
    with_newcomer = ranked([*some, newcomer], mode)
    assert [c for c in with_newcomer if c is not newcomer] == ranked(some, mode)


@given(candidates, modes)
def test_failing_candidates_stand_between_the_others_and_the_blocked(
    some: list[Candidate], mode: InferenceMode
) -> None:
    def place(candidate: Candidate) -> int:
        if candidate.obstacle is not None:
            return 2
        return int(candidate.figures is not None and candidate.figures.failing)

    assert all(place(a) <= place(b) for a, b in pairwise(ranked(some, mode)))


@given(candidates, modes, st.integers(0, 7))
def test_a_candidate_that_begins_to_fail_never_rises(some: list[Candidate], mode: InferenceMode, which: int) -> None:
    if not some:
        return
    before = some[which % len(some)]
    after = before.model_copy(update={"figures": figures_of([Run(1.0, "It broke.", done_by_another=True)] * 3)})
    then = ranked([after if c is before else c for c in some], mode)
    assert then.index(after) >= ranked(some, mode).index(before)

"""A few kills of what `python -m tests.kills` does fifty of."""

from pathlib import Path

import pytest

from tests.kills import ALONE, UP, Round, kill, rounds

pytest.importorskip("prefect_dask")
pytest.importorskip("xllamacpp")


def test_killed_requests_are_answered_whole_and_leave_nothing(tmp_path: Path) -> None:
    wanted = [Round(1, ALONE, "ask", 0.5, scheduled=False)]
    assert [str(round) for round in kill(wanted, tmp_path, at_once=1) if round.faults] == []


def test_the_same_seed_kills_the_same() -> None:
    assert rounds(50, 7) == rounds(50, 7) != rounds(50, 8)
    assert [round.half for round in rounds(50, 7)].count(UP) == 25

"""A kill of what `python -m tests.kills` does fifty of."""

from pathlib import Path

import pytest

from tests.kills import ALONE, UP, Kills, Round, rounds

pytest.importorskip("prefect_dask")
pytest.importorskip("xllamacpp")


def test_killed_requests_are_answered_whole_and_leave_nothing(tmp_path: Path) -> None:
    round = Round(1, ALONE, "ask", moment=None, scheduled=False)
    Kills(tmp_path).alone(round)
    assert round.faults == [] and round.lives > 1


def test_the_same_seed_kills_the_same() -> None:
    assert rounds(50, 7) == rounds(50, 7) != rounds(50, 8)
    assert [round.half for round in rounds(50, 7)].count(UP) == 25

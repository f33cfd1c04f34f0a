"""The fuzzer's small round: a few hundred cases over all areas, always the same ones."""

import pytest

from tests.fuzz.areas import AREAS
from tests.fuzz.runner import Report, run, shares

CASES, SEED = 400, 20261129


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    wanted = [(area, number) for area, count in shares(CASES, list(AREAS)) for number in range(count)]
    return run(wanted, SEED, processes=1)


def test_hostile_input_gives_values_that_can_be_used_or_our_own_errors(reports: list[Report]) -> None:
    assert [report.area for report in reports] == list(AREAS)
    found = [
        f"{report.area} {numbers}: {what}\n{finding.label}: {finding.given}\n{finding.detail}"
        for report in reports
        for what, (finding, numbers) in report.findings.items()
    ]
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("area", ["plans", "media"])
def test_accepted_and_refused_cases_are_both_there(reports: list[Report], area: str) -> None:
    (report,) = (report for report in reports if report.area == area)
    assert 0 < report.outcomes["accepted"] < report.outcomes.total()

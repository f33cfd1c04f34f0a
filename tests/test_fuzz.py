"""The fuzzer's small round: a few hundred cases over all areas, always the same ones."""

from tests.fuzz.areas import AREAS
from tests.fuzz.runner import run, shares

CASES, SEED = 400, 20261129


def test_hostile_input_gives_values_that_can_be_used_or_our_own_errors() -> None:
    wanted = [(area, number) for area, count in shares(CASES, list(AREAS)) for number in range(count)]
    reports = run(wanted, SEED, processes=1)
    assert [report.area for report in reports] == list(AREAS)
    found = [
        f"{report.area} {numbers}: {what}\n{finding.label}: {finding.given}\n{finding.detail}"
        for report in reports
        for what, (finding, numbers) in report.findings.items()
    ]
    assert not found, "\n\n".join(found)


def test_accepted_and_refused_cases_are_both_there() -> None:
    reports = run([(area, number) for area in ("plans", "media") for number in range(30)], SEED, processes=1)
    for report in reports:
        assert report.outcomes["accepted"] > 0
        assert report.outcomes.total() - report.outcomes["accepted"] > 0

"""`python -m tests.fuzz`: see the package."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.areas import AREAS
from tests.fuzz.case import Measured
from tests.fuzz.material import raw
from tests.fuzz.runner import Report, run, shares
from tests.fuzz.worker import made, shown


def main() -> int:
    """Run the cases, print what was found, and say by the exit code whether anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Hostile input to everything that reads.")
    parser.add_argument("--cases", type=int, default=1000, metavar="N", help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what they are made from (default: 1)")
    parser.add_argument("--only", choices=AREAS, action="append", help="only this area; may be given more than once")
    parser.add_argument("--case", type=int, metavar="K", help="only the case of this number, told in full")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="how many at once (default: 2)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="with --case: write its input there")
    given = parser.parse_args()
    areas = given.only or list(AREAS)
    if given.case is not None:
        if len(areas) != 1:
            parser.error("--case needs one --only")
        _tell(areas[0], given.seed, given.case, given.save)
        wanted = [(areas[0], given.case)]
    else:
        wanted = [(area, number) for area, count in shares(given.cases, areas) for number in range(count)]
    began = time.monotonic()
    processes = min(given.processes, len(wanted))
    reports = run(wanted, given.seed, processes=processes, each=_say)
    _print(reports, given.seed, in_full=given.case is not None)
    found = sum(len(report.findings) for report in reports)
    print(f"\n{len(wanted)} cases, seed {given.seed}, {time.monotonic() - began:.0f} s: {found} findings")
    return 1 if found else 0


def _say(measured: Measured) -> None:
    if sys.stderr.isatty():
        print(f"\r{measured.area} {measured.number}        ", end="\r", file=sys.stderr, flush=True)


def _tell(area: str, seed: int, number: int, save: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="hugginggpt-fuzz-") as folder:
        case = made(AREAS[area].open(Path(folder)), area, seed, number)
    print(f"{case.label}\n{shown(case.given, 2000)}\n")
    if save is not None:
        save.write_bytes(case.given if isinstance(case.given, bytes) else raw(str(case.given)))


def _print(reports: list[Report], seed: int, in_full: bool) -> None:
    print(f"{'area':<10} {'cases':>6} {'accepted':>9}  {'slowest':<16} {'largest':<18} refused by")
    for report in reports:
        counts = report.outcomes
        refused = ", ".join(f"{name} {n}" for name, n in counts.most_common() if name != "accepted")
        slowest = f"{report.slowest.seconds:.2f} s ({report.slowest.number})" if report.slowest else ""
        largest = f"{report.largest.megabytes:.0f} MB ({report.largest.number})" if report.largest else ""
        print(f"{report.area:<10} {counts.total():>6} {counts['accepted']:>9}  {slowest:<16} {largest:<18} {refused}")
    for report in reports:
        for what, (finding, numbers) in report.findings.items():
            print(f"\n{report.area}: {what}")
            print(f"  {len(numbers)} cases: {', '.join(map(str, numbers[:8]))}{', …' if len(numbers) > 8 else ''}")
            print(f"  {finding.label}: {finding.given}")
            for line in finding.detail.splitlines() if in_full else finding.detail.splitlines()[-1:]:
                print(f"  {line}")
            print(f"  python -m tests.fuzz --seed {seed} --only {report.area} --case {numbers[0]}")


if __name__ == "__main__":
    sys.exit(main())

import os
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from apps.cli.main import main
from hugginggpt.services import get_store, get_trace
from hugginggpt.settings import get_settings
from tests.trace.samples import artifact, finish, planned, result, run_of


def old_request() -> str:
    """A finished request, whose result is in the store and older than an hour."""
    request_id = planned(get_trace()).request_id
    made = artifact("TOTAL 12.50")
    get_store().put_bytes(b"TOTAL 12.50", made.type, made.mime)
    two_hours_ago = time.time() - 7200
    os.utime(get_store().address(made), (two_hours_ago, two_hours_ago))
    run_of(get_trace(), request_id).record_result(result(0, "TOTAL 12.50"))
    finish(get_trace(), request_id)
    return request_id


def test_what_is_old_goes_and_is_counted(inside: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests have recordings there at the same time.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request_id = old_request()
    made = artifact("nobody's")
    get_store().put_bytes(b"nobody's", made.type, made.mime)
    two_hours_ago = time.time() - 7200
    os.utime(get_store().address(made), (two_hours_ago, two_hours_ago))
    tried = inside.invoke(main, ["prune", "--max-age-days", "0", "--dry-run"])
    assert "artifacts: 1 (8 bytes) would be deleted, 1 (11 bytes) kept" in tried.stdout
    assert get_store().exists(made)
    done = inside.invoke(main, ["prune", "--max-age-days", "0"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        "requests: 0 deleted, 1 kept",
        "records: 0 (0 bytes) deleted, 0 (0 bytes) kept",
        "artifacts: 1 (8 bytes) deleted, 1 (11 bytes) kept",
        "weights: 0 (0 bytes) deleted, 0 (0 bytes) kept",
        "unfinished files: 0 (0 bytes) deleted, 0 (0 bytes) kept",
    ]
    assert not get_store().exists(made)
    assert get_trace().requests.get(request_id).response == "The total is 12.50."


def test_records_are_looked_for_where_prefect_keeps_them(inside: CliRunner, tmp_path: Path) -> None:
    record = get_settings().results_dir / "key"
    record.parent.mkdir(parents=True)
    record.write_text('{"metadata": {"storage_key": "key"}, "result": "{}"}')
    other = record.with_name("notes.json")
    other.write_text("[]")
    for path in (record, other):
        os.utime(path, (0, 0))
    done = inside.invoke(main, ["prune", "--max-age-days", "1"])
    assert "records: 1 (52 bytes) deleted, 0 (0 bytes) kept" in done.stdout
    assert (record.exists(), other.exists()) == (False, True)


@pytest.mark.parametrize("option", ["--max-age-days", "--keep-artifacts-gb", "--keep-weights-gb"])
def test_an_amount_beyond_all_that_can_be_is_as_good_as_none(inside: CliRunner, option: str) -> None:
    old_request()
    for amount in ("1000000", "1e300"):
        done = inside.invoke(main, ["prune", option, amount])
        assert done.exit_code == 0, done.output
        assert "requests: 0 deleted, 1 kept" in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Say what to keep: --max-age-days"),
        (["--keep-weights-gb", "-1"], "--keep-weights-gb"),
        (["--max-age-days", "nan"], "nan is not a number of days."),
    ],
)
def test_what_cannot_be_meant_is_refused(inside: CliRunner, options: list[str], sentence: str) -> None:
    refused = inside.invoke(main, ["prune", *options])
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert sentence in refused.stderr

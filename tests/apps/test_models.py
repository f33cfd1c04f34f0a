import json

from click.testing import CliRunner

from apps.cli import main
from hugginggpt.capabilities import CAPABILITIES


def test_every_kind_is_listed(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models"])
    assert listed.exit_code == 0
    assert {line.split()[0] for line in listed.stdout.splitlines() if line.strip()} >= CAPABILITIES.keys()
    assert f"of {len(CAPABILITIES)} kinds of task can run here." in listed.stdout


def test_candidates_of_a_kind_with_what_stands_in_their_way(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models", "--kind", "OCR", "--json"])
    candidates = json.loads(listed.stdout)
    assert {candidate["kind"] for candidate in candidates} == {"image-to-text"}
    assert candidates[0]["endpoint"] == "embedded"
    assert all((candidate["obstacle"] is None) == candidate["runs_here"] for candidate in candidates)
    assert not candidates[-1]["runs_here"]
    table = inside.invoke(main, ["models", "--kind", "OCR"]).stdout
    assert all(candidate["id"] in table for candidate in candidates)
    assert "✗" in table


def test_lines_fit_a_narrow_terminal(inside: CliRunner) -> None:
    listed = inside.invoke(main, ["models"], env={"COLUMNS": "80"})
    assert max(map(len, listed.stdout.splitlines())) <= 80


def test_an_unknown_kind_is_wrong_usage(inside: CliRunner) -> None:
    refused = inside.invoke(main, ["models", "--kind", "image-to-txt"])
    assert refused.exit_code == 2
    assert "did you mean image-to-text?" in refused.stderr

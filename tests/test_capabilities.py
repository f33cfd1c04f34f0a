"""The table of kinds, and what packages add to it: a fresh process for each, since the table is made once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hugginggpt.capabilities import CAPABILITIES, TEXT, Capability, Input, find_kind

ROOT = Path(__file__).parents[1]

PLUGIN = """
from hugginggpt.capabilities import *
from hugginggpt.experts.base import Expert  # what imports ours while they are being imported

def row(kind, *aliases, inputs=(Input("text", ValueType.TEXT),)):
    return Capability(kind, "Blacken names.", inputs, (ValueType.TEXT,), aliases)

"""

PLANNED = """
import json
from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.plan import parse_plan
from hugginggpt.controller.embedded.grammar import plan_grammar
from hugginggpt.plan.notation import read_notation, write_notation

plan = parse_plan('[{"task": "blackening", "id": 0, "dep": [-1], "args": {"text": "I am Ada."}}]')
written = write_notation(plan)
assert read_notation(written) == plan
assert "blackening" in plan_grammar(CAPABILITIES, {}, "I am Ada.")
print(json.dumps([plan.tasks[0].task, written]))
"""


def with_kinds(folder: Path, source: str, code: str) -> subprocess.CompletedProcess[str]:
    """What code prints where a package is installed whose module `stranger` has `KINDS`."""
    (folder / "stranger.py").write_text(source, encoding="utf-8")
    information = folder / "stranger-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text("[hugginggpt.kinds]\nstranger = stranger:KINDS\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_every_name_means_one_kind() -> None:
    for kind, row in CAPABILITIES.items():
        assert {find_kind(name) for name in (kind, *row.aliases, kind.upper().replace("-", " "))} == {kind}
    assert find_kind("no such kind") is None


@pytest.mark.parametrize("first", ["hugginggpt.capabilities", "hugginggpt.experts.base", "hugginggpt.plan"])
def test_a_kind_of_a_package_is_a_kind_whatever_is_imported_first(tmp_path: Path, first: str) -> None:
    source = PLUGIN + "KINDS = [row('blackening', 'redacting')]"
    code = f"import {first}\nfrom hugginggpt.capabilities import *\nprint(len(CAPABILITIES), find_kind('Redacting'))"
    done = with_kinds(tmp_path, source, code)
    assert (done.stdout.split(), done.stderr) == ([str(len(CAPABILITIES) + 1), "blackening"], "")


def test_a_kind_of_a_package_is_planned_written_and_read(tmp_path: Path) -> None:
    done = with_kinds(tmp_path, PLUGIN + "KINDS = [row('blackening')]", PLANNED)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["blackening", '"I am Ada." > blackening']


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("[row('text-to-speech')]", "a kind of task named 'text-to-speech' already exists"),
        ("[row('blackening', 'tts')]", "a kind of task named 'tts' already exists"),
        ("[row('blackening'), row('blackening')]", "a kind of task named 'blackening' already exists"),
        ("[row('Black Out')]", "the names of 'Black Out' must be lower-case words joined by hyphens"),
        ("[row('blackening', inputs=())]", "'blackening' needs an input, an output, and a description of one line"),
        ("['blackening']", "'str' object has no attribute 'kind'"),
        ("1 / 0", "division by zero"),
    ],
)
def test_kinds_that_cannot_be_added_are_reported_and_left_out(tmp_path: Path, kinds: str, said: str) -> None:
    code = "from hugginggpt.capabilities import CAPABILITIES\nprint(len(CAPABILITIES))"
    done = with_kinds(tmp_path, f"{PLUGIN}KINDS = {kinds}", code)
    assert done.stdout.split() == [str(len(CAPABILITIES))]
    assert said in done.stderr and "stranger:KINDS" in done.stderr


def test_a_kind_says_what_it_makes_in_one_line() -> None:
    for outputs, description in (((), "Blacken."), ((TEXT,), "Blacken\nnames."), ((TEXT,), "")):
        with pytest.raises(ValueError, match="needs an input, an output"):
            Capability("blackening", description, (Input("text", TEXT),), outputs)

"""A stranger's expert, as docs/extending.md shows it: packaged, installed, listed and run in a process of its own."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "extending.md"
RUN = """
import json
from hugginggpt.catalog.card import Endpoint
from hugginggpt.catalog.catalog import Catalog
from hugginggpt.deadline import Deadline
from hugginggpt.experts.registry import expert_for
from hugginggpt.media import Text
from hugginggpt.settings import Settings

best = Catalog(Settings(hf_hub_offline=True)).candidates("text-classification")[0]
expert = expert_for(best.card, best.endpoint)
inputs = {"text": Text("to be or not to be")}
(result,) = expert.render(expert.run(expert.load(best.card, None), expert.prepare(inputs), Deadline(9)), inputs)
print(json.dumps({"id": best.card.id, "endpoint": best.endpoint, "data": result.data, "text": result.text}))
"""


def blocks() -> dict[str, str]:
    """The files of the example, by the names in their first lines."""
    found = re.findall(r"((?:^    .*\n|^\n)+)", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    whole = textwrap.dedent("\n".join(block for block in found if block.strip()))
    parts = re.split(r"^# (\w+\.(?:py|toml))\n", whole, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with the example's package installed by pip, from its two files."""
    source, target = tmp_path_factory.mktemp("word-counts"), tmp_path_factory.mktemp("site")
    files = blocks()
    assert files.keys() == {"word_counts.py", "pyproject.toml"}
    (source / "word_counts.py").write_text(files["word_counts.py"], encoding="utf-8")
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
    wheel = '\n[tool.hatch.build.targets.wheel]\nonly-include = ["word_counts.py"]\n'
    (source / "pyproject.toml").write_text(build + files["pyproject.toml"] + wheel, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True, timeout=120)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(target), str(ROOT)]), "HF_HUB_OFFLINE": "1"}


def test_an_installed_expert_is_listed(installed: dict[str, str]) -> None:
    command = [sys.executable, "-m", "apps.cli", "kinds", "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, env=installed, timeout=60).stdout)
    (row,) = (row for row in told if row["kind"] == "text-classification")
    assert row["runtimes"] == ["embedded", "local", "remote"]
    assert row["default_model"] == "example/word-counts"


def test_an_installed_expert_is_the_first_choice_and_runs(installed: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, env=installed, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert (told["id"], told["endpoint"]) == ("example/word-counts", "embedded")
    assert told["data"][0] == {"label": "to", "score": pytest.approx(1 / 3)}
    assert told["text"] == "4 words."

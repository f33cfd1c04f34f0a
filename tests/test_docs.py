"""What the docs say of commands, settings, kinds and tables is what the code has."""

import re
import subprocess
import sys

from hugginggpt.settings import CHECKOUT


def test_the_generated_pages_are_current() -> None:
    check = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=CHECKOUT, capture_output=True, text=True, timeout=120
    )
    assert check.returncode == 0, check.stdout + check.stderr


def test_every_page_that_the_readme_names_is_there() -> None:
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", readme):
        assert (CHECKOUT / link).exists(), link

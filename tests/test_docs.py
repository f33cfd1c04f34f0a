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


def test_each_promise_of_security_names_tests_that_there_are() -> None:
    page = (CHECKOUT / "docs" / "security.md").read_text("utf-8").partition("## What is not promised")[0]
    promises = page.split("\n- ")[1:]
    assert len(promises) > 20
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for file, test in named:
            assert f"\ndef {test}(" in (CHECKOUT / file).read_text("utf-8"), f"{file}::{test}"

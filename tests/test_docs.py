"""What the docs say of commands, settings, kinds and tables is what the code has, and every link leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hugginggpt.catalog.kinds import supported_kinds
from hugginggpt.settings import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = [CHECKOUT / "README.md", *PAGES, *sorted((CHECKOUT / "models_cache").glob("**/README.md"))]


def test_the_generated_pages_are_current() -> None:
    check = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert check.returncode == 0, check.stdout + check.stderr


def links(page: Path) -> list[str]:
    """What the page refers to besides the web: paths, with the anchor if there is one."""
    return re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_that_the_readme_names_is_there() -> None:
    named = links(CHECKOUT / "README.md")
    assert "docs/README.md" in named
    for link in named:
        assert (CHECKOUT / link.partition("#")[0]).exists(), link


def test_the_readme_counts_the_kinds() -> None:
    everywhere = [row.runtimes for row in supported_kinds()]
    embedded, controller = (sum(name in where for where in everywhere) for name in ("embedded", "controller"))
    readme = " ".join((CHECKOUT / "README.md").read_text("utf-8").split())
    assert f"There are {len(everywhere)} [kinds of AI task]" in readme
    assert f"{embedded} run with no key and no download, the LLM itself can do {controller}," in readme


def test_the_index_names_every_page_once() -> None:
    assert sorted(links(DOCS / "README.md")) == sorted(["../README.md", *(p.name for p in PAGES if p.stem != "README")])


def test_every_page_that_the_code_names_is_there() -> None:
    sources = [
        f
        for room in ("apps", "flows", "tasks", "hugginggpt", "training", "examples", "tests", "prompts")
        for f in (CHECKOUT / room).rglob("*")
        if f.suffix in (".py", ".j2")
    ]
    for source in sources:
        for page in re.findall(r"docs/[\w-]+\.md", source.read_text("utf-8")):
            assert (CHECKOUT / page).is_file(), f"{source.relative_to(CHECKOUT)}: {page}"


def test_each_promise_of_security_names_tests_that_there_are() -> None:
    page = (CHECKOUT / "docs" / "security.md").read_text("utf-8").partition("## What is not promised")[0]
    promises = page.split("\n- ")[1:]
    assert len(promises) > 20
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for file, test in named:
            assert f"\ndef {test}(" in (CHECKOUT / file).read_text("utf-8"), f"{file}::{test}"

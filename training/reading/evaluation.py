"""The reader's test set: the pages in `training/reading_test/`, as a browser shows them and OCR reads them.

Their authors have not seen the documents for training. Each page is `NAME.html` with its questions in `NAME.txt`:

    # what it is
    ? When does the pool close on Sunday?
    > 8 pm | at 8 pm                the right answers, as they stand on the page
    ? Do children have to pay?
    no > Children free              a question answered by yes or no, and where that stands
    ? What does a season ticket cost?
    none                            the page does not say

`python -m training.reading.evaluation` writes `models_cache/reader/evaluation.jsonl`, a row for each question:

    {"document": NAME, "text": as read, "question": ..., "answers": [...], "says": "span", "yes", "no" or "none"}

It needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from training.lines import write_lines
from training.reading.ocr import Ocr
from training.reading.templates import ANSWER, Says

FOLDER = Path(__file__).parents[1] / "reading_test"
FILE = Path(__file__).parents[2] / "models_cache" / "reader" / "evaluation.jsonl"

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WIDTH, _HEIGHT = 1100, 4000  # of the window in pixels: more than any of the pages needs
_MARGIN = 24
_SECONDS = 120


def questions(file: Path) -> list[dict[str, Any]]:
    """The questions of a page.

    Raises:
        ValueError: the file is malformed; the message names the file and the line.
    """
    found: list[dict[str, Any]] = []
    asked: str | None = None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = ANSWER.fullmatch(line.strip())
        if line.startswith("? ") and asked is None:
            asked = line[2:].strip()
        elif asked is not None and line.strip() == Says.NOTHING:
            found.append({"question": asked, "answers": [], "says": Says.NOTHING})
            asked = None
        elif asked is not None and match:
            answers = [answer.strip() for answer in match[2].split(" | ")]
            found.append({"question": asked, "answers": answers, "says": Says(match[1] or "span")})
            asked = None
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{file.name}, line {number}: neither a question nor the answer to one.")
    if asked is not None:
        raise ValueError(f"{file.name}: the last question has no answer.")
    return found


def screenshot(page: Path, browser: str) -> Image.Image:
    """The whole page as a browser shows it, cut to what is on it."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={folder}/profile", f"--window-size={_WIDTH},{_HEIGHT}"),
            *(f"--screenshot={picture}", page.resolve().as_uri()),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
        with Image.open(picture) as opened:
            return _cut(opened.convert("RGB"))


def _cut(picture: Image.Image) -> Image.Image:
    """The picture without the empty paper below and beside the page."""
    paper = Image.new("RGB", picture.size, picture.getpixel((picture.width - 1, picture.height - 1)))
    box = ImageChops.difference(picture, paper).getbbox()
    if box is None:
        return picture
    left, top, right, bottom = box
    return picture.crop((
        *(max(0, left - _MARGIN), max(0, top - _MARGIN)),
        *(min(picture.width, right + _MARGIN), min(picture.height, bottom + _MARGIN)),
    ))  # fmt: skip


def rows(folder: Path, browser: str, ocr: Ocr) -> Iterator[dict[str, Any]]:
    """A row for each question of the folder's pages."""
    for page in sorted(folder.glob("*.html")):
        asked = questions(page.with_suffix(".txt"))
        text = ocr.text(screenshot(page, browser))
        for question in asked:
            yield {"document": page.stem, "text": text, **question}


def main() -> None:
    """Read the test pages and write the test set."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--pages", type=Path, default=FOLDER, help="folder of the pages")
    parser.add_argument("--out", type=Path, default=FILE, help="file to write")
    parser.add_argument("--threads", type=int, default=1, help="threads of the OCR")
    given = parser.parse_args()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise SystemExit("There is no Chromium on this machine: install it to take pictures of the test pages.")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write_lines(given.out, rows(given.pages, browser, Ocr(given.threads)))


if __name__ == "__main__":
    main()

"""Scans: the time per page of a PDF of thirty scanned pages, and the memory of what reads them.

    python -m benchmarks.scan

Processor time is compared with that of bare RapidOCR on the same page. Memory hardly depends on the machine; its
targets are megabytes.
"""

import gc
import io
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from benchmarks.rows import Row, main
from hugginggpt.artifacts import ArtifactStore
from hugginggpt.binding import bind
from hugginggpt.deadline import Deadline
from hugginggpt.execution import ExecutionContext, execute
from hugginggpt.experts.base import ExpertContext
from hugginggpt.experts.embedded.ocr import OcrReader
from hugginggpt.experts.pool import ModelPool
from hugginggpt.models.bundled import bundled_cards
from hugginggpt.models.card import Candidate, Endpoint
from hugginggpt.plan import PlannedTask
from hugginggpt.progress import Progress, listening
from hugginggpt.resources import load_resources
from hugginggpt.settings import Settings

PAGES, BARE_PAGES = 30, 3
SECONDS = 7200.0
KIND = "image-to-text"
SLOWDOWN, MEGABYTES = 1.1, 500.0
"""The targets of the time and of the memory of the process that reads."""
WIDTH, HEIGHT = 8.27, 11.69
"""A4, in inches."""
SENTENCES = (
    "The harbour was built in eighteen hundred and twelve, when the first ships from the north came to trade wool and "
    "timber. Invoice 2041 of 12 March 2026 lists 10 boxes of paper at 45.00 EUR. "
)


def measure() -> list[Row]:
    """Read a scan, single large pages, and the same page with bare RapidOCR; takes some minutes."""
    gc.collect()
    watched = _Watched()
    with tempfile.TemporaryDirectory() as folder, listening(watched):
        pages = _read_scan(Path(folder))
    if pages != PAGES or len(watched.begun) != PAGES + 1:
        raise SystemExit("Not every page of the scan was read and told.")
    # The first page also pays for the start of the process.
    seconds, worked = ((each[-1] - each[1]) / (PAGES - 1) for each in (watched.begun, watched.worked))
    bare = _processor_time_of_bare_rapidocr()
    details = f"{worked:.1f} s, in {seconds:.1f} s"
    return [
        Row("processor time of a page of a scan of 30 / bare RapidOCR", worked / bare, SLOWDOWN, details=details),
        Row("MB for such a scan, in all processes", watched.most, 2 * MEGABYTES),
        *(
            Row(f"MB to read an A4 page of {dots} dots per inch", _megabytes_of_reading(dots), MEGABYTES)
            for dots in (300, 600)
        ),
    ]


class _Watched:
    """Listens to the progress, and looks at what this process and its children have taken by then.

    Attributes:
        begun: when each page was begun, and when the last one was done.
        worked: the processor time by then, in seconds.
        most: megabytes, without those that this process had before.
    """

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.worked: list[float] = []
        self.most = 0.0
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss

    def __call__(self, progress: Progress) -> None:
        self.begun.append(time.monotonic())
        processes = (self._process, *self._process.children(recursive=True))
        taken = sum(process.memory_info().rss for process in processes) - self._before
        self.most = max(self.most, taken / 1e6)
        self.worked.append(sum(sum(process.cpu_times()[:4]) for process in processes))


class _Unrecorded:
    """Records nothing of the attempts."""

    def started(self, candidate: Candidate) -> None: ...

    def finished(self, seconds: float, error: BaseException | None, loading: float | None) -> None: ...


def _read_scan(folder: Path) -> int:
    """Read a scan as a request does; returns how many pages were read."""
    settings = Settings(artifacts_url=str(folder / "artifacts"))
    store = ArtifactStore.from_settings(settings)
    (folder / "scan.pdf").write_bytes(_scan())
    resources = load_resources([str(folder / "scan.pdf")], settings, store)
    planned = PlannedTask(task=KIND, id=0, args={"image": "scan.pdf"})
    result = execute(
        planned,
        bind(planned, resources, {}, store, max_chars=settings.max_text_chars),
        [_candidate()],
        ExecutionContext(
            pool=ModelPool(settings),
            expert_context=_context(settings),
            store=store,
            deadline=Deadline(SECONDS),
            attempts=_Unrecorded(),
            slot=lambda candidate, deadline: nullcontext(),
            last_try=True,
        ),
    )
    return sum(item.error is None for item in result.items)


def _megabytes_of_reading(dots: int) -> float:
    """The most memory of the process that reads a page, in megabytes."""
    before = {process.pid for process in psutil.Process().children()}
    with closing(OcrReader(_candidate().card, _context(Settings()))) as reader:
        (child,) = (process for process in psutil.Process().children() if process.pid not in before)
        reader.read(_page(dots), Deadline(SECONDS))
        return _peak(child.pid)


def _peak(pid: int) -> float:
    """The most memory that a process has taken, in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _processor_time_of_bare_rapidocr() -> float:
    """Seconds of processor time per page of RapidOCR as it is, in this process."""
    from rapidocr import RapidOCR

    threads = Settings().cpu_threads
    engine = RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": threads})
    page = np.asarray(_page(200))
    engine(page)
    began = time.process_time()
    for _ in range(BARE_PAGES):
        engine(page)
    return (time.process_time() - began) / BARE_PAGES


def _candidate() -> Candidate:
    card = next(card for card in bundled_cards()[KIND] if Endpoint.EMBEDDED in card.runs_on)
    return Candidate(card=card, endpoint=Endpoint.EMBEDDED)


def _context(settings: Settings) -> ExpertContext:
    return ExpertContext(settings, _no_controller)


def _no_controller() -> Any:
    raise AssertionError("OCR asked for the controller")


def _scan() -> bytes:
    buffer = io.BytesIO()
    sheets: Sequence[PILImage.Image] = [_page(200)] * PAGES
    sheets[0].save(buffer, "PDF", save_all=True, append_images=sheets[1:], resolution=200)
    return buffer.getvalue()


def _page(dots: int) -> PILImage.Image:
    """A page full of text of 11 points, with the noise of a scanner."""
    width, height, size = round(WIDTH * dots), round(HEIGHT * dots), 11 * dots // 72
    page = PILImage.new("L", (width, height), 245)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    words, left = (SENTENCES * 40).split(), width // 11
    for top in range(height // 12, height - height // 12, round(1.45 * size)):
        line = words.pop(0)
        while words and draw.textlength(f"{line} {words[0]}", font=font) < width - 2 * left:
            line += f" {words.pop(0)}"
        draw.text((left, top), line, fill=20, font=font)
    noise = np.random.default_rng(0).normal(0, 6, (height, width))
    return PILImage.fromarray(np.clip(np.asarray(page) + noise, 0, 255).astype(np.uint8)).convert("RGB")


if __name__ == "__main__":
    main(measure)

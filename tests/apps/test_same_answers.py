"""The same request gives the same values whichever way it comes in, for the files that people have."""

import base64
import json
import os
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from hugginggpt.settings import Settings
from hugginggpt.trace.store import Trace
from tests import forked
from tests.apps.installation import Installation
from tests.documents.builders import pdf, words
from tests.files.documents import report, workbook
from tests.files.pages_and_mails import mail
from tests.files.pictures import halves, saved, scanned
from tests.files.sounds import tone

Asked = tuple[str, list[str], list[dict[str, Any]] | None]
"""The text, the files as the user names them, and the plan if one is given."""

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Über uns.txt") for form in ("NFC", "NFD"))
PROGRAM = """
import json, sys
from flows.answer import answer_request

for request, files, plan in json.load(open(sys.argv[1])):
    state = answer_request(request, files=files, options={"plan": plan, "fresh": True}, return_state=True)
    print(json.dumps(state.result()), flush=True)
"""
PAGE = b"<html><body><h1>Opening hours</h1><p>We are open from nine to five.</p></body></html>"


def sheet(*lines: str) -> PILImage.Image:
    """A scanned page."""
    page = PILImage.new("L", (640, 320), 255)
    ImageDraw.Draw(page).text((30, 60), "\n".join(lines), fill=0, font=ImageFont.load_default(size=48))
    return page


def add_sheets(sheet: Any, **sheets: Sequence[Sequence[Any]]) -> None:
    """Further sheets of its workbook."""
    for title, rows in sheets.items():
        added = sheet.parent.create_sheet(title)
        for row in rows:
            added.append(row)


def step(id: int, kind: str, **args: Any) -> dict[str, Any]:
    return {"task": kind, "id": id, "dep": [-1], "args": args}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a page, whose server declares another charset than it has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=iso-8859-1")
            self.send_header("Content-Length", str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hours.html"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user is, with files there, in the home folder, and behind a link to a folder."""
    folder = tmp_path_factory.mktemp("files")
    elsewhere = folder / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (folder / "linked").symlink_to(elsewhere)
    first = (("Month", "Sales"), ("January", 120), ("February", 340), ("March", 90))
    second = (("Month", "Sales"), ("April", 210), ("May", 405), ("June", 150))
    contents: dict[str, bytes] = {
        "invoice.pdf": pdf(words("Invoice 17", 72, 700) + words("Total: 58.50 EUR", 72, 660)),
        "scan.tiff": scanned([sheet("PAGE ONE"), sheet("PAGE TWO")], compression="tiff_lzw"),
        "sales.xlsx": workbook(
            *first, title="Q1", change=lambda sheet: add_sheets(sheet, Q2=second, Staff=(("Name",), ("Ann",)))
        ),
        "minutes.docx": report(),
        "odd.csv": "Sales of 2024\r\nItem;Price\r\nTable;1.234,50 €\r\nLamp;-8,90 €\r\n".encode("cp1252"),
        "note.txt": "It is a wonderful day – really.".encode("utf-16-le"),
        "mail.eml": mail("Dear Ann,\nthis is a terrible mess.\n", Subject="Mess"),
        "IMG_0004.HEIC": halves("HEIF", (64, 48)),
        "turned.jpg": halves("JPEG", (64, 48), orientation=6),
        "loud.wav": tone("FLOAT", loudness=2.5),
        DECOMPOSED: "We are über-happy.".encode(),
        "two words.txt": b"I hate this.",
        "wrong.png": saved(PILImage.new("RGB", (32, 24), "red"), "JPEG"),
        "home/at home.txt": b"I love this.",
        "elsewhere/up.txt": b"What a lovely place.",
        "up.txt": b"This is the wrong file.",
    }
    (folder / "home").mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "a link.txt").symlink_to("two words.txt")
    return folder


@pytest.fixture(scope="module")
def requests(folder: Path, site: str) -> list[Asked]:
    """The text, the files as the user names them, and the plan if one is given."""
    uri = f"data:;base64,{base64.b64encode(b'This is a nice day.').decode()}"
    texts = {
        "note.txt": "note.txt",
        "mail.eml": f"{folder}/mail.eml",
        "hours.html": site,
        "data.txt": uri,
        COMPOSED: COMPOSED,
        "two words.txt": "./two words.txt",
        "a link.txt": "a link.txt",
        "at home.txt": "~/at home.txt",
        "up.txt": "linked/../up.txt",
        "minutes.docx": f"file://{folder}/minutes.docx",
        "note-2.txt": "elsewhere/../note.txt",
    }
    read = [
        step(0, "text-classification", text=[*texts]),
        step(1, "image-to-text", image="scan.tiff"),
        step(2, "table-question-answering", text="What is the total of Q2?", table="sales.xlsx"),
        step(3, "table-question-answering", text="What is the price of the table?", table="odd.csv"),
        step(4, "canny-control", image=["IMG_0004.HEIC", "./turned.jpg", "wrong.png"]),
        step(5, "audio-to-audio", audio="loud.wav"),
        step(6, "text-classification", text=[f"{folder}/two words.txt", "linked/../up.txt"]),
    ]
    others = ["scan.tiff", "sales.xlsx", "odd.csv", "IMG_0004.HEIC", "turned.jpg", "wrong.png", "loud.wav"]
    return [
        ("What is the total?", ["invoice.pdf"], None),
        ("What do they say?", [*texts.values(), *others], read),
    ]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Installation:
    """Where nothing is up yet."""
    installation = Installation(
        tmp_path_factory.mktemp("up"), HOME=str(folder / "home"), HUGGINGGPT_TRUSTED_HOSTS="127.0.0.1"
    )
    del installation.environment["HUGGINGGPT_FILE_ROOTS"]
    return installation


@pytest.fixture(scope="module")
def up(here: Installation) -> Iterator[Installation]:
    with here.is_up():
        yield here


@pytest.fixture(scope="module")
def alone(here: Installation, prefect_api: str) -> dict[str, str]:
    """The environment of another home folder, where nothing is up."""
    return here.environment | {"HUGGINGGPT_HOME": str(here.folder / "alone"), "PREFECT_API_URL": prefect_api}


@pytest.fixture(scope="module")
def asked_alone(
    alone: dict[str, str], folder: Path, requests: list[Asked], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What `ask` comes to where nothing is up."""
    found = asked(alone, folder, requests, tmp_path_factory.mktemp("plans"))
    assert "58.50" in found[0]["answer"] and "765 (sheet Q2)" in found[1]["answer"]
    return found


def run(folder: Path, environment: dict[str, str], *words: str | Path, module: str = "apps.cli") -> str:
    """What a program writes to stdout."""
    done = forked.run([*map(str, words)], folder, environment, module=module)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(environment: dict[str, str], folder: Path, requests: Sequence[Asked], plans: Path) -> list[dict[str, Any]]:
    """What comes of the requests by `ask`."""
    found = []
    for text, files, plan in requests:
        given = [word for file in files for word in ("--file", file)]
        if plan is not None:
            (plans / "plan.json").write_text(json.dumps(plan))
            given += ["--plan", str(plans / "plan.json")]
        said = run(folder, environment, "ask", text, "--json", "--fresh", *given)
        found.append(values(environment, said))
    return found


def values(environment: dict[str, str], reported: str) -> dict[str, Any]:
    """What of a request has to be the same, from its report and from the trace."""
    report = json.loads(reported)
    trace = Trace.open(Settings(home=Path(environment["HUGGINGGPT_HOME"])))
    try:
        story = trace.requests.get(report["request_id"])
    finally:
        trace.close()
    paths = {file["path"]: file["sha256"] for file in report["files"]}
    answer = report["response"]
    for path, sha256 in paths.items():
        answer = answer.replace(path, sha256)
    return {
        "answer": answer,
        "status": report["status"],
        "notes": report["notes"],
        "plan": report["plan"],
        "repairs": story.plan and story.plan.repairs,
        "tasks": [
            (task["task"], task["status"], task["model"], task["revision"], task["endpoint"], task["error"])
            for task in report["tasks"]
        ],
        "outputs": [[(o["item"], o["type"], o["sha256"], o["text"]) for o in t["outputs"]] for t in report["tasks"]],
        "files": [resource.model_dump(mode="json") for resource in story.resources],
        "controller": report["controller"]["model"],
    }


def check(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare what two ways gave, one value after the other."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for what, value in other.items():
            assert one[what] == value, what


def test_python(
    asked_alone: list[dict[str, Any]], alone: dict[str, str], folder: Path, requests: list[Asked], tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    said = run(folder, alone | {"PYTHONPATH": path}, tmp_path / "requests.json", module="program")
    check([values(alone, line) for line in said.splitlines()], asked_alone)


def test_ask_beside_up(
    asked_alone: list[dict[str, Any]], up: Installation, folder: Path, requests: list[Asked], tmp_path: Path
) -> None:
    check(asked(up.environment, folder, requests, tmp_path), asked_alone)


def test_submit(
    asked_alone: list[dict[str, Any]], up: Installation, folder: Path, requests: list[Asked], tmp_path: Path
) -> None:
    lines = [{"request": t, "files": f, "fresh": True} | ({"plan": p} if p else {}) for t, f, p in requests]
    (tmp_path / "batch.jsonl").write_text("\n".join(map(json.dumps, lines)))
    said = run(folder, up.environment, "submit", "--batch", tmp_path / "batch.jsonl", "--wait", "--json")
    check([values(up.environment, line) for line in said.splitlines()], asked_alone)

"""Importing costs nothing, nothing imports in a circle, and modules stay short.

The directions of imports between the rooms are import-linter's to check (`make lint`).
"""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]

RUNTIMES = (
    "torch",
    "transformers",
    "diffusers",
    "onnxruntime",
    "xllamacpp",
    "cv2",
    "rapidocr",
    "sentence_transformers",
)
PACKAGES = ("apps", "flows", "tasks", "hugginggpt")
IMPORTED_LATE = ("hugginggpt.media.first_frame", "hugginggpt.experts.local.runtime.hed_network")
"""Modules that exist to be imported inside a function, so that their runtime is."""

MOST_LINES, MOST_PARAMETERS = 450, 7
SOURCES = [
    path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts
]
ROOMS = sorted(path.name for path in (ROOT / "hugginggpt").iterdir() if (path / "__init__.py").exists())


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


def modules_in(room: str) -> list[str]:
    """The modules of a package of `hugginggpt`, or those that are in none."""
    folder = ROOT / "hugginggpt" / room
    found = (folder.rglob if room else folder.glob)("*.py")
    names = [path.relative_to(ROOT).with_suffix("") for path in sorted(found) if "migrations" not in path.parts]
    dotted = [".".join(name.parts).removesuffix(".__init__") for name in names]
    return [name for name in dotted if name not in IMPORTED_LATE]


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_a_room_brings_in_no_runtime_and_no_orchestrator(room: str) -> None:
    assert not loaded_by("\n".join(f"import {name}" for name in modules_in(room))) & {*RUNTIMES, "prefect"}


def test_every_expert_is_registered_without_its_runtime() -> None:
    loaded = loaded_by("from hugginggpt.experts.registry import experts\nassert experts()")
    assert not loaded & {*RUNTIMES, "prefect"}


def test_the_command_line_brings_in_nothing_heavy() -> None:
    assert not loaded_by("import apps.cli.main") & {
        *RUNTIMES,
        "prefect",
        "openai",
        "sqlalchemy",
        "huggingface_hub",
        "numpy",
    }


def test_a_process_that_reads_a_document_brings_in_what_reads_and_no_more() -> None:
    assert not loaded_by("import hugginggpt.documents.process") & {*RUNTIMES, "numpy", "pydantic", "prefect"}


def test_flows_load_no_model_runtime() -> None:
    assert not loaded_by("import flows.answer") & set(RUNTIMES)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    try:
        TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()
    except CycleError as error:
        pytest.fail(f"These modules import each other in a circle: {' <- '.join(error.args[1])}.")


def test_modules_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines >= MOST_LINES} == {}


def test_signatures_are_short() -> None:
    long = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                named = [argument.arg for argument in taken if argument.arg not in ("self", "cls")]
                if len(named) > MOST_PARAMETERS:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = len(named)
    assert long == {}

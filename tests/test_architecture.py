"""Importing costs nothing. That arrows run one way is import-linter's to check (`make lint`)."""

import subprocess
import sys
from pathlib import Path

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
NOUNS = (
    "hugginggpt.artifacts",
    "hugginggpt.capabilities",
    "hugginggpt.catalog",
    "hugginggpt.catalog.catalog",
    "hugginggpt.controller",
    "hugginggpt.controller.client",
    "hugginggpt.deadline",
    "hugginggpt.errors",
    "hugginggpt.experts.base",
    "hugginggpt.experts.pool",
    "hugginggpt.experts.registry",
    "hugginggpt.media.fetch",
    "hugginggpt.media",
    "hugginggpt.plan",
    "hugginggpt.results",
    "hugginggpt.settings",
    "hugginggpt.trace",
)


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.split())


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_brings_in_no_runtime_and_no_orchestrator(noun: str) -> None:
    assert not loaded_by(f"import {noun}") & {*RUNTIMES, "prefect"}


def test_every_expert_is_registered_without_its_runtime() -> None:
    loaded = loaded_by("from hugginggpt.experts.registry import experts\nassert experts()")
    assert not loaded & {*RUNTIMES, "prefect"}


def test_the_command_line_brings_in_nothing_heavy() -> None:
    assert not loaded_by("import apps.cli") & {*RUNTIMES, "prefect", "openai", "sqlalchemy", "huggingface_hub", "numpy"}


def test_flows_load_no_model_runtime() -> None:
    assert not loaded_by("import flows.answer") & set(RUNTIMES)

"""Two processes have the same fingerprint if their settings are the same, and only then."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hugginggpt.settings_fingerprint import settings_fingerprint

HOME = Path("/home/ada/.hugginggpt")
SETTINGS = {"OPENAI_API_KEY": "sk-secret", "HUGGINGGPT_TOP_K": "3", "HUGGINGGPT_FILE_ROOTS": "/data:/more"}


def fingerprint(*, key: str = "key", **more: str) -> str:
    return settings_fingerprint({"PATH": "/bin", **SETTINGS, **more}, HOME, key)


@pytest.mark.parametrize(
    "more",
    [
        {"PATH": "/elsewhere", "LANG": "C"},
        {"HUGGINGGPT_HOME": "/home/ada/.hugginggpt", "PREFECT_API_URL": "http://127.0.0.1:4200/api"},
        {"HUGGINGGPT_DEVICE": ""},
        {"HUGGINGGPT_ALLOWED_HOSTS": "proxy.example", "PREFECT_SERVER_API_AUTH_STRING": "admin:secret"},
        {"PREFECT_LOCAL_STORAGE_PATH": "/home/ada/.hugginggpt/results", "HF_HUB_DISABLE_TELEMETRY": "1"},
    ],
)
def test_what_does_not_change_an_answer_does_not_count(more: dict[str, str]) -> None:
    assert fingerprint(**more) == fingerprint()


@pytest.mark.parametrize(
    "more",
    [
        {"OPENAI_API_KEY": "sk-other"},
        {"HUGGINGGPT_TOP_K": "4"},
        {"hugginggpt_device": "cpu"},
        {"HF_TOKEN": "hf_token"},
        {"PREFECT_LOCAL_STORAGE_PATH": "/elsewhere"},
        {"HTTPS_PROXY": "http://proxy.example"},
        {"AWS_ACCESS_KEY_ID": "other"},
    ],
)
def test_what_changes_an_answer_counts(more: dict[str, str]) -> None:
    assert fingerprint(**more) != fingerprint()


def test_nobody_without_the_key_can_try_secrets() -> None:
    assert fingerprint(key="other") != fingerprint()
    assert "secret" not in fingerprint()


@pytest.mark.parametrize(
    ("name", "absolute", "relative"),
    [
        ("HUGGINGGPT_MODELS_CACHE", "/models", "models"),
        ("HUGGINGGPT_FILE_ROOTS", "/data:/more", "/data:more"),
        ("HUGGINGGPT_DATABASE_URL", "sqlite:////data/trace.db", "sqlite:///trace.db"),
        ("HUGGINGGPT_EMBEDDED_PLANNER", "none", "planner.gguf"),
        ("HUGGINGGPT_EMBEDDED_READER", "none", "reader.safetensors"),
    ],
)
def test_a_relative_path_is_another_one_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, absolute: str, relative: str
) -> None:
    before = [fingerprint(**{name: value}) for value in (absolute, relative)]
    monkeypatch.chdir(tmp_path)
    after = [fingerprint(**{name: value}) for value in (absolute, relative)]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_who_sees_other_files_has_another_one() -> None:
    code = "from tests.test_settings_fingerprint import fingerprint; print(fingerprint())"
    same = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert same.stdout == f"{fingerprint()}\n"
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare here")
    other = subprocess.run(["unshare", "--mount", sys.executable, "-c", code], capture_output=True, text=True)
    if other.returncode:
        pytest.skip("this user may not have file systems of its own")
    assert other.stdout != same.stdout

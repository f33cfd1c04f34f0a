"""The wheel runs outside the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from the checkout without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("hugginggpt-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it, as a user has it in site-packages."""
    folder = tmp_path_factory.mktemp("installed")
    pip("install", "--no-deps", "--target", str(folder), str(wheel))
    return folder


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--no-index", "--disable-pip-version-check"]
    subprocess.run(command, check=True, capture_output=True, text=True)


def outside(installed: Path, folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run this interpreter away from the checkout; the installed wheel comes before it on the path."""
    environment = os.environ | {"PYTHONPATH": str(installed), "HUGGINGGPT_HOME": str(folder / "home")}
    return subprocess.run(
        [sys.executable, *arguments], check=check, capture_output=True, text=True, cwd=folder, env=environment
    )


def test_the_wheel_holds_code_and_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    rooms = {"hugginggpt", "flows", "tasks", "apps"}
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == rooms
    assert "hugginggpt/prompts/planning.j2" in names
    assert "hugginggpt/models_cache/catalog.json" in names
    assert "hugginggpt/deployments.yaml" in names
    assert any(name.startswith("hugginggpt/trace/migrations/versions/") for name in names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert not [name for name in names if "/hub/" in name or name.startswith("tests/")]


def test_every_prompt_and_migration_of_the_checkout_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    prompts = {f"hugginggpt/{path.relative_to(ROOT)}" for path in (ROOT / "prompts").rglob("*") if path.is_file()}
    migrations = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hugginggpt/trace/migrations").rglob("*.py")}
    assert prompts | migrations <= names


def test_the_installed_package_finds_its_data(installed: Path, tmp_path: Path) -> None:
    code = """
import json, hugginggpt
from hugginggpt.settings import data_file, data_folder, get_settings
print(json.dumps([hugginggpt.__file__, *(str(data_folder(name)) for name in ("prompts", "models_cache")),
                  str(data_file("deployments.yaml")), str(get_settings().models_cache_dir)]))
"""
    package, prompts, catalog, deployments, downloads = json.loads(outside(installed, tmp_path, "-c", code).stdout)
    assert Path(package) == installed / "hugginggpt/__init__.py"
    assert Path(prompts) == installed / "hugginggpt/prompts"
    assert Path(catalog) == installed / "hugginggpt/models_cache"
    assert Path(deployments) == installed / "hugginggpt/deployments.yaml"
    assert Path(downloads) == tmp_path / "home/models_cache/hub"


def test_the_installed_command_line_answers(installed: Path, tmp_path: Path) -> None:
    run = outside(installed, tmp_path, "-c", "from apps.cli.main import main; main()", "--help")
    assert "ask" in run.stdout
    assert (installed / "bin/hugginggpt").is_file()


def test_the_installed_command_line_uses_catalog_and_database(installed: Path, tmp_path: Path) -> None:
    main = "from apps.cli.main import main; main()"
    listed = outside(installed, tmp_path, "-c", main, "models", "--kind", "image-to-text")
    assert "rapidocr" in listed.stdout.lower()
    assert outside(installed, tmp_path, "-c", main, "trace", "list").returncode == 0

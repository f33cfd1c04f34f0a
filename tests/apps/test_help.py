import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from apps.cli.exits import Commands, verbose_option
from apps.cli.main import main
from hugginggpt import __version__
from hugginggpt.errors import ConfigurationError, ExpertError, MediaError

HEAVY = {"torch", "transformers", "diffusers", "prefect", "openai", "sqlalchemy", "pydantic", "rich", "numpy", "httpx"}
COMMANDS = [
    name if part is None else f"{name} {part}"
    for name, command in main.commands.items()
    for part in (None, *(command.commands if isinstance(command, click.Group) else ()))
]

LOADED_BY_HELP = """
import sys
from apps.cli.main import main
for arguments in [command.split() for command in sys.argv[1:]] + [[]]:
    try:
        main([*arguments, "--help"])
    except SystemExit as ending:
        assert ending.code == 0
print("loaded:", *{name.partition(".")[0] for name in sys.modules})
"""


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED_BY_HELP, *COMMANDS], capture_output=True, text=True, check=True)
    *_, loaded = done.stdout.splitlines()
    assert "click" in loaded.split()
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained(command: str) -> None:
    found: click.Command = main
    for name in command.split():
        assert isinstance(found, click.Group)
        found = found.commands[name]
    assert found.help
    assert all(option.help for option in found.params if isinstance(option, click.Option))


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"hugginggpt {__version__}\n"


@pytest.fixture
def group() -> click.Group:
    @click.group(cls=Commands)
    def group() -> None:
        pass

    @group.command()
    @click.argument("kind")
    @verbose_option
    def fail(kind: str) -> None:
        errors = {
            "expert": ExpertError("It cannot be done."),
            "media": MediaError("The file is empty; give another."),
            "setting": ConfigurationError("The setting cannot be used."),
            "other": ValueError("two\nlines"),
            "interrupt": KeyboardInterrupt(),
        }
        raise errors[kind]

    return group


@pytest.mark.parametrize(
    ("kind", "code", "sentence"),
    [
        ("expert", 1, "Error: It cannot be done.\n"),
        ("media", 2, "Error: The file is empty; give another.\n"),
        ("setting", 2, "Error: The setting cannot be used.\n"),
        (
            "other",
            1,
            "Error: Something unexpected happened: ValueError: two. Run it again with --verbose for the traceback.\n",
        ),
        ("interrupt", 130, "Error: Interrupted.\n"),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(group: click.Group, kind: str, code: int, sentence: str) -> None:
    ended = CliRunner().invoke(group, ["fail", kind])
    assert (ended.exit_code, ended.stderr, ended.stdout) == (code, sentence, "")


def test_verbose_shows_the_traceback(group: click.Group) -> None:
    ended = CliRunner().invoke(group, ["fail", "other", "--verbose"])
    assert ended.exit_code == 1
    assert "Traceback" in ended.stderr
    assert ended.stderr.endswith("Error: Something unexpected happened: ValueError: two.\n")

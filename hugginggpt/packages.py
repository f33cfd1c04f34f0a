"""Checks that Python does not find other modules in place of our own packages."""

from importlib.util import find_spec
from pathlib import Path

from hugginggpt.errors import ConfigurationError
from hugginggpt.settings import CHECKOUT


def check_packages() -> None:
    """Check that Python finds our packages `flows` and `tasks`.

    Raises:
        ConfigurationError: a module of the same name, such as one in the current folder, comes first.
    """
    for name in ("flows", "tasks"):
        spec = find_spec(name)
        if spec is not None and spec.origin and Path(spec.origin).resolve() != CHECKOUT / name / "__init__.py":
            raise ConfigurationError(
                f"Python finds {spec.origin} instead of HuggingGPT's package {name}: run the command in another "
                "folder, or remove that one from PYTHONPATH."
            )

"""The deployments of `deployments.yaml`, by their names in Prefect: `<flow>/<deployment>`."""

from functools import lru_cache

import yaml

from hugginggpt.settings import data_file


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """The name of each deployment, by its entry point. Prefect names a flow after its function, with dashes."""
    rows = yaml.safe_load(data_file("deployments.yaml").read_text("utf-8"))["deployments"]
    return {
        row["entrypoint"]: f"{row['entrypoint'].rpartition('.')[2].replace('_', '-')}/{row['name']}" for row in rows
    }


def deployment_names() -> list[str]:
    """All deployments, in alphabetical order."""
    return sorted(_names().values())


def entrypoints() -> list[str]:
    """The flow of each deployment, by its module and function."""
    return list(_names())


def is_deployed(entrypoint: str) -> bool:
    """Whether a flow, given by its module and function, has a deployment of ours."""
    return entrypoint in _names()


def deployment_of(entrypoint: str) -> str:
    """The deployment of a flow, which is given by its module and function."""
    return _names()[entrypoint]

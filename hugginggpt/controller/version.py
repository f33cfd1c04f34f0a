"""What a controller's plans are made by: kept plans and scores hold only while it stays the same."""

import hashlib
from pathlib import Path

from hugginggpt.capabilities import CAPABILITIES, ValueType
from hugginggpt.controller import embedded
from hugginggpt.controller.prompts import prompt_hash
from hugginggpt.plan.grammar import plan_grammar
from hugginggpt.settings import Settings, data_folder

# Of a grammar without sources and words only the empty plan would be left.
_SOURCES = {type: [f"one {type}"] for type in ValueType}
_TEXT = 'Read it aloud: "Good morning"'


def planner_sha256(settings: Settings, server: str | None) -> str:
    """Hash of the prompts by which a controller plans, of the table of kinds, and of what else makes its plans.

    Args:
        server: address of the OpenAI-compatible server, which is part of it; None for the embedded
            controller, of which the grammar and the weights are.

    Raises:
        ControllerError: the embedded planner's weights are not there.
    """
    in_notation = server is None and embedded.plans_in_notation(settings)
    family = "planner" if in_notation else "planning"
    prompts = sorted(path.stem for path in data_folder("prompts").glob(f"{family}*.j2"))
    digest = hashlib.sha256("".join(prompt_hash(name) for name in prompts).encode())
    digest.update(repr(list(CAPABILITIES.values())).encode())
    if in_notation:
        digest.update(plan_grammar(CAPABILITIES, _SOURCES, _TEXT).encode())
    if server is not None:
        digest.update(server.encode())
        return digest.hexdigest()
    for path in _weights(settings):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _weights(settings: Settings) -> list[Path]:
    """The planner's adapter, and the base model if it is not the packaged one, which never changes."""
    adapter, base = embedded.planner(settings), settings.embedded_controller_gguf
    return [path for path in (adapter, base and base.expanduser()) if path is not None and path.is_file()]

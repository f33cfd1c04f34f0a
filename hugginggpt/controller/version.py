"""A hash of everything that a controller's plans depend on: while it stays the same, cached plans and scores count."""

import hashlib
import inspect
from pathlib import Path

from hugginggpt.capabilities import CAPABILITIES
from hugginggpt.controller import planning
from hugginggpt.controller.client import Controller
from hugginggpt.controller.embedded import direct, file_questions, grammar, planner, questions, sources, turns
from hugginggpt.controller.embedded import server as embedded
from hugginggpt.controller.prompts import prompt_hash
from hugginggpt.plan import draft, extract, limits, loose, model, notation, parse, references, repair, schema
from hugginggpt.settings import Settings

_READING = (draft, extract, limits, loose, model, parse, references, repair)
_BY_NOTATION = (planner, turns, file_questions, questions, direct, sources, grammar, notation, *_READING)
_BY_JSON = (planning, schema, *_READING)


def planner_sha256(controller: Controller) -> str:
    """Hash of everything that a controller's plans depend on, besides the name of its model.

    These are the prompts, the kinds and our code, then the server's address; for the embedded controller its weights.

    Raises:
        ControllerError: the embedded planner's weights are missing.
    """
    in_notation = controller.is_embedded and embedded.plans_in_notation(controller.settings)
    prompts, code = ("embedded/planning", _BY_NOTATION) if in_notation else ("planning", _BY_JSON)
    digest = hashlib.sha256("".join(prompt_hash(name) for name in (prompts, f"{prompts}_repair")).encode())
    digest.update(repr(list(CAPABILITIES.values())).encode())
    files = [Path(inspect.getfile(module)) for module in code]
    if controller.is_embedded:
        files += _weights(controller.settings)
    else:
        digest.update(controller.label.encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _weights(settings: Settings) -> list[Path]:
    """The planner's adapter, and the base model unless it is the packaged one, which never changes."""
    adapter, base = embedded.planner(settings), settings.embedded_controller_gguf
    return [path for path in (adapter, base and base.expanduser()) if path is not None and path.is_file()]
